#include "report/explanation.h"

#include "machine/machine_json.h"
#include "measure/results_store.h"
#include "report/explanation_parts.h"

namespace fathom {

namespace {

JsonValue DeviceJson(const DeviceStatus& status) {
  return JsonObject{{"state", DeviceStateName(status.state)}, {"reason", status.reason}};
}

// The entries of one row as `fathom measure` writes them.
JsonValue MeasuredJson(const Explanation& explanation, const OptimizationReport& report) {
  const std::string text = MeasuredText(explanation, report);
  if (text.empty()) return nullptr;
  const JsonValue whole = MeasurementToJson(*explanation.measured);
  JsonArray rows;
  for (const JsonValue& row : whole.Find("rows")->as_array()) {
    const JsonValue* id = row.Find("id");
    if (id != nullptr && id->is_string() && id->as_string() == report.optimization->id) {
      rows.push_back(row);
    }
  }
  return JsonObject{
      {"text", text}, {"when", explanation.measured->when}, {"rows", std::move(rows)}};
}

JsonValue RowJson(const Explanation& explanation, const OptimizationReport& report) {
  const Optimization& row = *report.optimization;
  const Detection& detection = report.detection;
  const Estimate& estimate = report.estimate;
  JsonValue remedy;
  if (!detection.remedy.empty()) remedy = detection.remedy;
  return JsonObject{{"number", row.number},
                    {"id", row.id},
                    {"name", row.name.In(explanation.language)},
                    {"devices", JsonObject{{"cpu", DeviceJson(detection.cpu)},
                                           {"mps", DeviceJson(detection.mps)},
                                           {"cuda", DeviceJson(detection.cuda)}}},
                    {"state", RowStateName(report.outcome.state)},
                    {"value", report.outcome.value},
                    {"reason", report.outcome.reason},
                    {"evidence", JsonArray(detection.evidence.begin(), detection.evidence.end())},
                    {"remedy", std::move(remedy)},
                    {"estimate", JsonObject{{"bytes_saved", estimate.bytes_saved},
                                            {"flops_saved", estimate.flops_saved},
                                            {"launches_saved", estimate.launches_saved}}},
                    {"measured", MeasuredJson(explanation, report)}};
}

JsonValue ModelJson(const ModelFacts& model) {
  return JsonObject{{"path", model.path},
                    {"architecture", model.architecture},
                    {"dtype", model.checkpoint_dtype},
                    {"parameters", model.parameters},
                    {"weights_bytes", model.weights_bytes},
                    {"num_hidden_layers", model.num_hidden_layers},
                    {"hidden_size", model.hidden_size},
                    {"vocab_size", model.vocab_size},
                    {"context_length", model.context_length},
                    {"cache_bytes_per_token", model.cache_bytes_per_token}};
}

}  // namespace

Result<Explanation> ExplainModel(const Machine& machine, const std::string& path,
                                 const EngineOptions& options, Language language,
                                 NoticeSink* notices) {
  FATHOM_TRY(CheckOptionValues(options));
  Explanation explanation{.machine = machine, .options = options, .language = language};
  FATHOM_ASSIGN(explanation.model, FactsOf(path, options));
  FATHOM_ASSIGN(explanation.rows, RunOptimizations(machine, &explanation.model, "cpu",
                                                   &explanation.options, language));
  explanation.measured = LoadMeasurement(machine, path, notices);
  return explanation;
}

JsonValue ExplanationToJson(const Explanation& explanation) {
  JsonArray rows;
  for (const OptimizationReport& report : explanation.rows) {
    rows.push_back(RowJson(explanation, report));
  }
  return JsonObject{{"machine", MachineToJsonValue(explanation.machine)},
                    {"model", ModelJson(explanation.model)},
                    {"optimizations", std::move(rows)}};
}

}  // namespace fathom
