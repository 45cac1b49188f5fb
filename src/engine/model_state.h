// What a Model holds.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backends/backend.h"
#include "base/mapped_file.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/generation_config.h"
#include "checkpoint/model_config.h"
#include "fathom/model.h"
#include "fathom/text.h"
#include "graph/plan.h"
#include "models/architecture.h"
#include "optimizations/optimization.h"

namespace fathom {

struct Model::State {
  std::string path;
  EngineOptions options;
  ModelConfig config;
  GenerationConfig generation_config;
  const Architecture* architecture = nullptr;
  std::optional<Tokenizer> tokenizer;
  std::unique_ptr<Backend> backend;
  Checkpoint checkpoint;  // keeps the mapping of weights that are used in place
  MappedFile packed_weights;  // of the weight cache; keeps the weights that are used there
  std::vector<OptimizationReport> optimizations;  // in the order of the table
  Plan plan;
  std::shared_ptr<const WeightStore> weights;  // goes before the mapping and the backend
  ModelMemory memory;
  int64_t vocab_size = 0;
  int64_t context_length = 0;
  double load_ms = 0;
};

}  // namespace fathom
