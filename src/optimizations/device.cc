// --device: where the whole model runs.
#include <fmt/format.h>

#include <charconv>

#include "fathom/machine.h"
#include "optimizations/optimization.h"
#include "optimizations/row_tools.h"

namespace fathom {
namespace {

// "cuda", "cuda:1" -> "cuda"; "" where the name is no device's.
std::string_view KindOf(std::string_view device) {
  const size_t colon = device.find(':');
  const std::string_view kind = device.substr(0, colon);
  if (kind != "cpu" && kind != "mps" && kind != "cuda") return "";
  if (colon == std::string_view::npos) return kind;
  const std::string_view digits = device.substr(colon + 1);
  int number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  const bool whole = error == std::errc() && end == digits.data() + digits.size();
  return whole && number >= 0 ? kind : "";
}

}  // namespace

Status CheckDevice(const EngineOptions& options) {
  if (options.device.empty() || options.device == "auto") return Status::Ok();
  const std::string_view kind = KindOf(options.device);
  if (kind.empty()) {
    return Status::Usage("--device", fmt::format("\"{}\" is no device", options.device),
                         "give cpu, cuda, cuda:N or mps");
  }
  if (kind == "cpu") {
    if (options.device == "cpu" || options.device == "cpu:0") return Status::Ok();
    return Status::RunTime(fmt::format("--device: there is no device {} here", options.device),
                           "give cpu");
  }
  const Machine machine = DetectMachine({});
  const RowInput input{machine, nullptr, options};
  const DeviceStatus status = DeviceWithoutBackend(input, kind);
  return Status::RunTime(
      fmt::format("--device: {} cannot be used: {}", options.device, status.reason),
      "leave it out, or give cpu");
}

}  // namespace fathom
