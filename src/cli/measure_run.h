// A measurement as the commands run it: with progress on a terminal, kept for explain and report.
#pragma once

#include <memory>
#include <string>

#include "base/log.h"
#include "fathom/machine.h"
#include "fathom/options.h"
#include "fathom/status.h"
#include "measure/ablation.h"

namespace fathom {

// One line on a terminal that is written over; nothing in a pipe.
class ProgressLine {
 public:
  explicit ProgressLine(bool quiet);
  ~ProgressLine() { Clear(); }
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  void Show(const MeasureProgress& progress);
  void Show(const std::string& text);
  void Clear();

 private:
  bool shown_, dirty_ = false;
};

// A published shape as a model folder in TMPDIR, with random weights and the demo model's
// tokenizer; gone when this goes.
class ShapeFolder {
 public:
  static Result<std::unique_ptr<ShapeFolder>> Create(const std::string& shape_name);
  ~ShapeFolder();
  ShapeFolder(const ShapeFolder&) = delete;
  ShapeFolder& operator=(const ShapeFolder&) = delete;

  const std::string& path() const { return path_; }

 private:
  ShapeFolder() = default;
  std::string parent_, path_;
};

// The text that ships with the program: prompt, tokenizer's work, accuracy.
Result<std::string> MeasureText();

// Measures the model folder `path` (one sequence) with an empty measure.text filled by MeasureText,
// and keeps what was found unless `keep` is false. The caller holds an InterruptGuard where Ctrl-C
// is to be heard.
Result<Measurement> MeasureAndKeep(const Machine& machine, const std::string& path,
                                   EngineOptions options, MeasureOptions measure, bool quiet,
                                   NoticeList& notices, bool keep = true);
// Says on stderr where it cannot be kept; that is no error.
void KeepMeasurement(const Machine& machine, const std::string& path,
                     const Measurement& measurement, bool quiet);

}  // namespace fathom
