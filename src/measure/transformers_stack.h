// `measure --stack transformers`: the same rows through the user's own torch and transformers.
//
// tools/measure_transformers.py runs the arms, in their Python, with the prompt and the sizes of
// our own measurement, and gives back every pair's ratio; intervals and verdicts are computed here,
// by the same statistics as ours.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "fathom/status.h"
#include "measure/measurement.h"

namespace fathom {

struct TransformersOptions {
  std::string python = "python3";  // looked for in PATH
  std::string script;              // measure_transformers.py
  std::vector<std::string> rows;   // ids
  std::string text;
  double seconds = 0;  // 0: quick 120, else 900
  int threads = 0;     // of ours; both stacks get as many
  std::function<bool()> stop;
  std::function<void(std::string_view line)> on_progress;
};

// Of the model that `ours` measured (its path), with the sizes of its workload. kRunTime where
// Python, torch or transformers is missing (the remedy says how to get them), or the script fails.
Result<Measurement> MeasureTransformers(const Measurement& ours,
                                        const TransformersOptions& options);

// What the script printed -> a measurement. kRunTime where it is not of its form.
Result<Measurement> MeasurementOfScript(const JsonValue& output, const Measurement& ours,
                                        double alpha);

}  // namespace fathom
