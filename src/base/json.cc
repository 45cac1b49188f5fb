#include "base/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "base/mapped_file.h"
#include "base/utf8.h"

namespace fathom {
namespace {

// nlohmann's events -> JsonHandler, with the depth and the duplicate keys watched over.
class Adapter final : public nlohmann::json_sax<nlohmann::json> {
 public:
  Adapter(std::string_view what, const JsonLimits& limits, JsonHandler& handler)
      : what_(what), limits_(limits), handler_(handler) {}

  bool null() override { return Take(handler_.OnNull()); }
  bool boolean(bool value) override { return Take(handler_.OnBool(value)); }
  bool number_integer(number_integer_t value) override { return Take(handler_.OnInt(value)); }
  bool number_unsigned(number_unsigned_t value) override {
    return Take(value <= uint64_t{INT64_MAX} ? handler_.OnInt(static_cast<int64_t>(value))
                                             : handler_.OnUint(value));
  }
  bool number_float(number_float_t value, const string_t& text) override {
    if (!std::isfinite(value)) return Refuse("number " + text, "is beyond a double");
    return Take(handler_.OnDouble(value));
  }
  bool string(string_t& value) override { return Take(handler_.OnString(value)); }
  bool binary(binary_t&) override { return false; }
  bool start_object(size_t) override {
    if (!Enter()) return false;
    if (limits_.refuse_duplicate_keys) keys_.emplace_back();
    return Take(handler_.OnStartObject());
  }
  bool end_object() override {
    --depth_;
    if (limits_.refuse_duplicate_keys) keys_.pop_back();
    return Take(handler_.OnEndObject());
  }
  bool start_array(size_t) override { return Enter() && Take(handler_.OnStartArray()); }
  bool end_array() override {
    --depth_;
    return Take(handler_.OnEndArray());
  }
  bool key(string_t& value) override {
    if (limits_.refuse_duplicate_keys && !keys_.back().insert(value).second) {
      return Refuse(fmt::format("\"{}\"", value.substr(0, 200)), "stands twice in one object");
    }
    return Take(handler_.OnKey(value));
  }
  bool parse_error(size_t position, const std::string& token,
                   const nlohmann::detail::exception& error) override {
    const bool overflow = error.id == 406;
    return Refuse(fmt::format("bad JSON at byte {}", position),
                  overflow ? fmt::format("number {} is beyond a double", token.substr(0, 40))
                           : fmt::format("near '{}'", RepairUtf8(token.substr(0, 40))));
  }

  Status TakeStatus() { return std::move(status_); }

 private:
  bool Enter() {
    if (++depth_ <= limits_.max_depth) return true;
    return Refuse("nesting", fmt::format("is deeper than the limit of {}", limits_.max_depth));
  }
  bool Take(Status status) {
    if (status.ok()) return true;
    if (status_.ok()) status_ = std::move(status).WithFile(what_);
    return false;
  }
  bool Refuse(std::string value, std::string limit) {
    return Take(Status::BadFile(std::string(what_), "", std::move(value), std::move(limit)));
  }

  std::string_view what_;
  const JsonLimits& limits_;
  JsonHandler& handler_;
  int depth_ = 0;
  std::vector<std::set<std::string>> keys_;
  Status status_;
};

// Builds the tree: a stack of the containers that are open, with the key that each waits to fill.
class TreeBuilder final : public JsonHandler {
 public:
  Status OnNull() override { return Add(JsonValue()); }
  Status OnBool(bool value) override { return Add(value); }
  Status OnInt(int64_t value) override { return Add(value); }
  Status OnUint(uint64_t value) override { return Add(value); }
  Status OnDouble(double value) override { return Add(value); }
  Status OnString(std::string& value) override { return Add(std::move(value)); }
  Status OnKey(std::string& key) override {
    open_.back().key = std::move(key);
    return Status::Ok();
  }
  Status OnStartObject() override {
    open_.push_back({JsonValue(JsonObject()), {}});
    return Status::Ok();
  }
  Status OnStartArray() override {
    open_.push_back({JsonValue(JsonArray()), {}});
    return Status::Ok();
  }
  Status OnEndObject() override { return Close(); }
  Status OnEndArray() override { return Close(); }

