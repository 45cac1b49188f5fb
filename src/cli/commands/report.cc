// `fathom report SCRIPT --model MODEL`: machine, audit, explain and measure in one document.
#include <fmt/format.h>

#include <memory>

#include "audit/audit.h"
#include "base/thread_pool.h"
#include "cli/command.h"
#include "cli/measure_run.h"
#include "cli/model_options.h"
#include "cli/terminal.h"
#include "machine/roofs.h"
#include "measure/results_store.h"
#include "report/report.h"

namespace fathom {
namespace {

constexpr double kProbeMs = 1500;

struct ReportArguments {
  ModelArguments model;
  std::string script;
  std::string torch_version, transformers_version;
  std::string format = "text";
  std::string language;
  double seconds = 0;
  bool no_measure = false;
  bool no_probe = false;
  std::string command;
};

Result<Roofs> ProbeRoofs(const Machine& machine, const EngineOptions& options,
                         NoticeSink& notices) {
  Isa isa = BestIsa(machine.cpu.features);
  if (!options.isa.empty()) {
    FATHOM_ASSIGN(isa, ParseIsa(options.isa));
  }
  ThreadPool pool(options.threads > 0 ? options.threads : machine.cpu.cores, machine.cpu.pin_order);
  return MeasureRoofs(pool, machine, isa, notices, kProbeMs);
}

Result<Report> MakeReport(const ReportArguments& arguments, Language language,
                          NoticeList& notices) {
  Report report{.language = language, .command = arguments.command};
  // The script first: a path that is no script must not cost a measurement.
  FATHOM_ASSIGN(const PythonSource source, PythonSource::Open(arguments.script));
  AuditOptions& audit = report.audit_options;
  audit.language = language;
  FATHOM_ASSIGN(audit.versions,
                FindVersions(arguments.torch_version, arguments.transformers_version));
  FATHOM_ASSIGN(audit.machine, FindAuditMachine(""));

  FATHOM_ASSIGN(const std::string path, ResolveModelPath(arguments.model.model));
  const Machine machine = DetectMachine();
  const EngineOptions& options = arguments.model.engine;
  FATHOM_ASSIGN(report.explanation, ExplainModel(machine, path, options, language, &notices));
  if (!report.explanation.measured && !arguments.no_measure) {
    const InterruptGuard guard;
    FATHOM_ASSIGN(report.explanation.measured,
                  MeasureAndKeep(machine, path, options,
                                 {.one_alone = false, .quick = true, .seconds = arguments.seconds},
                                 arguments.model.quiet, notices));
    if (report.explanation.measured->interrupted) return Status::Interrupted();
  }
  // The script is of transformers: what that stack was measured to gain comes first.
  const auto theirs = LoadMeasurement(machine, path, nullptr, "transformers");
  audit.measured = MeasuredGains(theirs ? theirs : report.explanation.measured, language);
  report.audit = AuditScript(source, arguments.script, audit);
  report.explanation.model_argument = arguments.model.model;
  if (!arguments.no_probe) {
    FATHOM_ASSIGN(report.explanation.machine.roofs, ProbeRoofs(machine, options, notices));
  }
  return report;
}

Status Run(const ReportArguments& arguments) {
  FATHOM_ASSIGN(const Language language, ReportLanguage(arguments.language, arguments.format));
  NoticeList notices;
  const auto report = MakeReport(arguments, language, notices);
  PrintNotices(notices, arguments.model.quiet);
  FATHOM_TRY(report.status());
  if (arguments.format == "json") return WriteOut(WriteJson(ReportToJson(*report)) + "\n");
  const Document document = ReportDocument(*report);
  if (arguments.format == "markdown") return WriteOut(DocumentToMarkdown(document));
  if (arguments.format == "html") return WriteOut(DocumentToHtml(document));
  return WriteOut(DocumentToText(document, ReportColumns(), ReportColour()));
}

CommandAction Setup(CLI::App& app) {
  auto arguments = std::make_shared<ReportArguments>();
  app.add_option("script", arguments->script, "a Python script or notebook")->required();
  app.add_option("--model,-m", arguments->model.model,
                 "a model folder (default: the demo model, fathom-tales)");
  app.add_option("--torch-version", arguments->torch_version,
                 "torch that the script runs with (default: of the python3 on PATH)");
  app.add_option("--transformers-version", arguments->transformers_version,
                 "transformers that the script runs with");
  app.add_flag("--no-measure", arguments->no_measure,
               "measure nothing, even where nothing was measured before");
  app.add_option("--seconds", arguments->seconds,
                 "about how long measuring takes at most, where it is needed (default: 48)")
      ->check(CLI::Range(1.0, 1e6));
  app.add_flag("--no-probe", arguments->no_probe, "leave the machine's roofs out");
  app.add_option("--format", arguments->format, "text, markdown, json or html")
      ->check(CLI::IsMember({"text", "markdown", "json", "html"}));
  app.add_option("--lang", arguments->language, "en or zh (default: the locale's; json: en)")
      ->check(CLI::IsMember({"en", "zh"}));
  AddModelOptions(app, arguments->model);
  app.add_flag("--quiet", arguments->model.quiet, "nothing on stderr but errors");
  return [arguments] {
    arguments->command =
        fmt::format("fathom report {} --model {} --format {}", arguments->script,
                    arguments->model.model.empty() ? "fathom-tales" : arguments->model.model,
                    arguments->format);
    return Run(*arguments);
  };
}

}  // namespace

const Command& command_report() {
  static const Command command = {
      "report", "machine, script, optimizations and measurements in one document", 47, Setup};
  return command;
}

}  // namespace fathom
