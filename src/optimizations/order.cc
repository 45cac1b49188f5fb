// The thirteen rows and those after them, by hand: their order is meaning.
#include <algorithm>
#include <array>

#include "optimizations/optimization.h"

namespace fathom {

const Optimization& optimization_low_cpu_mem_usage();
const Optimization& optimization_use_fast();
const Optimization& optimization_inference_mode();
const Optimization& optimization_float32_matmul_precision();
const Optimization& optimization_use_cache();
const Optimization& optimization_output_attentions();
const Optimization& optimization_output_hidden_states();
const Optimization& optimization_top_k();
const Optimization& optimization_cudnn_benchmark();
const Optimization& optimization_compile();
const Optimization& optimization_dtype();
const Optimization& optimization_device_map();
const Optimization& optimization_attn_implementation();
const Optimization& optimization_weight_cache();

std::span<const Optimization* const> AllOptimizations() {
  static const auto rows = std::to_array<const Optimization*>({
      &optimization_low_cpu_mem_usage(),
      &optimization_use_fast(),
      &optimization_inference_mode(),
      &optimization_float32_matmul_precision(),
      &optimization_use_cache(),
      &optimization_output_attentions(),
      &optimization_output_hidden_states(),
      &optimization_top_k(),
      &optimization_cudnn_benchmark(),
      &optimization_compile(),
      &optimization_dtype(),
      &optimization_device_map(),
      &optimization_attn_implementation(),
      // Further ones, numbered from 14.
      &optimization_weight_cache(),
  });
  return rows;
}

std::span<const Optimization* const> ApplicationOrder() {
  static const auto rows = std::to_array<const Optimization*>({
      // What the weights are: everything after asks for their type and size.
      &optimization_dtype(),
      // Acts on float32 weights alone, so after dtype.
      &optimization_float32_matmul_precision(),
      // What is to be returned, before how attention is computed: scores that are returned must be
      // materialized.
      &optimization_output_attentions(),
      &optimization_output_hidden_states(),
      &optimization_attn_implementation(),
      // How the graph runs. Tuning chooses among the kernels that the rows above leave.
      &optimization_compile(),
      &optimization_inference_mode(),
      &optimization_cudnn_benchmark(),
      // Where the layers lie, once it is known how large they are; then how they come in.
      &optimization_device_map(),
      &optimization_low_cpu_mem_usage(),
      &optimization_weight_cache(),
      // What goes on around the graph; no other row hangs on these.
      &optimization_use_fast(),
      &optimization_use_cache(),
      &optimization_top_k(),
  });
  return rows;
}

const Optimization* FindOptimization(std::string_view id) {
  const auto rows = AllOptimizations();
  const auto found = std::ranges::find(rows, id, &Optimization::id);
  return found == rows.end() ? nullptr : *found;
}

}  // namespace fathom
