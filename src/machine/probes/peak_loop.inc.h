// The loop of multiply-adds between registers, once for each vector type; included inside a kernel
// file, which defines
//   FATHOM_TARGET   the function attribute of the instruction set
//   Vector          a GCC vector type of it
// The instructions themselves are inline assembly (Step): a compiler may not move a product out of
// the loop, pair sums up or spill them to follow its own plan.

// Operands: kA registers of a, kB of b (half of them the others negated). Step::Add(sum, a, b) is
// one multiply-add. A round is 2 x kSums of them: in its second half each sum takes the negated b.
template <typename Step, int kSums, int kA, int kB>
FATHOM_TARGET float PeakLoop(const std::byte* operands, int64_t rounds) {
  Vector a[kA], b[kB], sums[kSums];
  for (int i = 0; i < kA; ++i) a[i] = reinterpret_cast<const Vector*>(operands)[i];
  for (int i = 0; i < kB; ++i) {
    const std::byte* from = operands + (i % 2 == 0 ? kPeakB : kPeakMinusB);
    b[i] = reinterpret_cast<const Vector*>(from)[i / 2];
  }
  for (int i = 0; i < kSums; ++i) {
    sums[i] = reinterpret_cast<const Vector*>(operands + kPeakSums)[i];
  }
  for (int64_t round = 0; round < rounds; ++round) {
#pragma GCC unroll 16
    for (int i = 0; i < kSums; ++i) sums[i] = Step::Add(sums[i], a[i % kA], b[i / kA % kB]);
#pragma GCC unroll 16
    for (int i = 0; i < kSums; ++i) {
      sums[i] = Step::Add(sums[i], a[i % kA], b[(i / kA % kB) ^ 1]);
    }
  }
  Vector total = sums[0];
  for (int i = 1; i < kSums; ++i) total += sums[i];
  return static_cast<float>(total[0]);
}

template <typename Step, int kSums, int kA, int kB>
constexpr PeakKernel PeakKernelOf(std::string_view name, PeakKind kind, CpuFeatures needs,
                                  int products_per_add) {
  return {name, kind, needs, 2.0 * kSums * products_per_add * 2, PeakLoop<Step, kSums, kA, kB>};
}
