// `fathom measure [MODEL]`: each row of the table switched alone, timed, its accuracy cost, its
// share of the roof.
#include <fmt/format.h>

#include <memory>

#include "cli/command.h"
#include "cli/measure_run.h"
#include "cli/model_options.h"
#include "cli/terminal.h"
#include "fathom/machine.h"
#include "measure/ablation.h"
#include "measure/measure_text.h"
#include "measure/transformers_stack.h"

namespace fathom {
namespace {

struct MeasureArguments {
  ModelArguments model;
  MeasureOptions measure;
  std::string shape;
  std::string mode;
  std::string format = "text";
  std::string language;
  std::string stack = "fathom";
  std::string python = "python3";
};

// `other` is null but for --stack.
std::string Rendered(const Measurement& measurement, const Measurement* other,
                     const MeasureArguments& arguments, Language language) {
  if (arguments.format == "json") {
    JsonValue document = MeasurementToJson(measurement);
    if (other != nullptr) document.Set("other_stack", MeasurementToJson(*other));
    return WriteJson(document) + "\n";
  }
  if (arguments.format == "markdown") {
    return other != nullptr ? StacksToMarkdown(measurement, *other, language)
                            : MeasurementToMarkdown(measurement, language);
  }
  const MeasureTextOptions options = {
      .language = language, .width = ReportColumns(), .colour = ReportColour()};
  return other != nullptr ? StacksToText(measurement, *other, options)
                          : MeasurementToText(measurement, options);
}

// The same rows through the user's Python.
Result<Measurement> OtherStack(const Measurement& ours, const MeasureArguments& arguments,
                               const Machine& machine) {
  TransformersOptions options;
  options.python = arguments.python;
  FATHOM_ASSIGN(options.script, ShippedFilePath("tools", "measure_transformers.py"));
  options.rows = arguments.measure.rows;
  if (options.rows.empty()) {
    for (const Optimization* row : AllOptimizations()) options.rows.emplace_back(row->id);
  }
  options.text = arguments.measure.text;
  options.seconds = arguments.measure.seconds;
  options.threads =
      arguments.model.engine.threads > 0 ? arguments.model.engine.threads : machine.cpu.cores;
  options.stop = InterruptGuard::interrupted;
  ProgressLine progress(arguments.model.quiet);
  options.on_progress = [&progress](std::string_view line) {
    progress.Show("transformers  " + std::string(line));
  };
  return MeasureTransformers(ours, options);
}

Status Run(MeasureArguments& arguments) {
  FATHOM_ASSIGN(const Language language, ReportLanguage(arguments.language, arguments.format));
  MeasureOptions& measure = arguments.measure;
  // A short look compares what is switched with what `run` does; a long one has time for both.
  const std::string fallback = measure.quick ? "leave_one_out" : "both";
  const std::string& mode = arguments.mode.empty() ? fallback : arguments.mode;
  measure.leave_one_out = mode != "one_alone";
  measure.one_alone = mode != "leave_one_out";
  std::unique_ptr<ShapeFolder> shape;
  std::string path;
  if (arguments.shape.empty()) {
    FATHOM_ASSIGN(path, ResolveModelPath(arguments.model.model));
  } else {
    FATHOM_ASSIGN(shape, ShapeFolder::Create(arguments.shape));
    path = shape->path();
  }
  FATHOM_ASSIGN(measure.text, MeasureText());
  const Machine machine = DetectMachine();
  const InterruptGuard guard;
  NoticeList notices;
  const auto measurement = MeasureAndKeep(machine, path, arguments.model.engine, measure,
                                          arguments.model.quiet, notices, shape == nullptr);
  PrintNotices(notices, arguments.model.quiet);
  FATHOM_TRY(measurement.status());
  if (arguments.stack == "fathom" || measurement->interrupted) {
    FATHOM_TRY(WriteOut(Rendered(*measurement, nullptr, arguments, language)));
    return measurement->interrupted ? Status::Interrupted() : Status::Ok();
  }
  const auto other = OtherStack(*measurement, arguments, machine);
  if (!other.ok()) {
    // What was measured of ours is not lost with the other.
    FATHOM_TRY(WriteOut(Rendered(*measurement, nullptr, arguments, language)));
    return other.status();
  }
  if (shape == nullptr) KeepMeasurement(machine, path, *other, arguments.model.quiet);
  return WriteOut(Rendered(*measurement, &*other, arguments, language));
}

CommandAction Setup(CLI::App& app) {
  auto arguments = std::make_shared<MeasureArguments>();
  app.add_option("model", arguments->model.model, "a model folder (default: the demo model)");
  app.add_option("--shape", arguments->shape,
                 "a published shape on random weights, as bench takes it: smollm2-135m, ...")
      ->excludes("model");
  app.add_option("--rows", arguments->measure.rows, "rows by id: use_cache,compile (default: all)")
      ->delimiter(',');
  app.add_option("--mode", arguments->mode,
                 "leave_one_out (each row off in what `run` does), one_alone (each row on, all "
                 "else plain), both (the default; with --quick: leave_one_out)")
      ->check(CLI::IsMember({"leave_one_out", "one_alone", "both"}));
  app.add_flag("--quick", arguments->measure.quick,
               "within a minute on a small model, with the intervals that this gives");
  app.add_option("--seconds", arguments->measure.seconds,
                 "about how long at most (default: 900, with --quick 56)")
      ->check(CLI::Range(1.0, 1e6));
  app.add_option("--seed", arguments->measure.seed, "of the draws and the order of rounds");
  app.add_option("--stack", arguments->stack,
                 "transformers: the same rows through torch and transformers too, side by side")
      ->check(CLI::IsMember({"fathom", "transformers"}));
  app.add_option("--python", arguments->python, "the Python for --stack (default: python3)");
  app.add_option("--format", arguments->format, "text, markdown or json")
      ->check(CLI::IsMember({"text", "markdown", "json"}));
  app.add_option("--lang", arguments->language, "en or zh (default: from the locale)");
  AddModelOptions(app, arguments->model);
  app.add_flag("--quiet", arguments->model.quiet, "nothing on stderr but errors");
  return [arguments] { return Run(*arguments); };
}

}  // namespace

const Command& command_measure() {
  static const Command command = {"measure", "what each optimization buys here", 45, Setup};
  return command;
}

}  // namespace fathom
