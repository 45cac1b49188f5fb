// Rows 6 and 7: attentions and hidden states as transformers' generate returns them, in every arm.
//
// Tolerances: both are results of the same float32 arithmetic in another order. A hidden state is
// held, as the logits of golden_test.cc, to 1e-4 of the largest of its array. A weight of attention
// is exp of a score over a sum: an error e of the scores moves it by e of itself, and a weight is
// at most 1; scores of these models reach about 30, with relative error 1e-5 at most: 3e-4.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/log.h"
#include "fathom/engine.h"
#include "tests/engine/golden.h"

namespace fathom {
namespace {

using ::testing::HasSubstr;

constexpr double kHiddenTolerance = 1e-4;
constexpr double kWeightTolerance = 3e-4;

struct OutputsCase {
  std::string golden;
  std::string backend;
  bool compiled = true;
  int64_t chunk_tokens = 64;
  int threads = 1;
};

EngineOptions OptionsOf(const OutputsCase& test) {
  EngineOptions options{.backend = test.backend, .threads = test.threads, .dtype = "float32"};
  options.context_length = 192;
  options.chunk_tokens = test.chunk_tokens;
  options.load_tokenizer = false;
  if (!test.compiled) options.disabled = {"compile"};
  return options;
}

Result<std::vector<GeneratedSequence>> Generate(const std::string& model,
                                                const EngineOptions& options, Request request) {
  FATHOM_ASSIGN(const auto loaded, Model::Load(GoldenPath("models/" + model), options, nullptr));
  FATHOM_ASSIGN(const auto engine, Engine::Create(loaded, nullptr));
  return engine->Generate(std::move(request));
}

class Outputs : public testing::TestWithParam<OutputsCase> {};

TEST_P(Outputs, AreThoseOfGenerate) {
  const std::string path = GoldenPath("outputs/" + GetParam().golden);
  const JsonValue golden = ReadGolden(path + ".json");
  const GoldenRows values = ReadRows(path + ".npy");
  EngineOptions options = OptionsOf(GetParam());
  options.output_attentions = options.output_hidden_states = true;
  const auto new_ids = GoldenIds(*golden.Find("new_ids"));
  Request request{.prompt_ids = GoldenIds(*golden.Find("ids"))};
  request.max_new_tokens = static_cast<int64_t>(new_ids.size());
  request.ignore_eos = true;
  request.use_cache = golden.Find("use_cache")->as_bool();
  const std::string model = golden.Find("model")->as_string();
  const auto results = Generate(model, options, request);
  ASSERT_TRUE(results.ok()) << results.status().message();
  const GeneratedSequence& sequence = (*results)[0];
  EXPECT_EQ(sequence.ids, new_ids);
  ASSERT_EQ(sequence.outputs.size(), new_ids.size());
  // Without them the ids are the same.
  const auto plain = Generate(model, OptionsOf(GetParam()), request);
  ASSERT_TRUE(plain.ok());
  EXPECT_EQ((*plain)[0].ids, new_ids);
  EXPECT_TRUE((*plain)[0].outputs.empty());

  size_t at = 0, arrays = 0;
  for (const StepOutputs& step : sequence.outputs) {
    arrays += step.attentions.size() + step.hidden_states.size();
  }
  ASSERT_EQ(arrays, golden.Find("arrays")->as_array().size());
  for (const JsonValue& entry : golden.Find("arrays")->as_array()) {
    const std::string name = entry.Find("name")->as_string();
    int step = 0, layer = 0;
    const bool weights = name.starts_with("attentions");
    ASSERT_EQ(std::sscanf(name.c_str() + name.find('.'), ".step%d.layer%d", &step, &layer), 2);
    const StepOutputs& outputs = sequence.outputs[step];
    const OutputArray& ours = (weights ? outputs.attentions : outputs.hidden_states)[layer];
    std::vector<int64_t> shape;
    for (const JsonValue& size : entry.Find("shape")->as_array()) shape.push_back(size.as_int());
    ASSERT_EQ(ours.shape, shape) << name;
    const auto theirs = std::span(values.values).subspan(at, ours.values.size());
    at += ours.values.size();
    double largest = 1, worst = 0;
    for (const float value : theirs) {
      if (!weights) largest = std::max(largest, std::abs(static_cast<double>(value)));
    }
    for (size_t i = 0; i < theirs.size(); ++i) {
      const double error = std::abs(static_cast<double>(ours.values[i]) - theirs[i]);
      worst = std::max(worst, error <= 1e30 ? error : 1e30);
    }
    EXPECT_LE(worst, (weights ? kWeightTolerance : kHiddenTolerance) * largest) << name;
  }
  EXPECT_EQ(at, values.values.size());
}

std::vector<OutputsCase> AllCases() {
  std::vector<OutputsCase> cases;
  for (const char* golden : {"llama-default", "llama-default-use_cache-False", "qwen2-odd",
                             "qwen2-window-layer-types"}) {
    cases.push_back({golden, "cpu"});
    cases.push_back({golden, "cpu", false});
    cases.push_back({golden, "cpu", true, 4, 2});  // the prompt in pieces, two workers
    cases.push_back({golden, "reference"});
  }
  return cases;
}

INSTANTIATE_TEST_SUITE_P(Arms, Outputs, testing::ValuesIn(AllCases()), [](const auto& info) {
  std::string name = info.param.golden + "_" + info.param.backend +
                     (info.param.compiled ? "" : "_eager") +
                     (info.param.chunk_tokens < 64 ? "_chunks" : "");
  std::ranges::replace(name, '-', '_');
  return name;
});

TEST(OutputArms, EachAloneGivesOnlyItself) {
  Request request{.prompt_ids = {3, 4, 5}};
  request.max_new_tokens = 2;
  EngineOptions options = OptionsOf({"", "cpu"});
  options.output_attentions = true;
  auto results = Generate("llama-default", options, request);
  ASSERT_TRUE(results.ok()) << results.status().message();
  EXPECT_FALSE((*results)[0].outputs[0].attentions.empty());
  EXPECT_TRUE((*results)[0].outputs[0].hidden_states.empty());
  options.output_attentions = false;
  options.output_hidden_states = true;
  results = Generate("llama-default", options, request);
  ASSERT_TRUE(results.ok()) << results.status().message();
  EXPECT_TRUE((*results)[0].outputs[0].attentions.empty());
  EXPECT_FALSE((*results)[0].outputs[0].hidden_states.empty());
}

// Texts that run in one batch, and several of one prompt, get their own.
TEST(OutputArms, SequencesOfABatchKeepTheirOwn) {
  EngineOptions options = OptionsOf({"", "cpu"});
  options.output_attentions = options.output_hidden_states = true;
  const auto model = Model::Load(GoldenPath("models/llama-default"), options, nullptr);
  ASSERT_TRUE(model.ok());
  std::vector<Request> requests;
  for (const int length : {9, 2, 33}) {
    Request request;
    for (int i = 0; i < length; ++i) request.prompt_ids.push_back((i * 7 + length) % 60 + 3);
    request.max_new_tokens = 3;
    request.ignore_eos = true;
    requests.push_back(request);
  }
  requests[1].sampling.do_sample = true;
  requests[1].num_return_sequences = 2;
  std::vector<std::vector<GeneratedSequence>> alone;
  const auto engine = Engine::Create(*model, nullptr);
  ASSERT_TRUE(engine.ok());
  for (const Request& request : requests) alone.push_back(*(*engine)->Generate(request));
  std::map<std::pair<RequestId, int>, size_t> seen;
  std::vector<RequestId> ids;
  for (const Request& request : requests) ids.push_back(*(*engine)->Submit(request));
  while ((*engine)->has_work()) {
    const auto events = (*engine)->Step();
    ASSERT_TRUE(events.ok());
    for (const StepEvent& event : *events) {
      const size_t step = seen[{event.request, event.sequence}]++;
      const StepOutputs& expected = alone[event.request - ids[0]][event.sequence].outputs.at(step);
      ASSERT_EQ(event.outputs.attentions.size(), expected.attentions.size());
      for (size_t layer = 0; layer < expected.attentions.size(); ++layer) {
        EXPECT_EQ(event.outputs.attentions[layer].shape, expected.attentions[layer].shape);
        EXPECT_EQ(event.outputs.attentions[layer].values.size(),
                  expected.attentions[layer].values.size());
        double worst = 0;
        for (size_t i = 0; i < expected.attentions[layer].values.size(); ++i) {
          worst = std::max<double>(worst, std::abs(event.outputs.attentions[layer].values[i] -
                                                   expected.attentions[layer].values[i]));
        }
        EXPECT_LE(worst, kWeightTolerance);
      }
    }
  }
  EXPECT_EQ(seen.size(), 4u);
}

TEST(OutputArms, AttentionsNeedTheEagerPath) {
  EngineOptions options = OptionsOf({"", "cpu"});
  options.output_attentions = true;
  for (const char* other : {"flash_attention_2", "sdpa"}) {
    options.attn_implementation = other;
    const auto model = Model::Load(GoldenPath("models/llama-default"), options, nullptr);
    ASSERT_FALSE(model.ok());
    EXPECT_EQ(model.status().code(), StatusCode::kUsage);
    EXPECT_THAT(model.status().message(), HasSubstr("eager"));
  }
  options.attn_implementation.clear();
  NoticeList notices;
  const auto model = Model::Load(GoldenPath("models/llama-default"), options, &notices);
  ASSERT_TRUE(model.ok()) << model.status().message();
  EXPECT_EQ((*model)->options().attn_implementation, "eager");
  const auto told = notices.Take();
  ASSERT_FALSE(told.empty());
  EXPECT_THAT(told[0].text, HasSubstr("eager"));
}

}  // namespace
}  // namespace fathom
