#include "audit/facts/facts.h"

#include <array>

namespace fathom {
namespace {

constexpr auto kAny = Library::kAny;
constexpr auto kTorch = Library::kTorch;
constexpr auto kTransformers = Library::kTransformers;
constexpr auto kYes = Support::kAvailable;
constexpr auto kNothing = Support::kNoEffect;
constexpr auto kNo = Support::kUnavailable;

constexpr std::string_view kLoading = "transformers 5.23 modeling_utils.py, from_pretrained";
constexpr std::string_view kAutoTokenizer = "transformers 5.23 tokenization_auto.py";
constexpr std::string_view kGenerate = "transformers 5.23 generation/utils.py";
constexpr std::string_view kAutoCompile = "transformers 5.23 _valid_auto_compile_criteria";
constexpr std::string_view kFlash = "transformers 5.23 modeling_flash_attention_utils.py";
constexpr std::string_view kMatmul = "torch Context.cpp and mkldnn/Matmul.cpp";
constexpr std::string_view kMeasured = "measured: 135 M parameters, transformers 5.23, a CPU";
constexpr std::string_view kTorchDocs = "torch 2.15 sources";

constexpr auto kFacts = std::to_array<Fact>({
    // row, variant, library, from, until, devices, support, reason, source
    {1, "", kTransformers, 457, 0, "cmg", kNothing, "fact.1.ignored", kLoading},
    {1, "", kAny, 0, 0, "cmg", kYes, "fact.1.meta", kLoading},

    {2, "", kTransformers, 500, 0, "cmg", kNothing, "fact.2.ignored", kAutoTokenizer},
    {2, "", kAny, 0, 0, "cmg", kYes, "fact.2.default", kAutoTokenizer},

    {3, "", kAny, 0, 0, "cmg", kYes, "fact.3.no_grad", kGenerate},

    {4, "sixteen_bit", kAny, 0, 0, "cmg", kNothing, "fact.4.sixteen_bit", kMatmul},
    {4, "cudnn_tf32", kAny, 0, 0, "cmg", kNothing, "fact.4.convolutions", kMatmul},
    {4, "", kAny, 0, 0, "m", kNothing, "fact.4.mps", kMatmul},
    {4, "medium", kAny, 0, 0, "c", kYes, "fact.4.cpu_medium", kMatmul},
    {4, "high", kAny, 0, 0, "c", kNothing, "fact.4.cpu_high", kMatmul},
    {4, "tf32", kAny, 0, 0, "c", kNothing, "fact.4.cpu_tf32", kMatmul},
    {4, "", kAny, 0, 0, "c", kYes, "fact.4.cpu_medium", kMatmul},
    {4, "", kAny, 0, 0, "g", kYes, "fact.4.cuda", kMatmul},

    {5, "config", kTransformers, 500, 0, "cmg", kNothing, "fact.5.config", kGenerate},
    {5, "", kAny, 0, 0, "cmg", kYes, "fact.5.default", kGenerate},
    {6, "", kAny, 0, 0, "cmg", kYes, "fact.6.default", kGenerate},
    {7, "", kAny, 0, 0, "cmg", kYes, "fact.7.default", kGenerate},
    {8, "", kAny, 0, 0, "cmg", kYes, "fact.8.cost", kGenerate},

    {9, "", kAny, 0, 0, "cm", kNothing, "fact.9.not_cuda", kTorchDocs},
    {9, "", kAny, 0, 0, "g", kNothing, "fact.9.convolutions", kTorchDocs},

    {10, "static_cache", kAny, 0, 0, "cm", kNothing, "fact.10.auto_device", kAutoCompile},
    {10, "static_cache", kAny, 0, 0, "g", kYes, "fact.10.auto_cuda", kAutoCompile},
    {10, "", kTorch, 0, 200, "cmg", kNo, "fact.10.absent", kTorchDocs},
    {10, "", kTorch, 200, 210, "m", kNo, "fact.10.mps_before", kTorchDocs},
    {10, "", kAny, 0, 0, "m", kYes, "fact.10.mps", kTorchDocs},
    {10, "", kAny, 0, 0, "c", kYes, "fact.10.cpu", kMeasured},
    {10, "", kAny, 0, 0, "g", kYes, "fact.10.cuda", kTorchDocs},

    {11, "load_in_bits", kTransformers, 500, 0, "cmg", kNo, "fact.11.load_in_gone", kLoading},
    {11, "load_in_bits", kAny, 0, 0, "cm", kNo, "fact.11.bits_cuda", kLoading},
    {11, "load_in_bits", kAny, 0, 0, "g", kYes, "fact.11.bits", kLoading},
    {11, "quantized", kAny, 0, 0, "cmg", kYes, "fact.11.quantized", kLoading},
    {11, "auto", kTransformers, 500, 0, "cmg", kNothing, "fact.11.auto_default", kLoading},
    {11, "auto", kAny, 0, 0, "cmg", kYes, "fact.11.auto", kLoading},
    {11, "float16", kAny, 0, 0, "c", kYes, "fact.11.cpu_float16", kMeasured},
    {11, "", kAny, 0, 0, "c", kYes, "fact.11.cpu", kMeasured},
    {11, "", kAny, 0, 0, "m", kYes, "fact.11.mps", kLoading},
    {11, "", kAny, 0, 0, "g", kYes, "fact.11.cuda", kLoading},

    {12, "", kAny, 0, 0, "c", kNothing, "fact.12.cpu", kMeasured},
    {12, "", kAny, 0, 0, "m", kNothing, "fact.12.mps", kLoading},
    {12, "", kAny, 0, 0, "g", kYes, "fact.12.cuda", kLoading},

    {13, "bettertransformer", kTransformers, 500, 0, "cmg", kNo, "fact.13.better_gone", kLoading},
    {13, "bettertransformer", kAny, 0, 0, "cmg", kYes, "fact.13.better", kLoading},
    {13, "flash_sdp", kAny, 0, 0, "cm", kNothing, "fact.13.switch_cuda_only", kTorchDocs},
    {13, "flash_sdp", kAny, 0, 0, "g", kNothing, "fact.13.switch_default", kTorchDocs},
    {13, "sdpa", kAny, 0, 0, "cmg", kYes, "fact.13.sdpa", kLoading},
    {13, "other", kAny, 0, 0, "cmg", kYes, "fact.13.other", kLoading},
    {13, "use_flash_attention_2", kTransformers, 500, 0, "cmg", kNo, "fact.13.flag_gone", kLoading},
    {13, "", kAny, 0, 0, "c", kNo, "fact.13.flash_cpu", kMeasured},
    {13, "", kAny, 0, 0, "m", kNo, "fact.13.flash_mps", kFlash},
    {13, "", kAny, 0, 0, "g", kYes, "fact.13.flash_cuda", kFlash},
});

bool Holds(const Fact& fact, const Versions& versions) {
  if (fact.library == Library::kAny) return true;
  const Version& version =
      fact.library == Library::kTorch ? versions.torch.version : versions.transformers.version;
  const int number = version.major * 100 + version.minor;
  return number >= fact.from && (fact.until == 0 || number < fact.until);
}

}  // namespace

std::string_view AuditDeviceName(AuditDevice device) {
  if (device == AuditDevice::kCpu) return "cpu";
  return device == AuditDevice::kMps ? "mps" : "cuda";
}

std::string_view SupportName(Support support) {
  if (support == Support::kAvailable) return "available";
  return support == Support::kNoEffect ? "no_effect" : "unavailable";
}

std::span<const Fact> AllFacts() { return kFacts; }

const Fact* FindFact(int row, std::string_view variant, AuditDevice device,
                     const Versions& versions) {
  const char letter = device == AuditDevice::kCpu ? 'c' : device == AuditDevice::kMps ? 'm' : 'g';
  const Fact* last = &kFacts.front();
  for (const Fact& fact : kFacts) {
    if (fact.row != row || fact.devices.find(letter) == std::string_view::npos) continue;
    last = &fact;
    const bool fits = fact.variant.empty() || fact.variant == variant;
    if (fits && Holds(fact, versions)) return &fact;
  }
  return last;
}

}  // namespace fathom
