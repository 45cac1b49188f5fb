// `fathom bench-turns`: hidden; what tools/compare_peers keeps alive beside other engines, so that
// all are loaded once and measured in turns. Reads orders from stdin, a line each, and answers each
// with a line of JSON:
//
//   decode CONTEXT SECONDS     {"tokens": n, "seconds": s, "bytes_per_token": b}
//   prefill CONTEXT SECONDS    {"tokens": n, "seconds": s, "flops_per_token": f}
//   probe ROOF SECONDS         {"rate": r}, in GB/s or tera-operations a second
//
// Without a model (`--roofs`) it answers probes alone. Ends with stdin.
#include <cstdio>
#include <memory>
#include <optional>
#include <random>
#include <sstream>
#include <string>

#include "base/thread_pool.h"
#include "cli/command.h"
#include "cli/model_options.h"
#include "cli/terminal.h"
#include "fathom/machine.h"
#include "machine/roofs.h"
#include "measure/bench.h"
#include "measure/bench_rounds.h"

namespace fathom {
namespace {

struct TurnsArguments {
  ModelArguments model;
  bool roofs = false;
};

struct Order {
  std::string what;
  std::string argument;
  double seconds = 0;
};

Result<Order> ParseOrder(const std::string& line) {
  std::istringstream words(line);
  Order order;
  if (!(words >> order.what >> order.argument >> order.seconds) || !(order.seconds > 0) ||
      !(order.seconds < 3600)) {
    return Status::Usage("bench-turns", "\"" + line.substr(0, 80) + "\" is no order",
                         "decode|prefill CONTEXT SECONDS, or probe ROOF SECONDS");
  }
  return order;
}

// The roofs, probed by a pool of its own.
class ProbeTurns {
 public:
  static Result<ProbeTurns> Create(int threads) {
    const Machine machine = DetectMachine({.gpus = false});
    RoofProbeOptions options{.usable_bytes = machine.memory.usable_bytes};
    options.features = machine.cpu.features;
    NoticeList notices;
    FATHOM_ASSIGN(RoofProbe probe, RoofProbe::Create(options, notices));
    PrintNotices(notices, false);
    const int workers = threads > 0 ? threads : machine.cpu.cores;
    return ProbeTurns(std::move(probe),
                      std::make_unique<ThreadPool>(workers, machine.cpu.pin_order));
  }

  Result<JsonObject> Run(const Order& order) {
    const double budget_ms = 1000 * order.seconds;
    ProbeRate rate;
    if (order.argument == "read_stream") {
      rate = probe_.ReadStream(*pool_, budget_ms);
    } else if (order.argument == "fp32_peak") {
      rate = probe_.Fp32Peak(*pool_, budget_ms);
    } else if (order.argument == "bf16_peak") {
      rate = probe_.Bf16Peak(*pool_, budget_ms);
    } else if (order.argument == "int8_peak") {
      rate = probe_.Int8Peak(*pool_, budget_ms);
    } else {
      return Status::Usage("bench-turns", "\"" + order.argument + "\" is no roof",
                           "read_stream, fp32_peak, bf16_peak, int8_peak");
    }
    return JsonObject{{"rate", rate.median}, {"unit", rate.unit}};
  }

 private:
  ProbeTurns(RoofProbe probe, std::unique_ptr<ThreadPool> pool)
      : probe_(std::move(probe)), pool_(std::move(pool)) {}

  RoofProbe probe_;
  std::unique_ptr<ThreadPool> pool_;
};

// The model's own turns.
class Turns {
 public:
  explicit Turns(std::unique_ptr<Engine> engine) : engine_(std::move(engine)) {}

  Result<JsonObject> Run(const Order& order) {
    const int64_t context = std::atoll(order.argument.c_str());
    const int64_t most = engine_->model().context_length();
    if (context < 1 || context >= most) {
      return Status::Usage("bench-turns", "a context of \"" + order.argument + "\"",
                           "1 to " + std::to_string(most - 1));
    }
    if (order.what != "decode" || context != depth_) decoding_.reset();
    BenchRound round;
    JsonObject answer;
    if (order.what == "prefill") {
      FATHOM_ASSIGN(round, PrefillRound(*engine_, 1, context, order.seconds, random_));
      answer.emplace_back("flops_per_token", PrefillFlopsPerToken(engine_->model(), context));
    } else {
      if (!decoding_) decoding_.emplace(*engine_, 1, context);
      depth_ = context;
      FATHOM_ASSIGN(round, decoding_->Run(order.seconds, random_));
      answer.emplace_back("bytes_per_token", DecodeBytesPerToken(engine_->model(), 1, context));
      answer.emplace_back("weight_bytes", DecodeBytesPerToken(engine_->model(), 1, 0));
    }
    answer.emplace_back("tokens", round.tokens);
    answer.emplace_back("seconds", round.seconds);
    return answer;
  }

 private:
  std::unique_ptr<Engine> engine_;
  std::optional<Decoding> decoding_;
  int64_t depth_ = 0;
  std::mt19937_64 random_{std::random_device{}()};
};

Status Answer(const TurnsArguments& arguments, Turns* turns) {
  std::optional<ProbeTurns> roofs;
  std::string line;
  for (int c = std::getchar(); c != EOF; c = std::getchar()) {
    if (c != '\n') {
      line += static_cast<char>(c);
      if (line.size() > 1000) return Status::Usage("bench-turns", "an order of over 1000 bytes");
      continue;
    }
    FATHOM_ASSIGN(const Order order, ParseOrder(line));
    line.clear();
    JsonObject answer;
    if (order.what == "probe") {
      if (!roofs) {
        FATHOM_ASSIGN(roofs, ProbeTurns::Create(arguments.model.engine.threads));
      }
      FATHOM_ASSIGN(answer, roofs->Run(order));
    } else if (turns != nullptr && (order.what == "decode" || order.what == "prefill")) {
      FATHOM_ASSIGN(answer, turns->Run(order));
    } else {
      return Status::Usage("bench-turns", "\"" + order.what + "\" is no order here");
    }
    FATHOM_TRY(WriteOut(WriteJson(std::move(answer)) + "\n"));
  }
  return Status::Ok();
}

Status Run(const TurnsArguments& arguments) {
  if (arguments.roofs) {
    FATHOM_TRY(WriteOut("{\"ready\":true}\n"));
    return Answer(arguments, nullptr);
  }
  ModelArguments model = arguments.model;
  model.engine.load_tokenizer = false;
  FATHOM_ASSIGN(const auto loaded, LoadModel(model));
  NoticeList notices;
  FATHOM_ASSIGN(auto engine, Engine::Create(loaded, &notices));
  PrintNotices(notices, arguments.model.quiet);
  Turns turns(std::move(engine));
  FATHOM_TRY(WriteOut("{\"ready\":true}\n"));
  return Answer(arguments, &turns);
}

CommandAction Setup(CLI::App& app) {
  auto arguments = std::make_shared<TurnsArguments>();
  app.group("");  // not in --help
  app.add_option("model", arguments->model.model, "a model folder");
  AddModelOptions(app, arguments->model);
  app.add_flag("--roofs", arguments->roofs, "no model: probes alone");
  app.add_flag("--quiet", arguments->model.quiet, "nothing on stderr but errors");
  return [arguments] { return Run(*arguments); };
}

}  // namespace

const Command& command_bench_turns() {
  static const Command command = {"bench-turns", "rounds of work, in turns with others", 1001,
                                  Setup};
  return command;
}

}  // namespace fathom
