#include "text/template/clock.h"

#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <string_view>

namespace fathom::jinja {

std::string FormatNow(const std::string& format) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  int64_t microseconds = std::chrono::duration_cast<std::chrono::microseconds>(now).count();
  bool utc = false;
  if (const char* fixed = std::getenv("SOURCE_DATE_EPOCH")) {
    const std::string_view text(fixed);
    int64_t seconds = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    constexpr int64_t kYear9999 = 253'402'300'799;
    utc = error == std::errc() && end == text.data() + text.size() && seconds >= 0 &&
          seconds <= kYear9999;
    if (utc) microseconds = seconds * 1'000'000;
  }
  const std::time_t seconds = static_cast<std::time_t>(microseconds / 1'000'000);
  std::tm time = {};
  if (utc) {
    gmtime_r(&seconds, &time);
  } else {
    localtime_r(&seconds, &time);
  }
  std::string out;
  for (size_t at = 0; at < format.size(); ++at) {
    if (format[at] != '%' || at + 1 == format.size()) {
      out += format[at];
      continue;
    }
    size_t end = at + 1;
    // glibc's flags and widths go with their directive; a width is cut so that it stays small.
    while (end < format.size() &&
           std::string_view("-_0^#").find(format[end]) != std::string_view::npos)
      ++end;
    const size_t flags = end;
    while (end < format.size() && format[end] >= '0' && format[end] <= '9') ++end;
    if (end - flags > 2) end = flags + 2;
    if (end == format.size()) {
      out.append(format, at);
      break;
    }
    const char directive = format[end];
    if (directive == 'f' && end == at + 1) {
      out += fmt::format("{:06}", microseconds % 1'000'000);
    } else if ((directive == 'z' || directive == 'Z') && end == at + 1) {
      // A time of Python's without a time zone has neither.
    } else {
      char buffer[256];
      const std::string one = format.substr(at, end + 1 - at);
      const size_t size = std::strftime(buffer, sizeof buffer, one.c_str(), &time);
      out.append(buffer, size);
    }
    at = end;
  }
  return out;
}

}  // namespace fathom::jinja
