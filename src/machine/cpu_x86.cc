// What cpuid says (Intel SDM volume 2A, CPUID; AMD APM volume 3, appendix E), and which of it the
// operating system has switched on (XCR0).
#include "machine/detect.h"

#if defined(__x86_64__)

#include <cpuid.h>
#include <fmt/format.h>
#ifdef __linux__
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include <array>
#include <cerrno>
#include <cstring>

namespace fathom {
namespace {

using enum CpuFeature;

struct Registers {
  uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
};

// Zeros where the CPU has no such leaf.
Registers Cpuid(uint32_t leaf, uint32_t subleaf = 0) {
  Registers r;
  __get_cpuid_count(leaf, subleaf, &r.eax, &r.ebx, &r.ecx, &r.edx);
  return r;
}

uint64_t ReadXcr0() {
  uint32_t low = 0, high = 0;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (uint64_t{high} << 32) | low;
}

constexpr uint64_t kXcr0Avx = 0x6;      // SSE and AVX state
constexpr uint64_t kXcr0Avx512 = 0xE6;  // and the masks, the upper halves, the upper 16
constexpr uint64_t kXcr0Amx = 0x60000;  // tile configuration and tile data

enum class State { kNone, kAvx, kAvx512, kAmx };

struct Bit {
  CpuFeature feature;
  int leaf_index;  // into kLeaves
  int reg;         // 0..3: eax, ebx, ecx, edx
  int bit;
  State state;
};

struct Leaf {
  uint32_t leaf, subleaf;
};
constexpr std::array<Leaf, 3> kLeaves = {{{1, 0}, {7, 0}, {7, 1}}};

constexpr Bit kBits[] = {
    {kSse2, 0, 3, 26, State::kNone},         {kSsse3, 0, 2, 9, State::kNone},
    {kFma, 0, 2, 12, State::kAvx},           {kSse41, 0, 2, 19, State::kNone},
    {kSse42, 0, 2, 20, State::kNone},        {kPopcnt, 0, 2, 23, State::kNone},
    {kAvx, 0, 2, 28, State::kAvx},           {kF16c, 0, 2, 29, State::kAvx},
    {kBmi1, 1, 1, 3, State::kNone},          {kAvx2, 1, 1, 5, State::kAvx},
    {kBmi2, 1, 1, 8, State::kNone},          {kAvx512f, 1, 1, 16, State::kAvx512},
    {kAvx512dq, 1, 1, 17, State::kAvx512},   {kAvx512cd, 1, 1, 28, State::kAvx512},
    {kAvx512bw, 1, 1, 30, State::kAvx512},   {kAvx512vl, 1, 1, 31, State::kAvx512},
    {kAvx512Vbmi, 1, 2, 1, State::kAvx512},  {kAvx512Vbmi2, 1, 2, 6, State::kAvx512},
    {kAvx512Vnni, 1, 2, 11, State::kAvx512}, {kAmxBf16, 1, 3, 22, State::kAmx},
    {kAvx512Fp16, 1, 3, 23, State::kAvx512}, {kAmxTile, 1, 3, 24, State::kAmx},
    {kAmxInt8, 1, 3, 25, State::kAmx},       {kAvxVnni, 2, 0, 4, State::kAvx},
    {kAvx512Bf16, 2, 0, 5, State::kAvx512},  {kAmxFp16, 2, 0, 21, State::kAmx},
    {kAvxVnniInt8, 2, 3, 4, State::kAvx},
};

// Linux hands out tile data only on request (x86/xstate: arch_prctl ARCH_REQ_XCOMP_PERM).
// Empty: granted.
std::string AmxRefusal() {
#ifdef __linux__
  constexpr int kArchReqXcompPerm = 0x1023;
  constexpr int kXfeatureXtiledata = 18;
  if (syscall(SYS_arch_prctl, kArchReqXcompPerm, kXfeatureXtiledata) == 0) return "";
  return fmt::format("arch_prctl(ARCH_REQ_XCOMP_PERM): {}", strerror(errno));
#else
  return "tile data is requested from Linux only";
#endif
}

struct OsSupport {
  bool avx = false, avx512 = false, amx = false;
  std::string amx_reason;  // why not, where the CPU has it

