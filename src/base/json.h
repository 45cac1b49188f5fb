// JSON: the project's one reader and one writer.
//
// The reader is a stream of events (JsonHandler) over text that it never copies as a whole, so that
// a header of 100 MB is refused at its 200,001st entry without a tree of it in memory; ParseJson
// builds a JsonValue on top. Strict (RFC 8259): UTF-8 only, no trailing text, finite numbers, depth
// <= limit.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "fathom/status.h"

namespace fathom {

struct JsonLimits {
  int max_depth = 64;
  // A repeated key inside one object: refused, or (config files, as Python's json) the last wins.
  bool refuse_duplicate_keys = false;
};

// Receives the events of a document in order. A Status that is not ok stops the reading.
class JsonHandler {
 public:
  virtual ~JsonHandler() = default;
  virtual Status OnNull() = 0;
  virtual Status OnBool(bool value) = 0;
  virtual Status OnInt(int64_t value) = 0;
  virtual Status OnUint(uint64_t value) = 0;  // only values > INT64_MAX
  virtual Status OnDouble(double value) = 0;
  virtual Status OnString(std::string& value) = 0;  // may be moved from
  virtual Status OnKey(std::string& key) = 0;       // may be moved from
  virtual Status OnStartObject() = 0;
  virtual Status OnEndObject() = 0;
  virtual Status OnStartArray() = 0;
  virtual Status OnEndArray() = 0;
};

// Reads one document. `what` names it in errors (kBadFile).
Status ReadJson(std::string_view text, std::string_view what, const JsonLimits& limits,
                JsonHandler& handler);

class JsonValue;
using JsonArray = std::vector<JsonValue>;
using JsonObject = std::vector<std::pair<std::string, JsonValue>>;  // in file order

class JsonValue {
 public:
  JsonValue() = default;
  JsonValue(std::nullptr_t) {}                                  // NOLINT: literals read naturally
  JsonValue(bool value) : value_(value) {}                      // NOLINT
  JsonValue(int value) : value_(int64_t{value}) {}              // NOLINT
  JsonValue(int64_t value) : value_(value) {}                   // NOLINT
  JsonValue(uint64_t value);                                    // NOLINT
  JsonValue(double value) : value_(value) {}                    // NOLINT
  JsonValue(const char* value) : value_(std::string(value)) {}  // NOLINT
  JsonValue(std::string_view value) : value_(std::string(value)) {}  // NOLINT
  JsonValue(std::string value) : value_(std::move(value)) {}         // NOLINT
  JsonValue(JsonArray value) : value_(std::move(value)) {}           // NOLINT
  JsonValue(JsonObject value) : value_(std::move(value)) {}          // NOLINT

  bool is_null() const { return std::holds_alternative<std::monostate>(value_); }
  bool is_bool() const { return std::holds_alternative<bool>(value_); }
  bool is_int() const { return std::holds_alternative<int64_t>(value_); }
  bool is_uint() const { return std::holds_alternative<uint64_t>(value_); }
  bool is_double() const { return std::holds_alternative<double>(value_); }
  bool is_number() const { return is_int() || is_uint() || is_double(); }
  bool is_string() const { return std::holds_alternative<std::string>(value_); }
  bool is_array() const { return std::holds_alternative<JsonArray>(value_); }
  bool is_object() const { return std::holds_alternative<JsonObject>(value_); }

  // The caller has asked is_...() before.
  bool as_bool() const { return std::get<bool>(value_); }
  int64_t as_int() const { return std::get<int64_t>(value_); }
  uint64_t as_uint() const { return std::get<uint64_t>(value_); }
  double as_double() const;  // any number
  const std::string& as_string() const { return std::get<std::string>(value_); }
  std::string& as_string() { return std::get<std::string>(value_); }
  const JsonArray& as_array() const { return std::get<JsonArray>(value_); }
  JsonArray& as_array() { return std::get<JsonArray>(value_); }
  const JsonObject& as_object() const { return std::get<JsonObject>(value_); }
  JsonObject& as_object() { return std::get<JsonObject>(value_); }

  // The member, or null where this is no object or has none (linear: for small objects).
  const JsonValue* Find(std::string_view key) const;
  // Sets or appends a member; makes a null value an object.
  void Set(std::string_view key, JsonValue value);
  void Append(JsonValue value);

  // "null", "boolean", "integer", "number", "string", "array", "object": for messages.
  std::string_view TypeName() const;

  friend bool operator==(const JsonValue&, const JsonValue&) = default;

 private:
  std::variant<std::monostate, bool, int64_t, uint64_t, double, std::string, JsonArray, JsonObject>
      value_;
};

// Reads text into a tree. JSON numbers beyond double, NaN and Infinity are refused.
Result<JsonValue> ParseJson(std::string_view text, std::string_view what, JsonLimits limits = {});

// Reads a whole file (mapped) into a tree; bad or missing: kBadFile.
Result<JsonValue> ParseJsonFile(const std::string& path, JsonLimits limits = {});

// One line; UTF-8 as it is; doubles in the shortest form that round-trips (1.0 keeps its ".0");
// NaN and infinities, which JSON lacks, as null.
std::string WriteJson(const JsonValue& value);
// The same over several lines.
std::string WriteJsonIndented(const JsonValue& value, int indent = 2);

}  // namespace fathom
