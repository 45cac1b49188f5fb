// `fathom bench`: tokens a second of prefill and decode against the machine's roofs.
//
// Each row runs in rounds, a probe of its roof before and after each round of work, because
// machines change their speed from minute to minute: the fraction is the median of the rounds'
// ratios.
//
//   bytes_per_token   what decode must read for a token: the linear weights and the head without
//                     padding (an embedding that is only looked up does not count), shared by the
//                     sequences of a batch, and the cache up to the token's depth (filled with
//                     random keys and values: the text before it is not run)
//   flops_per_token   2 x the linear weights, causal attention, the head for one row a sequence
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/log.h"
#include "fathom/engine.h"
#include "fathom/machine.h"

namespace fathom {

struct BenchOptions {
  std::vector<std::string> phases = {"prefill", "decode"};
  std::vector<int64_t> batches = {1};
  // Prefill: tokens of the prompt (default 512). Decode: tokens in the cache (default 128).
  std::vector<int64_t> contexts;
  int rounds = 7;
  double round_seconds = 0.4;  // of work, at least one step
  double probe_ms = 120;
};

struct BenchRow {
  std::string phase;
  std::string shape;
  std::string dtype;
  std::string head_format;  // "bfloat16 panel16"
  int64_t batch = 1;
  int64_t context = 0;
  double tokens_per_s = 0;
  double tokens_per_s_low = 0, tokens_per_s_high = 0;  // of the rounds
  double bytes_per_token = 0;
  double flops_per_token = 0;
  std::string roof;  // "read_stream", "bf16_peak", "int8_peak", "fp32_peak"
  double roof_value = 0;
  std::string roof_unit;  // "GB/s", "TFLOP/s"
  double fraction_of_roof = 0;
};

// Rows of one loaded model. kRunTime where a fraction comes out above 1.02: then the probe or the
// count is wrong, and the figure is not printed.
Result<std::vector<BenchRow>> BenchModel(std::shared_ptr<const Model> model,
                                         const std::string& shape, const Machine& machine,
                                         const BenchOptions& options, NoticeSink& notices);

// {"machine": {...}, "rows": [...]}
JsonValue BenchToJson(const Machine& machine, const std::vector<BenchRow>& rows);
// A table for a terminal.
std::string BenchToText(const std::vector<BenchRow>& rows);

// What a token of decode must read (see above), at `depth` tokens in the cache.
double DecodeBytesPerToken(const Model& model, int64_t batch, int64_t depth);
// What a token of a prompt of `length` must multiply.
double PrefillFlopsPerToken(const Model& model, int64_t length);

}  // namespace fathom