  bool Has(State state) const {
    switch (state) {
      case State::kNone:
        return true;
      case State::kAvx:
        return avx;
      case State::kAvx512:
        return avx512;
      case State::kAmx:
        return amx;
    }
    return false;
  }
};

OsSupport AskOs() {
  OsSupport os;
  const bool osxsave = (Cpuid(1).ecx >> 27) & 1;
  const uint64_t xcr0 = osxsave ? ReadXcr0() : 0;
  os.avx = (xcr0 & kXcr0Avx) == kXcr0Avx;
  os.avx512 = (xcr0 & kXcr0Avx512) == kXcr0Avx512;
  const bool cpu_has_tiles = (Cpuid(7).edx >> 24) & 1;
  if (!cpu_has_tiles) return os;
  if ((xcr0 & kXcr0Amx) != kXcr0Amx) {
    os.amx_reason = "the operating system does not save tiles (xcr0 bits 17, 18)";
  } else {
    os.amx_reason = AmxRefusal();
  }
  os.amx = os.amx_reason.empty();
  return os;
}

std::string_view StateEvidence(State state) {
  switch (state) {
    case State::kNone:
      return "";
    case State::kAvx:
      return "; xcr0 bits 1-2";
    case State::kAvx512:
      return "; xcr0 bits 1-2, 5-7";
    case State::kAmx:
      return "; xcr0 bits 17-18; arch_prctl(ARCH_REQ_XCOMP_PERM) granted";
  }
  return "";
}

std::string Brand() {
  if (Cpuid(0x80000000).eax < 0x80000004) return "";
  std::array<char, 48> text = {};
  for (uint32_t i = 0; i < 3; ++i) {
    const Registers r = Cpuid(0x80000002 + i);
    std::memcpy(text.data() + 16 * i, &r, 16);
  }
  std::string brand(text.data(), strnlen(text.data(), text.size()));
  while (brand.ends_with(' ')) brand.pop_back();
  brand.erase(0, brand.find_first_not_of(' '));
  return brand;
}

std::string Vendor() {
  const Registers r = Cpuid(0);
  std::array<char, 12> text;
  std::memcpy(text.data(), &r.ebx, 4);
  std::memcpy(text.data() + 4, &r.edx, 4);
  std::memcpy(text.data() + 8, &r.ecx, 4);
  return std::string(text.data(), text.size());
}

}  // namespace

CpuFeatures DetectFeaturesX86(Machine* evidence) {
  const OsSupport os = AskOs();
  std::array<Registers, kLeaves.size()> leaves;
  for (size_t i = 0; i < kLeaves.size(); ++i) {
    leaves[i] = Cpuid(kLeaves[i].leaf, kLeaves[i].subleaf);
  }
  if (leaves[1].eax < 1) leaves[2] = {};  // leaf 7 names its highest subleaf
  CpuFeatures features;
  for (const Bit& bit : kBits) {
    const Registers& r = leaves[static_cast<size_t>(bit.leaf_index)];
    const std::array<uint32_t, 4> regs = {r.eax, r.ebx, r.ecx, r.edx};
    if (((regs[static_cast<size_t>(bit.reg)] >> bit.bit) & 1) == 0) continue;
    const Leaf& leaf = kLeaves[static_cast<size_t>(bit.leaf_index)];
    constexpr std::array<std::string_view, 4> kRegisterNames = {"eax", "ebx", "ecx", "edx"};
    std::string text = fmt::format("cpuid {}.{} {} bit {}", leaf.leaf, leaf.subleaf,
                                   kRegisterNames[static_cast<size_t>(bit.reg)], bit.bit);
    if (os.Has(bit.state)) {
      features.Add(bit.feature);
      text += StateEvidence(bit.state);
    } else if (bit.state == State::kAmx) {
      text += "; unusable: " + os.amx_reason;
    } else {
      text += "; unusable: the operating system does not save its registers (xcr0)";
    }
    if (evidence != nullptr) {
      AddEvidence(*evidence, fmt::format("cpu.isa.{}", CpuFeatureName(bit.feature)), text);
    }
  }
  return features;
}

void DetectCpuX86(Machine& machine) {
  CpuInfo& cpu = machine.cpu;
  cpu.architecture = "x86_64";
  cpu.vendor = Vendor();
  cpu.brand = Brand();
  const uint32_t signature = Cpuid(1).eax;
  cpu.family = static_cast<int>((signature >> 8) & 0xF);
  cpu.model_number = static_cast<int>((signature >> 4) & 0xF);
  cpu.stepping = static_cast<int>(signature & 0xF);
  if (cpu.family == 6 || cpu.family == 15) {
    cpu.model_number += static_cast<int>((signature >> 16) & 0xF) << 4;
  }
  if (cpu.family == 15) cpu.family += static_cast<int>((signature >> 20) & 0xFF);
  cpu.virtual_machine = (Cpuid(1).ecx >> 31) & 1;
  cpu.features = DetectFeaturesX86(&machine);
  cpu.microarchitecture =
      MicroarchitectureX86(cpu.vendor, cpu.family, cpu.model_number, cpu.features);
  AddEvidence(machine, "cpu.model",
              fmt::format("cpuid 0x80000002-4 and 1: {} family {} model {} stepping {}{}",
                          cpu.vendor, cpu.family, cpu.model_number, cpu.stepping,
                          cpu.virtual_machine ? ", under a hypervisor" : ""));
}

}  // namespace fathom

#endif