  JsonValue Take() { return std::move(root_); }

 private:
  struct Open {
    JsonValue value;
    std::string key;
  };

  Status Add(JsonValue value) {
    if (open_.empty()) {
      root_ = std::move(value);
    } else if (open_.back().value.is_array()) {
      open_.back().value.as_array().push_back(std::move(value));
    } else {
      open_.back().value.as_object().emplace_back(std::move(open_.back().key), std::move(value));
    }
    return Status::Ok();
  }
  Status Close() {
    JsonValue value = std::move(open_.back().value);
    open_.pop_back();
    if (value.is_object()) KeepLastOfDuplicates(value.as_object());
    return Add(std::move(value));
  }
  // Python's json keeps the last of repeated keys, at the place of the first. Sorted by hash, then
  // by key: no crafted set of keys makes this slower than n log n.
  static void KeepLastOfDuplicates(JsonObject& object) {
    if (object.size() < 2) return;
    std::vector<std::pair<size_t, size_t>> order;  // hash, index
    order.reserve(object.size());
    for (size_t i = 0; i < object.size(); ++i) {
      order.emplace_back(std::hash<std::string_view>()(object[i].first), i);
    }
    std::sort(order.begin(), order.end(), [&](const auto& a, const auto& b) {
      if (a.first != b.first) return a.first < b.first;
      const int compared = object[a.second].first.compare(object[b.second].first);
      return compared != 0 ? compared < 0 : a.second < b.second;
    });
    std::vector<bool> dropped;
    size_t first = order[0].second;
    for (size_t i = 1; i < order.size(); ++i) {
      const size_t at = order[i].second;
      if (order[i].first != order[i - 1].first || object[at].first != object[first].first) {
        first = at;
        continue;
      }
      dropped.resize(object.size());
      dropped[at] = true;
      object[first].second = std::move(object[at].second);
    }
    if (dropped.empty()) return;
    size_t kept = 0;
    for (size_t i = 0; i < object.size(); ++i) {
      if (dropped[i]) continue;
      if (kept != i) object[kept] = std::move(object[i]);
      ++kept;
    }
    object.erase(object.begin() + static_cast<ptrdiff_t>(kept), object.end());
  }

  std::vector<Open> open_;
  JsonValue root_;
};

void WriteString(std::string_view text, std::string& out) {
  out += '"';
  const std::string repaired = IsValidUtf8(text) ? std::string() : RepairUtf8(text);
  for (const char c : repaired.empty() ? text : std::string_view(repaired)) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      case '\b':
        out += "\\b";
        break;
      case '\f':
        out += "\\f";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
          out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
        } else {
          out += c;
        }
    }
  }
  out += '"';
}

void WriteDouble(double value, std::string& out) {
  if (!std::isfinite(value)) {
    out += "null";
    return;
  }
  const std::string text = fmt::format("{}", value);
  out += text;
  if (text.find_first_of(".eE") == std::string::npos) out += ".0";
}

// indent < 0: one line.
class Writer {
 public:
  Writer(int indent, std::string& out) : indent_(indent), out_(out) {}

  void Write(const JsonValue& value, int depth) {
    if (value.is_null()) out_ += "null";
    if (value.is_bool()) out_ += value.as_bool() ? "true" : "false";
    if (value.is_int()) out_ += fmt::format("{}", value.as_int());
    if (value.is_uint()) out_ += fmt::format("{}", value.as_uint());
    if (value.is_double()) WriteDouble(value.as_double(), out_);
    if (value.is_string()) WriteString(value.as_string(), out_);
    if (value.is_array()) {
      Container('[', ']', value.as_array(), depth,
                [&](const JsonValue& item) { Write(item, depth + 1); });
    }
    if (value.is_object()) {
      Container('{', '}', value.as_object(), depth, [&](const auto& member) {
        WriteString(member.first, out_);
        out_ += indent_ < 0 ? ":" : ": ";
        Write(member.second, depth + 1);
      });
    }
  }

