#include "ops/activation_function.h"

#include <array>
#include <cmath>
#include <utility>

#include "base/check.h"

namespace fathom {
namespace {

constexpr std::array<std::string_view, 12> kNames = {
    "silu", "gelu",    "gelu_new", "gelu_fast", "gelu_pytorch_tanh", "quick_gelu", "relu", "relu2",
    "tanh", "sigmoid", "linear",   "mish"};

constexpr std::pair<std::string_view, std::string_view> kAliases[] = {
    {"swish", "silu"},
    {"gelu_python", "gelu"},
    {"gelu_accurate", "gelu_new"},
    {"gelu_python_tanh", "gelu_new"},
};

constexpr float kSqrtHalf = 0.70710678118654752440f;
constexpr float kSqrtTwoOverPi = 0.79788456080286535588f;

float Sigmoid(float x) { return 1.0f / (1.0f + std::exp(-x)); }

// torch's softplus: the identity from 20 on.
float Softplus(float x) { return x > 20.0f ? x : std::log1p(std::exp(x)); }

}  // namespace

std::optional<ActivationFunction> FindActivationFunction(std::string_view name) {
  for (const auto& [alias, original] : kAliases) {
    if (name == alias) name = original;
  }
  for (size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return static_cast<ActivationFunction>(i);
  }
  return std::nullopt;
}

ActivationFunction GetActivationFunction(std::string_view name) {
  const auto function = FindActivationFunction(name);
  FATHOM_CHECK(function.has_value());
  return *function;
}

std::span<const std::string_view> ActivationFunctionNames() { return kNames; }

float Activate(ActivationFunction function, float x) {
  switch (function) {
    case ActivationFunction::kSilu:
      return x / (1.0f + std::exp(-x));
    case ActivationFunction::kGelu:
      return x * 0.5f * (1.0f + std::erf(x * kSqrtHalf));
    case ActivationFunction::kGeluNew:
    case ActivationFunction::kGeluPytorchTanh:
      return 0.5f * x * (1.0f + std::tanh(kSqrtTwoOverPi * (x + 0.044715f * (x * x * x))));
    case ActivationFunction::kGeluFast:
      return 0.5f * x * (1.0f + std::tanh(x * 0.7978845608f * (1.0f + 0.044715f * x * x)));
    case ActivationFunction::kQuickGelu:
      return x * Sigmoid(1.702f * x);
    case ActivationFunction::kRelu:
      return x < 0.0f ? 0.0f : x;  // NaN stays
    case ActivationFunction::kRelu2:
      return x < 0.0f ? 0.0f : x * x;
    case ActivationFunction::kTanh:
      return std::tanh(x);
    case ActivationFunction::kSigmoid:
      return Sigmoid(x);
    case ActivationFunction::kLinear:
      return x;
    case ActivationFunction::kMish:
      return x * std::tanh(Softplus(x));
  }
  return x;
}

}  // namespace fathom
