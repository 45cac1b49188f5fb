// EngineOptions -> Plan: types, formats and arms, before sizes are known.
#pragma once

#include <memory>

#include "backends/backend.h"
#include "base/log.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/model_config.h"
#include "fathom/options.h"
#include "fathom/status.h"
#include "graph/plan.h"

namespace fathom {

// The element type that the matrices run in; with "int8" and "int4" that of all else. "auto" is
// transformers' order: config.dtype, else the first floating tensor of the checkpoint
// (modeling_utils.py, _get_dtype). float64 runs as float32 with a notice. kUsage for a type that
// the engine does not run.
Result<DType> ResolveDType(const EngineOptions& options, const ModelConfig& config,
                           const Checkpoint& checkpoint, NoticeSink* notices);

// Runs the passes where `compile` is on, and chooses format and type of each weight. Sizes
// (capacity, num_blocks, memory) are left to PlanForBucket.
Result<Plan> BuildPlan(Graph graph, DType dtype, const EngineOptions& options,
                       const Backend& backend);

// The plan of one bucket: its capacity and where its activations lie.
Plan PlanForBucket(const Plan& plan, const EngineOptions& options, const StepSizes& capacity,
                   int64_t num_blocks);

// Keys and values of all layers, one token.
int64_t CacheBytesPerToken(const Graph& graph, DType cache_dtype);

}  // namespace fathom
