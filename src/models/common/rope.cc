#include "models/common/rope.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

namespace fathom {
namespace {

// theta^(2i / dim) for i in [0, dim / 2), in float32 as torch computes it.
std::vector<float> PositionFrequencies(double theta, int64_t dim) {
  std::vector<float> frequencies(dim / 2);
  for (int64_t i = 0; i < dim / 2; ++i) {
    const float exponent = static_cast<float>(2 * i) / static_cast<float>(dim);
    frequencies[i] = static_cast<float>(std::pow(theta, static_cast<double>(exponent)));
  }
  return frequencies;
}

std::vector<float> InverseFrequencies(double theta, int64_t dim) {
  std::vector<float> frequencies = PositionFrequencies(theta, dim);
  for (float& f : frequencies) f = 1.0f / f;
  return frequencies;
}

class RopeMaker {
 public:
  RopeMaker(const ModelConfig& config, const RopeParameters& parameters)
      : config_(config), parameters_(parameters) {}

  Result<Rope> Make() {
    rope_.rotary_dim = parameters_.RotaryDim(config_.head_dim);
    if (rope_.rotary_dim < 2 || rope_.rotary_dim % 2 != 0) {
      return Bad("partial_rotary_factor", fmt::format("rotates {} dimensions", rope_.rotary_dim),
                 "must rotate an even number of at least 2");
    }
    switch (parameters_.rope_type) {
      case RopeType::kDefault:
        return Finish(InverseFrequencies(parameters_.rope_theta, dim()), 1.0);
      case RopeType::kLinear:
        return Linear();
      case RopeType::kDynamic:
        return Dynamic();
      case RopeType::kYarn:
        return Yarn();
      case RopeType::kLongrope:
        return LongRope();
      case RopeType::kLlama3:
        return Llama3();
      case RopeType::kProportional:
        break;
    }
    return Bad("rope_type", fmt::format("\"{}\"", RopeTypeName(parameters_.rope_type)),
               "is not one that this architecture runs with");
  }

 private:
  int64_t dim() const { return rope_.rotary_dim; }

  Status Bad(std::string field, std::string value, std::string limit) const {
    return Status::BadFile(config_.file, "rope_parameters." + field, std::move(value),
                           std::move(limit));
  }
  // The ratio that yarn and longrope take where the file gives none.
  double Factor() const {
    return parameters_.factor.value_or(
        static_cast<double>(config_.max_position_embeddings) /
        static_cast<double>(parameters_.original_max_position_embeddings));
  }

  Rope Finish(std::vector<float> inv_freq, double attention_scaling) {
    rope_.attributes.Set("inv_freq", std::move(inv_freq));
    rope_.attributes.Set("attention_scaling", attention_scaling);
    return std::move(rope_);
  }

  Result<Rope> Linear() {
    std::vector<float> inv_freq = InverseFrequencies(parameters_.rope_theta, dim());
    for (float& f : inv_freq) f /= static_cast<float>(*parameters_.factor);
    return Finish(std::move(inv_freq), 1.0);
  }

  Result<Rope> Dynamic() {
    if (dim() <= 2) return Bad("rope_type", "\"dynamic\"", "needs more than 2 rotated dimensions");
    rope_.depends_on_length = true;
    rope_.attributes.Set("dynamic_theta", parameters_.rope_theta);
    rope_.attributes.Set("dynamic_factor", *parameters_.factor);
    rope_.attributes.Set("original_max", config_.max_position_embeddings);
    return Finish(InverseFrequencies(parameters_.rope_theta, dim()), 1.0);
  }

  // "YaRN: Efficient Context Window Extension of Large Language Models", Peng et al. 2023.
  Result<Rope> Yarn() {
    const double original = static_cast<double>(parameters_.original_max_position_embeddings);
    const double factor = Factor();
    const auto [low, high] = YarnRange(original);
    const std::vector<float> frequencies = PositionFrequencies(parameters_.rope_theta, dim());
    std::vector<float> inv_freq(frequencies.size());
    for (size_t i = 0; i < frequencies.size(); ++i) {
      const float ramp =
          std::clamp(static_cast<float>((static_cast<double>(i) - low) / (high - low)), 0.0f, 1.0f);
      const float kept = 1.0f - ramp;
      const float interpolated = 1.0f / (static_cast<float>(factor) * frequencies[i]);
      inv_freq[i] = interpolated * (1.0f - kept) + 1.0f / frequencies[i] * kept;
    }
    return Finish(std::move(inv_freq), YarnScaling(factor));
  }

