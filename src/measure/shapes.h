// Shapes of published models, for benchmarks on random weights: no download needed.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "fathom/status.h"

namespace fathom {

struct NamedShape {
  std::string_view name;    // "llama-3.2-1b"
  std::string_view config;  // a config.json
};

std::span<const NamedShape> AllShapes();
// kUsage naming those there are.
Result<const NamedShape*> FindShape(std::string_view name);

}  // namespace fathom
