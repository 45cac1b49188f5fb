// The activation functions of config.json's hidden_act, as ACT2FN of transformers' activations.py
// computes them in float32.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace fathom {

enum class ActivationFunction : uint8_t {
  kSilu,
  kGelu,             // with erf
  kGeluNew,          // with tanh, written out
  kGeluFast,         // with tanh, constants cut to ten digits
  kGeluPytorchTanh,  // with tanh, torch's own
  kQuickGelu,        // x * sigmoid(1.702 x)
  kRelu,
  kRelu2,
  kTanh,
  kSigmoid,
  kLinear,
  kMish,
};

// "silu", "gelu", ... and transformers' other spellings of the same ("swish", "gelu_accurate",
// ...).
std::optional<ActivationFunction> FindActivationFunction(std::string_view name);
// The name must exist: the verifier has seen to it.
ActivationFunction GetActivationFunction(std::string_view name);
// The names, one for each function, in the order of the enumeration.
std::span<const std::string_view> ActivationFunctionNames();

float Activate(ActivationFunction function, float x);

}  // namespace fathom
