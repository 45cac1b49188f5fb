// Model::Load: everything is checked, and its memory forecast, before weights are brought in.
#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <future>
#include <system_error>

#include "base/cache_file.h"
#include "engine/engine_limits.h"
#include "engine/model_state.h"
#include "engine/offload.h"
#include "engine/plan_builder.h"
#include "engine/random_weights.h"
#include "engine/weight_cache.h"
#include "engine/weight_cache_folder.h"
#include "engine/weight_loader.h"
#include "engine/weight_quantization.h"
#include "engine/weight_sources.h"
#include "fathom/machine.h"
#include "optimizations/model_facts.h"
#include "optimizations/optimization.h"
#include "optimizations/placement.h"

namespace fathom {

namespace {

Status CheckOptions(const EngineOptions& options) {
  FATHOM_TRY(CheckOptionValues(options));
  FATHOM_TRY(CheckDevice(options));
  if (options.context_length < 0) {
    return Status::Usage("--context-length", fmt::format("{} is negative", options.context_length));
  }
  if (!options.weight_cache_limit.empty()) {
    FATHOM_TRY(ParseByteSize(options.weight_cache_limit, "--weight-cache-limit").status());
  }
  return Status::Ok();
}

// Whether the folder brings a tokenizer, of whatever kind.
bool HasTokenizer(const std::string& folder) {
  for (const char* name : {"tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt"}) {
    std::error_code error;
    if (std::filesystem::exists(std::filesystem::path(folder) / name, error)) return true;
  }
  return false;
}

int64_t CountParameters(const Graph& graph) {
  int64_t count = 0;
  for (const WeightRecipe& recipe : graph.weights) {
    if (recipe.repeats) continue;
    count += recipe.role == WeightRole::kVector ? recipe.rows : recipe.rows * recipe.cols;
  }
  return count;
}

}  // namespace

class ModelLoader {
 public:
  ModelLoader(const std::string& path, const EngineOptions& options, NoticeSink* notices)
      : notices_(notices), state_(std::make_unique<Model::State>()) {
    state_->path = path;
    state_->options = options;
  }

  Result<std::shared_ptr<const Model>> Load() {
    const auto begin = std::chrono::steady_clock::now();
    FATHOM_TRY(CheckOptions(state_->options));
    FATHOM_ASSIGN(const ConfigFile file, ConfigFile::Open(state_->path));
    FATHOM_TRY(ReadConfig(file));
    FATHOM_ASSIGN(state_->generation_config, GenerationConfig::OpenFolder(state_->path));
    MakeRoomForSequences();
    FATHOM_TRY(CreateTheBackend());
    StartTokenizer();
    FATHOM_ASSIGN(state_->checkpoint, Checkpoint::Open(state_->path));
    state_->config.tie_word_embeddings = HeadIsTied(state_->checkpoint, state_->config, notices_);
    FATHOM_ASSIGN(Graph graph, BuildGraph(&state_->checkpoint));
    FATHOM_ASSIGN(located_, LocateWeights(state_->checkpoint, graph, state_->config, notices_));
    FATHOM_TRY(PlanWeights(std::move(graph)));
    FATHOM_TRY(Place());
    FATHOM_TRY(CheckMemory());
    FATHOM_TRY(BringWeights());
    return Finish(begin);
  }

  // The shape of a config with random weights.
  Result<std::shared_ptr<const Model>> MakeRandom(std::string_view config_json, uint64_t seed) {
    const auto begin = std::chrono::steady_clock::now();
    FATHOM_TRY(CheckOptions(state_->options));
    FATHOM_ASSIGN(const ConfigFile file, ConfigFile::Parse(config_json, state_->path));
    FATHOM_TRY(ReadConfig(file));
    FATHOM_TRY(CreateTheBackend());
    FATHOM_ASSIGN(Graph graph, BuildGraph(nullptr));
    located_.resize(graph.weights.size());
    FATHOM_TRY(PlanWeights(std::move(graph)));
    FATHOM_TRY(CheckMemory());
    FATHOM_ASSIGN(state_->weights, LoadRandomWeights(*state_->backend, *state_->plan.graph,
                                                     state_->plan.weights, seed));
    return Finish(begin);
  }

 private:
  std::shared_ptr<const Model> Finish(std::chrono::steady_clock::time_point begin) {
    const auto end = std::chrono::steady_clock::now();
    state_->load_ms = std::chrono::duration<double, std::milli>(end - begin).count();
    return std::shared_ptr<const Model>(new Model(std::move(state_)));
  }

