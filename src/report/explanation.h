// What `fathom explain` tells: the table of optimizations for a model on a machine, and its
// renderings. Nothing is loaded: config.json, the headers of the checkpoint and the machine decide.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/language.h"
#include "base/log.h"
#include "fathom/machine.h"
#include "fathom/options.h"
#include "fathom/status.h"
#include "measure/measurement.h"
#include "optimizations/optimization.h"

namespace fathom {

struct Explanation {
  Machine machine;
  ModelFacts model;
  EngineOptions options;                 // as they run
  std::vector<OptimizationReport> rows;  // in the order of the table
  std::optional<Measurement> measured;   // the last of this model on this machine
  Language language = Language::kEnglish;
  std::string model_argument;  // as a command line names the model; empty: the demo model
};

// kBadFile: the model's files; kUsage, kRunTime: as RunOptimizations. `notices` (may be null) hears
// of a measurement that cannot be read.
Result<Explanation> ExplainModel(const Machine& machine, const std::string& path,
                                 const EngineOptions& options, Language language,
                                 NoticeSink* notices);

// {"machine": {}, "model": {}, "optimizations": [{"number", "id", "name", "devices", "state",
// "value", "reason", "evidence", "remedy", "estimate", "measured"}]}; `measured` is null or
// {"text", "when", "rows": entries as `fathom measure` writes them}.
JsonValue ExplanationToJson(const Explanation& explanation);

struct TextOptions {
  int width = 120;
  bool colour = false;
  bool evidence = false;  // how each row's facts are known
};
std::string ExplanationToText(const Explanation& explanation, const TextOptions& options);
std::string ExplanationToMarkdown(const Explanation& explanation);
std::string ExplanationToHtml(const Explanation& explanation);

}  // namespace fathom
