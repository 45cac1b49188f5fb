// `fathom audit`: which of the thirteen optimizations a Python script uses, on which line, and what
// they do with the versions and the machine at hand.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "audit/audit.h"
#include "audit/fix/advised_edits.h"
#include "audit/python/python_source.h"
#include "audit/report/report.h"
#include "audit/report/sarif.h"
#include "cli/command.h"
#include "cli/terminal.h"
#include "fathom/machine.h"
#include "measure/results_store.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxScripts = 20000;

struct AuditArguments {
  std::vector<std::string> scripts;
  std::string format = "text";
  std::vector<std::string> fail_on;
  std::string language;
  std::string torch_version;
  std::string transformers_version;
  std::string machine;
  bool diff = false;
  bool fix = false;
};

bool IsScript(const fs::path& path) {
  return path.extension() == ".py" || path.extension() == ".ipynb";
}

bool IsSkippedFolder(const fs::path& path) {
  const std::string name = path.filename().string();
  return name.starts_with('.') || name == "__pycache__" || name == "node_modules" ||
         name == "site-packages";
}

// The scripts below a folder, by name; hidden folders and installed packages are left out.
Status AddFolder(const std::string& folder, std::vector<std::string>* scripts) {
  std::error_code error;
  fs::recursive_directory_iterator entries(folder, fs::directory_options::skip_permission_denied,
                                           error);
  std::vector<std::string> found;
  for (; !error && entries != fs::recursive_directory_iterator(); entries.increment(error)) {
    std::error_code kind;
    if (entries->is_directory(kind)) {
      if (IsSkippedFolder(entries->path())) entries.disable_recursion_pending();
    } else if (IsScript(entries->path()) && entries->is_regular_file(kind)) {
      found.push_back(entries->path().string());
    }
    if (found.size() > kMaxScripts) break;
  }
  if (error) return Status::RunTime(folder + ": cannot be read", "name a folder that can be read");
  if (found.empty()) {
    return Status::RunTime(folder + ": holds no .py and no .ipynb", "name a script or its folder");
  }
  if (found.size() > kMaxScripts) {
    return Status::RunTime(fmt::format("{}: more than {} scripts", folder, kMaxScripts),
                           "name a smaller folder");
  }
  std::sort(found.begin(), found.end());
  scripts->insert(scripts->end(), found.begin(), found.end());
  return Status::Ok();
}

Result<AuditOptions> ReadOptions(const AuditArguments& arguments) {
  AuditOptions options;
  FATHOM_ASSIGN(options.language, ReportLanguage(arguments.language, arguments.format));
  FATHOM_ASSIGN(options.versions,
                FindVersions(arguments.torch_version, arguments.transformers_version));
  FATHOM_ASSIGN(options.machine, FindAuditMachine(arguments.machine));
  // What was measured here says nothing of a machine that is only described.
  if (arguments.machine.empty()) {
    const Machine machine = DetectMachine();
    // The script is of transformers: what that stack was measured to gain comes first.
    auto last = LastMeasurement(machine, "transformers");
    if (!last) last = LastMeasurement(machine);
    options.measured = MeasuredGains(last, options.language);
  }
  return options;
}

Status Write(const std::vector<ScriptAudit>& audits, bool several, const AuditOptions& options,
             const std::string& format) {
  if (format == "json") {
    const JsonValue json =
        several ? AuditsToJson(audits, options) : AuditToJson(audits[0], options);
    return WriteOut(WriteJson(json) + "\n");
  }
  if (format == "sarif") {
    return WriteOut(WriteJson(AuditsToSarif(audits, options, FATHOM_VERSION)) + "\n");
  }
  if (format == "html") return WriteOut(AuditsToHtml(audits, options));
  std::string text;
  for (const ScriptAudit& audit : audits) {
    if (!text.empty()) text += "\n";
    text += format == "markdown" ? AuditToMarkdown(audit, options) : AuditToText(audit, options);
  }
  return WriteOut(text);
}

Status CheckFailOn(const std::vector<ScriptAudit>& audits,
                   const std::vector<std::string>& fail_on) {
  for (const std::string& name : fail_on) {
    const FailOn what = name == "unused"  ? FailOn::kUnused
                        : name == "inert" ? FailOn::kInert
                                          : FailOn::kUnguarded;
    for (const ScriptAudit& audit : audits) {
      const std::vector<std::string> rows = Failures(audit, what);
      if (rows.empty()) continue;
      std::string list;
      for (const std::string& row : rows) list += (list.empty() ? "" : ", ") + row;
      return Status::RunTime(
          fmt::format("{}: {} is met by {}", audit.script, "--fail-on " + name, list),
          "# fathom: ignore[CODE] spares a line");
    }
  }
  return Status::Ok();
}

