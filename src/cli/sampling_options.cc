#include "cli/sampling_options.h"

#include <random>

namespace fathom {
namespace {

template <typename From, typename To>
void Override(const std::optional<From>& given, To& value) {
  if (given) value = *given;
}

uint64_t RandomSeed() {
  std::random_device device;
  return uint64_t{device()} << 32 | device();
}

}  // namespace

void AddSamplingOptions(CLI::App& app, SamplingArguments& arguments) {
  app.add_option("--max-new-tokens", arguments.max_new_tokens, "most tokens to generate");
  app.add_option("--min-new-tokens", arguments.min_new_tokens, "no end before so many tokens");
  // Callbacks, since a flag bound to an optional is false, not empty, where it was not given.
  app.add_flag_callback(
      "--do-sample", [&arguments] { arguments.do_sample = true; }, "draw tokens");
  app.add_flag_callback(
      "--no-do-sample", [&arguments] { arguments.do_sample = false; }, "always the likeliest");
  app.add_option("--temperature", arguments.temperature, "divides the scores before drawing");
  app.add_option("--top-k", arguments.top_k, "draw among the k likeliest (0: all)");
  app.add_option("--top-p", arguments.top_p, "draw among the likeliest that add up to p");
  app.add_option("--min-p", arguments.min_p, "drop what is below this share of the likeliest");
  app.add_option("--typical-p", arguments.typical_p,
                 "draw among the most typical that add up to p");
  app.add_option("--repetition-penalty", arguments.repetition_penalty,
                 "divides the scores of tokens that stood already");
  app.add_option("--no-repeat-ngram-size", arguments.no_repeat_ngram_size,
                 "no sequence of so many tokens twice");
  app.add_option("--num-return-sequences", arguments.num_return_sequences,
                 "answers to one prompt (needs --do-sample or --num-beams)")
      ->check(CLI::Range(1, 256));
  app.add_option("--num-beams", arguments.num_beams,
                 "beam search with so many beams; the answer comes when it is whole")
      ->check(CLI::Range(1, 256));
  app.add_option("--length-penalty", arguments.length_penalty,
                 "beam search: exponent of the length by which scores are divided (default: 1)");
  app.add_option("--early-stopping", arguments.early_stopping,
                 "beam search: true ends it with num_beams finished answers, never once none can "
                 "get better (default: false)")
      ->check(CLI::IsMember({"true", "false", "never"}));
  app.add_option("--seed", arguments.seed, "seed of the draws (default: a random one)");
  app.add_option("--stop", arguments.stop, "end before this text (may be given several times)");
  app.add_flag("--ignore-eos", arguments.ignore_eos, "go on past the end-of-text token");
}

void ApplySampling(const SamplingArguments& arguments, Request& request) {
  SamplingParams& sampling = request.sampling;
  // A sampling value on the command line asks for sampling, as people expect of --temperature 0.8;
  // --no-do-sample wins.
  if (arguments.temperature || arguments.top_k || arguments.top_p || arguments.min_p ||
      arguments.typical_p) {
    sampling.do_sample = true;
  }
  Override(arguments.do_sample, sampling.do_sample);
  Override(arguments.temperature, sampling.temperature);
  Override(arguments.top_k, sampling.top_k);
  Override(arguments.top_p, sampling.top_p);
  if (arguments.min_p) sampling.min_p = *arguments.min_p;
  Override(arguments.typical_p, sampling.typical_p);
  Override(arguments.repetition_penalty, sampling.repetition_penalty);
  Override(arguments.no_repeat_ngram_size, sampling.no_repeat_ngram_size);
  Override(arguments.min_new_tokens, sampling.min_new_tokens);
  if (arguments.max_new_tokens) request.max_new_tokens = *arguments.max_new_tokens;
  Override(arguments.num_return_sequences, request.num_return_sequences);
  Override(arguments.num_beams, request.num_beams);
  Override(arguments.length_penalty, request.length_penalty);
  if (arguments.early_stopping)
    request.early_stopping = ParseEarlyStopping(*arguments.early_stopping);
  for (const std::string& stop : arguments.stop) request.stop_strings.push_back(stop);
  request.ignore_eos = arguments.ignore_eos;
  request.seed = arguments.seed ? *arguments.seed : RandomSeed();
}

}  // namespace fathom
