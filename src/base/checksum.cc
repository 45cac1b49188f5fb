#include "base/checksum.h"

#include <cstring>

namespace fathom {
namespace {

constexpr uint64_t kPrimes[8] = {0x9E3779B97F4A7C15, 0xD6E8FEB86659FD93, 0xA0761D6478BD642F,
                                 0xE7037ED1A0B428DB, 0x8EBC6AF09C88C6E3, 0x589965CC75374CC3,
                                 0x1D8E4E27C47D124F, 0xEB44ACCAB455D165};

// The folded product of Wang Yi's wyhash.
uint64_t Mix(uint64_t a, uint64_t b) {
  const auto product = static_cast<unsigned __int128>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

uint64_t Word(const std::byte* at) {
  uint64_t word;
  std::memcpy(&word, at, sizeof(word));
  return word;
}

}  // namespace

uint64_t Checksum(const void* data, size_t size, uint64_t seed) {
  const auto* at = static_cast<const std::byte*>(data);
  // Four chains side by side: one alone would wait for its own multiplications.
  uint64_t lanes[4] = {seed ^ kPrimes[0], seed ^ kPrimes[1], seed ^ kPrimes[2], seed ^ kPrimes[3]};
  size_t left = size;
  for (; left >= 64; left -= 64, at += 64) {
    for (int i = 0; i < 4; ++i) {
      lanes[i] = Mix(Word(at + 16 * i) ^ kPrimes[4 + i], Word(at + 16 * i + 8) ^ lanes[i]);
    }
  }
  uint64_t sum = Mix(lanes[0] ^ lanes[2], lanes[1] ^ kPrimes[5]) ^ Mix(lanes[3], kPrimes[6]);
  for (; left >= 8; left -= 8, at += 8) sum = Mix(sum ^ Word(at), kPrimes[7]);
  uint64_t word = 0;
  if (left > 0) std::memcpy(&word, at, left);
  return Mix(sum ^ word, kPrimes[1]) ^ Mix(size ^ kPrimes[2], kPrimes[3]);
}

}  // namespace fathom
