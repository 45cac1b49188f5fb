// Numbers as people read them.
#pragma once

#include <cstdint>
#include <string>

namespace fathom {

std::string BytesText(int64_t bytes);  // "4.6 MB", "1.20 GB": powers of 1000
std::string CountText(int64_t count);  // "134.5 M", "1.24 B"

}  // namespace fathom
