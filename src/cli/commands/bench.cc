// `fathom bench`: tokens a second, GB/s and share of the roof for prefill, decode, batches.
#include <fmt/format.h>

#include <memory>

#include "cli/command.h"
#include "cli/model_options.h"
#include "cli/terminal.h"
#include "fathom/machine.h"
#include "measure/bench.h"
#include "measure/shapes.h"

namespace fathom {
namespace {

struct BenchArguments {
  ModelArguments model;
  std::string shape;
  std::vector<std::string> dtypes;
  std::string format = "text";
  BenchOptions bench;
};

void AddBenchOptions(CLI::App& app, BenchArguments& arguments) {
  app.add_option("model", arguments.model.model, "a model folder (default: the demo model)");
  app.add_option("--shape", arguments.shape,
                 "a published shape on random weights: smollm2-135m, qwen2.5-0.5b, llama-3.2-1b,"
                 " llama-3.1-8b");
  app.add_option("--phase", arguments.bench.phases, "prefill,decode")
      ->delimiter(',')
      ->check(CLI::IsMember({"prefill", "decode"}));
  AddModelOptions(app, arguments.model);
  app.remove_option(app.get_option("--dtype"));
  app.add_option("--dtype", arguments.dtypes,
                 "auto, float32, bfloat16, float16, int8, int4; several: a,b")
      ->delimiter(',');
  app.add_option("--batch", arguments.bench.batches, "sequences at once; several: 1,8")
      ->delimiter(',')
      ->check(CLI::Range(1, 1024));
  app.add_option("--context", arguments.bench.contexts,
                 "tokens of the prompt (prefill, 512) or in the cache (decode, 128)")
      ->delimiter(',')
      ->check(CLI::Range(1, 1 << 24));
  app.add_option("--rounds", arguments.bench.rounds, "rounds of work between probes")
      ->check(CLI::Range(1, 1000));
  app.add_option("--format", arguments.format, "text or json")
      ->check(CLI::IsMember({"text", "json"}));
  app.add_flag("--quiet", arguments.model.quiet, "nothing on stderr");
}

Result<std::shared_ptr<const Model>> Load(const BenchArguments& arguments,
                                          const ModelArguments& model) {
  if (arguments.shape.empty()) return LoadModel(model);
  FATHOM_ASSIGN(const NamedShape* shape, FindShape(arguments.shape));
  NoticeList notices;
  auto loaded = Model::Random(shape->config, model.engine, 1, &notices);
  PrintNotices(notices, model.quiet);
  return loaded;
}

Status Run(const BenchArguments& arguments) {
  const Machine machine = DetectMachine({.gpus = false});
  std::vector<BenchRow> rows;
  std::vector<std::string> dtypes = arguments.dtypes;
  if (dtypes.empty()) dtypes = {"auto"};
  int64_t most = 1;
  for (const int64_t batch : arguments.bench.batches) most = std::max(most, batch);
  for (const std::string& dtype : dtypes) {
    ModelArguments model = arguments.model;
    model.engine.dtype = dtype;
    model.engine.load_tokenizer = false;
    model.engine.max_sequences = std::max(most, model.engine.max_sequences);
    FATHOM_ASSIGN(const auto loaded, Load(arguments, model));
    NoticeList notices;
    FATHOM_ASSIGN(auto more,
                  BenchModel(loaded, arguments.shape.empty() ? model.model : arguments.shape,
                             machine, arguments.bench, notices));
    PrintNotices(notices, arguments.model.quiet);
    rows.insert(rows.end(), more.begin(), more.end());
  }
  if (arguments.format == "json") return WriteOut(WriteJson(BenchToJson(machine, rows)) + "\n");
  return WriteOut(BenchToText(rows));
}

CommandAction Setup(CLI::App& app) {
  auto arguments = std::make_shared<BenchArguments>();
  AddBenchOptions(app, *arguments);
  return [arguments] { return Run(*arguments); };
}

}  // namespace

const Command& command_bench() {
  static const Command command = {"bench", "tokens/s, GB/s and share of the roof", 50, Setup};
  return command;
}

}  // namespace fathom
