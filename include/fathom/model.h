// Model: a loaded model folder. Immutable once loaded and shared by any number of engines: the
// config, the tokenizer, the graph, and the weights in the backend's memory. What lives and changes
// (caches, sequences) is an Engine (engine.h).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fathom/options.h"
#include "fathom/request.h"
#include "fathom/status.h"

namespace fathom {

class Backend;              // backends/backend.h
class NoticeSink;           // base/log.h
class Tokenizer;            // text/
class WeightStore;          // backends/backend.h
struct Architecture;        // models/architecture.h
struct GenerationConfig;    // checkpoint/
struct Graph;               // graph/graph.h
struct ModelConfig;         // checkpoint/
struct OptimizationReport;  // optimizations/optimization.h
struct Plan;                // graph/plan.h

// What the model needs, from the shapes alone.
struct ModelMemory {
  int64_t weights_bytes = 0;          // as held by the backend, a tied head once
  int64_t cache_bytes_per_token = 0;  // keys and values of all layers, one token
  int64_t activation_bytes = 0;       // of the largest step (chunk_tokens)
  int64_t parameters = 0;             // a tied head counted once
};

class Model {
 public:
  // Loads a Hugging Face folder. Every tensor's shape is checked against the architecture before
  // anything is allocated; weights come in one at a time and the pages of their source leave memory
  // afterwards (row low_cpu_mem_usage; its off-arm reads the whole file first).
  //   kBadFile: config.json, a tensor (missing, of another shape, of a layer the config does not
  //             have), tokenizer files
  //   kUsage:   an unknown backend, isa, dtype or row; options that contradict each other
  //   kRunTime: an isa this machine lacks; memory that would not do; a required row that is off
  // `notices` (may be null) hears what the user should know though nothing failed.
  static Result<std::shared_ptr<const Model>> Load(const std::string& path,
                                                   const EngineOptions& options,
                                                   NoticeSink* notices);
  // The shape of a config.json (its text) with random weights and no tokenizer: for benchmarks.
  static Result<std::shared_ptr<const Model>> Random(std::string_view config_json,
                                                     const EngineOptions& options, uint64_t seed,
                                                     NoticeSink* notices);
  ~Model();

  const std::string& path() const;
  const EngineOptions& options() const;  // as resolved: dtype, context_length, threads, isa ...
  const ModelConfig& config() const;
  const GenerationConfig& generation_config() const;
  const Architecture& architecture() const;
  // Null where the folder has none (or load_tokenizer was false).
  const Tokenizer* tokenizer() const;

  // What became of each row of the table for this load, in the order of the table.
  std::span<const OptimizationReport> optimizations() const;

  const Graph& graph() const;  // as run: rewritten by the passes of the plan
  const Plan& plan() const;    // types and formats; the capacity is that of the largest bucket
  Backend& backend() const;
  const std::shared_ptr<const WeightStore>& weights() const;

  int64_t vocab_size() const;      // columns of the logits: rows of the head
  int64_t context_length() const;  // most tokens of one sequence
  const ModelMemory& memory() const;
  double load_ms() const;

  // A request with everything that generation_config.json says (the command line then overrides).
  Request NewRequest(std::vector<int32_t> prompt_ids) const;

 private:
  friend class ModelLoader;
  struct State;
  explicit Model(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace fathom
