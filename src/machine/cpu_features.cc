#include <fmt/format.h>

#include <array>

#include "fathom/machine.h"

namespace fathom {
namespace {

using enum CpuFeature;

constexpr std::array<std::string_view, kCpuFeatureCount> kNames = {
    "sse2",          "ssse3",        "sse4_1",      "sse4_2",      "popcnt",      "avx",
    "f16c",          "fma",          "bmi1",        "bmi2",        "avx2",        "avx_vnni",
    "avx_vnni_int8", "avx512f",      "avx512cd",    "avx512bw",    "avx512dq",    "avx512vl",
    "avx512vbmi",    "avx512_vbmi2", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_tile",
    "amx_int8",      "amx_bf16",     "amx_fp16",    "neon",        "fp16",        "dotprod",
    "i8mm",          "bf16",         "sve",         "sve2"};

// What each level adds, and which part of that makes a CPU one of the level.
constexpr CpuFeatures kBaselineSet = {kSse2, kNeon};
constexpr CpuFeatures kAvx2Required = {kAvx2, kFma, kF16c, kBmi1, kBmi2};
constexpr CpuFeatures kAvx2Set = {kSse2, kSsse3, kSse41, kSse42, kPopcnt,  kAvx,        kF16c,
                                  kFma,  kBmi1,  kBmi2,  kAvx2,  kAvxVnni, kAvxVnniInt8};
constexpr CpuFeatures kAvx512Required = {kAvx512f, kAvx512cd, kAvx512bw, kAvx512dq, kAvx512vl};
constexpr CpuFeatures kAvx512Set = {kAvx512f,    kAvx512cd,   kAvx512bw,    kAvx512dq,
                                    kAvx512vl,   kAvx512Vbmi, kAvx512Vbmi2, kAvx512Vnni,
                                    kAvx512Bf16, kAvx512Fp16};
constexpr CpuFeatures kAmxRequired = {kAmxTile, kAmxInt8, kAmxBf16};
constexpr CpuFeatures kAmxSet = {kAmxTile, kAmxInt8, kAmxBf16, kAmxFp16};
constexpr CpuFeatures kNeonSet = {kNeon, kFp16, kDotprod, kI8mm, kBf16, kSve, kSve2};

constexpr std::array<std::string_view, 5> kIsaNames = {"baseline", "avx2", "avx512", "amx", "neon"};

std::string Join(const auto& names, std::string_view separator) {
  std::string text;
  for (const std::string_view name : names) {
    if (!text.empty()) text += separator;
    text += name;
  }
  return text;
}

}  // namespace

std::string_view CpuFeatureName(CpuFeature feature) { return kNames[static_cast<size_t>(feature)]; }

bool CpuFeatureFromName(std::string_view name, CpuFeature* feature) {
  for (size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) {
      *feature = static_cast<CpuFeature>(i);
      return true;
    }
  }
  return false;
}

std::vector<std::string_view> CpuFeatures::Names() const {
  std::vector<std::string_view> names;
  for (size_t i = 0; i < kNames.size(); ++i) {
    if (Has(static_cast<CpuFeature>(i))) names.push_back(kNames[i]);
  }
  return names;
}

std::string CpuFeatures::ToString() const { return Join(Names(), " "); }

std::string_view IsaName(Isa isa) { return kIsaNames[static_cast<size_t>(isa)]; }

Result<Isa> ParseIsa(std::string_view name) {
  for (size_t i = 0; i < kIsaNames.size(); ++i) {
    if (kIsaNames[i] == name) return static_cast<Isa>(i);
  }
  return Status::Usage("--isa", fmt::format("{} is no instruction set level", name),
                       fmt::format("one of {}", Join(kIsaNames, ", ")));
}

CpuFeatures FeaturesRequired(Isa isa) {
  switch (isa) {
    case Isa::kBaseline:
      return {};
    case Isa::kAvx2:
      return kAvx2Required;
    case Isa::kAvx512:
      return kAvx2Required | kAvx512Required;
    case Isa::kAmx:
      return kAvx2Required | kAvx512Required | kAmxRequired;
    case Isa::kNeon:
      return {kNeon};
  }
  return {};
}

CpuFeatures FeaturesOfLevel(Isa isa) {
  switch (isa) {
    case Isa::kBaseline:
      return kBaselineSet;
    case Isa::kAvx2:
      return kAvx2Set;
    case Isa::kAvx512:
      return kAvx2Set | kAvx512Set;
    case Isa::kAmx:
      return kAvx2Set | kAvx512Set | kAmxSet;
    case Isa::kNeon:
      return kNeonSet;
  }
  return {};
}

Isa BestIsa(CpuFeatures features) {
  for (const Isa isa : {Isa::kAmx, Isa::kAvx512, Isa::kAvx2, Isa::kNeon}) {
    if (features.HasAll(FeaturesRequired(isa))) return isa;
  }
  return Isa::kBaseline;
}

Result<CpuFeatures> FeaturesAllowed(CpuFeatures features, Isa isa) {
  const CpuFeatures missing = FeaturesRequired(isa).Without(features);
  if (missing.empty()) return features & FeaturesOfLevel(isa);
  std::vector<std::string_view> present;
  for (const Isa other : {Isa::kBaseline, Isa::kAvx2, Isa::kAvx512, Isa::kAmx, Isa::kNeon}) {
    if (features.HasAll(FeaturesRequired(other))) present.push_back(IsaName(other));
  }
  return Status::Usage("--isa",
                       fmt::format("{}: this machine lacks {}", IsaName(isa), missing.ToString()),
                       fmt::format("it has {}", Join(present, ", ")));
}

}  // namespace fathom
