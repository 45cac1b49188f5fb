// The read loop, once for each vector type; included inside a kernel file, which defines
//   FATHOM_READ_TARGET   the function attribute of the instruction set
//   Words                a GCC vector type of uint64_t
// GCC's vector extension compiles to the plain loads and xors of whichever instruction set the
// function's attribute names.

template <Prefetch kPrefetch>
FATHOM_READ_TARGET inline __attribute__((always_inline)) void PrefetchAhead(const std::byte* at) {
  if constexpr (kPrefetch == Prefetch::kT0) __builtin_prefetch(at, 0, 3);
  if constexpr (kPrefetch == Prefetch::kT1) __builtin_prefetch(at, 0, 2);
}

// `streams` equal parts of the data, a cache line of each in turn.
template <int kStreams, Prefetch kPrefetch>
FATHOM_READ_TARGET uint64_t ReadStreams(const std::byte* data, size_t bytes, size_t distance) {
  constexpr size_t kWordsPerLine = 64 / sizeof(Words);
  const size_t part = bytes / kStreams;
  Words sums[kStreams] = {};
  for (size_t at = 0; at < part; at += 64) {
#pragma GCC unroll 8
    for (int stream = 0; stream < kStreams; ++stream) {
      const std::byte* line = data + static_cast<size_t>(stream) * part + at;
      PrefetchAhead<kPrefetch>(line + distance);
#pragma GCC unroll 4
      for (size_t i = 0; i < kWordsPerLine; ++i) {
        sums[stream] ^= reinterpret_cast<const Words*>(line)[i];
      }
    }
  }
  uint64_t words[kStreams * sizeof(Words) / 8];
  __builtin_memcpy(words, sums, sizeof(words));
  uint64_t sum = 0;
  for (const uint64_t word : words) sum ^= word;
  return sum;
}

template <int kStreams>
FATHOM_READ_TARGET uint64_t ReadPrefetched(const std::byte* data, size_t bytes,
                                           const ReadVariant& variant) {
  switch (variant.prefetch) {
    case Prefetch::kNone:
      return ReadStreams<kStreams, Prefetch::kNone>(data, bytes, 0);
    case Prefetch::kT0:
      return ReadStreams<kStreams, Prefetch::kT0>(data, bytes, variant.distance);
    case Prefetch::kT1:
      return ReadStreams<kStreams, Prefetch::kT1>(data, bytes, variant.distance);
  }
  return 0;
}

FATHOM_READ_TARGET uint64_t Read(const std::byte* data, size_t bytes, const ReadVariant& variant) {
  switch (variant.streams) {
    case 2:
      return ReadPrefetched<2>(data, bytes, variant);
    case 4:
      return ReadPrefetched<4>(data, bytes, variant);
    case 8:
      return ReadPrefetched<8>(data, bytes, variant);
    default:
      return ReadPrefetched<1>(data, bytes, variant);
  }
}
