// CPU numbers -> the names people use. Sources: Linux arch/x86/include/asm/intel-family.h, the
// CPUID tables of AMD's processor programming references, Linux arch/arm64/include/asm/cputype.h.
#include <algorithm>
#include <array>

#include "machine/detect.h"

namespace fathom {
namespace {

using enum CpuFeature;

// How much of x86 a CPU has, as far as it tells generations apart.
enum class Generation { kSse, kAvx, kAvx2, kAvx512, kAvx512Vnni, kAvx512Bf16, kAmx, kAmxFp16 };

Generation GenerationOf(CpuFeatures features) {
  if (features.Has(kAmxFp16)) return Generation::kAmxFp16;
  if (features.Has(kAmxTile)) return Generation::kAmx;
  if (features.Has(kAvx512Bf16)) return Generation::kAvx512Bf16;
  if (features.Has(kAvx512Vnni)) return Generation::kAvx512Vnni;
  if (features.Has(kAvx512f)) return Generation::kAvx512;
  if (features.Has(kAvx2)) return Generation::kAvx2;
  if (features.Has(kAvx)) return Generation::kAvx;
  return Generation::kSse;
}

struct X86Row {
  int family;
  int first_model, last_model;
  Generation most;  // the model has no more than this
  std::string_view name;
};

constexpr X86Row kIntel[] = {
    {6, 0x3C, 0x3C, Generation::kAvx2, "Haswell"},
    {6, 0x3D, 0x3D, Generation::kAvx2, "Broadwell"},
    {6, 0x3F, 0x3F, Generation::kAvx2, "Haswell"},
    {6, 0x45, 0x46, Generation::kAvx2, "Haswell"},
    {6, 0x47, 0x47, Generation::kAvx2, "Broadwell"},
    {6, 0x4E, 0x4E, Generation::kAvx2, "Skylake"},
    {6, 0x4F, 0x4F, Generation::kAvx2, "Broadwell"},
    {6, 0x55, 0x55, Generation::kAvx512Bf16, "Skylake-SP, Cascade Lake or Cooper Lake"},
    {6, 0x56, 0x56, Generation::kAvx2, "Broadwell"},
    {6, 0x5E, 0x5E, Generation::kAvx2, "Skylake"},
    {6, 0x6A, 0x6A, Generation::kAvx512Vnni, "Ice Lake-SP"},
    {6, 0x6C, 0x6C, Generation::kAvx512Vnni, "Ice Lake-D"},
    {6, 0x7D, 0x7E, Generation::kAvx512Vnni, "Ice Lake"},
    {6, 0x8C, 0x8D, Generation::kAvx512Vnni, "Tiger Lake"},
    {6, 0x8E, 0x8E, Generation::kAvx2, "Kaby Lake"},
    {6, 0x8F, 0x8F, Generation::kAmx, "Sapphire Rapids"},
    {6, 0x97, 0x97, Generation::kAvx2, "Alder Lake"},
    {6, 0x9A, 0x9A, Generation::kAvx2, "Alder Lake"},
    {6, 0x9E, 0x9E, Generation::kAvx2, "Coffee Lake"},
    {6, 0xA5, 0xA6, Generation::kAvx2, "Comet Lake"},
    {6, 0xA7, 0xA7, Generation::kAvx512Vnni, "Rocket Lake"},
    {6, 0xAA, 0xAA, Generation::kAvx2, "Meteor Lake"},
    {6, 0xAC, 0xAC, Generation::kAvx2, "Meteor Lake"},
    {6, 0xAD, 0xAE, Generation::kAmxFp16, "Granite Rapids"},
    {6, 0xAF, 0xAF, Generation::kAvx2, "Sierra Forest"},
    {6, 0xB5, 0xB5, Generation::kAvx2, "Arrow Lake"},
    {6, 0xB7, 0xB7, Generation::kAvx2, "Raptor Lake"},
    {6, 0xBA, 0xBA, Generation::kAvx2, "Raptor Lake"},
    {6, 0xBD, 0xBD, Generation::kAvx2, "Lunar Lake"},
    {6, 0xBE, 0xBE, Generation::kAvx2, "Alder Lake-N"},
    {6, 0xBF, 0xBF, Generation::kAvx2, "Raptor Lake"},
    {6, 0xC5, 0xC6, Generation::kAvx2, "Arrow Lake"},
    {6, 0xCF, 0xCF, Generation::kAmx, "Emerald Rapids"},
};

constexpr X86Row kAmd[] = {
    {0x17, 0x00, 0x07, Generation::kAvx2, "Zen"},
    {0x17, 0x08, 0x0F, Generation::kAvx2, "Zen+"},
    {0x17, 0x10, 0x17, Generation::kAvx2, "Zen"},
    {0x17, 0x18, 0x1F, Generation::kAvx2, "Zen+"},
    {0x17, 0x20, 0x2F, Generation::kAvx2, "Zen"},
    {0x17, 0x30, 0xFF, Generation::kAvx2, "Zen 2"},
    {0x19, 0x00, 0x0F, Generation::kAvx2, "Zen 3"},
    {0x19, 0x10, 0x1F, Generation::kAvx512Bf16, "Zen 4"},
    {0x19, 0x20, 0x5F, Generation::kAvx2, "Zen 3"},
    {0x19, 0x60, 0x7F, Generation::kAvx512Bf16, "Zen 4"},
    {0x19, 0xA0, 0xAF, Generation::kAvx512Bf16, "Zen 4c"},
    {0x1A, 0x00, 0x4F, Generation::kAvx512Bf16, "Zen 5"},
    {0x1A, 0x60, 0x7F, Generation::kAvx512Bf16, "Zen 5"},
};

std::string_view IntelClass(Generation generation) {
  switch (generation) {
    case Generation::kAmxFp16:
      return "Granite Rapids-class";
    case Generation::kAmx:
      return "Sapphire Rapids-class";
    case Generation::kAvx512Bf16:
      return "Cooper Lake-class";
    case Generation::kAvx512Vnni:
      return "Cascade Lake-class";
    case Generation::kAvx512:
      return "Skylake-SP-class";
    case Generation::kAvx2:
      return "Haswell-class";
    case Generation::kAvx:
      return "Sandy Bridge-class";
    case Generation::kSse:
      return "";
  }
  return "";
}

std::string_view AmdClass(Generation generation) {
  if (generation >= Generation::kAvx512) return "Zen 4-class";
  return generation == Generation::kAvx2 ? "Zen-class" : "";
}

struct ArmRow {
  int implementer, part;
  std::string_view name;
};

constexpr ArmRow kArm[] = {
    {0x41, 0xD03, "Cortex-A53"},    {0x41, 0xD05, "Cortex-A55"},  {0x41, 0xD07, "Cortex-A57"},
    {0x41, 0xD08, "Cortex-A72"},    {0x41, 0xD0B, "Cortex-A76"},  {0x41, 0xD0C, "Neoverse N1"},
    {0x41, 0xD40, "Neoverse V1"},   {0x41, 0xD41, "Cortex-A78"},  {0x41, 0xD44, "Cortex-X1"},
    {0x41, 0xD47, "Cortex-A710"},   {0x41, 0xD48, "Cortex-X2"},   {0x41, 0xD49, "Neoverse N2"},
    {0x41, 0xD4D, "Cortex-A715"},   {0x41, 0xD4E, "Cortex-X3"},   {0x41, 0xD4F, "Neoverse V2"},
    {0x41, 0xD80, "Cortex-A520"},   {0x41, 0xD81, "Cortex-A720"}, {0x41, 0xD82, "Cortex-X4"},
    {0x41, 0xD83, "Neoverse V3AE"}, {0x41, 0xD84, "Neoverse V3"}, {0x41, 0xD85, "Cortex-X925"},
    {0x41, 0xD87, "Cortex-A725"},   {0x41, 0xD8E, "Neoverse N3"}, {0xC0, 0xAC3, "Ampere-1"},
    {0xC0, 0xAC4, "Ampere-1A"},     {0x61, 0x022, "Apple M1"},    {0x61, 0x023, "Apple M1"},
    {0x61, 0x024, "Apple M1"},      {0x61, 0x025, "Apple M1"},    {0x61, 0x028, "Apple M1"},
    {0x61, 0x029, "Apple M1"},      {0x61, 0x032, "Apple M2"},    {0x61, 0x033, "Apple M2"},
    {0x51, 0x001, "Oryon"},
};

}  // namespace

std::string MicroarchitectureX86(std::string_view vendor, int family, int model,
                                 CpuFeatures features) {
  const Generation generation = GenerationOf(features);
  const auto find = [&](const auto& rows) -> std::string_view {
    for (const X86Row& row : rows) {
      const bool same = row.family == family && row.first_model <= model && model <= row.last_model;
      // A hypervisor may hide features of the model, but cannot add any.
      if (same && generation <= row.most) return row.name;
    }
    return "";
  };
  if (vendor == "GenuineIntel") {
    const std::string_view name = find(kIntel);
    return std::string(name.empty() ? IntelClass(generation) : name);
  }
  if (vendor == "AuthenticAMD") {
    const std::string_view name = find(kAmd);
    return std::string(name.empty() ? AmdClass(generation) : name);
  }
  return "";
}

std::string MicroarchitectureArm(int implementer, int part) {
  for (const ArmRow& row : kArm) {
    if (row.implementer == implementer && row.part == part) return std::string(row.name);
  }
  return "";
}

}  // namespace fathom
