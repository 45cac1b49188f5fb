#include "engine/plan_builder.h"

#include <fmt/format.h>

#include "engine/weight_quantization.h"
#include "graph/keep_outputs.h"
#include "graph/passes/passes.h"
#include "optimizations/model_facts.h"
#include "tensor/convert.h"

namespace fathom {

Result<DType> ResolveDType(const EngineOptions& options, const ModelConfig& config,
                           const Checkpoint& checkpoint, NoticeSink* notices) {
  const bool integers = QuantizationOf(options.dtype) != Quantization::kNone;
  if (options.dtype != "auto" && !integers) {
    const auto dtype = DTypeFromTorch(options.dtype);
    if (dtype == DType::kF32 || dtype == DType::kBF16 || dtype == DType::kF16) return *dtype;
    return Status::Usage(
        "--dtype",
        fmt::format("{} is none of auto, float32, bfloat16, float16, int8, int4", options.dtype));
  }
  FATHOM_ASSIGN(const DType dtype, CheckpointDType(config, checkpoint));
  if (dtype != DType::kF64) return dtype;
  if (notices != nullptr) notices->Warn("the checkpoint's float64 runs as float32");
  return DType::kF32;
}

Result<Plan> BuildPlan(Graph graph, DType dtype, const EngineOptions& options,
                       const Backend& backend) {
  Plan plan;
  plan.compiled = options.IsOn("compile");
  if (options.output_attentions) FATHOM_TRY(KeepAttentions(graph));
  if (options.output_hidden_states) FATHOM_TRY(KeepHiddenStates(graph));
  if (plan.compiled) FATHOM_TRY(RunPasses(graph, {}).status());
  for (const WeightRecipe& recipe : graph.weights) {
    plan.weights.push_back(backend.ChooseWeight(recipe, dtype, plan.compiled));
  }
  plan.cache_dtype = dtype;
  plan.float32_matmul_precision = options.float32_matmul_precision;
  plan.attn_implementation = options.attn_implementation;
  if (!options.IsOn("attn_implementation")) plan.attn_implementation = "eager";
  plan.graph = std::make_shared<const Graph>(std::move(graph));
  return plan;
}

Plan PlanForBucket(const Plan& plan, const EngineOptions& options, const StepSizes& capacity,
                   int64_t num_blocks) {
  Plan sized = plan;
  sized.capacity = capacity;
  sized.num_blocks = num_blocks;
  sized.memory = PlanMemory(*plan.graph, capacity, options.IsOn("inference_mode"));
  return sized;
}

int64_t CacheBytesPerToken(const Graph& graph, DType cache_dtype) {
  int64_t bytes = 0;
  for (const CacheSpec& cache : graph.caches) {
    bytes += cache.num_heads * cache.head_dim * BytesOf(cache_dtype);
  }
  return bytes;
}

}  // namespace fathom
