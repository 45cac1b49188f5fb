// Optimization: one row of the table. One file a row defines the record; order.cc lists them by
// hand. A row changes EngineOptions and nothing else: the plan builder and the backends obey those.
//
//   detect    can it work on each kind of device, for this model, and how is that known
//   arms      the settings that can be compared: what it is when on (several for dtype), when off
//   apply     options as asked for -> options as they run; the row's state with its reason
//   estimate  what it saves by the shapes alone; never a speed: that is measured
//
// Everything a person reads comes in the language of the input.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/language.h"
#include "fathom/machine.h"
#include "fathom/options.h"
#include "fathom/status.h"
#include "optimizations/model_facts.h"

namespace fathom {

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
  Language language = Language::kEnglish;
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

// The speeds that a row can move. Another one that differed between its arms is noise, or a fault
// of ours; `measure` judges a row by these.
struct Figures {
  bool prefill = true, decode = true, load = true;
  bool tokenize = false;  // text to ids
  bool sampling = false;  // logits to the next id

  int count() const { return prefill + decode + load + tokenize + sampling; }
  friend bool operator==(const Figures&, const Figures&) = default;
};

struct Optimization {
  int number = 0;
  std::string_view id;
  Words name;      // "KV cache"
  Words on_text;   // what the on-arm does, one line
  Words off_text;  // what the off-arm does, one line
  Detection (*detect)(const RowInput& input);
  // The off-arm first. Empty where the row is unavailable on `device` of the input's machine.
  std::vector<Arm> (*arms)(const RowInput& input, std::string_view device);
  // `options` holds what rows applied before this one decided. kUsage for a value that does not
  // exist, or that contradicts another option (the message names both).
  Result<RowOutcome> (*apply)(const RowInput& input, std::string_view device,
                              EngineOptions* options);
  Estimate (*estimate)(const RowInput& input);
  Figures acts_on = {};
};

// In the order of the table.
std::span<const Optimization* const> AllOptimizations();
// In the order in which they are applied: what is decided first is what others hang on (order.cc).
std::span<const Optimization* const> ApplicationOrder();
// Null where there is none of this id.
const Optimization* FindOptimization(std::string_view id);

struct OptimizationReport {
  const Optimization* optimization = nullptr;
  Detection detection;
  RowOutcome outcome;
  Estimate estimate;
};

// Ids and values of `options` that do not exist, contradictions among them: kUsage. What can be
// said before any file is read.
Status CheckOptionValues(const EngineOptions& options);
// kUsage: no name of a device; kRunTime: none such is here, or this build has no backend for it.
Status CheckDevice(const EngineOptions& options);

// The one runner: detect, skip what is disabled, apply, verify, record; in the order of the table.
// `options` comes out as they run. kUsage: an unknown id or value, two that contradict each other;
// kRunTime: a required row is not on (with the row's reason).
Result<std::vector<OptimizationReport>> RunOptimizations(const Machine& machine,
                                                         const ModelFacts* model,
                                                         std::string_view device,
                                                         EngineOptions* options,
                                                         Language language = Language::kEnglish);

// A sentence for each row that `asked` wants on, by --enable or by a value, and that is not.
std::vector<std::string> UnmetWishes(const EngineOptions& asked,
                                     std::span<const OptimizationReport> reports);

}  // namespace fathom