  Status ReadConfig(const ConfigFile& file) {
    FATHOM_ASSIGN(state_->architecture, FindArchitecture(file));
    FATHOM_ASSIGN(state_->config, state_->architecture->parse_config(file));
    ModelConfig& config = state_->config;
    Tell(file.notices);
    Tell(config.notices);
    if (!config.quantization_method.empty()) {
      return Status::BadFile(
          config.file, "quantization_config",
          fmt::format("the method {} is not supported", config.quantization_method), "",
          "use the model's unquantized files");
    }
    const int64_t asked = state_->options.context_length;
    state_->context_length = asked > 0 ? asked : config.max_position_embeddings;
    if (asked > config.max_position_embeddings && notices_ != nullptr) {
      notices_->Warn(
          fmt::format("a context of {} tokens goes beyond the {} the model was made "
                      "for",
                      asked, config.max_position_embeddings));
    }
    return Status::Ok();
  }

  // Sequences that the model's own generation_config.json asks for, as far as any engine goes.
  void MakeRoomForSequences() {
    constexpr int64_t kMost = 64;
    const GenerationConfig& config = state_->generation_config;
    const int64_t asked =
        std::max(config.num_return_sequences.value_or(1), config.num_beams.value_or(1));
    int64_t& room = state_->options.max_sequences;
    if (room > 0) room = std::max(room, std::min(asked, kMost));
  }

  Status CreateTheBackend() {
    machine_ = DetectMachine({.gpus = false});
    EngineOptions& options = state_->options;
    FATHOM_ASSIGN(state_->backend, CreateBackend(options.backend, machine_,
                                                 {.threads = options.threads,
                                                  .isa = options.isa,
                                                  .tune = options.IsOn("cudnn_benchmark"),
                                                  .cache_folder = CacheFolder()}));
    const BackendInfo& info = state_->backend->info();
    options.threads = info.threads;
    options.isa = info.isa;
    return Status::Ok();
  }

  // The options as they run, and what became of each row.
  Status Optimize(const Graph& graph, const Checkpoint* checkpoint) {
    EngineOptions& options = state_->options;
    FATHOM_ASSIGN(ModelFacts facts, FactsOfGraph(state_->config, graph, checkpoint, options));
    facts.path = state_->path;
    facts.has_tokenizer_json = tokenizer_.valid();
    const EngineOptions asked = options;
    FATHOM_ASSIGN(state_->optimizations, RunOptimizations(machine_, &facts, "cpu", &options));
    if (notices_ == nullptr) return Status::Ok();
    if (options.output_attentions && asked.attn_implementation.empty()) {
      notices_->Info("output_attentions: attention runs eager, its scores materialized");
    }
    for (const std::string& wish : UnmetWishes(asked, state_->optimizations)) notices_->Warn(wish);
    return Status::Ok();
  }

  // The tokenizer's file is read beside everything that comes before weights are packed.
  void StartTokenizer() {
    if (!state_->options.load_tokenizer || !HasTokenizer(state_->path)) return;
    const auto open = [path = state_->path] { return Tokenizer::OpenFolder(path); };
    try {
      tokenizer_ = std::async(std::launch::async, open);
    } catch (const std::system_error&) {
      tokenizer_ = std::async(std::launch::deferred, open);
    }
  }

  Status AwaitTokenizer() {
    if (!tokenizer_.valid()) return Status::Ok();
    FATHOM_ASSIGN(Tokenizer tokenizer, tokenizer_.get());
    state_->tokenizer = std::move(tokenizer);
    return Status::Ok();
  }

  // From an earlier start's packed file, or from the checkpoint, packed into such a file or into
  // memory.
  Status BringWeights() {
    const EngineOptions& options = state_->options;
    const WeightLoadInput input{*state_->backend,
                                state_->checkpoint,
                                *state_->plan.graph,
                                state_->plan.weights,
                                located_,
                                state_->plan.cache_dtype,
                                notices_};
    const bool low_memory = options.IsOn("low_cpu_mem_usage");
    WeightCacheSettings settings{.threads = options.threads, .dtype = options.dtype};
    if (low_memory && options.IsOn("weight_cache")) settings.folder = WeightCacheFolderPath();
    if (!options.weight_cache_limit.empty()) {
      FATHOM_ASSIGN(settings.limit_bytes,
                    ParseByteSize(options.weight_cache_limit, "--weight-cache-limit"));
    }
    WeightCache cache(input, std::move(settings));
    std::optional<WeightCache::Loaded> kept = cache.Open();
    FATHOM_TRY(AwaitTokenizer());
    if (!kept) {
      FATHOM_ASSIGN(kept, cache.Make());
    }
    if (kept) {
      state_->weights = std::move(kept->store);
      state_->packed_weights = std::move(kept->file);
      return Status::Ok();
    }
    WeightLoader loader(input);
    FATHOM_TRY(low_memory ? loader.LoadOneByOne() : loader.LoadAllThenCopy());
    state_->weights = loader.TakeStore();
    return Status::Ok();
  }

