// What the kernel (Linux: hwcaps) or the system (macOS: sysctl) says of an Arm CPU.
#include "machine/detect.h"

#if defined(__aarch64__)

#include <fmt/format.h>

#ifdef __linux__
#include <sys/auxv.h>
#endif
#ifdef __APPLE__
#include <sys/sysctl.h>
#endif

#include <algorithm>
#include <charconv>

namespace fathom {
namespace {

using enum CpuFeature;

struct Bit {
  CpuFeature feature;
  int word;  // AT_HWCAP or AT_HWCAP2
  int bit;
  std::string_view name;   // Linux's
  const char* apple_name;  // macOS's sysctl; null: no Apple CPU has it
};

// Bits of linux/arch/arm64/include/uapi/asm/hwcap.h.
constexpr Bit kBits[] = {
    {kNeon, 1, 1, "asimd", "hw.optional.AdvSIMD"},
    {kFp16, 1, 10, "asimdhp", "hw.optional.arm.FEAT_FP16"},
    {kDotprod, 1, 20, "asimddp", "hw.optional.arm.FEAT_DotProd"},
    {kSve, 1, 22, "sve", nullptr},
    {kSve2, 2, 1, "sve2", nullptr},
    {kI8mm, 2, 13, "i8mm", "hw.optional.arm.FEAT_I8MM"},
    {kBf16, 2, 14, "bf16", "hw.optional.arm.FEAT_BF16"},
};

#ifdef __APPLE__
std::string SysctlString(const char* name) {
  char text[256] = {};
  size_t size = sizeof(text) - 1;
  return sysctlbyname(name, text, &size, nullptr, 0) == 0 ? text : "";
}
bool SysctlFlag(const char* name) {
  int value = 0;
  size_t size = sizeof(value);
  return sysctlbyname(name, &value, &size, nullptr, 0) == 0 && value != 0;
}
#endif

// "CPU part\t: 0xd0c" -> 0xd0c; -1 where missing.
int CpuinfoField(std::string_view cpuinfo, std::string_view name) {
  const size_t at = cpuinfo.find(name);
  if (at == std::string_view::npos) return -1;
  const size_t hex = cpuinfo.find("0x", at);
  if (hex == std::string_view::npos || hex > cpuinfo.find('\n', at)) return -1;
  int value = -1;
  std::from_chars(cpuinfo.data() + hex + 2, cpuinfo.data() + cpuinfo.size(), value, 16);
  return value;
}

}  // namespace

CpuFeatures DetectFeaturesArm(Machine* evidence) {
  CpuFeatures features;
  for (const Bit& bit : kBits) {
    std::string text;
#if defined(__linux__)
    const uint64_t word = getauxval(bit.word == 1 ? AT_HWCAP : AT_HWCAP2);
    if (((word >> bit.bit) & 1) == 0) continue;
    text = fmt::format("hwcap{}: {}", bit.word == 1 ? "" : "2", bit.name);
#elif defined(__APPLE__)
    if (bit.apple_name == nullptr || !SysctlFlag(bit.apple_name)) continue;
    text = fmt::format("sysctl {}", bit.apple_name);
#else
    if (bit.feature != kNeon) continue;
    text = "part of the architecture";
#endif
    features.Add(bit.feature);
    if (evidence != nullptr) {
      AddEvidence(*evidence, fmt::format("cpu.isa.{}", CpuFeatureName(bit.feature)), text);
    }
  }
  return features;
}

void DetectCpuArm(const std::string& root, Machine& machine) {
  CpuInfo& cpu = machine.cpu;
  cpu.architecture = "aarch64";
  cpu.features = DetectFeaturesArm(&machine);
#ifdef __APPLE__
  cpu.vendor = "Apple";
  cpu.brand = SysctlString("machdep.cpu.brand_string");
  AddEvidence(machine, "cpu.model", "sysctl machdep.cpu.brand_string");
#else
  const std::string cpuinfo = ReadSystemFile(root + "/proc/cpuinfo").value_or("");
  const int implementer = CpuinfoField(cpuinfo, "CPU implementer");
  const int part = CpuinfoField(cpuinfo, "CPU part");
  cpu.vendor = implementer == 0x41 ? "Arm"
               : implementer == 0x61 ? "Apple"
               : implementer == 0xC0 ? "Ampere"
               : implementer == 0x51 ? "Qualcomm"
                                     : "";
  cpu.microarchitecture = MicroarchitectureArm(implementer, part);
  cpu.family = std::max(implementer, 0);
  cpu.model_number = std::max(part, 0);
  AddEvidence(machine, "cpu.model",
              implementer < 0 ? "/proc/cpuinfo names no implementer"
                              : fmt::format("/proc/cpuinfo: implementer {:#x}, part {:#x}",
                                            implementer, std::max(part, 0)));
#endif
}

}  // namespace fathom

#endif
