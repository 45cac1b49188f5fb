#include "checkpoint/rope_parameters.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace fathom {
namespace {

constexpr std::array<std::string_view, 7> kNames = {"default",  "linear", "dynamic",     "yarn",
                                                    "longrope", "llama3", "proportional"};
constexpr NumberRange kPositive = {.low = 0, .high = 1e9, .low_excluded = true};
constexpr NumberRange kNotNegative = {.low = 0, .high = 1e9};
constexpr NumberRange kTheta = {.low = 0, .high = 1e18, .low_excluded = true};
constexpr NumberRange kPart = {.low = 0, .high = 1};
constexpr IntRange kPositions = {1, int64_t{1} << 30};

// Values that stand beside the object and fill its gaps.
struct Outer {
  double rope_theta;
  std::optional<double> partial_rotary_factor;
  std::optional<int64_t> original_max_position_embeddings;  // this one beats the object's
};

RopeType ReadType(ConfigReader& rope) {
  const std::string_view key = rope.Has("rope_type") ? "rope_type" : "type";
  const std::string name = rope.OptionalString(key).value_or("default");
  const auto found = std::find(kNames.begin(), kNames.end(), name);
  if (found != kNames.end()) return static_cast<RopeType>(found - kNames.begin());
  rope.Refuse(key, fmt::format("\"{}\"", name.substr(0, 80)),
              "is none of default, linear, dynamic, yarn, longrope, llama3, proportional");
  return RopeType::kDefault;
}

double RequiredNumber(ConfigReader& rope, std::string_view key, std::string_view type) {
  if (!rope.Has(key)) rope.Refuse(key, "is missing", fmt::format("(rope type {})", type));
  return rope.OptionalNumber(key, {}, kPositive).value_or(1);
}

// Python takes a 0 for no value there ("x or 32").
std::optional<double> NumberUnlessZero(ConfigReader& rope, std::string_view key) {
  const std::optional<double> value = rope.OptionalNumber(key, {}, kNotNegative);
  return value && *value != 0 ? value : std::nullopt;
}

void ReadYarn(ConfigReader& rope, RopeParameters& parameters) {
  // Required, though null will do.
  if (!rope.Contains("factor")) rope.Refuse("factor", "is missing", "(rope type yarn)");
  parameters.factor = rope.OptionalNumber("factor", {}, kPositive);
  parameters.attention_factor = rope.OptionalNumber("attention_factor", {}, kPositive);
  parameters.beta_fast = NumberUnlessZero(rope, "beta_fast").value_or(32);
  parameters.beta_slow = NumberUnlessZero(rope, "beta_slow").value_or(1);
  parameters.mscale = NumberUnlessZero(rope, "mscale");
  parameters.mscale_all_dim = NumberUnlessZero(rope, "mscale_all_dim");
  parameters.truncate = rope.OptionalBool("truncate").value_or(true);
  // The correction range divides by the logarithm of the base.
  if (parameters.rope_theta == 1) rope.Refuse("rope_theta", "1.0", "(yarn needs another base)");
}

void ReadLongrope(ConfigReader& rope, int64_t rotary_dim, RopeParameters& parameters) {
  parameters.factor = rope.OptionalNumber("factor", {}, kPositive);
  parameters.attention_factor = rope.OptionalNumber("attention_factor", {}, kPositive);
  const auto read = [&](std::string_view key) {
    if (!rope.Has(key)) rope.Refuse(key, "is missing", "(rope type longrope)");
    std::vector<double> values = rope.NumberList(key, kPositive).value_or(std::vector<double>());
    const size_t wanted = static_cast<size_t>((rotary_dim + 1) / 2);
    if (values.size() != wanted) {
      rope.Refuse(key, fmt::format("{} values", values.size()),
                  fmt::format("where {} are required", wanted));
    }
    return values;
  };
  parameters.short_factor = read("short_factor");
  parameters.long_factor = read("long_factor");
  // The attention factor divides by the logarithm of the length.
  if (parameters.original_max_position_embeddings < 2 && !parameters.attention_factor) {
    rope.Refuse("original_max_position_embeddings", "1", "is below the limit of 2");
  }
}

void ReadLlama3(ConfigReader& rope, RopeParameters& parameters) {
  parameters.factor = RequiredNumber(rope, "factor", "llama3");
  parameters.low_freq_factor = RequiredNumber(rope, "low_freq_factor", "llama3");
  parameters.high_freq_factor = RequiredNumber(rope, "high_freq_factor", "llama3");
  if (parameters.high_freq_factor <= parameters.low_freq_factor) {
    rope.Refuse("high_freq_factor", fmt::format("{}", parameters.high_freq_factor),
                fmt::format("is not above low_freq_factor, {}", parameters.low_freq_factor));
  }
}

void CheckRotaryDim(ConfigReader& rope, const RopeParameters& parameters, int64_t head_dim) {
  const int64_t rotary_dim = parameters.RotaryDim(head_dim);
  if (rotary_dim == head_dim && head_dim % 2 != 0) {
    rope.Refuse("head_dim", fmt::format("{}", head_dim), "is odd: it cannot turn by pairs");
  }
  if (parameters.rope_type == RopeType::kDynamic && rotary_dim <= 2) {
    rope.Refuse("factor", fmt::format("dynamic rope of {} dimensions", rotary_dim),
                "where more than 2 are required");
  }
}

RopeParameters ReadOne(ConfigReader& rope, const RopeContext& context, const Outer& outer) {
  RopeParameters parameters;
  parameters.rope_type = ReadType(rope);
  parameters.rope_theta = rope.OptionalNumber("rope_theta", {}, kTheta).value_or(outer.rope_theta);
  parameters.partial_rotary_factor = rope.OptionalNumber("partial_rotary_factor", {}, kPart)
                                         .value_or(outer.partial_rotary_factor.value_or(1.0));
  const int64_t rotary_dim = parameters.RotaryDim(context.head_dim);
  const RopeType type = parameters.rope_type;
  if (type == RopeType::kYarn || type == RopeType::kLongrope || type == RopeType::kLlama3) {
    const std::string_view key = "original_max_position_embeddings";
    const std::optional<int64_t> own = rope.OptionalInt(key, {}, kPositions);
    parameters.original_max_position_embeddings = outer.original_max_position_embeddings.value_or(
        own.value_or(context.max_position_embeddings));
  }
  switch (type) {
    case RopeType::kDefault:
      break;
    case RopeType::kLinear:
    case RopeType::kDynamic:
      parameters.factor = RequiredNumber(rope, "factor", RopeTypeName(type));
      break;
    case RopeType::kYarn:
      ReadYarn(rope, parameters);
      break;
    case RopeType::kLongrope:
      ReadLongrope(rope, rotary_dim, parameters);
      break;
    case RopeType::kLlama3:
      ReadLlama3(rope, parameters);
      break;
    case RopeType::kProportional:
      parameters.factor = rope.OptionalNumber("factor", {}, kPositive).value_or(1.0);
      break;
  }
  CheckRotaryDim(rope, parameters, context.head_dim);
  return parameters;
}

bool IsNested(const JsonValue& object, const std::vector<std::string>& layer_types) {
  return std::any_of(object.as_object().begin(), object.as_object().end(), [&](const auto& member) {
    return std::find(layer_types.begin(), layer_types.end(), member.first) != layer_types.end();
  });
}

}  // namespace