 private:
  template <typename Items, typename Each>
  void Container(char open, char close, const Items& items, int depth, Each each) {
    out_ += open;
    bool first = true;
    for (const auto& item : items) {
      if (!first) out_ += ',';
      first = false;
      NewLine(depth + 1);
      each(item);
    }
    if (!first) NewLine(depth);
    out_ += close;
  }
  void NewLine(int depth) {
    if (indent_ < 0) return;
    out_ += '\n';
    out_.append(static_cast<size_t>(indent_) * depth, ' ');
  }

  int indent_;
  std::string& out_;
};

}  // namespace

Status ReadJson(std::string_view text, std::string_view what, const JsonLimits& limits,
                JsonHandler& handler) {
  // nlohmann skips a byte order mark, which RFC 8259 lets a reader do; Python's json refuses it.
  // It also takes a NUL for the end of the text.
  if (const size_t nul = text.find('\0'); nul != std::string_view::npos) {
    return Status::BadFile(std::string(what), "", fmt::format("bad JSON at byte {}", nul), "a NUL");
  }
  Adapter adapter(what, limits, handler);
  const bool good = nlohmann::json::sax_parse(text.begin(), text.end(), &adapter);
  Status status = adapter.TakeStatus();
  if (status.ok() && !good) return Status::BadFile(std::string(what), "", "bad JSON");
  return status;
}

JsonValue::JsonValue(uint64_t value) {
  if (value <= uint64_t{INT64_MAX}) {
    value_ = static_cast<int64_t>(value);
  } else {
    value_ = value;
  }
}

double JsonValue::as_double() const {
  if (is_int()) return static_cast<double>(as_int());
  if (is_uint()) return static_cast<double>(as_uint());
  return std::get<double>(value_);
}

const JsonValue* JsonValue::Find(std::string_view key) const {
  if (!is_object()) return nullptr;
  for (const auto& [name, value] : as_object()) {
    if (name == key) return &value;
  }
  return nullptr;
}

void JsonValue::Set(std::string_view key, JsonValue value) {
  if (is_null()) value_ = JsonObject();
  for (auto& [name, old] : as_object()) {
    if (name == key) {
      old = std::move(value);
      return;
    }
  }
  as_object().emplace_back(std::string(key), std::move(value));
}

void JsonValue::Append(JsonValue value) {
  if (is_null()) value_ = JsonArray();
  as_array().push_back(std::move(value));
}

std::string_view JsonValue::TypeName() const {
  if (is_null()) return "null";
  if (is_bool()) return "boolean";
  if (is_int() || is_uint()) return "integer";
  if (is_double()) return "number";
  if (is_string()) return "string";
  return is_array() ? "array" : "object";
}

Result<JsonValue> ParseJson(std::string_view text, std::string_view what, JsonLimits limits) {
  TreeBuilder builder;
  FATHOM_TRY(ReadJson(text, what, limits, builder));
  return builder.Take();
}

Result<JsonValue> ParseJsonFile(const std::string& path, JsonLimits limits) {
  FATHOM_ASSIGN(const MappedFile file, MappedFile::Open(path));
  return ParseJson(file.text(), path, limits);
}

std::string WriteJson(const JsonValue& value) {
  std::string out;
  Writer(-1, out).Write(value, 0);
  return out;
}

std::string WriteJsonIndented(const JsonValue& value, int indent) {
  std::string out;
  Writer(indent, out).Write(value, 0);
  return out;
}

}  // namespace fathom
