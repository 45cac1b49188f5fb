#include "engine/weight_quantization.h"

#include <fmt/format.h>

#include <set>

#include "tensor/quantized_weight.h"

namespace fathom {
namespace {

bool IsLinear(const OpNode& node) { return node.op->name.starts_with("linear"); }

// Index of the weight that an input of the node is, or -1.
int MatrixOf(const Graph& graph, ValueId input) {
  if (input == kAbsent || graph.values[input].kind != ValueKind::kWeight) return -1;
  const int weight = graph.values[input].weight;
  return graph.weights[weight].role == WeightRole::kVector ? -1 : weight;
}

// Embeddings are looked up in the checkpoint's own bytes.
void LeaveEmbeddings(Plan& plan) {
  const Graph& graph = *plan.graph;
  for (size_t i = 0; i < graph.weights.size(); ++i) {
    if (graph.weights[i].role != WeightRole::kEmbedding) continue;
    plan.weights[i] = {.format = WeightFormat::kDense, .dtype = plan.cache_dtype};
  }
}

void TellGroup(WeightFormat format, int64_t cols, NoticeSink& notices) {
  const int64_t group = QuantizationGroup(format, cols);
  const std::string_view name = format == WeightFormat::kInt8Panel16 ? "int8" : "int4";
  const int64_t wanted = PreferredGroup(format);
  if (cols % group != 0) {
    notices.Warn(
        fmt::format("{}: no group divides a width of {}: groups of {}, the last one of {} columns",
                    name, cols, group, cols % group));
  } else if (group != wanted) {
    notices.Warn(fmt::format("{}: the group of {} does not divide a width of {}: groups of {}",
                             name, wanted, cols, group));
  }
}

}  // namespace

Quantization QuantizationOf(std::string_view dtype) {
  if (dtype == "int8") return Quantization::kInt8;
  if (dtype == "int4") return Quantization::kInt4;
  return Quantization::kNone;
}

void SplitTiedHead(Graph& graph) {
  for (OpNode& node : graph.nodes) {
    if (!IsLinear(node)) continue;
    for (ValueId& input : node.inputs) {
      const int weight = MatrixOf(graph, input);
      if (weight < 0 || graph.weights[weight].role != WeightRole::kEmbedding) continue;
      WeightRecipe recipe = graph.weights[weight];
      recipe.name += " (head)";
      recipe.role = WeightRole::kMatrix;
      recipe.repeats = true;
      Value value = graph.values[input];
      value.name = recipe.name;
      value.weight = static_cast<int32_t>(graph.weights.size());
      input = static_cast<ValueId>(graph.values.size());
      graph.weights.push_back(std::move(recipe));
      graph.values.push_back(std::move(value));
    }
  }
}

Status QuantizePlan(Quantization quantization, const Backend& backend, Plan& plan,
                    NoticeSink* notices) {
  if (quantization == Quantization::kNone) return Status::Ok();
  const bool int8 = quantization == Quantization::kInt8;
  if (!backend.HoldsQuantized()) {
    return Status::Usage("--dtype", fmt::format("the backend {} has no {} weights",
                                                backend.info().name, int8 ? "int8" : "int4"));
  }
  const Graph& graph = *plan.graph;
  LeaveEmbeddings(plan);
  std::set<std::pair<WeightFormat, int64_t>> told;
  for (const OpNode& node : graph.nodes) {
    if (!IsLinear(node)) continue;
    const bool head = node.outputs[0] == graph.logits;
    const WeightFormat format =
        int8 || head ? WeightFormat::kInt8Panel16 : WeightFormat::kInt4Panel16;
    for (const ValueId input : node.inputs) {
      const int weight = MatrixOf(graph, input);
      if (weight < 0) continue;
      plan.weights[weight] = {
          .format = format,
          .dtype = format == WeightFormat::kInt8Panel16 ? DType::kI8 : DType::kU8};
      const int64_t cols = graph.weights[weight].cols;
      if (notices != nullptr && told.emplace(format, cols).second) {
        TellGroup(format, cols, *notices);
      }
    }
  }
  return Status::Ok();
}

bool WantsBf16Products(std::string_view precision, DType dtype, const Backend& backend) {
  return precision != "highest" && dtype == DType::kF32 && backend.HasBf16Products();
}

void SplitProducts(Plan& plan) {
  const Graph& graph = *plan.graph;
  const bool high = plan.float32_matmul_precision == "high";
  LeaveEmbeddings(plan);
  for (const OpNode& node : graph.nodes) {
    if (!IsLinear(node)) continue;
    for (const ValueId input : node.inputs) {
      const int weight = MatrixOf(graph, input);
      if (weight < 0) continue;
      plan.weights[weight] = {.format = high ? WeightFormat::kSplitPanel16 : WeightFormat::kPanel16,
                              .dtype = DType::kBF16};
    }
  }
}

}  // namespace fathom
