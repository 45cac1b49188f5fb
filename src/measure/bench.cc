#include "measure/bench.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>

#include "backends/backend.h"
#include "base/thread_pool.h"
#include "checkpoint/model_config.h"
#include "graph/plan.h"
#include "machine/roofs.h"
#include "measure/bench_rounds.h"
#include "measure/statistics.h"

namespace fathom {
namespace {

// Elements of the matrices that a token multiplies by; `of_head` those of the head alone.
struct LinearElements {
  double all = 0;
  double head = 0;
};

template <typename Each>
void ForEachMatrix(const Graph& graph, Each each) {
  for (const OpNode& node : graph.nodes) {
    if (!node.op->name.starts_with("linear")) continue;
    for (const ValueId id : node.inputs) {
      if (id == kAbsent || graph.values[id].kind != ValueKind::kWeight) continue;
      if (graph.values[id].dims.size() == 2) each(node, graph.values[id].weight);
    }
  }
}

LinearElements CountLinear(const Graph& graph) {
  LinearElements count;
  ForEachMatrix(graph, [&](const OpNode& node, int weight) {
    const double size = static_cast<double>(graph.weights[weight].rows) *
                        static_cast<double>(graph.weights[weight].cols);
    count.all += size;
    if (node.outputs[0] == graph.logits) count.head += size;
  });
  return count;
}

// Multiply-adds of attention for one token at `depth` keys, over all layers.
double AttentionFlops(const Graph& graph, double depth) {
  double flops = 0;
  for (const OpNode& node : graph.nodes) {
    if (!IsAttention(*node.op)) continue;
    const int64_t window = node.attributes.Int("window", 0);
    const double keys = window > 0 ? std::min<double>(depth, static_cast<double>(window)) : depth;
    const auto width = [&](int input) {
      return static_cast<double>(graph.caches[graph.values[node.inputs[input]].cache].head_dim);
    };
    flops +=
        2 * keys * static_cast<double>(node.attributes.Int("num_heads")) * (width(1) + width(2));
  }
  return flops;
}

// The roof that a row is held against, probed with the work's own threads and instruction sets.
class Roof {
 public:
  static Result<Roof> Create(const Model& model, const Machine& machine, NoticeSink& notices) {
    const BackendInfo& info = model.backend().info();
    RoofProbeOptions options{.usable_bytes = machine.memory.usable_bytes};
    options.features = machine.cpu.features;
    if (!info.isa.empty()) {
      FATHOM_ASSIGN(const Isa isa, ParseIsa(info.isa));
      FATHOM_ASSIGN(options.features, FeaturesAllowed(machine.cpu.features, isa));
    }
    FATHOM_ASSIGN(RoofProbe probe, RoofProbe::Create(options, notices));
    return Roof(std::move(probe), info.threads, machine.cpu.pin_order, options.features);
  }

  // The name of the roof that this phase and type run against; `integers`: the many-row products
  // are of integers.
  std::string NameOf(const std::string& phase, DType dtype, bool integers) const {
    if (phase == "decode") return "read_stream";
    if (integers) return "int8_peak";
    const bool bf16_unit = features_.Has(CpuFeature::kAmxBf16) ||
                           features_.Has(CpuFeature::kAvx512Bf16) ||
                           features_.Has(CpuFeature::kBf16);
    return dtype == DType::kBF16 && bf16_unit ? "bf16_peak" : "fp32_peak";
  }
  static std::string UnitOf(const std::string& name) {
    if (name == "int8_peak") return "TOP/s";
    return name == "read_stream" ? "GB/s" : "TFLOP/s";
  }
  double Probe(const std::string& name, double budget_ms) {
    if (name == "read_stream") return probe_.ReadStream(*pool_, budget_ms).median;
    if (name == "int8_peak") return probe_.Int8Peak(*pool_, budget_ms).median;
    if (name == "bf16_peak") return probe_.Bf16Peak(*pool_, budget_ms).median;
    return probe_.Fp32Peak(*pool_, budget_ms).median;
  }

 private:
  // Pinned as the engine's threads are: two that share a CPU would halve the roof.
  Roof(RoofProbe probe, int threads, const std::vector<int>& cpus, CpuFeatures features)
      : probe_(std::move(probe)),
        pool_(std::make_unique<ThreadPool>(threads, cpus)),
        features_(features) {}

