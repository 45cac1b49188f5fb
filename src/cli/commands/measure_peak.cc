// `fathom measure-peak`: hidden; what `fathom measure` starts a fresh process for. Loads one arm,
// generates, and says how much memory was resident at most.
#include <memory>

#include "base/json.h"
#include "cli/command.h"
#include "cli/terminal.h"
#include "measure/engine_options_json.h"
#include "measure/peak_memory.h"

namespace fathom {
namespace {

struct PeakArguments {
  std::string model;
  std::string options = "{}";
  PeakWork work;
};

Status Run(const PeakArguments& arguments) {
  const auto json = ParseJson(arguments.options, "--options");
  if (!json.ok()) return Status::Usage("--options", "is no JSON object");
  FATHOM_ASSIGN(const EngineOptions options, EngineOptionsFromJson(*json, "--options"));
  FATHOM_ASSIGN(const PeakMemory peak, RunPeakWork(arguments.model, options, arguments.work));
  return WriteOut(WriteJson(JsonObject{{"peak_resident_bytes", peak.resident_bytes},
                                       {"load_ms", peak.load_ms}}) +
                  "\n");
}

CommandAction Setup(CLI::App& app) {
  auto arguments = std::make_shared<PeakArguments>();
  app.group("");  // not in --help
  app.add_option("model", arguments->model, "a model folder")->required();
  app.add_option("--options", arguments->options, "EngineOptions as a JSON object");
  app.add_option("--prompt-tokens", arguments->work.prompt_tokens, "tokens of the prompt")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 24));
  app.add_option("--decode-tokens", arguments->work.decode_tokens, "tokens after the first one")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 24));
  return [arguments] { return Run(*arguments); };
}

}  // namespace

const Command& command_measure_peak() {
  static const Command command = {"measure-peak", "the memory of one arm (for measure)", 1000,
                                  Setup};
  return command;
}

}  // namespace fathom