std::string_view RopeTypeName(RopeType type) { return kNames[static_cast<size_t>(type)]; }

int64_t RopeParameters::RotaryDim(int64_t head_dim) const {
  return static_cast<int64_t>(static_cast<double>(head_dim) * partial_rotary_factor);
}

std::vector<NamedRope> ReadRopeParameters(ConfigReader& config, const RopeContext& context) {
  Outer outer;
  outer.rope_theta =
      config.OptionalNumber("rope_theta", {}, kTheta).value_or(context.default_theta);
  outer.partial_rotary_factor = config.OptionalNumber("partial_rotary_factor", {}, kPart);
  outer.original_max_position_embeddings =
      config.OptionalInt("original_max_position_embeddings", {}, kPositions);

  // The old key wins where both are there, as transformers has it; an empty object is none.
  std::string_view key = "rope_scaling";
  const JsonValue* object = config.Object(key);
  if (object == nullptr || object->as_object().empty()) {
    key = "rope_parameters";
    object = config.Object(key);
  }
  static const JsonValue kNone = JsonObject();
  if (object == nullptr) object = &kNone;
  const std::string prefix = config.prefix() + std::string(key) + ".";

  std::vector<NamedRope> ropes;
  if (!IsNested(*object, context.layer_types)) {
    ConfigReader rope(config.file(), *object, prefix);
    for (const auto& [name, value] : object->as_object()) {
      if (value.is_object())
        rope.Refuse(name, "an object of its own", "for no layer of this model");
    }
    ropes.push_back({"", ReadOne(rope, context, outer)});
    config.Adopt(rope);
    return ropes;
  }
  outer.original_max_position_embeddings.reset();  // counts for the flat form alone
  for (const auto& [layer_type, value] : object->as_object()) {
    const auto& known = context.layer_types;
    if (std::find(known.begin(), known.end(), layer_type) == known.end()) continue;
    if (value.is_null()) continue;  // such layers have no rope
    if (!value.is_object()) {
      config.Refuse(std::string(key) + "." + layer_type, ShownJson(value), "is no object");
      return ropes;
    }
    ConfigReader rope(config.file(), value, prefix + layer_type + ".");
    ropes.push_back({layer_type, ReadOne(rope, context, outer)});
    config.Adopt(rope);
  }
  return ropes;
}

}  // namespace fathom