  RoofProbe probe_;
  std::unique_ptr<ThreadPool> pool_;
  CpuFeatures features_;
};

std::string HeadFormat(const Model& model) {
  std::string format;
  ForEachMatrix(model.graph(), [&](const OpNode& node, int weight) {
    if (node.outputs[0] != model.graph().logits) return;
    format = DescribeWeight(model.weights()->Get(weight));
  });
  return format;
}

// Integer weights are multiplied as integers, or unpacked into floats: as the kernels have it.
bool MultipliesIntegers(const Engine& engine) {
  return std::ranges::any_of(engine.kernels(), [](const KernelChoice& choice) {
    return choice.kernel.find("panel16_dot_gemm") != std::string::npos &&
           choice.kernel.find("_int") != std::string::npos;
  });
}

// Fills rates and fraction of `row` from rounds of `work`, each between two probes.
Status Measure(Roof& roof, const BenchOptions& options, double work_per_token,
               const std::function<Result<BenchRound>()>& work, BenchRow& row) {
  FATHOM_TRY(work().status());  // warms caches, pages and kernels
  std::vector<double> rates, roofs, fractions;
  double before = roof.Probe(row.roof, options.probe_ms);
  const double unit = row.roof == "read_stream" ? 1e9 : 1e12;
  for (int i = 0; i < options.rounds; ++i) {
    FATHOM_ASSIGN(const BenchRound round, work());
    const double after = roof.Probe(row.roof, options.probe_ms);
    const double rate = round.tokens / round.seconds;
    rates.push_back(rate);
    // Whatever disturbs the machine only lowers a probe: the better neighbour is nearer the roof.
    roofs.push_back(std::max(before, after));
    fractions.push_back(rate * work_per_token / (roofs.back() * unit));
    before = after;
  }
  row.tokens_per_s = Median(rates);
  row.tokens_per_s_low = *std::min_element(rates.begin(), rates.end());
  row.tokens_per_s_high = *std::max_element(rates.begin(), rates.end());
  row.roof_value = Median(roofs);
  row.fraction_of_roof = Median(fractions);
  if (row.fraction_of_roof > 1.02) {
    return Status::RunTime(
        fmt::format("bench: {} of {} came out at {:.2f} of its roof {} ({:.1f} {}): impossible",
                    row.phase, row.shape, row.fraction_of_roof, row.roof, row.roof_value,
                    row.roof_unit),
        "a model that fits a cache reads faster than memory: take a larger one"
        " (--shape smollm2-135m), and a machine that does nothing else");
  }
  return Status::Ok();
}

Result<BenchRow> BenchOne(Engine& engine, Roof& roof, const BenchOptions& options, BenchRow row) {
  const Model& model = engine.model();
  std::mt19937_64 random(20261122);
  const bool prefill = row.phase == "prefill";
  const bool integers = MultipliesIntegers(engine);
  row.roof = roof.NameOf(row.phase, model.config().dtype.value_or(DType::kF32), integers);
  if (const auto dtype = DTypeFromTorch(row.dtype)) {
    row.roof = roof.NameOf(row.phase, *dtype, integers);
  }
  row.roof_unit = Roof::UnitOf(row.roof);
  row.bytes_per_token = DecodeBytesPerToken(model, row.batch, row.context + 32);
  row.flops_per_token = PrefillFlopsPerToken(model, prefill ? row.context : 1);
  if (prefill) {
    FATHOM_TRY(Measure(
        roof, options, row.flops_per_token,
        [&] { return PrefillRound(engine, row.batch, row.context, options.round_seconds, random); },
        row));
  } else {
    Decoding decoding(engine, row.batch, row.context);
    FATHOM_TRY(Measure(
        roof, options, row.bytes_per_token,
        [&] { return decoding.Run(options.round_seconds, random); }, row));
  }
  return row;
}

}  // namespace

double DecodeBytesPerToken(const Model& model, int64_t batch, int64_t depth) {
  double weights = 0;
  ForEachMatrix(model.graph(), [&](const OpNode&, int weight) {
    weights += static_cast<double>(model.weights()->Get(weight).payload_bytes());
  });
  double cache = 0;
  const Graph& graph = model.graph();
  for (const CacheSpec& spec : graph.caches) {
    const int64_t window = graph.groups[spec.group].window;
    const int64_t keys = window > 0 ? std::min(depth, window) : depth;
    cache += static_cast<double>(keys * spec.num_heads * spec.head_dim *
                                 BytesOf(model.plan().cache_dtype));
  }
  return weights / static_cast<double>(batch) + cache;
}

double PrefillFlopsPerToken(const Model& model, int64_t length) {
  const LinearElements linear = CountLinear(model.graph());
  const double n = static_cast<double>(length);
  // A token sees (n + 1) / 2 keys on average; the head runs for one row of the prompt.
  return 2 * (linear.all - linear.head) + 2 * linear.head / n +
         AttentionFlops(model.graph(), (n + 1) / 2);
}

Result<std::vector<BenchRow>> BenchModel(std::shared_ptr<const Model> model,
                                         const std::string& shape, const Machine& machine,
                                         const BenchOptions& options, NoticeSink& notices) {
  FATHOM_ASSIGN(Roof roof, Roof::Create(*model, machine, notices));
  FATHOM_ASSIGN(const auto engine, Engine::Create(model, &notices));
  std::vector<BenchRow> rows;
  for (const std::string& phase : options.phases) {
    // What fits a model of a short context; a run of decode needs room to go on.
    const int64_t most = model->context_length() - (phase == "prefill" ? 1 : 128);
    const std::vector<int64_t> defaults = {
        std::clamp<int64_t>(phase == "prefill" ? 512 : 128, 1, std::max<int64_t>(most, 1))};
    for (const int64_t context : options.contexts.empty() ? defaults : options.contexts) {
      for (const int64_t batch : options.batches) {
        BenchRow row{.phase = phase, .shape = shape, .dtype = model->options().dtype};
        row.head_format = HeadFormat(*model);
        row.batch = batch;
        row.context = context;
        FATHOM_ASSIGN(row, BenchOne(*engine, roof, options, std::move(row)));
        rows.push_back(std::move(row));
      }
    }
  }
  return rows;
}

JsonValue BenchToJson(const Machine& machine, const std::vector<BenchRow>& rows) {
  JsonValue document;
  auto described = ParseJson(MachineToJson(machine), "machine");
  document.Set("machine", described.ok() ? *std::move(described) : JsonValue());
  JsonArray list;
  for (const BenchRow& row : rows) {
    list.push_back(JsonObject{{"phase", row.phase},
                              {"shape", row.shape},
                              {"dtype", row.dtype},
                              {"head_format", row.head_format},
                              {"batch", row.batch},
                              {"context", row.context},
                              {"tokens_per_s", row.tokens_per_s},
                              {"tokens_per_s_low", row.tokens_per_s_low},
                              {"tokens_per_s_high", row.tokens_per_s_high},
                              {"bytes_per_token", row.bytes_per_token},
                              {"flops_per_token", row.flops_per_token},
                              {"roof", row.roof},
                              {"roof_value", row.roof_value},
                              {"roof_unit", row.roof_unit},
                              {"fraction_of_roof", row.fraction_of_roof}});
  }
  document.Set("rows", std::move(list));
  return document;
}

std::string BenchToText(const std::vector<BenchRow>& rows) {
  std::string text =
      fmt::format("{:<14} {:<9} {:<8} {:>5} {:>8} {:>10} {:>14} {:>9}  {}\n", "shape", "dtype",
                  "phase", "batch", "context", "tok/s", "achieved", "of roof", "roof");
  for (const BenchRow& row : rows) {
    const bool reads = row.roof == "read_stream";
    const double per_token = reads ? row.bytes_per_token / 1e9 : row.flops_per_token / 1e12;
    text += fmt::format(
        "{:<14} {:<9} {:<8} {:>5} {:>8} {:>10.1f} {:>8.2f} {:<7} {:>6.0f} %  {} {:.2f} {}\n",
        row.shape, row.dtype, row.phase, row.batch, row.context, row.tokens_per_s,
        row.tokens_per_s * per_token, row.roof_unit, 100 * row.fraction_of_roof, row.roof,
        row.roof_value, row.roof_unit);
  }
  return text;
}

}  // namespace fathom
