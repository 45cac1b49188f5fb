// A shape written as a folder is the model that Model::Random makes of it.
#include "measure/shape_folder.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "base/log.h"
#include "fathom/engine.h"
#include "fathom/model.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;

std::vector<float> LogitsOf(const std::shared_ptr<const Model>& model) {
  NoticeList notices;
  auto engine = Engine::Create(model, &notices);
  EXPECT_TRUE(engine.ok()) << engine.status().message();
  std::vector<float> logits;
  const std::vector<int32_t> ids = {1, 5, 9, 3};
  const Status scored = (*engine)->Score(ids, [&](int64_t, std::span<const float> rows) {
    logits.insert(logits.end(), rows.begin(), rows.end());
  });
  EXPECT_TRUE(scored.ok()) << scored.message();
  return logits;
}

TEST(ShapeFolder, HoldsTheWeightsOfTheRandomModel) {
  const fs::path folder = fs::temp_directory_path() / ("fathom_shape_" + std::to_string(getpid()));
  fs::create_directories(folder);
  const NamedShape shape = {"tiny", R"({
      "model_type": "llama", "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2,
      "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 160,
      "max_position_embeddings": 128, "rms_norm_eps": 1e-05, "rope_theta": 10000,
      "tie_word_embeddings": true, "torch_dtype": "bfloat16"})"};
  const Status written = WriteShapeFolder(shape, 7, folder.string());
  ASSERT_TRUE(written.ok()) << written.message();
  NoticeList notices;
  EngineOptions options;
  options.load_tokenizer = false;
  const auto random = Model::Random(shape.config, options, 7, &notices);
  const auto loaded = Model::Load(folder.string(), options, &notices);
  ASSERT_TRUE(random.ok()) << random.status().message();
  ASSERT_TRUE(loaded.ok()) << loaded.status().message();
  const std::vector<float> logits = LogitsOf(*loaded);
  EXPECT_EQ(logits.size(), 4u * 160);
  EXPECT_EQ(logits, LogitsOf(*random));
  fs::remove_all(folder);
}

TEST(ShapeFolder, SaysWhereItCannotWrite) {
  const Status status = WriteShapeFolder(AllShapes()[0], 1, "/no/such/folder");
  EXPECT_EQ(status.code(), StatusCode::kRunTime);
}

}  // namespace
}  // namespace fathom