  // The rows are decided on the graph as the architecture has it; what they decide may split the
  // head off.
  Result<Graph> BuildGraph(const Checkpoint* checkpoint) {
    FATHOM_ASSIGN(Graph graph, state_->architecture->build_graph(state_->config, Parallel{}));
    FATHOM_TRY(Optimize(graph, checkpoint));
    FATHOM_ASSIGN(const DType dtype,
                  ResolveDType(state_->options, state_->config, state_->checkpoint, nullptr));
    // A tied head in another format than the embedding is a weight of its own.
    if (quantization() != Quantization::kNone || SplitsProducts(dtype)) SplitTiedHead(graph);
    return graph;
  }

  Quantization quantization() const { return QuantizationOf(state_->options.dtype); }

  bool SplitsProducts(DType dtype) const {
    return quantization() == Quantization::kNone &&
           WantsBf16Products(state_->options.float32_matmul_precision, dtype, *state_->backend);
  }

  // The types in which the weights are held and the graph runs.
  Status PlanWeights(Graph graph) {
    EngineOptions& options = state_->options;
    FATHOM_ASSIGN(const DType dtype,
                  ResolveDType(options, state_->config, state_->checkpoint, notices_));
    if (quantization() == Quantization::kNone) options.dtype = TorchName(dtype);
    state_->vocab_size = graph.vocab_size;
    FATHOM_ASSIGN(state_->plan, BuildPlan(std::move(graph), dtype, options, *state_->backend));
    if (SplitsProducts(dtype)) SplitProducts(state_->plan);
    return QuantizePlan(quantization(), *state_->backend, state_->plan, notices_);
  }

  // Row device_map.
  Status Place() {
    Plan& plan = state_->plan;
    FATHOM_ASSIGN(const auto map,
                  PlaceWeights(*plan.graph, plan.weights, state_->options, machine_));
    if (!map.empty()) LeaveOnDisk(map, *plan.graph, located_, plan.weights, notices_);
    return Status::Ok();
  }

  Status CheckMemory() {
    const Plan& plan = state_->plan;
    const WeightForecast forecast = ForecastWeights(*plan.graph, plan.weights, located_);
    ModelMemory& memory = state_->memory;
    memory.weights_bytes = forecast.owned_bytes + forecast.mapped_bytes;
    memory.cache_bytes_per_token = CacheBytesPerToken(*plan.graph, plan.cache_dtype);
    memory.parameters = CountParameters(*plan.graph);
    const EngineOptions& options = state_->options;
    const int64_t sequences = std::min(options.max_sequences, options.chunk_tokens);
    const StepSizes largest{.num_tokens = options.chunk_tokens,
                            .num_sequences = sequences,
                            .num_logit_rows = sequences,
                            .max_blocks = 1};
    memory.activation_bytes = PlanForBucket(plan, options, largest, 1).memory.arena_bytes;
    const auto usable = static_cast<int64_t>(machine_.memory.usable_bytes);
    const int64_t needed = forecast.owned_bytes + memory.activation_bytes;
    if (usable > 0 && needed > usable) {
      return Status::RunTime(
          fmt::format("the model needs {:.1f} GB of memory, {:.1f} GB are usable",
                      static_cast<double>(needed) / 1e9, static_cast<double>(usable) / 1e9),
          "close other programs, or choose a smaller model or dtype");
    }
    return Status::Ok();
  }

  void Tell(const std::vector<std::string>& texts) {
    if (notices_ == nullptr) return;
    for (const std::string& text : texts) notices_->Warn(text);
  }

  NoticeSink* notices_;
  std::unique_ptr<Model::State> state_;
  Machine machine_;
  std::vector<LocatedWeight> located_;
  std::future<Result<Tokenizer>> tokenizer_;
};

Result<std::shared_ptr<const Model>> Model::Load(const std::string& path,
                                                 const EngineOptions& options,
                                                 NoticeSink* notices) {
  return ModelLoader(path, options, notices).Load();
}

Result<std::shared_ptr<const Model>> Model::Random(std::string_view config_json,
                                                   const EngineOptions& options, uint64_t seed,
                                                   NoticeSink* notices) {
  return ModelLoader("random weights", options, notices).MakeRandom(config_json, seed);
}

}  // namespace fathom
