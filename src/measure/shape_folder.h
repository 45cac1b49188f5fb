// A published shape as a model folder with random weights: for what needs files, such as arms that
// are read or mapped, loaded anew, and run in fresh processes.
#pragma once

#include <cstdint>
#include <string>

#include "fathom/status.h"
#include "measure/shapes.h"

namespace fathom {

// config.json and model.safetensors (bfloat16, the weights of Model::Random with this seed) into
// `folder`, which must exist. kRunTime where a file cannot be written, or where the architecture
// keeps its weights otherwise than one tensor each.
Status WriteShapeFolder(const NamedShape& shape, uint64_t seed, const std::string& folder);

}  // namespace fathom
