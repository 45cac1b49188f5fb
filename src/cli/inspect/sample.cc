#include <fmt/format.h>

#include <memory>

#include "base/json.h"
#include "cli/inspect/inspect.h"
#include "cli/model_options.h"
#include "cli/npy.h"
#include "cli/terminal.h"
#include "fathom/sampling.h"

namespace fathom {
namespace {

struct SampleArguments {
  std::string logits;
  std::string config;
  std::string ids;
  int64_t prompt_length = -1;  // -1: all ids are the prompt
  std::vector<std::string> disabled;
};

std::string LineOf(const TokenDistribution& distribution) {
  JsonArray probs;
  for (const float p : distribution.probs) probs.push_back(static_cast<double>(p));
  return WriteJson(JsonObject{{"ids", JsonArray(distribution.ids.begin(), distribution.ids.end())},
                              {"probs", std::move(probs)}}) +
         "\n";
}

Status CheckIds(const std::vector<int32_t>& ids, int64_t vocab_size) {
  for (const int32_t id : ids) {
    if (id >= vocab_size) {
      return Status::Usage("--ids", fmt::format("{}", id),
                           fmt::format("ids are below {}, the number of scores", vocab_size));
    }
  }
  return Status::Ok();
}

Status Sample(const SampleArguments& arguments) {
  FATHOM_ASSIGN(const NpyMatrix logits, ReadNpy(arguments.logits));
  std::vector<int32_t> ids;
  if (!arguments.ids.empty()) {
    FATHOM_ASSIGN(ids, ParseIds(arguments.ids, "--ids"));
  }
  FATHOM_TRY(CheckIds(ids, logits.columns));
  const auto count = static_cast<int64_t>(ids.size());
  const int64_t prompt_length = arguments.prompt_length < 0 ? count : arguments.prompt_length;
  if (prompt_length > count) {
    return Status::Usage("--prompt-length", fmt::format("{}", prompt_length),
                         fmt::format("there are {} ids", count));
  }
  FATHOM_ASSIGN(const SamplingParams params, ReadSamplingParams(arguments.config, prompt_length));
  FATHOM_TRY(ValidateSampling(params, logits.columns));
  const SamplingArm arm = EngineOptions::Contains(arguments.disabled, "top_k")
                              ? SamplingArm::kFullSort
                              : SamplingArm::kPartial;
  for (int64_t row = 0; row < logits.rows; ++row) {
    const std::span<const float> scores(logits.values.data() + row * logits.columns,
                                        static_cast<size_t>(logits.columns));
    FATHOM_ASSIGN(const TokenDistribution kept,
                  ComputeDistribution(scores, params, ids, prompt_length, arm));
    FATHOM_TRY(WriteOut(LineOf(kept)));
  }
  return Status::Ok();
}

}  // namespace

CommandAction SetupInspectSample(CLI::App& app) {
  auto arguments = std::make_shared<SampleArguments>();
  app.add_option("--logits", arguments->logits, "a .npy file of scores: [rows, vocabulary]")
      ->required();
  app.add_option("--config", arguments->config, "a generation_config.json")->required();
  app.add_option("--ids", arguments->ids, "prompt and generated tokens so far: 1,2,3");
  app.add_option("--prompt-length", arguments->prompt_length, "how many of them are the prompt")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--disable", arguments->disabled, "top_k: sort the whole vocabulary")
      ->check(CLI::IsMember({"top_k"}));
  return [arguments] { return Sample(*arguments); };
}

}  // namespace fathom
