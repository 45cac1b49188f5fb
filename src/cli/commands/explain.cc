// `fathom explain [MODEL]`: the table of optimizations for this model on this machine.
#include <memory>

#include "cli/command.h"
#include "cli/model_options.h"
#include "cli/terminal.h"
#include "report/explanation.h"

namespace fathom {
namespace {

struct ExplainArguments {
  ModelArguments model;
  std::string machine;
  std::string format = "text";
  std::string language;
  bool evidence = false;
};

Status Explain(const ExplainArguments& arguments) {
  FATHOM_ASSIGN(const Language language, ReportLanguage(arguments.language, arguments.format));
  FATHOM_ASSIGN(const std::string path, ResolveModelPath(arguments.model.model));
  Machine machine;
  if (arguments.machine.empty()) {
    machine = DetectMachine();
  } else {
    FATHOM_ASSIGN(machine, DescribedMachine(arguments.machine));
  }
  NoticeList notices;
  FATHOM_ASSIGN(Explanation explanation,
                ExplainModel(machine, path, arguments.model.engine, language, &notices));
  PrintNotices(notices, arguments.model.quiet);
  explanation.model_argument = arguments.model.model;
  if (arguments.format == "json") {
    return WriteOut(WriteJson(ExplanationToJson(explanation)) + "\n");
  }
  if (arguments.format == "markdown") return WriteOut(ExplanationToMarkdown(explanation));
  if (arguments.format == "html") return WriteOut(ExplanationToHtml(explanation));
  return WriteOut(ExplanationToText(
      explanation,
      {.width = ReportColumns(), .colour = ReportColour(), .evidence = arguments.evidence}));
}

CommandAction Setup(CLI::App& app) {
  auto arguments = std::make_shared<ExplainArguments>();
  app.add_option("model", arguments->model.model,
                 "a model folder (default: the demo model, fathom-tales)");
  app.add_option("--machine", arguments->machine,
                 "another machine: mac-mps, cuda, or a file of `fathom machine --format json`");
  AddModelOptions(app, arguments->model);
  app.add_option("--format", arguments->format, "text, markdown, json or html")
      ->check(CLI::IsMember({"text", "markdown", "json", "html"}));
  app.add_option("--lang", arguments->language, "en or zh (default: the locale's; json: en)")
      ->check(CLI::IsMember({"en", "zh"}));
  app.add_flag("--evidence", arguments->evidence, "how each fact is known");
  app.add_flag("--quiet", arguments->model.quiet, "nothing on stderr but errors");
  return [arguments] { return Explain(*arguments); };
}

}  // namespace

const Command& command_explain() {
  static const Command command = {
      "explain", "which optimizations this model has on this machine, and why", 30, Setup};
  return command;
}

}  // namespace fathom
