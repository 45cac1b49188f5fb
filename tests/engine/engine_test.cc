// The engine's promises, on golden models: what a text says depends on its own request alone, not
// on its neighbours, the size of chunks, or the cache; every failure is one request's.
#include "fathom/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>

#include "base/log.h"
#include "checkpoint/checkpoint.h"
#include "graph/graph.h"
#include "tests/engine/golden.h"

namespace fathom {
namespace {

using ::testing::HasSubstr;

EngineOptions SmallOptions(std::string backend = "cpu") {
  EngineOptions options{.backend = std::move(backend), .threads = 1, .dtype = "float32"};
  options.context_length = 192;
  options.chunk_tokens = 64;
  options.load_tokenizer = false;
  return options;
}

std::unique_ptr<Engine> MustCreate(const std::string& folder, const EngineOptions& options) {
  auto model = Model::Load(folder, options, nullptr);
  EXPECT_TRUE(model.ok()) << model.status().message();
  if (!model.ok()) return nullptr;
  auto engine = Engine::Create(*model, nullptr);
  EXPECT_TRUE(engine.ok()) << engine.status().message();
  return engine.ok() ? *std::move(engine) : nullptr;
}

std::unique_ptr<Engine> Open(const std::string& name, const EngineOptions& options) {
  return MustCreate(GoldenPath("models/" + name), options);
}

std::vector<int32_t> MakePrompt(int64_t size, int seed = 1) {
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < size; ++i)
    ids.push_back(static_cast<int32_t>((i * 7 + seed * 13) % 60 + 3));
  return ids;
}

Request MakeRequest(int64_t prompt_size, int seed, bool sample) {
  Request request{.prompt_ids = MakePrompt(prompt_size, seed)};
  request.max_new_tokens = 20;
  request.ignore_eos = true;
  request.seed = static_cast<uint64_t>(seed);
  request.sampling.do_sample = sample;
  request.sampling.temperature = 1.5;
  return request;
}

std::vector<int32_t> Answer(Engine& engine, const Request& request) {
  const auto results = engine.Generate(request);
  EXPECT_TRUE(results.ok()) << results.status().message();
  return results.ok() ? (*results)[0].ids : std::vector<int32_t>{};
}

std::vector<float> Logits(Engine& engine, std::span<const int32_t> ids) {
  std::vector<float> logits;
  const Status status = engine.Score(ids, [&](int64_t first, std::span<const float> rows) {
    EXPECT_EQ(first * engine.model().vocab_size(), static_cast<int64_t>(logits.size()));
    logits.insert(logits.end(), rows.begin(), rows.end());
  });
  EXPECT_TRUE(status.ok()) << status.message();
  return logits;
}

class EngineOnModels : public testing::TestWithParam<const char*> {};

TEST_P(EngineOnModels, ATextIsTheSameAloneAndAmongOthers) {
  const auto engine = Open(GetParam(), SmallOptions());
  ASSERT_NE(engine, nullptr);
  std::vector<Request> requests;
  for (int i = 0; i < 12; ++i) requests.push_back(MakeRequest(1 + i * 11, i, i % 2 == 1));
  std::vector<std::vector<int32_t>> alone, together(requests.size());
  for (const Request& request : requests) alone.push_back(Answer(*engine, request));
  RequestId first = 0;
  for (const Request& request : requests) {
    const auto id = engine->Submit(request);
    ASSERT_TRUE(id.ok());
    if (first == 0) first = *id;
  }
  while (engine->has_work()) {
    const auto events = engine->Step();
    ASSERT_TRUE(events.ok());
    for (const StepEvent& event : *events) {
      auto& ids = together[event.request - first];
      ids.insert(ids.end(), event.new_ids.begin(), event.new_ids.end());
    }
  }
  for (size_t i = 0; i < requests.size(); ++i) EXPECT_EQ(alone[i], together[i]) << i;
}

TEST_P(EngineOnModels, ChunksChangeNothing) {
  const auto ids = MakePrompt(130);
  std::vector<float> whole;
  std::vector<int32_t> greedy, drawn;
  for (const int64_t chunk : {256, 1, 7, 64}) {
    EngineOptions options = SmallOptions();
    options.chunk_tokens = chunk;
    const auto engine = Open(GetParam(), options);
    ASSERT_NE(engine, nullptr);
    const auto logits = Logits(*engine, ids);
    const auto answer = Answer(*engine, MakeRequest(130, 3, false));
    const auto draws = Answer(*engine, MakeRequest(130, 3, true));
    if (chunk == 256) {
      whole = logits;
      greedy = answer;
      drawn = draws;
      continue;
    }
    ASSERT_EQ(logits.size(), whole.size());
    // The order of sums may differ from bucket to bucket: a few ulp of the largest logit.
    const auto abs_less = [](float a, float b) { return std::abs(a) < std::abs(b); };
    const double limit = 1e-5 * std::abs(*std::ranges::max_element(whole, abs_less));
    for (size_t i = 0; i < logits.size(); ++i) ASSERT_NEAR(logits[i], whole[i], limit);
    EXPECT_EQ(answer, greedy) << "chunks of " << chunk;
    EXPECT_EQ(draws, drawn) << "chunks of " << chunk;
  }
}

TEST_P(EngineOnModels, RecomputingThePrefixGivesTheSameIds) {
  const auto engine = Open(GetParam(), SmallOptions());
  ASSERT_NE(engine, nullptr);
  if (engine->model().graph().cache_depends_on_length) {
    GTEST_SKIP() << "its cached keys keep the rotation that they got";
  }
  for (const bool sample : {false, true}) {
    Request request = MakeRequest(40, 5, sample);
    const auto cached = Answer(*engine, request);
    request.use_cache = false;
    EXPECT_EQ(Answer(*engine, request), cached);
  }
  EngineOptions options = SmallOptions();
  options.disabled = {"use_cache"};
  const auto without = Open(GetParam(), options);
  EXPECT_EQ(Answer(*without, MakeRequest(40, 5, false)),
            Answer(*engine, MakeRequest(40, 5, false)));
  EXPECT_GT(without->stats().prompt_tokens, 20 * 40);
  EXPECT_EQ(without->stats().decode_tokens, 0);
}

TEST_P(EngineOnModels, SequencesOfOneRequestShareThePromptAndDrawTheirOwn) {
  const auto engine = Open(GetParam(), SmallOptions());
  ASSERT_NE(engine, nullptr);
  Request request = MakeRequest(45, 9, true);
  const auto single = Answer(*engine, request);
  const int64_t before = engine->stats().prompt_tokens;
  request.num_return_sequences = 4;
  const auto results = engine->Generate(request);
  ASSERT_TRUE(results.ok()) << results.status().message();
  EXPECT_EQ(engine->stats().prompt_tokens - before, 45) << "the prompt runs once";
  ASSERT_EQ(results->size(), 4u);
  EXPECT_EQ((*results)[0].ids, single);
  for (size_t i = 0; i < 4; ++i) {
    for (size_t k = 0; k < i; ++k) EXPECT_NE((*results)[i].ids, (*results)[k].ids);
  }
  if (engine->model().graph().cache_depends_on_length) return;
  // Each id again, from the logits of its whole text run anew and its own draw: the forked cache
  // said the same.
  const auto vocab = static_cast<size_t>(engine->model().vocab_size());
  for (uint64_t i = 0; i < 4; ++i) {
    auto text = request.prompt_ids;
    const auto& ids = (*results)[i].ids;
    ASSERT_EQ(ids.size(), 20u);
    text.insert(text.end(), ids.begin(), ids.end());
    const auto logits = Logits(*engine, text);
    for (size_t at = 45; at < text.size(); ++at) {
      const auto distribution =
          ComputeDistribution(std::span<const float>(logits).subspan((at - 1) * vocab, vocab),
                              request.sampling, std::span<const int32_t>(text).first(at), 45);
      ASSERT_TRUE(distribution.ok());
      EXPECT_EQ(PickToken(*distribution, UniformDraw(request.seed, i, at)), text[at]);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, EngineOnModels,
                         testing::Values("llama-default", "llama-dynamic", "llama-longrope",
                                         "llama-mqa", "qwen2-window", "qwen2-window-all"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

TEST(Engine, SamplerArmsDrawTheSame) {
  EngineOptions options = SmallOptions();
  const auto partial = Open("llama-default", options);
  options.disabled = {"top_k"};
  const auto sorted = Open("llama-default", options);
  for (int seed = 0; seed < 5; ++seed) {
    Request request = MakeRequest(7, seed, true);
    request.sampling.top_k = 5 + seed;
    request.sampling.top_p = 0.9;
    EXPECT_EQ(Answer(*partial, request), Answer(*sorted, request));
  }
}

TEST(Engine, LoadingArmsAndMemoryArmsAgree) {
  EngineOptions options = SmallOptions();
  const auto ids = MakePrompt(30);
  const auto usual = Logits(*Open("qwen2-untied", options), ids);
  options.disabled = {"low_cpu_mem_usage", "inference_mode"};
  EXPECT_EQ(Logits(*Open("qwen2-untied", options), ids), usual);
}

TEST(Engine, EosEndsAText) {
  const auto engine = Open("llama-default", SmallOptions());
  Request request = MakeRequest(7, 2, false);
  const auto ids = Answer(*engine, request);
  ASSERT_EQ(ids.size(), 20u);
  // The first place where the sixth id stands is where it must end.
  request.ignore_eos = false;
  int32_t never = 0;  // an eos that does not come
  while (std::ranges::find(ids, never) != ids.end()) ++never;
  request.sampling.eos_token_id = {never, ids[5]};
  const auto results = engine->Generate(request);
  ASSERT_TRUE(results.ok());
  const size_t place = std::ranges::find(ids, ids[5]) - ids.begin();
  EXPECT_EQ((*results)[0].finish_reason, FinishReason::kStop);
  EXPECT_EQ((*results)[0].ids, std::vector<int32_t>(ids.begin(), ids.begin() + place + 1));
  // min_new_tokens forbids it before.
  request.sampling.min_new_tokens = 10;
  const auto longer = Answer(*engine, request);
  EXPECT_GE(longer.size(), 10u);
  EXPECT_EQ(std::ranges::find(longer.begin(), longer.begin() + 9, ids[5]), longer.begin() + 9);
}

TEST(Engine, LengthsAreThoseOfGenerate) {
  const auto engine = Open("llama-minimal", SmallOptions());
  Request request{.prompt_ids = MakePrompt(5)};
  request.ignore_eos = true;
  EXPECT_EQ(Answer(*engine, request).size(), 20u);
  request.max_length = 12;
  EXPECT_EQ(Answer(*engine, request).size(), 7u);
  request.max_new_tokens = 3;
  EXPECT_EQ(Answer(*engine, request).size(), 3u);
  request.max_new_tokens.reset();
  request.until_context = true;
  const auto results = engine->Generate(request);
  ASSERT_TRUE(results.ok());
  EXPECT_EQ((*results)[0].ids.size(), 187u);
  EXPECT_EQ((*results)[0].finish_reason, FinishReason::kLength);
  request.until_context = false;
  request.max_length = 5;
  EXPECT_EQ(engine->Submit(request).status().code(), StatusCode::kUsage);
}

TEST(Engine, ThePromptIsNeverCut) {
  const auto engine = Open("llama-default", SmallOptions());
  for (const int64_t size : {192, 193, 1920}) {
    const auto refused = engine->Submit(MakeRequest(size, 1, false));
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.status().code(), StatusCode::kRunTime);
    EXPECT_THAT(refused.status().message(), HasSubstr(std::to_string(size)));
    EXPECT_THAT(refused.status().message(), HasSubstr("192"));
  }
  EXPECT_EQ(Answer(*engine, MakeRequest(191, 1, false)).size(), 1u);
  EXPECT_EQ(Logits(*engine, MakePrompt(192)).size(), 192u * 80);
  EXPECT_EQ(engine->Score(MakePrompt(193), {}).code(), StatusCode::kRunTime);
}

TEST(Engine, RefusesBadRequests) {
  const auto engine = Open("llama-default", SmallOptions());
  const auto code = [&](auto change) {
    Request request = MakeRequest(5, 1, true);
    change(request);
    return engine->Submit(request).status().code();
  };
  EXPECT_EQ(code([](Request& r) { r.prompt_ids = {}; }), StatusCode::kUsage);
  EXPECT_EQ(code([](Request& r) { r.prompt_ids = {3, 80}; }), StatusCode::kUsage);
  EXPECT_EQ(code([](Request& r) { r.prompt_ids = {-1}; }), StatusCode::kUsage);
  EXPECT_EQ(code([](Request& r) { r.max_new_tokens = 0; }), StatusCode::kUsage);
  EXPECT_EQ(code([](Request& r) { r.sampling.temperature = 0; }), StatusCode::kUsage);
  EXPECT_EQ(code([](Request& r) { r.num_return_sequences = 0; }), StatusCode::kUsage);
  EXPECT_EQ(code([](Request& r) { r.num_return_sequences = 9; }), StatusCode::kUsage);
  EXPECT_EQ(code([](Request& r) { r.num_return_sequences = 2, r.sampling.do_sample = false; }),
            StatusCode::kUsage);
  EXPECT_EQ(code([](Request& r) { r.stop_strings = {"x"}; }), StatusCode::kUsage);
  EXPECT_FALSE(engine->has_work());
}

TEST(Engine, RequestsWaitForBlocksAndNoneIsLost) {
  EngineOptions options = SmallOptions();
  const auto roomy = Open("llama-default", options);
  std::vector<std::vector<int32_t>> expected;
  for (int i = 0; i < 10; ++i) expected.push_back(Answer(*roomy, MakeRequest(20 + 9 * i, i, true)));
  // Blocks for one sequence of the context and a half: few requests run at once.
  options.cache_bytes = roomy->model().memory().cache_bytes_per_token * 32 * 9;
  const auto tight = Open("llama-default", options);
  RequestId first = 0;
  for (int i = 0; i < 10; ++i) {
    const auto id = tight->Submit(MakeRequest(20 + 9 * i, i, true));
    ASSERT_TRUE(id.ok());
    if (i == 0) first = *id;
  }
  std::vector<std::vector<int32_t>> answers(10);
  for (int steps = 0; tight->has_work(); ++steps) {
    ASSERT_LT(steps, 1000);
    const auto events = tight->Step();
    ASSERT_TRUE(events.ok());
    for (const StepEvent& event : *events) {
      auto& ids = answers[event.request - first];
      ids.insert(ids.end(), event.new_ids.begin(), event.new_ids.end());
    }
  }
  EXPECT_EQ(answers, expected);
  Request many = MakeRequest(100, 1, true);
  many.num_return_sequences = 3;
  EXPECT_EQ(tight->Submit(many).status().code(), StatusCode::kRunTime);
}

TEST(Engine, ContextIsWhatTheCacheHolds) {
  EngineOptions options = SmallOptions();
  options.cache_bytes = Open("llama-default", options)->model().memory().cache_bytes_per_token * 70;
  const auto model = Model::Load(GoldenPath("models/llama-default"), options, nullptr);
  ASSERT_TRUE(model.ok());
  NoticeList notices;
  const auto engine = Engine::Create(*model, &notices);
  ASSERT_TRUE(engine.ok());
  const auto told = notices.Take();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_THAT(told[0].text, HasSubstr("64 tokens"));
  EXPECT_FALSE((*engine)->Submit(MakeRequest(64, 1, false)).ok());
  EXPECT_EQ(Answer(**engine, MakeRequest(60, 1, false)).size(), 4u);
  options.cache_bytes = 1;
  const auto none = Model::Load(GoldenPath("models/llama-default"), options, nullptr);
  ASSERT_TRUE(none.ok());
  EXPECT_EQ(Engine::Create(*none, nullptr).status().code(), StatusCode::kRunTime);
}

TEST(Engine, CancelFreesEverything) {
  EngineOptions options = SmallOptions();
  options.max_sequences = 3;
  const auto engine = Open("llama-default", options);
  const auto expected = Answer(*engine, MakeRequest(50, 7, true));
  for (int round = 0; round < 30; ++round) {
    Request several = MakeRequest(50 + round, round, true);
    several.num_return_sequences = 3;
    const auto first = engine->Submit(several);
    const auto second = engine->Submit(MakeRequest(10, round, false));
    ASSERT_TRUE(first.ok() && second.ok());
    for (int step = 0; step < round % 5; ++step) ASSERT_TRUE(engine->Step().ok());
    engine->Cancel(*second);
    engine->Cancel(*first);
    engine->Cancel(*first);
    EXPECT_FALSE(engine->has_work());
  }
  // No block and no place is lost.
  Request all = MakeRequest(50, 7, true);
  all.num_return_sequences = 3;
  const auto results = engine->Generate(all);
  ASSERT_TRUE(results.ok());
  EXPECT_EQ((*results)[0].ids, expected);
  int seen = 0;
  const auto stopped = engine->Generate(all, [&](const StepEvent&) { return ++seen < 10; });
  ASSERT_TRUE(stopped.ok());
  EXPECT_EQ((*stopped)[2].finish_reason, FinishReason::kCancelled);
  EXPECT_FALSE(engine->has_work());
}

// For benchmarks: the prompt's place in the cache is random and only its last token runs.
TEST(Engine, StartsAtDepthWithoutRunningThePrompt) {
  const auto answer = [](uint64_t seed) {
    const auto engine = Open("llama-default", SmallOptions());
    const auto id = engine->SubmitAtDepth(MakeRequest(70, 1, true), seed);
    EXPECT_TRUE(id.ok()) << id.status().message();
    std::vector<int32_t> ids;
    while (engine->has_work()) {
      const auto events = engine->Step();
      EXPECT_TRUE(events.ok());
      if (!events.ok()) break;
      for (const StepEvent& event : *events) {
        ids.insert(ids.end(), event.new_ids.begin(), event.new_ids.end());
      }
    }
    EXPECT_EQ(engine->stats().prompt_tokens, 1);
    EXPECT_EQ(engine->stats().decode_tokens, 19);
    return ids;
  };
  const std::vector<int32_t> ids = answer(1);
  EXPECT_EQ(ids.size(), 20u);
  EXPECT_EQ(ids, answer(1));
  EXPECT_NE(ids, answer(2));
}

// A prompt that begins as a finished text starts behind whole blocks of it, and says the same.
TEST(Engine, KeptPrefixesChangeNoText) {
  const auto fresh = Open("llama-default", SmallOptions());
  const auto engine = Open("llama-default", SmallOptions());
  engine->KeepPrefixes(true);
  const auto generate = [&](Engine& with, const Request& request) {
    auto results = with.Generate(request);
    EXPECT_TRUE(results.ok()) << results.status().message();
    return results.ok() ? (*results)[0] : GeneratedSequence{};
  };
  Request request = MakeRequest(50, 3, false);
  const auto first = generate(*engine, request);
  EXPECT_EQ(first.timings.reused_tokens, 0);
  EXPECT_EQ(first.ids, generate(*fresh, request).ids);
  // 50 + 19 tokens are in the cache: two blocks.
  request.prompt_ids.insert(request.prompt_ids.end(), first.ids.begin(), first.ids.end());
  request.prompt_ids.push_back(7);
  const int64_t before = engine->stats().prompt_tokens;
  const auto second = generate(*engine, request);
  EXPECT_EQ(second.timings.reused_tokens, 64);
  EXPECT_EQ(engine->stats().prompt_tokens - before, 71 - 64);
  EXPECT_EQ(second.ids, generate(*fresh, request).ids);
  // The last id of a prompt always runs, and another beginning shares nothing.
  request.prompt_ids.resize(64);
  EXPECT_EQ(generate(*engine, request).timings.reused_tokens, 32);
  request.prompt_ids[0] ^= 1;
  EXPECT_EQ(generate(*engine, request).timings.reused_tokens, 0);
  request.prompt_ids[0] ^= 1;
  request.use_cache = false;
  EXPECT_EQ(generate(*engine, request).timings.reused_tokens, 0);
  request.use_cache = true;
  engine->KeepPrefixes(false);
  EXPECT_EQ(generate(*engine, request).timings.reused_tokens, 0);
}

// Kept blocks give way to texts that need the room.
TEST(Engine, KeptPrefixesAreEvicted) {
  EngineOptions options = SmallOptions();
  options.max_sequences = 2;
  const auto fresh = Open("llama-default", options);
  const auto engine = Open("llama-default", options);
  engine->KeepPrefixes(true);
  for (int seed = 0; seed < 20; ++seed) {
    const Request request = MakeRequest(150, seed, true);
    EXPECT_EQ(Answer(*engine, request), Answer(*fresh, request)) << seed;
  }
}

TEST(Engine, GenerateKeepsTheEventsOfOthers) {
  const auto engine = Open("llama-default", SmallOptions());
  const auto expected = Answer(*engine, MakeRequest(9, 4, true));
  const auto id = engine->Submit(MakeRequest(9, 4, true));
  ASSERT_TRUE(id.ok());
  Answer(*engine, MakeRequest(30, 6, false));
  std::vector<int32_t> ids;
  while (engine->has_work()) {
    const auto events = engine->Step();
    ASSERT_TRUE(events.ok());
    for (const StepEvent& event : *events) {
      EXPECT_EQ(event.request, *id);
      ids.insert(ids.end(), event.new_ids.begin(), event.new_ids.end());
    }
  }
  EXPECT_EQ(ids, expected);
}

// A copy of a golden model whose files a test may change.
class ModelCopy {
 public:
  ModelCopy(const std::string& golden, const std::string& name)
      : folder_(testing::TempDir() + "fathom_" + name) {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    for (const auto& entry : std::filesystem::directory_iterator(GoldenPath("models/" + golden))) {
      const auto file = entry.path().filename().string();
      if (file.ends_with(".npy") || file == "golden.json") continue;
      std::filesystem::copy_file(entry.path(), folder_ + "/" + file);
    }
  }
  ~ModelCopy() { std::filesystem::remove_all(folder_); }

  const std::string& folder() const { return folder_; }
  void SetConfig(std::string_view key, JsonValue value) {
    JsonValue config = ReadGolden(folder_ + "/config.json");
    config.Set(key, std::move(value));
    std::ofstream(folder_ + "/config.json") << WriteJson(config);
  }
  // Writes bytes into a tensor of model.safetensors.
  void Patch(const std::string& tensor, int64_t offset, const std::string& bytes) {
    uint64_t place = 0;
    {
      const auto checkpoint = Checkpoint::Open(folder_);
      ASSERT_TRUE(checkpoint.ok());
      ASSERT_NE(checkpoint->Find(tensor), nullptr);
      place = checkpoint->Find(tensor)->offset + static_cast<uint64_t>(offset);
    }
    std::fstream file(folder_ + "/model.safetensors",
                      std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(place));
    file << bytes;
  }
  // Replaces `from` by `to` at the beginning of every tensor's name.
  void Rename(const std::string& from, const std::string& to) {
    const std::string path = folder_ + "/model.safetensors";
    const auto file = ReadTextFile(path);
    ASSERT_TRUE(file.ok());
    uint64_t size = 0;
    std::memcpy(&size, file->data(), sizeof(size));
    std::string header = file->substr(8, size);
    for (size_t at = header.find('"' + from); at != header.npos;
         at = header.find('"' + from, at + to.size() + 1)) {
      header.replace(at + 1, from.size(), to);
    }
    while (header.size() % 8 != 0) header += ' ';
    const uint64_t new_size = header.size();
    std::ofstream out(path, std::ios::binary);
    out.write(reinterpret_cast<const char*>(&new_size), sizeof(new_size));
    out << header << file->substr(8 + size);
  }
  Status LoadStatus() const { return Model::Load(folder_, SmallOptions(), nullptr).status(); }

 private:
  std::string folder_;
};

TEST(Engine, ANanFailsItsOwnRequestAlone) {
  ModelCopy copy("qwen2-untied", "nan");
  const int32_t poisoned = 11;
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const auto shape_probe = Checkpoint::Open(copy.folder());
  ASSERT_TRUE(shape_probe.ok());
  const CheckpointTensor* table = shape_probe->Find("model.embed_tokens.weight");
  ASSERT_NE(table, nullptr);
  ASSERT_EQ(table->dtype, DType::kF32);
  const int64_t row_bytes = table->shape[1] * 4;
  copy.Patch("model.embed_tokens.weight", poisoned * row_bytes,
             std::string(reinterpret_cast<const char*>(&nan), 4));
  NoticeList notices;
  const auto model = Model::Load(copy.folder(), SmallOptions(), &notices);
  ASSERT_TRUE(model.ok()) << model.status().message();
  bool warned = false;
  for (const Notice& notice : notices.Take()) {
    warned |= notice.text.find("model.embed_tokens.weight holds NaN") != std::string::npos;
  }
  EXPECT_TRUE(warned);
  const auto engine = Engine::Create(*model, nullptr);
  ASSERT_TRUE(engine.ok());
  Request good{.prompt_ids = {3, 4, 5}}, bad{.prompt_ids = {3, poisoned, 5}};
  good.ignore_eos = bad.ignore_eos = true;
  const auto expected = Answer(**engine, good);
  const auto good_id = (*engine)->Submit(good);
  const auto bad_id = (*engine)->Submit(bad);
  std::vector<int32_t> ids;
  bool failed = false;
  while ((*engine)->has_work()) {
    const auto events = (*engine)->Step();
    ASSERT_TRUE(events.ok()) << events.status().message();
    for (const StepEvent& event : *events) {
      if (event.request == *good_id) {
        ids.insert(ids.end(), event.new_ids.begin(), event.new_ids.end());
      } else {
        EXPECT_EQ(event.request, *bad_id);
        EXPECT_EQ(event.finish_reason, FinishReason::kError);
        EXPECT_EQ(event.status.code(), StatusCode::kRunTime);
        EXPECT_THAT(event.status.message(), HasSubstr("not finite"));
        failed = true;
      }
    }
  }
  EXPECT_TRUE(failed);
  // A greedy text of a sane prompt may draw the poisoned token itself; this one does not.
  EXPECT_EQ(ids, expected);
  EXPECT_EQ(ids.size(), 20u);
}

TEST(ModelLoad, NamesTheTensorThatContradictsTheConfig) {
  struct Case {
    const char* key;
    JsonValue value;
    const char* expected;
  };
  const Case cases[] = {
      {"num_hidden_layers", 3, "model.layers.2."},      {"num_hidden_layers", 1, "model.layers.1."},
      {"vocab_size", 81, "model.embed_tokens.weight"},  {"intermediate_size", 55, "mlp."},
      {"tie_word_embeddings", false, "lm_head.weight"}, {"num_key_value_heads", 4, "k_proj"},
  };
  for (const Case& test : cases) {
    ModelCopy copy("llama-default", "shapes");
    copy.SetConfig(test.key, test.value);
    const Status status = copy.LoadStatus();
    EXPECT_EQ(status.code(), StatusCode::kBadFile) << test.key;
    EXPECT_THAT(status.message(), HasSubstr(test.expected)) << test.key;
  }
}

TEST(ModelLoad, FindsTensorsUnderEveryNameThatTransformersTakes) {
  const auto ids = MakePrompt(10);
  const auto expected = Logits(*Open("llama-default", SmallOptions()), ids);
  for (const char* prefix : {"", "model.language_model.", "language_model.model."}) {
    ModelCopy copy("llama-default", "names");
    copy.Rename("model.", prefix);
    EXPECT_EQ(Logits(*MustCreate(copy.folder(), SmallOptions()), ids), expected) << prefix;
  }
  // A tied head alone, without the embedding.
  ModelCopy copy("llama-default", "names");
  copy.Rename("model.embed_tokens.", "lm_head.");
  EXPECT_EQ(Logits(*MustCreate(copy.folder(), SmallOptions()), ids), expected);
}

TEST(ModelLoad, TellsOfTensorsThatNothingUses) {
  ModelCopy copy("qwen2-untied", "unused");
  copy.SetConfig("tie_word_embeddings", true);
  copy.Rename("lm_head.", "classifier.");
  NoticeList notices;
  ASSERT_TRUE(Model::Load(copy.folder(), SmallOptions(), &notices).ok());
  bool told = false;
  for (const Notice& notice : notices.Take()) {
    told |= notice.text.find("classifier.weight is not used") != std::string::npos;
  }
  EXPECT_TRUE(told);
}

TEST(ModelLoad, RefusesUnknownOptions) {
  const auto code = [](auto change) {
    EngineOptions options = SmallOptions();
    change(options);
    return Model::Load(GoldenPath("models/llama-default"), options, nullptr).status().code();
  };
  EXPECT_EQ(code([](auto&) {}), StatusCode::kOk);
  EXPECT_EQ(code([](auto& o) { o.dtype = "int3"; }), StatusCode::kUsage);
  EXPECT_EQ(code([](auto& o) { o.backend = "tpu"; }), StatusCode::kUsage);
  EXPECT_EQ(code([](auto& o) { o.isa = "mmx"; }), StatusCode::kUsage);
  EXPECT_EQ(code([](auto& o) { o.disabled = {"warp"}; }), StatusCode::kUsage);
  EXPECT_EQ(code([](auto& o) { o.attn_implementation = "magic"; }), StatusCode::kUsage);
  EXPECT_EQ(code([](auto& o) { o.float32_matmul_precision = "low"; }), StatusCode::kUsage);
  EXPECT_EQ(code([](auto& o) { o.required = {"compile"}, o.disabled = {"compile"}; }),
            StatusCode::kRunTime);
  EXPECT_EQ(Model::Load("/nonexistent", SmallOptions(), nullptr).status().code(),
            StatusCode::kBadFile);
}

TEST(ModelLoad, UntiesAHeadThatDiffers) {
  // qwen2-untied has both tensors; a config that ties them is wrong about the file.
  const auto ids = MakePrompt(10);
  const auto expected = Logits(*Open("qwen2-untied", SmallOptions()), ids);
  ModelCopy copy("qwen2-untied", "tied");
  copy.SetConfig("tie_word_embeddings", true);
  EXPECT_EQ(Logits(*MustCreate(copy.folder(), SmallOptions()), ids), expected);
}

}  // namespace
}  // namespace fathom
