// The demo model from its files to its text: ids as transformers has them, streamed text, stop
// strings.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/log.h"
#include "base/utf8.h"
#include "fathom/engine.h"
#include "fathom/text.h"
#include "tests/engine/golden.h"
#include "tests/engine/greedy.h"

namespace fathom {
namespace {

std::string DemoPath() { return std::string(FATHOM_SOURCE_DIR) + "/models/fathom-tales"; }

std::unique_ptr<Engine> OpenDemo(const std::string& dtype, bool compiled = true) {
  EngineOptions options{.threads = 1, .dtype = dtype};
  options.chunk_tokens = 64;
  if (!compiled) options.disabled = {"compile"};
  auto model = Model::Load(DemoPath(), options, nullptr);
  EXPECT_TRUE(model.ok()) << model.status().message();
  if (!model.ok()) return nullptr;
  auto engine = Engine::Create(*model, nullptr);
  EXPECT_TRUE(engine.ok()) << engine.status().message();
  return engine.ok() ? *std::move(engine) : nullptr;
}

TEST(Demo, GreedyIdsAreThoseOfTransformers) {
  const JsonValue golden = ReadGolden(GoldenPath("models_expected/fathom-tales.json"));
  const auto exact = OpenDemo("float32");
  ASSERT_NE(exact, nullptr);
  for (const bool compiled : {true, false}) {
    for (const std::string dtype : {"float32", "bfloat16"}) {
      const auto engine = OpenDemo(dtype, compiled);
      ASSERT_NE(engine, nullptr);
      const Tokenizer& tokenizer = *engine->model().tokenizer();
      for (const JsonValue& prompt : golden.Find("prompts")->as_array()) {
        const std::string text = prompt.Find("prompt")->as_string();
        const auto ids = tokenizer.Encode(text);
        ASSERT_TRUE(ids.ok());
        EXPECT_EQ(*ids, GoldenIds(*prompt.Find("ids")));
        const JsonValue& greedy = *prompt.Find("greedy")->Find(dtype);
        Request request = engine->model().NewRequest(*ids);
        request.sampling.do_sample = false;
        request.max_new_tokens = static_cast<int64_t>(greedy.Find("ids")->as_array().size());
        request.ignore_eos = true;
        const auto results = engine->Generate(request);
        ASSERT_TRUE(results.ok()) << results.status().message();
        // bf16: 7 layers of 6 roundings and the head (golden_test.cc), and the reference's own.
        const double tolerance = dtype == "float32" ? golden.Find("tolerance")->as_double()
                                                    : 0x1p-8 * std::sqrt(6.0 * 7 + 1);
        const std::string where = dtype + ", \"" + text + "\"";
        ExpectGreedyIds((*results)[0].ids, prompt, dtype, tolerance, *exact, where);
        if ((*results)[0].ids == GoldenIds(*greedy.Find("ids"))) {
          EXPECT_EQ((*results)[0].text, greedy.Find("text")->as_string()) << where;
        }
      }
    }
  }
}

TEST(Demo, StreamedTextIsWholeUtf8AndThatOfItsIds) {
  const auto engine = OpenDemo("auto");
  ASSERT_NE(engine, nullptr);
  const Tokenizer& tokenizer = *engine->model().tokenizer();
  for (uint64_t seed = 0; seed < 6; ++seed) {
    Request request = engine->model().NewRequest({5, 6, 7});
    request.max_new_tokens = 60;
    request.ignore_eos = true;
    request.seed = seed;
    request.sampling.do_sample = true;
    request.sampling.top_k = 0;
    request.sampling.temperature = 50;  // nearly uniform: many half characters
    std::string streamed;
    const auto results = engine->Generate(request, [&](const StepEvent& event) {
      EXPECT_TRUE(IsValidUtf8(event.text));
      streamed += event.text;
      return true;
    });
    ASSERT_TRUE(results.ok());
    EXPECT_EQ(streamed, (*results)[0].text);
    EXPECT_EQ(streamed, tokenizer.Decode((*results)[0].ids, true));
  }
}

TEST(Demo, StopStringsEndTheText) {
  const auto engine = OpenDemo("auto");
  ASSERT_NE(engine, nullptr);
  const auto ids = engine->model().tokenizer()->Encode("Once upon a time there was");
  ASSERT_TRUE(ids.ok());
  Request request = engine->model().NewRequest(*ids);
  request.sampling.do_sample = false;
  request.max_new_tokens = 40;
  const auto whole = engine->Generate(request);
  ASSERT_TRUE(whole.ok());
  const std::string text = (*whole)[0].text;
  ASSERT_GT(text.size(), 30u);
  // A stop string over a token's border, and one that does not come.
  const std::string stop = text.substr(11, 6);
  request.stop_strings = {"\x01never\x01", stop};
  std::string streamed;
  const auto results = engine->Generate(request, [&](const StepEvent& event) {
    streamed += event.text;
    EXPECT_EQ(text.substr(0, streamed.size()), streamed) << "shown and then taken back";
    return true;
  });
  ASSERT_TRUE(results.ok());
  EXPECT_EQ((*results)[0].finish_reason, FinishReason::kStop);
  EXPECT_EQ((*results)[0].text, text.substr(0, text.find(stop)));
  EXPECT_EQ(streamed, (*results)[0].text);
  EXPECT_LT((*results)[0].ids.size(), (*whole)[0].ids.size());
}

TEST(Demo, TextCanBeLeftOut) {
  const auto engine = OpenDemo("auto");
  Request request = engine->model().NewRequest({5, 6, 7});
  request.want_text = false;
  const auto results = engine->Generate(request);
  ASSERT_TRUE(results.ok());
  EXPECT_EQ((*results)[0].text, "");
  EXPECT_FALSE((*results)[0].ids.empty());
}

}  // namespace
}  // namespace fathom
