// Optimization: one row of the table. One file a row defines the record; order.cc lists them by
// hand. A row changes EngineOptions and nothing else: the plan builder and the backends obey those.
//
//   detect    can it work on each kind of device, for this model, and how is that known
//   arms      the settings that can be compared: what it is when on (several for dtype), when off
//   apply     options as asked for -> options as they run; the row's state with its reason
//   estimate  what it saves by the shapes alone; never a speed: that is measured
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fathom/machine.h"
#include "fathom/options.h"
#include "fathom/status.h"

namespace fathom {

// What a row asks about a model; from config.json and the headers of the checkpoint alone, so that
// a model can be explained without being loaded.
struct ModelFacts {
  std::string path;
  std::string architecture;      // model_type
  std::string checkpoint_dtype;  // "bfloat16": what --dtype auto gives
  int64_t parameters = 0;        // a tied head counted once
  int64_t weights_bytes = 0;     // of the checkpoint's tensors
  int64_t num_hidden_layers = 0;
  int64_t num_attention_heads = 0;
  int64_t num_key_value_heads = 0;
  int64_t head_dim = 0;
  int64_t hidden_size = 0;
  int64_t vocab_size = 0;
  int64_t context_length = 0;         // max_position_embeddings, or --context-length
  int64_t cache_bytes_per_token = 0;  // in checkpoint_dtype
  int64_t num_operations = 0;         // nodes of the eager graph
  int64_t num_fused_operations = 0;   // nodes of the compiled one
  std::vector<int64_t> layer_bytes;   // per decoder layer, for device_map
  int64_t embedding_bytes = 0;
  int64_t head_bytes = 0;  // 0: tied
  bool has_tokenizer_json = false;
};

enum class DeviceState : uint8_t { kAvailable, kNoEffect, kUnavailable };
std::string_view DeviceStateName(DeviceState state);  // "available", "no_effect", "unavailable"

struct DeviceStatus {
  DeviceState state = DeviceState::kUnavailable;
  std::string reason;  // always said
};

// What a row looks at.
struct RowInput {
  const Machine& machine;        // at hand, or described by a file
  const ModelFacts* model;       // null: no model named
  const EngineOptions& options;  // as asked for
};

struct Detection {
  DeviceStatus cpu, mps, cuda;
  std::vector<std::string> evidence;  // "cpuid: avx512_bf16"
  std::string remedy;                 // what would provide what is missing; empty: nothing would

  const DeviceStatus& Of(std::string_view device) const;  // "cpu", "mps", "cuda"
};

// One setting of a row, ready to run.
struct Arm {
  std::string value;      // "True", "high", "int8": as transformers writes it
  bool on = false;        // the off-arm is the one with false; there is exactly one
  EngineOptions options;  // input.options with the row, and only the row, set so
};

struct Estimate {
  int64_t bytes_saved = 0;     // of memory, or of traffic a token: the row's reason says which
  int64_t flops_saved = 0;     // a generated token at the context of the input
  int64_t launches_saved = 0;  // operations a step
};

enum class RowState : uint8_t { kOn, kOff, kUnavailable, kNoEffect };
std::string_view RowStateName(RowState state);  // "on", "off", "unavailable", "no_effect"

// What became of a row: kept by the model, shown by explain.
struct RowOutcome {
  RowState state = RowState::kOff;
  std::string value;   // "True", "bfloat16", "flash_attention_2"
  std::string reason;  // off: who turned it off; unavailable: what is missing
};

struct Optimization {
  int number = 0;
  std::string_view id;
  std::string_view name;      // "KV cache"
  std::string_view on_text;   // what the on-arm does, one line
  std::string_view off_text;  // what the off-arm does, one line
  Detection (*detect)(const RowInput& input);
  // Empty where the row is unavailable on `device` of the input's machine.
  std::vector<Arm> (*arms)(const RowInput& input, std::string_view device);
  // `options` holds what rows before this one decided. kUsage for a value that does not exist.
  Result<RowOutcome> (*apply)(const RowInput& input, std::string_view device,
                              EngineOptions* options);
  Estimate (*estimate)(const RowInput& input);
};

// In the order of the table, which is the order they are applied in.
std::span<const Optimization* const> AllOptimizations();
const Optimization* FindOptimization(std::string_view id);

struct OptimizationReport {
  const Optimization* optimization = nullptr;
  Detection detection;
  RowOutcome outcome;
  Estimate estimate;
};

// The one runner: detect, skip what is disabled, apply, record. `options` comes out as they run.
// kUsage: an unknown id or value; kRunTime: a required row is not on (with the row's reason).
Result<std::vector<OptimizationReport>> RunOptimizations(const Machine& machine,
                                                         const ModelFacts* model,
                                                         std::string_view device,
                                                         EngineOptions* options);

}  // namespace fathom
