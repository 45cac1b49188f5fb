#include "engine/offload.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "optimizations/placement.h"
#include "tensor/weight.h"

namespace fathom {
namespace {

int64_t BytesHeld(const WeightRecipe& recipe, const WeightPlan& plan) {
  if (recipe.role == WeightRole::kVector) return recipe.rows * BytesOf(DType::kF32);
  if (plan.format != WeightFormat::kDense) {
    return PlanPacked(plan.format, plan.dtype, recipe.rows, recipe.cols).size_bytes;
  }
  return recipe.rows * recipe.cols * BytesOf(plan.dtype);
}

// "model.layers.3" of "model.layers.3.mlp.up_proj.weight"; empty outside of the layers.
std::string LayerOf(const std::string& tensor) {
  constexpr std::string_view kLayers = "layers.";
  const size_t at = tensor.find(kLayers);
  if (at == std::string::npos) return "";
  return tensor.substr(0, tensor.find('.', at + kLayers.size()));
}

PlacementModel ModelOf(const Graph& graph, std::span<const WeightPlan> plans) {
  PlacementModel model;
  for (size_t i = 0; i < graph.weights.size(); ++i) {
    const WeightRecipe& recipe = graph.weights[i];
    int64_t bytes = BytesHeld(recipe, plans[i]);
    for (const std::string& source : recipe.sources) {
      model.tensors.push_back({source, bytes});
      bytes = 0;  // of a weight joined from several: counted once
      const std::string layer = LayerOf(source);
      if (!layer.empty() && (model.whole.empty() || model.whole.back() != layer)) {
        model.whole.push_back(layer);
      }
    }
  }
  return model;
}

Status CheckDevices(const DeviceMap& map, const Graph& graph) {
  for (const auto& [module, device] : map) {
    if (device == "cpu" || device == "disk") continue;
    return Status::RunTime(fmt::format("--device-map: there is no device {} here", device),
                           "leave it out, or give cpu or disk");
  }
  for (const WeightRecipe& recipe : graph.weights) {
    for (const std::string& source : recipe.sources) {
      if (!DeviceOf(map, source).empty()) continue;
      return Status::Usage("--device-map", fmt::format("gives {} no device", source),
                           R"(add one for everything else: {"": "cpu"})");
    }
  }
  return Status::Ok();
}

}  // namespace

Result<std::map<std::string, std::string>> PlaceWeights(const Graph& graph,
                                                        std::span<const WeightPlan> plans,
                                                        const EngineOptions& options,
                                                        const Machine& machine) {
  DeviceMap map;
  if (options.device_map.empty() && options.max_memory.empty()) return map;
  DeviceMapChoice choice{.mode = "auto"};
  if (!options.device_map.empty()) {
    FATHOM_ASSIGN(choice, ParseDeviceMap(options.device_map));
  }
  std::vector<DeviceBudget> budgets;
  if (!options.max_memory.empty()) {
    FATHOM_ASSIGN(budgets, ParseMaxMemory(options.max_memory));
  }
  if (!choice.mode.empty()) {
    std::erase_if(budgets, [](const DeviceBudget& budget) {
      return budget.device != "cpu" && budget.device != "disk";
    });
    const bool cpu = std::any_of(budgets.begin(), budgets.end(),
                                 [](const DeviceBudget& b) { return b.device == "cpu"; });
    const auto usable = static_cast<double>(machine.memory.usable_bytes);
    if (!cpu) {
      budgets.insert(
          budgets.begin(),
          {"cpu", usable > 0 ? static_cast<int64_t>(kUsableShare * usable) : INT64_MAX / 4});
    }
    map = InferDeviceMap(ModelOf(graph, plans), budgets);
  } else {
    map = std::move(choice.map);
  }
  FATHOM_TRY(CheckDevices(map, graph));
  return map;
}

void LeaveOnDisk(const std::map<std::string, std::string>& map, const Graph& graph,
                 std::span<const LocatedWeight> located, std::vector<WeightPlan>& plans,
                 NoticeSink* notices) {
  std::set<std::string> layers, others;
  int64_t mapped_bytes = 0, kept = 0;
  for (size_t i = 0; i < plans.size(); ++i) {
    const WeightRecipe& recipe = graph.weights[i];
    if (recipe.role == WeightRole::kVector || DeviceOf(map, recipe.sources[0]) != "disk") continue;
    // A format that is made while loading is in no file.
    const bool as_in_file =
        plans[i].format == WeightFormat::kDense || plans[i].format == WeightFormat::kPanel16;
    const bool one = as_in_file && located[i].sources.size() == 1 && !recipe.transpose;
    const DType dtype = one ? located[i].sources[0].dtype : plans[i].dtype;
    // Widening is exact: the file's own type runs. Narrowing would round.
    const bool exact = dtype == plans[i].dtype || (plans[i].dtype == DType::kF32 &&
                                                   (dtype == DType::kBF16 || dtype == DType::kF16));
    if (!one || !exact) {
      ++kept;
      continue;
    }
    plans[i] = {.format = WeightFormat::kDense, .dtype = dtype, .mapped = true};
    mapped_bytes += recipe.rows * recipe.cols * BytesOf(dtype);
    const std::string layer = LayerOf(recipe.sources[0]);
    (layer.empty() ? others : layers).insert(layer.empty() ? recipe.sources[0] : layer);
  }
  if (notices == nullptr) return;
  if (mapped_bytes > 0) {
    notices->Warn(fmt::format(
        "{} of {} layers{} ({:.1f} MB) do not fit the memory given: they run mapped from disk",
        layers.size(), graph.num_layers,
        others.empty() ? "" : fmt::format(" and {} further weights", others.size()),
        static_cast<double>(mapped_bytes) / 1e6));
  }
  if (kept > 0) {
    notices->Warn(fmt::format(
        "{} weights that do not fit the memory given stay in it: the file does not hold them as "
        "they run",
        kept));
  }
}

}  // namespace fathom
