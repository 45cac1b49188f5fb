#include "checkpoint/config_reader.h"

#include <fmt/format.h>

namespace fathom {
namespace {

constexpr size_t kShownBytes = 80;

std::string Describe(IntRange range) {
  if (range.high == std::numeric_limits<int64_t>::max()) {
    return fmt::format("is below the limit of {}", range.low);
  }
  return fmt::format("is outside the limits {} to {}", range.low, range.high);
}

std::string Describe(NumberRange range) {
  return fmt::format("is outside the limits {}{} to {}", range.low_excluded ? "above " : "",
                     range.low, range.high);
}

}  // namespace

std::string ShownJson(const JsonValue& value) {
  // A container is told by its kind: writing a large one out would take its size again.
  if (value.is_array()) return fmt::format("an array of {}", value.as_array().size());
  if (value.is_object()) return fmt::format("an object of {}", value.as_object().size());
  if (value.is_string() && value.as_string().size() > kShownBytes) {
    return fmt::format("\"{}...\"", value.as_string().substr(0, kShownBytes));
  }
  return WriteJson(value);
}

ConfigReader::ConfigReader(std::string file, const JsonValue& object, std::string prefix)
    : file_(std::move(file)), object_(object), prefix_(std::move(prefix)) {}

const JsonValue* ConfigReader::Value(std::string_view key) const {
  const JsonValue* value = object_.Find(key);
  return value != nullptr && value->is_null() ? nullptr : value;
}

void ConfigReader::Refuse(std::string_view key, std::string value, std::string limit,
                          std::string remedy) {
  if (!status_.ok()) return;
  status_ = Status::BadFile(file_, prefix_ + std::string(key), std::move(value), std::move(limit),
                            std::move(remedy));
}

void ConfigReader::Adopt(const ConfigReader& other) {
  if (status_.ok()) status_ = other.status_;
}

void ConfigReader::RefuseType(std::string_view key, const JsonValue& value,
                              std::string_view wanted) {
  Refuse(key, ShownJson(value), fmt::format("is no {}", wanted));
}

const JsonValue* ConfigReader::Required(std::string_view key, std::string_view wanted) {
  const JsonValue* value = object_.Find(key);
  if (value != nullptr && value->is_null()) {
    RefuseType(key, *value, wanted);
    return nullptr;
  }
  return value;
}

int64_t ConfigReader::CheckInt(std::string_view key, const JsonValue& value, int64_t fallback,
                               IntRange range) {
  if (!value.is_int() && !value.is_uint()) {
    RefuseType(key, value, "integer");
    return fallback;
  }
  if (value.is_uint() || value.as_int() < range.low || value.as_int() > range.high) {
    Refuse(key, WriteJson(value), Describe(range));
    return fallback;
  }
  return value.as_int();
}

double ConfigReader::CheckNumber(std::string_view key, const JsonValue& value, double fallback,
                                 NumberRange range) {
  if (!value.is_number()) {
    RefuseType(key, value, "number");
    return fallback;
  }
  const double number = value.as_double();
  const bool too_low = range.low_excluded ? number <= range.low : number < range.low;
  if (too_low || number > range.high) {
    Refuse(key, WriteJson(value), Describe(range));
    return fallback;
  }
  return number;
}

int64_t ConfigReader::Int(std::string_view key, int64_t fallback, IntRange range) {
  const JsonValue* value = Required(key, "integer");
  return value == nullptr ? fallback : CheckInt(key, *value, fallback, range);
}

double ConfigReader::Number(std::string_view key, double fallback, NumberRange range) {
  const JsonValue* value = Required(key, "number");
  return value == nullptr ? fallback : CheckNumber(key, *value, fallback, range);
}

bool ConfigReader::Bool(std::string_view key, bool fallback) {
  const JsonValue* value = Required(key, "boolean");
  if (value == nullptr) return fallback;
  if (value->is_bool()) return value->as_bool();
  RefuseType(key, *value, "boolean");
  return fallback;
}

std::string ConfigReader::String(std::string_view key, std::string_view fallback) {
  const JsonValue* value = Required(key, "string");
  if (value != nullptr && value->is_string()) return value->as_string();
  if (value != nullptr) RefuseType(key, *value, "string");
  return std::string(fallback);
}

std::optional<int64_t> ConfigReader::OptionalInt(std::string_view key,
                                                 std::optional<int64_t> fallback, IntRange range) {
  const JsonValue* value = object_.Find(key);
  if (value == nullptr) return fallback;
  if (value->is_null()) return std::nullopt;
  return CheckInt(key, *value, fallback.value_or(range.low), range);
}

std::optional<double> ConfigReader::OptionalNumber(std::string_view key,
                                                   std::optional<double> fallback,
                                                   NumberRange range) {
  const JsonValue* value = object_.Find(key);
  if (value == nullptr) return fallback;
  if (value->is_null()) return std::nullopt;
  return CheckNumber(key, *value, fallback.value_or(range.low), range);
}

std::optional<bool> ConfigReader::OptionalBool(std::string_view key, std::optional<bool> fallback) {
  const JsonValue* value = object_.Find(key);
  if (value == nullptr) return fallback;
  if (value->is_null()) return std::nullopt;
  return Bool(key, false);
}

std::optional<std::string> ConfigReader::OptionalString(std::string_view key) {
  if (!Has(key)) return std::nullopt;
  return String(key, "");
}

std::optional<std::vector<int64_t>> ConfigReader::IntOrList(std::string_view key, IntRange range) {
  const JsonValue* value = Value(key);
  if (value == nullptr) return std::nullopt;
  std::vector<int64_t> result;
  if (!value->is_array()) {
    if (!value->is_int() && !value->is_uint())
      RefuseType(key, *value, "integer or list of integers");
    result.push_back(CheckInt(key, *value, range.low, range));
    return result;
  }
  for (const JsonValue& item : value->as_array()) {
    result.push_back(CheckInt(key, item, range.low, range));
  }
  return result;
}

std::optional<std::vector<std::string>> ConfigReader::StringOrList(std::string_view key) {
  const JsonValue* value = Value(key);
  if (value == nullptr) return std::nullopt;
  std::vector<std::string> result;
  if (value->is_string()) {
    result.push_back(value->as_string());
    return result;
  }
  if (!value->is_array()) {
    RefuseType(key, *value, "string or list of strings");
    return result;
  }
  for (const JsonValue& item : value->as_array()) {
    if (!item.is_string()) {
      RefuseType(key, item, "string");
      break;
    }
    result.push_back(item.as_string());
  }
  return result;
}

std::optional<std::vector<double>> ConfigReader::NumberList(std::string_view key,
                                                            NumberRange range) {
  const JsonValue* value = Value(key);
  if (value == nullptr) return std::nullopt;
  std::vector<double> result;
  if (!value->is_array()) {
    RefuseType(key, *value, "list of numbers");
    return result;
  }
  for (const JsonValue& item : value->as_array()) {
    result.push_back(CheckNumber(key, item, range.low, range));
  }
  return result;
}

const JsonValue* ConfigReader::Object(std::string_view key) {
  const JsonValue* value = Value(key);
  if (value == nullptr || value->is_object()) return value;
  RefuseType(key, *value, "object");
  return nullptr;
}

}  // namespace fathom
