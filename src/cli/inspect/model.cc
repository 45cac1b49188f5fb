#include <fmt/format.h>

#include <filesystem>
#include <memory>

#include "base/json.h"
#include "base/units.h"
#include "base/utf8.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/model_config.h"
#include "cli/inspect/inspect.h"
#include "cli/model_options.h"
#include "cli/terminal.h"
#include "graph/passes/passes.h"
#include "graph/plan.h"
#include "models/architecture.h"

namespace fathom {
namespace {

constexpr int64_t kStepTokens = 512;  // of the step whose activations are told

struct ModelReport {
  JsonValue config;
  JsonValue architecture;
  int64_t parameters = 0;
  int64_t weights_bytes = 0;
  int64_t cache_bytes_per_token = 0;
  int64_t activation_bytes = 0;
  std::vector<std::string> notices;
};

// Counts the tensors; `tied`: a head beside the embedding is the same weight again.
void CountTensors(const Checkpoint& checkpoint, bool tied, ModelReport& report) {
  for (const CheckpointTensor& tensor : checkpoint.tensors()) {
    if (tied && tensor.name == "lm_head.weight") continue;
    report.parameters += tensor.elements();
    report.weights_bytes += static_cast<int64_t>(tensor.size_bytes);
  }
}

Status DescribeFolder(const std::string& path, const Checkpoint& checkpoint, ModelReport& report) {
  FATHOM_ASSIGN(const ConfigFile file, ConfigFile::Open(path));
  FATHOM_ASSIGN(const Architecture* architecture, FindArchitecture(file));
  FATHOM_ASSIGN(const ModelConfig config, architecture->parse_config(file));
  FATHOM_ASSIGN(Graph graph, architecture->build_graph(config, {}));
  report.config = *config.raw;
  report.architecture = config.model_type;
  report.notices = config.notices;
  CountTensors(checkpoint, config.tie_word_embeddings, report);
  const DType dtype = config.dtype.value_or(DType::kF32);
  for (const CacheSpec& cache : graph.caches) {
    report.cache_bytes_per_token += cache.num_heads * cache.head_dim * BytesOf(dtype);
  }
  FATHOM_TRY(RunPasses(graph, {}).status());
  const StepSizes step = {kStepTokens, 1, 1, 1};
  report.activation_bytes = PlanMemory(graph, step, true).arena_bytes;
  return Status::Ok();
}

JsonValue ToJson(const ModelReport& report, const Checkpoint& checkpoint) {
  JsonArray tensors;
  for (const CheckpointTensor& tensor : checkpoint.tensors()) {
    JsonArray shape;
    for (const int64_t size : tensor.shape) shape.push_back(size);
    tensors.push_back(JsonObject{{"name", tensor.name},
                                 {"dtype", SafetensorsName(tensor.dtype)},
                                 {"shape", std::move(shape)}});
  }
  return JsonObject{{"config", report.config},
                    {"architecture", report.architecture},
                    {"parameters", report.parameters},
                    {"tensors", std::move(tensors)},
                    {"memory", JsonObject{{"weights_bytes", report.weights_bytes},
                                          {"cache_bytes_per_token", report.cache_bytes_per_token},
                                          {"activation_bytes", report.activation_bytes}}}};
}

std::string ToText(const ModelReport& report, const Checkpoint& checkpoint) {
  std::string text;
  const std::string architecture =
      report.architecture.is_string() ? report.architecture.as_string() : "no config";
  text += fmt::format("{}   {}, {} parameters, {}\n", checkpoint.path(), architecture,
                      CountText(static_cast<int64_t>(report.parameters)),
                      BytesText(report.weights_bytes));
  if (report.architecture.is_string()) {
    text += fmt::format("cache {} a token; activations {} for a step of {} tokens\n",
                        BytesText(report.cache_bytes_per_token), BytesText(report.activation_bytes),
                        kStepTokens);
  }
  for (const CheckpointTensor& tensor : checkpoint.tensors()) {
    text += fmt::format("  {:<9} {:<18} {}\n", SafetensorsName(tensor.dtype),
                        tensor.ShapeToString(), EscapeForTerminal(tensor.name));
  }
  return text;
}

Status Inspect(const std::string& model, const std::string& format) {
  FATHOM_ASSIGN(const std::string path, ResolveModelPath(model));
  FATHOM_ASSIGN(const Checkpoint checkpoint, Checkpoint::Open(path));
  ModelReport report;
  if (checkpoint.is_folder()) {
    FATHOM_TRY(DescribeFolder(path, checkpoint, report));
  } else {
    CountTensors(checkpoint, false, report);
  }
  NoticeList notices;
  for (const std::string& notice : report.notices) notices.Warn(notice);
  PrintNotices(notices, false);
  if (format == "json") return WriteOut(WriteJson(ToJson(report, checkpoint)) + "\n");
  return WriteOut(ToText(report, checkpoint));
}

}  // namespace

CommandAction SetupInspectModel(CLI::App& app) {
  auto model = std::make_shared<std::string>();
  auto format = std::make_shared<std::string>("text");
  app.add_option("model", *model, "a model folder, or a .safetensors file")->required();
  app.add_option("--format", *format, "text or json")->check(CLI::IsMember({"text", "json"}));
  return [model, format] { return Inspect(*model, *format); };
}

}  // namespace fathom
