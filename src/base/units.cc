#include "base/units.h"

#include <fmt/format.h>

namespace fathom {

std::string BytesText(int64_t bytes) {
  const auto value = static_cast<double>(bytes);
  if (value < 1e4) return fmt::format("{} B", bytes);
  if (value < 1e6) return fmt::format("{:.0f} KB", value / 1e3);
  if (value < 1e8) return fmt::format("{:.1f} MB", value / 1e6);
  if (value < 1e9) return fmt::format("{:.0f} MB", value / 1e6);
  return fmt::format("{:.2f} GB", value / 1e9);
}

std::string CountText(int64_t count) {
  const auto value = static_cast<double>(count);
  if (value < 1e6) return fmt::format("{:.1f} K", value / 1e3);
  if (value < 1e9) return fmt::format("{:.1f} M", value / 1e6);
  return fmt::format("{:.2f} B", value / 1e9);
}

}  // namespace fathom