  // First and last dimension of the ramp between extrapolation and interpolation.
  std::pair<double, double> YarnRange(double original) const {
    const double n = static_cast<double>(dim());
    const auto dimension = [&](double rotations) {
      return n * std::log(original / (rotations * 2 * std::numbers::pi)) /
             (2 * std::log(parameters_.rope_theta));
    };
    double low = dimension(parameters_.beta_fast);
    double high = dimension(parameters_.beta_slow);
    if (parameters_.truncate) {
      low = std::floor(low);
      high = std::ceil(high);
    }
    low = std::max(low, 0.0);
    high = std::min(high, n - 1);
    if (low == high) high += 0.001;
    return {low, high};
  }

  double YarnScaling(double factor) const {
    if (parameters_.attention_factor) return *parameters_.attention_factor;
    const auto scale = [&](double mscale) {
      return factor <= 1 ? 1.0 : 0.1 * mscale * std::log(factor) + 1.0;
    };
    const double mscale = parameters_.mscale.value_or(0);
    const double all_dim = parameters_.mscale_all_dim.value_or(0);
    return mscale != 0 && all_dim != 0 ? scale(mscale) / scale(all_dim) : scale(1);
  }

  // "LongRoPE: Extending LLM Context Window Beyond 2 Million Tokens", Ding et al. 2024.
  Result<Rope> LongRope() {
    const int64_t original = parameters_.original_max_position_embeddings;
    FATHOM_ASSIGN(std::vector<float> inv_freq, Extended("short_factor", parameters_.short_factor));
    FATHOM_ASSIGN(std::vector<float> inv_freq_long,
                  Extended("long_factor", parameters_.long_factor));
    const double factor = Factor();
    const double scaling =
        factor <= 1.0 ? 1.0
                      : std::sqrt(1 + std::log(factor) / std::log(static_cast<double>(original)));
    rope_.depends_on_length = true;
    rope_.attributes.Set("inv_freq_long", std::move(inv_freq_long));
    rope_.attributes.Set("original_max", original);
    return Finish(std::move(inv_freq), parameters_.attention_factor.value_or(scaling));
  }

  Result<std::vector<float>> Extended(std::string_view name, const std::vector<double>& factors) {
    if (static_cast<int64_t>(factors.size()) != dim() / 2) {
      return Bad(std::string(name), fmt::format("has {} entries", factors.size()),
                 fmt::format("must have {}", dim() / 2));
    }
    std::vector<float> frequencies = PositionFrequencies(parameters_.rope_theta, dim());
    for (size_t i = 0; i < frequencies.size(); ++i) {
      frequencies[i] = 1.0f / (static_cast<float>(factors[i]) * frequencies[i]);
    }
    return frequencies;
  }

  Result<Rope> Llama3() {
    const float factor = static_cast<float>(*parameters_.factor);
    const double low = parameters_.low_freq_factor;
    const double high = parameters_.high_freq_factor;
    const double original = static_cast<double>(parameters_.original_max_position_embeddings);
    std::vector<float> inv_freq = InverseFrequencies(parameters_.rope_theta, dim());
    for (float& f : inv_freq) {
      const float wavelength = static_cast<float>(2 * std::numbers::pi) / f;
      if (wavelength > static_cast<float>(original / low)) {
        f /= factor;
      } else if (!(wavelength < static_cast<float>(original / high))) {
        const float smooth = (static_cast<float>(original) / wavelength - static_cast<float>(low)) /
                             static_cast<float>(high - low);
        f = (1 - smooth) * f / factor + smooth * f;
      }
    }
    return Finish(std::move(inv_freq), 1.0);
  }

  const ModelConfig& config_;
  const RopeParameters& parameters_;
  Rope rope_;
};

}  // namespace

Result<Rope> MakeRope(const ModelConfig& config, const RopeParameters& parameters) {
  return RopeMaker(config, parameters).Make();
}

}  // namespace fathom
