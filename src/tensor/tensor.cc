#include "tensor/tensor.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace fathom {

std::string Shape::ToString() const {
  return fmt::format("[{}]", fmt::join(dims.begin(), dims.begin() + rank, ", "));
}

}  // namespace fathom
