// The options of every command that generates: transformers' names. What the command line does not
// give comes from generation_config.json, then from generate's defaults.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "fathom/request.h"

namespace fathom {

struct SamplingArguments {
  std::optional<int64_t> max_new_tokens;
  std::optional<int64_t> min_new_tokens;
  std::optional<bool> do_sample;
  std::optional<double> temperature;
  std::optional<int64_t> top_k;
  std::optional<double> top_p;
  std::optional<double> min_p;
  std::optional<double> typical_p;
  std::optional<double> repetition_penalty;
  std::optional<int64_t> no_repeat_ngram_size;
  std::optional<int> num_return_sequences;
  std::optional<int> num_beams;
  std::optional<double> length_penalty;
  std::optional<std::string> early_stopping;
  std::optional<uint64_t> seed;
  std::vector<std::string> stop;
  bool ignore_eos = false;
};

void AddSamplingOptions(CLI::App& app, SamplingArguments& arguments);

// Puts what was given over the request's own values. Without --seed a random one is taken.
void ApplySampling(const SamplingArguments& arguments, Request& request);

}  // namespace fathom
