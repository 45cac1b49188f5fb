// Beam search: texts and scores as transformers' generate returns them, in every arm; draws with
// the probabilities that drawing without replacement has.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "engine/beam_search.h"
#include "fathom/engine.h"
#include "tests/engine/golden.h"

namespace fathom {
namespace {

using ::testing::HasSubstr;

struct BeamArm {
  std::string name;
  std::string backend = "cpu";
  std::vector<std::string> disabled;
  int64_t chunk_tokens = 64;
};

EngineOptions OptionsOf(const BeamArm& arm) {
  EngineOptions options{.backend = arm.backend, .threads = 1, .dtype = "float32"};
  options.disabled = arm.disabled;
  options.context_length = 192;
  options.chunk_tokens = arm.chunk_tokens;
  options.load_tokenizer = false;
  return options;
}

std::unique_ptr<Engine> EngineOf(const std::string& model, const BeamArm& arm = {}) {
  auto loaded = Model::Load(GoldenPath("models/" + model), OptionsOf(arm), nullptr);
  EXPECT_TRUE(loaded.ok()) << loaded.status().message();
  auto engine = Engine::Create(*std::move(loaded), nullptr);
  EXPECT_TRUE(engine.ok()) << engine.status().message();
  return *std::move(engine);
}

Request RequestOf(const JsonValue& golden) {
  Request request{.prompt_ids = GoldenIds(*golden.Find("ids"))};
  request.num_beams = static_cast<int>(golden.Find("num_beams")->as_int());
  request.num_return_sequences = static_cast<int>(golden.Find("num_return_sequences")->as_int());
  request.max_new_tokens = golden.Find("max_new_tokens")->as_int();
  request.sampling.eos_token_id = GoldenIds(*golden.Find("eos_token_id"));
  for (const auto& [key, value] : golden.Find("settings")->as_object()) {
    if (key == "length_penalty") request.length_penalty = value.as_double();
    if (key == "early_stopping") {
      request.early_stopping = value.is_bool() ? EarlyStopping::kTrue : EarlyStopping::kNever;
    }
    if (key == "repetition_penalty") request.sampling.repetition_penalty = value.as_double();
    if (key == "no_repeat_ngram_size") request.sampling.no_repeat_ngram_size = value.as_int();
    if (key == "min_new_tokens") request.sampling.min_new_tokens = value.as_int();
  }
  return request;
}

class Beams : public testing::TestWithParam<BeamArm> {};

TEST_P(Beams, AreThoseOfGenerate) {
  const JsonValue goldens = ReadGolden(GoldenPath("outputs/beams.json"));
  std::map<std::string, std::unique_ptr<Engine>> engines;
  for (const JsonValue& golden : goldens.Find("cases")->as_array()) {
    const std::string model = golden.Find("model")->as_string();
    // Its cached keys keep the rotation of a shorter text, in transformers too.
    if (model == "llama-dynamic" && GetParam().disabled == std::vector<std::string>{"use_cache"}) {
      continue;
    }
    std::unique_ptr<Engine>& engine = engines[model];
    if (engine == nullptr) engine = EngineOf(model, GetParam());
    const auto results = engine->Generate(RequestOf(golden));
    ASSERT_TRUE(results.ok()) << results.status().message();
    const JsonArray& texts = golden.Find("new_ids")->as_array();
    ASSERT_EQ(results->size(), texts.size());
    const auto eos = GoldenIds(*golden.Find("eos_token_id"));
    for (size_t i = 0; i < texts.size(); ++i) {
      const GeneratedSequence& ours = (*results)[i];
      EXPECT_EQ(ours.ids, GoldenIds(texts[i])) << model << ", text " << i;
      const bool ended = std::ranges::find(eos, ours.ids.back()) != eos.end();
      EXPECT_EQ(ours.finish_reason, ended ? FinishReason::kStop : FinishReason::kLength);
    }
    EXPECT_FALSE(engine->has_work());
  }
}

INSTANTIATE_TEST_SUITE_P(
    Arms, Beams,
    testing::Values(BeamArm{"planned"}, BeamArm{"eager", "cpu", {"compile"}},
                    BeamArm{"no_cache", "cpu", {"use_cache"}},
                    // Each step of the whole text then takes several, and the beams wait.
                    BeamArm{"no_cache_chunks", "cpu", {"use_cache"}, 16},
                    BeamArm{"full_sort", "cpu", {"top_k"}}, BeamArm{"reference", "reference"}),
    [](const auto& info) { return info.param.name; });

TEST(BeamRequests, RunBesideOthers) {
  const auto engine = EngineOf("llama-default");
  Request beams{.prompt_ids = {3, 4, 5}};
  beams.num_beams = beams.num_return_sequences = 3;
  beams.max_new_tokens = 12;
  Request greedy{.prompt_ids = {7, 8}};
  greedy.max_new_tokens = 20;
  const auto alone = engine->Generate(beams);
  const auto greedy_alone = engine->Generate(greedy);
  ASSERT_TRUE(alone.ok() && greedy_alone.ok());
  const RequestId first = *engine->Submit(beams);
  const RequestId second = *engine->Submit(greedy);
  std::map<std::pair<RequestId, int>, std::vector<int32_t>> ids;
  while (engine->has_work()) {
    const auto events = engine->Step();
    ASSERT_TRUE(events.ok());
    for (const StepEvent& event : *events) {
      auto& all = ids[{event.request, event.sequence}];
      all.insert(all.end(), event.new_ids.begin(), event.new_ids.end());
    }
  }
  for (int i = 0; i < 3; ++i) EXPECT_EQ((ids[{first, i}]), (*alone)[i].ids);
  EXPECT_EQ((ids[{second, 0}]), (*greedy_alone)[0].ids);
}

TEST(BeamRequests, CanBeCancelledAndFreeTheirBlocks) {
  const auto engine = EngineOf("llama-default");
  Request request{.prompt_ids = {3, 4, 5}};
  request.num_beams = 4;
  request.max_new_tokens = 40;
  int events = 0;
  const auto results = engine->Generate(request, [&](const StepEvent&) { return ++events < 5; });
  ASSERT_TRUE(results.ok());
  EXPECT_EQ((*results)[0].finish_reason, FinishReason::kCancelled);
  EXPECT_FALSE(engine->has_work());
  // As many again, more often than the cache has room for all.
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(engine->Generate(request).ok());
}

TEST(BeamRequests, BadOnesAreRefused) {
  const auto engine = EngineOf("llama-default");
  const auto refused = [&](auto change) {
    Request request{.prompt_ids = {3}};
    request.num_beams = 2;
    change(request);
    const auto result = engine->Submit(std::move(request));
    return result.ok() ? std::string("accepted") : std::string(result.status().message());
  };
  EXPECT_THAT(refused([](Request& r) { r.num_beams = 0; }), HasSubstr("num_beams: 0"));
  EXPECT_THAT(refused([](Request& r) { r.num_beams = 9; }), HasSubstr("between 1 and 8"));
  EXPECT_THAT(refused([](Request& r) { r.num_return_sequences = 3; }),
              HasSubstr("exceeds num_beams"));
  EXPECT_THAT(refused([](Request& r) {
                r.sampling.do_sample = true;
                r.sampling.typical_p = 0.5;
              }),
              HasSubstr("typical_p"));
  EXPECT_THAT(refused([](Request& r) { r.sampling.eos_token_id.resize(200, 1); }),
              HasSubstr("candidates"));
}

TEST(BeamRequests, DrawsHangOnTheSeedAlone) {
  const auto engine = EngineOf("llama-default");
  Request request{.prompt_ids = {3, 4, 5}};
  request.sampling.do_sample = true;
  request.sampling.temperature = 3;
  request.num_beams = 3;
  request.max_new_tokens = 12;
  std::vector<std::vector<int32_t>> texts;
  for (const uint64_t seed : {1, 1, 2, 3, 4}) {
    request.seed = seed;
    const auto results = engine->Generate(request);
    ASSERT_TRUE(results.ok()) << results.status().message();
    texts.push_back((*results)[0].ids);
  }
  EXPECT_EQ(texts[0], texts[1]);
  EXPECT_FALSE(texts[0] == texts[2] && texts[2] == texts[3] && texts[3] == texts[4]);
}

// One step of one beam looks at two of four tokens; the chance of each pair is that of drawing
// twice without putting back.
// A cutoff that leaves one token leaves two all the same, of which three beams of two each are all
// that can be looked at: nothing is left to chance.
TEST(BeamRequests, CutoffsLeaveTwo) {
  const auto engine = EngineOf("llama-default");
  Request request{.prompt_ids = {3, 4, 5}};
  request.sampling.do_sample = true;
  request.sampling.top_k = 1;
  request.sampling.top_p = 0.01;
  request.num_beams = request.num_return_sequences = 3;
  request.max_new_tokens = 8;
  const auto first = engine->Generate(request);
  ASSERT_TRUE(first.ok()) << first.status().message();
  request.seed = 1;
  request.sampling.top_k = 2;
  const auto second = engine->Generate(request);
  ASSERT_TRUE(second.ok()) << second.status().message();
  for (int i = 0; i < 3; ++i) EXPECT_EQ((*first)[i].ids, (*second)[i].ids);
  EXPECT_NE((*first)[0].ids, (*first)[1].ids);
}

TEST(BeamSearchDraws, FollowTheProbabilities) {
  constexpr std::array<double, 4> kProbabilities = {0.5, 0.25, 0.15, 0.1};
  constexpr int kRuns = 40000;
  std::vector<float> logs;
  for (const double p : kProbabilities) logs.push_back(static_cast<float>(std::log(p)));
  std::map<std::pair<int, int>, int> seen;
  for (int run = 0; run < kRuns; ++run) {
    BeamSearch search(
        {.num_beams = 1, .max_new_tokens = 1, .draw = [&](int, int32_t token, int64_t) {
           return UniformDraw(7, static_cast<uint64_t>(token), static_cast<uint64_t>(run));
         }});
    ScoreRow row;
    row.Assign(logs);
    search.AddRow(0, row);
    std::vector<int> tokens;
    search.Advance([&](int, int32_t token) {
      tokens.push_back(token);
      return false;
    });
    ASSERT_EQ(tokens.size(), 2u);
    ++seen[std::minmax(tokens[0], tokens[1])];
  }
  for (int i = 0; i < 4; ++i) {
    for (int j = i + 1; j < 4; ++j) {
      const double a = kProbabilities[i], b = kProbabilities[j];
      const double chance = a * b / (1 - a) + b * a / (1 - b);
      const double deviation = std::sqrt(kRuns * chance * (1 - chance));
      EXPECT_NEAR((seen[{i, j}]), kRuns * chance, 4 * deviation) << i << ", " << j;
    }
  }
}

TEST(BeamSearchSteps, FillUpWhereTooFewAreLeft) {
  BeamSearch search({.num_beams = 3, .max_new_tokens = 4});
  ScoreRow row;
  const std::vector<float> one_left = {kRemoved, -0.5f, kRemoved};
  row.Assign(one_left);
  search.AddRow(0, row);
  search.Advance([](int, int32_t) { return false; });
  ASSERT_EQ(search.running().size(), 3u);
  EXPECT_EQ(search.running()[0].score, -0.5f);
  EXPECT_LT(search.running()[1].score, -1e8f);
  EXPECT_FALSE(search.done());
}

}  // namespace
}  // namespace fathom
