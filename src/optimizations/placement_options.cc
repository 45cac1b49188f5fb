// The options of placement as text: --max-memory, --device-map.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>

#include "base/json.h"
#include "optimizations/placement.h"

namespace fathom {
namespace {

struct Unit {
  std::string_view suffix;  // upper case
  double bytes;
  bool bits_in_lower_case;
};
constexpr std::array kUnits = {
    Unit{"GIB", 0x1p30, false}, Unit{"MIB", 0x1p20, false}, Unit{"KIB", 0x1p10, false},
    Unit{"GB", 1e9, true},      Unit{"MB", 1e6, true},      Unit{"KB", 1e3, true},
};

constexpr std::array<std::string_view, 4> kModes = {"auto", "balanced", "balanced_low_0",
                                                    "sequential"};

// Place of a device in the order of filling; -1: no device.
int64_t OrderOf(std::string_view device) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(device.data(), device.data() + device.size(), number);
  const bool all = end == device.data() + device.size();
  if (error == std::errc() && all && number >= 0 && number < (1 << 20)) return number;
  if (device == "mps") return 1 << 20;
  if (device == "cpu") return (1 << 20) + 1;
  if (device == "disk") return (1 << 20) + 2;
  return -1;
}

// Python's {0: "1GB"} as JSON: numbers that are keys get quotation marks.
std::string QuoteNumberKeys(const std::string& text) {
  std::string result;
  bool quoted = false, key = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"' && (i == 0 || text[i - 1] != '\\')) quoted = !quoted;
    if (quoted || std::isdigit(static_cast<unsigned char>(c)) == 0 || !key) {
      if (!quoted && (c == '{' || c == ','))
        key = true;
      else if (std::isspace(static_cast<unsigned char>(c)) == 0)
        key = false;
      result += c;
      continue;
    }
    size_t end = i;
    while (end < text.size() && std::isdigit(static_cast<unsigned char>(text[end])) != 0) ++end;
    result += '"' + text.substr(i, end - i) + '"';
    i = end - 1;
    key = false;
  }
  return result;
}

Result<JsonObject> ParseObject(const std::string& text, const std::string& option,
                               const std::string& example) {
  const auto value = ParseJson(QuoteNumberKeys(text), option);
  if (!value.ok() || !value->is_object()) {
    return Status::Usage(option, fmt::format("\"{}\" is no map of devices", text.substr(0, 80)),
                         "write " + example);
  }
  return value->as_object();
}

// "0=10GiB,cpu=30GiB"
Result<JsonObject> ParsePairs(const std::string& text, const std::string& option) {
  JsonObject object;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    const std::string pair = text.substr(begin, end - begin);
    const size_t equals = pair.find('=');
    if (equals == std::string::npos) {
      return Status::Usage(option,
                           fmt::format("\"{}\" gives no device its size", pair.substr(0, 80)),
                           R"(write cpu=8GiB, or {"cpu": "8GiB"})");
    }
    object.emplace_back(pair.substr(0, equals), pair.substr(equals + 1));
    begin = end + 1;
  }
  return object;
}

}  // namespace

Result<int64_t> ParseByteSize(const std::string& text, const std::string& option) {
  std::string upper = text;
  std::ranges::transform(upper, upper.begin(), [](unsigned char c) { return std::toupper(c); });
  for (const Unit& unit : kUnits) {
    if (!upper.ends_with(unit.suffix)) continue;
    double number = 0;
    const char* end = text.data() + text.size() - unit.suffix.size();
    while (end > text.data() && end[-1] == ' ') --end;
    const auto [next, error] = std::from_chars(text.data(), end, number);
    const double bytes = number * unit.bytes;
    if (error != std::errc() || next != end || !(bytes >= 0 && bytes < 0x1p62)) break;
    const auto whole = static_cast<int64_t>(bytes);
    return unit.bits_in_lower_case && text.ends_with('b') ? whole / 8 : whole;
  }
  return Status::Usage(option, fmt::format("\"{}\" is no size", text.substr(0, 80)),
                       "write 500MB, 10GiB, or a number of bytes without quotation marks");
}

Result<std::vector<DeviceBudget>> ParseMaxMemory(const std::string& text) {
  const std::string option = "--max-memory";
  FATHOM_ASSIGN(const JsonObject object,
                text.starts_with('{')
                    ? ParseObject(text, option, R"({"0": "10GiB", "cpu": "30GiB"})")
                    : ParsePairs(text, option));
  std::vector<DeviceBudget> budgets;
  for (const auto& [device, value] : object) {
    if (OrderOf(device) < 0) {
      return Status::Usage(option, fmt::format("{} is no device", device.substr(0, 80)),
                           "name GPUs by number, or mps, cpu, disk");
    }
    DeviceBudget budget{.device = device};
    if (value.is_string()) {
      FATHOM_ASSIGN(budget.bytes, ParseByteSize(value.as_string(), option));
    } else if (value.is_int() && value.as_int() >= 0) {
      budget.bytes = value.as_int();
    } else {
      return Status::Usage(option, fmt::format("the budget of {} is no size", device),
                           "write 10GiB, or a number of bytes");
    }
    budgets.push_back(std::move(budget));
  }
  std::ranges::stable_sort(budgets, {}, [](const DeviceBudget& b) { return OrderOf(b.device); });
  return budgets;
}

Result<DeviceMapChoice> ParseDeviceMap(const std::string& text) {
  DeviceMapChoice choice;
  if (std::ranges::find(kModes, text) != kModes.end()) {
    choice.mode = text;
    return choice;
  }
  const auto device_of = [](std::string_view name) {
    return std::string(name.starts_with("cuda:") ? name.substr(5) : name == "cuda" ? "0" : name);
  };
  if (!text.starts_with('{')) {
    choice.map[""] = device_of(text);
  } else {
    FATHOM_ASSIGN(const JsonObject object,
                  ParseObject(text, "--device-map", R"({"model.embed_tokens": 0, "": "cpu"})"));
    for (const auto& [module, device] : object) {
      if (!device.is_string() && !device.is_int()) choice.map[module] = "";
      if (device.is_int()) choice.map[module] = fmt::format("{}", device.as_int());
      if (device.is_string()) choice.map[module] = device_of(device.as_string());
    }
  }
  for (const auto& [module, device] : choice.map) {
    if (OrderOf(device) >= 0) continue;
    return Status::Usage(
        "--device-map", fmt::format("\"{}\" is no device", device.substr(0, 80)),
        "give auto, balanced, balanced_low_0, sequential, cpu, or a map of modules to devices");
  }
  return choice;
}

}  // namespace fathom
