// ConfigReader: typed fields out of a JSON object, with defaults and limits.
//
// A getter never fails: what is wrong is kept (the first one, as kBadFile with file, field, value
// and limit) and the fallback returned, so that a parser reads all its fields and asks status()
// once.
//
// As in transformers' strict dataclasses, an absent key means the default, and a null is refused
// unless the field may be null (the Optional getters). One leniency: an integer may stand for a
// number ("rms_norm_eps": 1), which transformers refuses. An integer written 4096.0 is refused, as
// there.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "fathom/status.h"

namespace fathom {

struct IntRange {
  int64_t low = std::numeric_limits<int64_t>::min();
  int64_t high = std::numeric_limits<int64_t>::max();
};

struct NumberRange {
  double low = -std::numeric_limits<double>::max();
  double high = std::numeric_limits<double>::max();
  bool low_excluded = false;
};

class ConfigReader {
 public:
  // `object` outlives the reader. `prefix` goes before the names of fields in messages.
  ConfigReader(std::string file, const JsonValue& object, std::string prefix = {});

  // Present and not null.
  bool Has(std::string_view key) const { return Value(key) != nullptr; }
  // Present, perhaps null.
  bool Contains(std::string_view key) const { return object_.Find(key) != nullptr; }
  // The value as it is; null pointer where absent or null.
  const JsonValue* Value(std::string_view key) const;

  int64_t Int(std::string_view key, int64_t fallback, IntRange range);
  double Number(std::string_view key, double fallback, NumberRange range);
  bool Bool(std::string_view key, bool fallback);
  std::string String(std::string_view key, std::string_view fallback);

  // The fields that may be null: a null gives nullopt, as an absent key gives `fallback`.
  std::optional<int64_t> OptionalInt(std::string_view key, std::optional<int64_t> fallback,
                                     IntRange range);
  std::optional<double> OptionalNumber(std::string_view key, std::optional<double> fallback,
                                       NumberRange range);
  std::optional<bool> OptionalBool(std::string_view key, std::optional<bool> fallback = {});
  std::optional<std::string> OptionalString(std::string_view key);

  // A list, or (ids, strings) one value for a list of one. Absent and null: nullopt.
  std::optional<std::vector<int64_t>> IntOrList(std::string_view key, IntRange range);
  std::optional<std::vector<std::string>> StringOrList(std::string_view key);
  std::optional<std::vector<double>> NumberList(std::string_view key, NumberRange range);

  // The object under a key; null pointer where absent, null, or (refused) no object.
  const JsonValue* Object(std::string_view key);

  // A refusal of the caller's own; the first refusal is kept.
  void Refuse(std::string_view key, std::string value, std::string limit = {},
              std::string remedy = {});
  // Takes over what another reader has refused.
  void Adopt(const ConfigReader& other);

  const Status& status() const { return status_; }
  const std::string& file() const { return file_; }
  const std::string& prefix() const { return prefix_; }

 private:
  void RefuseType(std::string_view key, const JsonValue& value, std::string_view wanted);
  int64_t CheckInt(std::string_view key, const JsonValue& value, int64_t fallback, IntRange range);
  double CheckNumber(std::string_view key, const JsonValue& value, double fallback,
                     NumberRange range);
  // The key's value; null is refused as no `wanted`.
  const JsonValue* Required(std::string_view key, std::string_view wanted);

  std::string file_;
  const JsonValue& object_;
  std::string prefix_;
  Status status_;
};

// A value as messages show it: JSON, cut.
std::string ShownJson(const JsonValue& value);

}  // namespace fathom
