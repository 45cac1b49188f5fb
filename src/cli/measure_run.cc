#include "cli/measure_run.h"

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "backends/backend.h"
#include "base/utf8.h"
#include "cli/model_options.h"
#include "cli/terminal.h"
#include "measure/results_store.h"
#include "measure/roof_cache.h"
#include "measure/shape_folder.h"

namespace fathom {
namespace {

std::string OwnProgram() {
  std::error_code error;
  const auto path = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? "fathom" : path.string();
}

double ReadStream(const Machine& machine, const EngineOptions& options) {
  const auto backend =
      CreateBackend(options.backend, machine, {.threads = options.threads, .isa = options.isa});
  return backend.ok() ? RememberedReadStream(machine, (*backend)->info()) : 0;
}

MeasureHooks HooksFor(const std::string& path, const Machine& machine, const EngineOptions& options,
                      NoticeList& notices, ProgressLine& progress) {
  MeasureHooks hooks;
  hooks.open = [&notices, path](const EngineOptions& arm) {
    return OpenEngineArm(path, arm, &notices);
  };
  hooks.peak = [path, program = OwnProgram()](const EngineOptions& arm, const PeakWork& work) {
    return MeasurePeakMemory(program, path, arm, work, InterruptGuard::interrupted);
  };
  hooks.read_stream = [&machine, &options] { return ReadStream(machine, options); };
  hooks.on_progress = [&progress](const MeasureProgress& at) { progress.Show(at); };
  hooks.stop = InterruptGuard::interrupted;
  return hooks;
}

}  // namespace

ProgressLine::ProgressLine(bool quiet) : shown_(!quiet && StderrIsTerminal()) {}

void ProgressLine::Show(const MeasureProgress& progress) {
  Show(fmt::format("{:>2}/{}  {} {}  round {}", progress.done + 1, progress.total, progress.id,
                   progress.arm, progress.rounds));
}

void ProgressLine::Show(const std::string& text) {
  if (!shown_) return;
  std::fprintf(stderr, "\r%s\x1b[K", EscapeForTerminal(text).c_str());
  std::fflush(stderr);
  dirty_ = true;
}

void ProgressLine::Clear() {
  if (dirty_) std::fputs("\r\x1b[K", stderr);
  dirty_ = false;
}

Result<std::unique_ptr<ShapeFolder>> ShapeFolder::Create(const std::string& shape_name) {
  namespace fs = std::filesystem;
  FATHOM_ASSIGN(const NamedShape* shape, FindShape(shape_name));
  FATHOM_ASSIGN(const std::string demo, DemoModelPath());
  std::error_code error;
  std::string parent = (fs::temp_directory_path(error) / "fathom-shape-XXXXXX").string();
  if (error || mkdtemp(parent.data()) == nullptr) {
    return Status::RunTime("no folder can be made for the weights of the shape",
                           "set TMPDIR to a folder that can be written");
  }
  std::unique_ptr<ShapeFolder> folder(new ShapeFolder());
  folder->parent_ = parent;
  folder->path_ = parent + "/" + shape_name;
  fs::create_directory(folder->path_, error);
  FATHOM_TRY(WriteShapeFolder(*shape, 1, folder->path_));
  for (const char* name : {"tokenizer.json", "tokenizer_config.json"}) {
    fs::copy_file(fs::path(demo) / name, fs::path(folder->path_) / name, error);
  }
  return folder;
}

ShapeFolder::~ShapeFolder() {
  std::error_code error;
  std::filesystem::remove_all(parent_, error);
}

Result<std::string> MeasureText() {
  FATHOM_ASSIGN(const std::string text_path, ShippedFilePath("data", "measure_text.txt"));
  return ReadInput(text_path);
}

void KeepMeasurement(const Machine& machine, const std::string& path,
                     const Measurement& measurement, bool quiet) {
  if (measurement.rows.empty()) return;
  const Status stored = StoreMeasurement(machine, path, measurement);
  if (!stored.ok() && !quiet) {
    std::fprintf(stderr, "fathom: warning: %s\n", stored.message().c_str());
  }
}

Result<Measurement> MeasureAndKeep(const Machine& machine, const std::string& path,
                                   EngineOptions options, MeasureOptions measure, bool quiet,
                                   NoticeList& notices, bool keep) {
  options.max_sequences = 1;
  if (measure.text.empty()) {
    FATHOM_ASSIGN(measure.text, MeasureText());
  }
  FATHOM_ASSIGN(const ModelFacts facts, FactsOf(path, options));
  ProgressLine progress(quiet);
  FATHOM_ASSIGN(Measurement measurement,
                Measure(machine, facts, options, AllOptimizations(), measure,
                        HooksFor(path, machine, options, notices, progress)));
  progress.Clear();
  if (keep) KeepMeasurement(machine, path, measurement, quiet);
  return measurement;
}

}  // namespace fathom