// The file with its mode kept, replaced at once or not at all.
Status Replace(const std::string& path, const std::string& text) {
  std::error_code error;
  const fs::path target = fs::canonical(path, error);
  const fs::path fresh = target.string() + ".fathom-new";
  std::FILE* file = error ? nullptr : std::fopen(fresh.c_str(), "wb");
  if (file == nullptr) return Status::RunTime(path + ": cannot be written");
  bool ok = std::fwrite(text.data(), 1, text.size(), file) == text.size();
  ok = std::fclose(file) == 0 && ok;
  if (ok) fs::permissions(fresh, fs::status(target, error).permissions(), error);
  if (ok) fs::rename(fresh, target, error);
  if (!ok || error) {
    fs::remove(fresh, error);
    return Status::RunTime(path + ": cannot be written");
  }
  return Status::Ok();
}

// --diff prints the advised change of every script, --fix makes it.
Status Change(const AuditArguments& arguments, const std::vector<std::string>& scripts,
              const AuditOptions& options) {
  for (const std::string& name : scripts) {
    FATHOM_ASSIGN(const PythonSource source, PythonSource::Open(name));
    const ScriptAudit audit = AuditScript(source, name, options);
    if (!audit.error.empty()) {
      return Status::RunTime(name + ": " + audit.error, "nothing is changed before it parses");
    }
    const std::vector<Edit> edits = AdvisedEdits(source, audit);
    if (edits.empty()) continue;
    if (arguments.diff) {
      FATHOM_ASSIGN(const std::string patch, UnifiedDiff(source.raw(), edits, name));
      FATHOM_TRY(WriteOut(patch));
    }
    if (!arguments.fix) continue;
    FATHOM_ASSIGN(const std::string fixed, ApplyEdits(source.raw(), edits));
    FATHOM_ASSIGN(const PythonSource check, PythonSource::FromBytes(fixed, name));
    if (check.error()) {
      return Status::RunTime(name + ": the change would not parse; nothing was written");
    }
    FATHOM_TRY(Replace(name, fixed));
  }
  return Status::Ok();
}

Status Run(const AuditArguments& arguments) {
  FATHOM_ASSIGN(const AuditOptions options, ReadOptions(arguments));
  std::vector<std::string> scripts;
  bool several = arguments.scripts.size() > 1;
  for (const std::string& name : arguments.scripts) {
    std::error_code error;
    if (fs::is_directory(name, error)) {
      several = true;
      FATHOM_TRY(AddFolder(name, &scripts));
    } else {
      scripts.push_back(name);
    }
  }
  if (arguments.diff || arguments.fix) return Change(arguments, scripts, options);
  std::vector<ScriptAudit> audits;
  Status unreadable;
  for (const std::string& name : scripts) {
    Result<PythonSource> source = PythonSource::Open(name);
    if (source.ok()) {
      audits.push_back(AuditScript(*source, name, options));
      continue;
    }
    if (!several) return source.status();
    if (unreadable.ok()) unreadable = source.status();
    audits.push_back(UnreadableScript(name, source.status().message(), options));
  }
  FATHOM_TRY(Write(audits, several, options, arguments.format));
  FATHOM_TRY(unreadable);
  return CheckFailOn(audits, arguments.fail_on);
}

CommandAction Setup(CLI::App& app) {
  auto arguments = std::make_shared<AuditArguments>();
  app.add_option("script", arguments->scripts, "a .py, a .ipynb, or a folder of them; several")
      ->required();
  app.add_option("--format", arguments->format, "text, json, markdown, html or sarif")
      ->check(CLI::IsMember({"text", "json", "markdown", "html", "sarif"}));
  app.add_option("--fail-on", arguments->fail_on,
                 "exit 1 where one is unused, inert or unguarded (several with commas)")
      ->delimiter(',')
      ->check(CLI::IsMember({"unused", "inert", "unguarded"}));
  app.add_option("--lang", arguments->language, "en or zh (default: the locale's; json, sarif: en)")
      ->check(CLI::IsMember({"en", "zh"}));
  app.add_option("--torch-version", arguments->torch_version,
                 "audit for this release (default: the one installed, else 2.15)");
  app.add_option("--transformers-version", arguments->transformers_version,
                 "audit for this release (default: the one installed, else 5.23)");
  app.add_option("--machine", arguments->machine,
                 "mac-mps, cuda, or a file of `fathom machine --format json` (default: this one)");
  app.add_flag("--diff", arguments->diff, "print the change that is certain, as a patch");
  app.add_flag("--fix", arguments->fix, "make that change in the file, and nothing else");
  return [arguments] { return Run(*arguments); };
}

}  // namespace

const Command& command_audit() {
  static const Command command = {"audit", "which optimizations a Python script uses, line by line",
                                  45, Setup};
  return command;
}

}  // namespace fathom
