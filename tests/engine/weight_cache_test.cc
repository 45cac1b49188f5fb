// Row weight_cache: what is kept is bit for bit what packing makes; what is not whole, not ours or
// of another checkpoint is never used; nothing that goes wrong with the cache fails a load.
#include "engine/weight_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <fstream>
#include <random>
#include <thread>

#include "engine/weight_cache_file.h"
#include "engine/weight_cache_folder.h"
#include "engine/weight_quantization.h"
#include "fathom/engine.h"
#include "optimizations/optimization.h"
#include "tests/engine/golden.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;
using ::testing::Each;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = ::testing::TempDir() + "fathom_weight_cache_XXXXXX";
    path_ = mkdtemp(name.data());
  }
  ~TemporaryFolder() { fs::remove_all(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// A model that was loaded without a cache, and what a cache of its weights is asked with.
struct Source {
  std::shared_ptr<const Model> model;
  Checkpoint checkpoint;
  std::vector<LocatedWeight> located;
  NoticeList notices;

  WeightLoadInput input() {
    const Plan& plan = model->plan();
    return {model->backend(), checkpoint,       *plan.graph, plan.weights,
            located,          plan.cache_dtype, &notices};
  }
};

std::unique_ptr<Source> Open(const std::string& path, const std::string& dtype) {
  EngineOptions options{.threads = 2, .dtype = dtype, .disabled = {"weight_cache"}};
  options.load_tokenizer = false;
  options.context_length = 64;
  auto source = std::make_unique<Source>();
  const auto model = Model::Load(path, options, nullptr);
  EXPECT_TRUE(model.ok()) << model.status().message();
  if (!model.ok()) return nullptr;
  source->model = *model;
  auto checkpoint = Checkpoint::Open(path);
  EXPECT_TRUE(checkpoint.ok());
  source->checkpoint = *std::move(checkpoint);
  auto located =
      LocateWeights(source->checkpoint, source->model->graph(), source->model->config(), nullptr);
  EXPECT_TRUE(located.ok()) << located.status().message();
  source->located = *std::move(located);
  return source;
}

WeightCacheSettings Settings(const std::string& folder) {
  return {.folder = folder, .smallest_bytes = 0, .threads = 2, .dtype = "test"};
}

void ExpectSameWeights(const WeightStore& store, const Model& model) {
  for (size_t i = 0; i < model.graph().weights.size(); ++i) {
    const Weight& kept = store.Get(static_cast<int>(i));
    const Weight& made = model.weights()->Get(static_cast<int>(i));
    ASSERT_EQ(kept.format, made.format) << i;
    ASSERT_EQ(kept.stride, made.stride) << i;
    ASSERT_EQ(kept.group, made.group) << i;
    ASSERT_EQ(kept.size_bytes, made.size_bytes) << i;
    EXPECT_EQ(reinterpret_cast<uintptr_t>(kept.data) % (kept.quantized() ? 64 : 4), 0u) << i;
    ASSERT_EQ(std::memcmp(kept.data, made.data, static_cast<size_t>(made.size_bytes)), 0) << i;
  }
}

std::vector<std::string> FilesIn(const std::string& folder, std::string_view end = ".weights") {
  std::vector<std::string> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().string().ends_with(end)) files.push_back(entry.path().string());
  }
  return files;
}

std::string Read(const std::string& path) { return *ReadTextFile(path); }
void Write(const std::string& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

class WeightCacheArms : public ::testing::TestWithParam<std::tuple<const char*, const char*>> {};

TEST_P(WeightCacheArms, KeepsBitForBitWhatPackingMakes) {
  const auto [name, dtype] = GetParam();
  const auto source = Open(GoldenPath(std::string("models/") + name), dtype);
  ASSERT_NE(source, nullptr);
  const TemporaryFolder folder;
  {
    WeightCache cache(source->input(), Settings(folder.path()));
    EXPECT_FALSE(cache.Open().has_value());
    const auto made = cache.Make();
    ASSERT_TRUE(made.ok() && made->has_value());
    EXPECT_TRUE((*made)->made);
    ExpectSameWeights(*(*made)->store, *source->model);
    EXPECT_EQ((*made)->store->size_bytes(), 0);
  }
  WeightCache cache(source->input(), Settings(folder.path()));
  const auto kept = cache.Open();
  ASSERT_TRUE(kept.has_value());
  EXPECT_FALSE(kept->made);
  ExpectSameWeights(*kept->store, *source->model);
  EXPECT_EQ(kept->store->size_bytes(), 0) << "the file is used in place";
  EXPECT_THAT(source->notices.Take(), IsEmpty());
  EXPECT_THAT(FilesIn(folder.path()), SizeIs(1));
  EXPECT_THAT(FilesIn(folder.path(), ".tmp"), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(
    Models, WeightCacheArms,
    ::testing::Combine(::testing::Values("llama-default", "llama-tied-fp32", "llama-odd",
                                         "qwen2-sharded", "llama-sharded-fp16"),
                       ::testing::Values("float32", "bfloat16", "int8", "int4")));

struct KeptFile {
  std::unique_ptr<Source> source;
  std::string path;
  std::string good;
};

KeptFile Keep(const TemporaryFolder& folder) {
  KeptFile kept{Open(GoldenPath("models/llama-default"), "int8"), "", ""};
  WeightCache cache(kept.source->input(), Settings(folder.path()));
  const auto made = cache.Make();
  EXPECT_TRUE(made.ok() && made->has_value());
  kept.path = FilesIn(folder.path()).at(0);
  kept.good = Read(kept.path);
  return kept;
}

TEST(WeightCache, RefusesEveryDamageAndMakesTheFileAnew) {
  const TemporaryFolder folder;
  KeptFile kept = Keep(folder);
  const std::string& good = kept.good;
  std::vector<std::pair<std::string, std::string>> bad;
  for (const size_t size : {size_t{0}, size_t{1}, size_t{63}, size_t{64}, size_t{4096},
                            good.size() / 2, good.size() - 1}) {
    bad.emplace_back("cut to " + std::to_string(size), good.substr(0, size));
  }
  bad.emplace_back("longer", good + "x");
  bad.emplace_back("zeros", std::string(good.size(), '\0'));
  bad.emplace_back("zeros behind the header",
                   good.substr(0, 4096) + std::string(good.size() - 4096, '\0'));
  bad.emplace_back("text", std::string(good.size(), 'A'));
  const auto layout = LayOutWeightCache(kept.source->checkpoint, kept.source->model->graph(),
                                        kept.source->model->plan().weights, kept.source->located,
                                        kept.source->model->plan().cache_dtype, "test", "cpu");
  ASSERT_EQ(layout.file_bytes, good.size());
  std::vector<size_t> places = {0,
                                8,
                                16,
                                20,
                                24,
                                32,
                                40,
                                48,
                                63,
                                64,
                                64 + layout.key.size() - 1,
                                WeightCacheTableOffset(layout.key.size())};
  for (const CachedWeight& entry : layout.weights) {
    places.push_back(entry.offset);
    places.push_back(entry.offset + static_cast<size_t>(entry.weight.size_bytes) - 1);
  }
  for (const size_t place : places) {
    std::string flipped = good;
    flipped[place] = static_cast<char>(flipped[place] ^ 4);
    bad.emplace_back("bit at " + std::to_string(place), std::move(flipped));
  }
  for (const auto& [what, bytes] : bad) {
    Write(kept.path, bytes);
    WeightCache cache(kept.source->input(), Settings(folder.path()));
    EXPECT_FALSE(cache.Open().has_value()) << what;
    EXPECT_THAT(kept.source->notices.Take(), SizeIs(1)) << what;
  }
  WeightCache cache(kept.source->input(), Settings(folder.path()));
  const auto made = cache.Make();
  ASSERT_TRUE(made.ok() && made->has_value());
  EXPECT_EQ(Read(kept.path), good);
  EXPECT_TRUE(cache.Open().has_value());
}

TEST(WeightCache, AFolderOrALinkInPlaceOfTheFileIsNoHarm) {
  const TemporaryFolder folder;
  KeptFile kept = Keep(folder);
  fs::remove(kept.path);
  fs::create_directory(kept.path);
  WeightCache cache(kept.source->input(), Settings(folder.path()));
  EXPECT_FALSE(cache.Open().has_value());
  fs::remove(kept.path);
  // A link where the temporary file goes is not followed.
  Write(folder.path() + "/precious", "mine");
  fs::create_symlink(folder.path() + "/precious", kept.path + ".tmp");
  const auto made = cache.Make();
  ASSERT_TRUE(made.ok());
  EXPECT_FALSE(made->has_value());
  EXPECT_EQ(Read(folder.path() + "/precious"), "mine");
}

TEST(WeightCache, AChangedCheckpointIsPackedAnew) {
  const TemporaryFolder folder, models;
  const std::string model = models.path() + "/model";
  fs::copy(GoldenPath("models/llama-default"), model);
  const auto make = [&] {
    const auto source = Open(model, "int8");
    WeightCache cache(source->input(), Settings(folder.path()));
    if (cache.Open().has_value()) return false;
    const auto made = cache.Make();
    EXPECT_TRUE(made.ok() && made->has_value());
    ExpectSameWeights(*(*made)->store, *source->model);
    return true;
  };
  EXPECT_TRUE(make());
  EXPECT_FALSE(make());
  // Other values, the same size and time.
  const std::string file = model + "/model.safetensors";
  const auto time = fs::last_write_time(file);
  std::string bytes = Read(file);
  bytes[bytes.size() - 2] = static_cast<char>(bytes[bytes.size() - 2] ^ 1);
  Write(file, bytes);
  fs::last_write_time(file, time);
  EXPECT_TRUE(make());
  EXPECT_THAT(FilesIn(folder.path()), SizeIs(1)) << "what the old file gave is gone";
  // The same values, another time.
  fs::last_write_time(file, time + std::chrono::seconds(5));
  EXPECT_TRUE(make());
  EXPECT_FALSE(make());
  EXPECT_THAT(FilesIn(folder.path()), SizeIs(1));
  // Another place.
  fs::rename(model, models.path() + "/other");
  const auto source = Open(models.path() + "/other", "int8");
  EXPECT_FALSE(WeightCache(source->input(), Settings(folder.path())).Open().has_value());
}

TEST(WeightCache, WhatCannotBeWrittenIsSaidAndNoFailure) {
  const TemporaryFolder folder;
  const auto source = Open(GoldenPath("models/llama-default"), "int8");
  const auto expect_nothing = [&](const WeightCacheSettings& settings, const char* why) {
    WeightCache cache(source->input(), settings);
    EXPECT_FALSE(cache.Open().has_value());
    const auto made = cache.Make();
    ASSERT_TRUE(made.ok()) << made.status().message();
    EXPECT_FALSE(made->has_value());
    const std::vector<Notice> notices = source->notices.Take();
    if (why == nullptr) {
      EXPECT_THAT(notices, IsEmpty());
    } else {
      EXPECT_THAT(notices, ::testing::ElementsAre(Field(&Notice::text, HasSubstr(why))));
    }
  };
  Write(folder.path() + "/file", "");
  expect_nothing(Settings(folder.path() + "/file/below"), "not kept");
  WeightCacheSettings settings = Settings(folder.path());
  settings.limit_bytes = 1000;
  expect_nothing(settings, "may be kept");
  settings.limit_bytes = 0;
  expect_nothing(settings, nullptr);
  settings = Settings("");
  expect_nothing(settings, nullptr);
  settings = Settings(folder.path());
  settings.smallest_bytes = int64_t{1} << 40;
  expect_nothing(settings, nullptr);
  EXPECT_THAT(FilesIn(folder.path()), IsEmpty());
}

TEST(WeightCache, OneWriterAtATimeAndADeadOneIsNoHindrance) {
  const TemporaryFolder folder;
  KeptFile kept = Keep(folder);
  fs::remove(kept.path);
  const Model& model = *kept.source->model;
  const auto layout =
      LayOutWeightCache(kept.source->checkpoint, model.graph(), model.plan().weights,
                        kept.source->located, model.plan().cache_dtype, "test", "cpu");
  Write(kept.path + ".tmp", "half a file of a process that died");
  auto first = WeightCacheWriter::Create(kept.path, layout);
  ASSERT_TRUE(first.ok()) << first.status().message();
  const auto second = WeightCacheWriter::Create(kept.path, layout);
  ASSERT_FALSE(second.ok());
  EXPECT_THAT(second.status().message(), HasSubstr("another process"));
  for (size_t i = 0; i < layout.weights.size(); ++i) {
    ASSERT_TRUE((*first)->Put(i, model.weights()->Get(layout.weights[i].index), true).ok());
  }
  EXPECT_FALSE(fs::exists(kept.path)) << "not before it is whole";
  ASSERT_TRUE((*first)->Finish(true).ok());
  EXPECT_EQ(Read(kept.path), kept.good);
  // A writer that gives up leaves nothing.
  { EXPECT_TRUE(WeightCacheWriter::Create(kept.path, layout).ok()); }
  EXPECT_THAT(FilesIn(folder.path(), ".tmp"), IsEmpty());
  EXPECT_EQ(Read(kept.path), kept.good);
}

TEST(WeightCache, ChecksAFileOnceUntilItChanges) {
  const TemporaryFolder folder;
  KeptFile kept = Keep(folder);
  const auto open = [&] {
    return WeightCache(kept.source->input(), Settings(folder.path())).Open().has_value();
  };
  EXPECT_TRUE(open());
  EXPECT_FALSE(WeightCacheFolder::WasChecked(*MappedFile::Open(kept.path)))
      << "a file this young may change without another time";
  std::this_thread::sleep_for(std::chrono::milliseconds(2200));
  EXPECT_TRUE(open());
#ifdef __linux__
  EXPECT_TRUE(WeightCacheFolder::WasChecked(*MappedFile::Open(kept.path)));
#endif
  EXPECT_TRUE(open());
  const auto time = fs::last_write_time(kept.path);
  std::fstream file(kept.path, std::ios::in | std::ios::out | std::ios::binary);
  constexpr size_t kInFirstWeight = 4100;
  file.seekp(kInFirstWeight);
  file.put(static_cast<char>(kept.good[kInFirstWeight] ^ 1));
  file.close();
  fs::last_write_time(kept.path, time);
  EXPECT_FALSE(WeightCacheFolder::WasChecked(*MappedFile::Open(kept.path)));
  EXPECT_FALSE(open());
}

TEST(WeightCacheFolder, WhatWasNotUsedForLongestGoesFirst) {
  const TemporaryFolder temporary;
  const WeightCacheFolder folder(temporary.path(), 100);
  const auto now = fs::file_time_type::clock::now();
  const auto put = [&](const std::string& name, int age_hours, int used_hours) {
    const std::string path = folder.PathOf(name);
    Write(path, std::string(30, 'x'));
    fs::last_write_time(path, now - std::chrono::hours(age_hours));
    Write(path + ".used", "");
    fs::last_write_time(path + ".used", now - std::chrono::hours(used_hours));
  };
  put("a-int8-1-1-1.weights", 10, 1);
  put("b-int8-2-1-1.weights", 9, 8);
  put("c-int8-3-1-1.weights", 8, 7);
  put("d-int8-4-1-1.weights.tmp", 30, 30);
  put("e-int8-5-1-1.weights.tmp", 1, 1);
  Write(temporary.path() + "/mine.txt", "not ours");
  EXPECT_FALSE(folder.MakeRoom("n-int8-9-1-1.weights", 101).ok());
  EXPECT_THAT(FilesIn(temporary.path()), SizeIs(3)) << "nothing goes for what does not fit";
  EXPECT_TRUE(folder.MakeRoom("n-int8-9-1-1.weights", 30).ok());
  EXPECT_FALSE(fs::exists(folder.PathOf("b-int8-2-1-1.weights")));
  EXPECT_FALSE(fs::exists(folder.PathOf("b-int8-2-1-1.weights.used")));
  EXPECT_THAT(FilesIn(temporary.path()), SizeIs(2));
  // An older state of the same checkpoint and dtype goes, another key of the same state stays.
  EXPECT_TRUE(folder.MakeRoom("a-int8-1-2-1.weights", 1).ok());
  EXPECT_FALSE(fs::exists(folder.PathOf("a-int8-1-1-1.weights")));
  EXPECT_TRUE(folder.MakeRoom("c-int8-3-1-7.weights", 1).ok());
  EXPECT_TRUE(fs::exists(folder.PathOf("c-int8-3-1-1.weights")));
  EXPECT_FALSE(fs::exists(folder.PathOf("d-int8-4-1-1.weights.tmp")));
  EXPECT_TRUE(fs::exists(folder.PathOf("e-int8-5-1-1.weights.tmp")));
  EXPECT_TRUE(fs::exists(temporary.path() + "/mine.txt"));
}

// A llama of 38 MB: large enough to be kept.
void WriteModel(const std::string& folder, bool with_nan) {
  constexpr int kVocab = 16384, kHidden = 512, kInter = 64;
  struct Tensor {
    const char* name;
    int rows, cols;
  };
  const Tensor tensors[] = {{"model.embed_tokens.weight", kVocab, kHidden},
                            {"model.layers.0.input_layernorm.weight", kHidden, 0},
                            {"model.layers.0.self_attn.q_proj.weight", kHidden, kHidden},
                            {"model.layers.0.self_attn.k_proj.weight", kHidden, kHidden},
                            {"model.layers.0.self_attn.v_proj.weight", kHidden, kHidden},
                            {"model.layers.0.self_attn.o_proj.weight", kHidden, kHidden},
                            {"model.layers.0.post_attention_layernorm.weight", kHidden, 0},
                            {"model.layers.0.mlp.gate_proj.weight", kInter, kHidden},
                            {"model.layers.0.mlp.up_proj.weight", kInter, kHidden},
                            {"model.layers.0.mlp.down_proj.weight", kHidden, kInter},
                            {"model.norm.weight", kHidden, 0}};
  JsonObject header;
  int64_t at = 0;
  for (const Tensor& tensor : tensors) {
    const int64_t size = int64_t{4} * tensor.rows * std::max(tensor.cols, 1);
    JsonArray shape = {tensor.rows};
    if (tensor.cols > 0) shape.emplace_back(tensor.cols);
    header.emplace_back(
        tensor.name,
        JsonObject{{"dtype", "F32"}, {"shape", shape}, {"data_offsets", JsonArray{at, at + size}}});
    at += size;
  }
  const std::string text = WriteJson(header);
  const uint64_t length = text.size();
  std::vector<float> values(static_cast<size_t>(at / 4));
  std::mt19937 random(1);
  for (float& value : values) value = static_cast<float>(random()) * 0x1p-37f - 0x1p-6f;
  if (with_nan) values[12345] = NAN;
  std::ofstream file(folder + "/model.safetensors", std::ios::binary);
  file.write(reinterpret_cast<const char*>(&length), 8);
  file << text;
  file.write(reinterpret_cast<const char*>(values.data()), at);
  Write(folder + "/config.json", R"({"architectures": ["LlamaForCausalLM"], "model_type": "llama",
      "hidden_size": 512, "intermediate_size": 64, "num_hidden_layers": 1, "vocab_size": 16384,
      "num_attention_heads": 8, "num_key_value_heads": 8, "max_position_embeddings": 64,
      "rms_norm_eps": 1e-5, "tie_word_embeddings": true, "torch_dtype": "float32"})");
}

class WithCacheHome : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* before = getenv("XDG_CACHE_HOME");
    if (before != nullptr) before_ = before;
    setenv("XDG_CACHE_HOME", cache_.path().c_str(), 1);
  }
  void TearDown() override {
    if (before_) {
      setenv("XDG_CACHE_HOME", before_->c_str(), 1);
    } else {
      unsetenv("XDG_CACHE_HOME");
    }
  }
  std::string folder() const { return cache_.path() + "/fathom/weights"; }

  struct Answer {
    std::vector<int32_t> ids;
    std::vector<Notice> notices;
    RowState state = RowState::kOff;
    bool owned = false;  // weights in memory of the process
  };
  Answer Run(const std::vector<std::string>& disabled = {}, const std::string& limit = "") {
    EngineOptions options{.threads = 2, .dtype = "float32", .disabled = disabled};
    options.disabled.emplace_back("cudnn_benchmark");
    options.weight_cache_limit = limit;
    NoticeList notices;
    Answer answer;
    const auto model = Model::Load(model_.path(), options, &notices);
    EXPECT_TRUE(model.ok()) << model.status().message();
    if (!model.ok()) return answer;
    answer.notices = notices.Take();
    answer.owned = (*model)->weights()->size_bytes() > 0;
    for (const OptimizationReport& report : (*model)->optimizations()) {
      if (report.optimization->id == "weight_cache") answer.state = report.outcome.state;
    }
    const auto engine = Engine::Create(*model, nullptr);
    Request request;
    request.prompt_ids = {1, 5, 9, 13};
    request.max_new_tokens = 8;
    request.ignore_eos = true;
    const auto results = (*engine)->Generate(request);
    if (results.ok()) answer.ids = (*results)[0].ids;
    return answer;
  }

  TemporaryFolder cache_, model_;
  std::optional<std::string> before_;
};

TEST_F(WithCacheHome, TheAnswerIsTheSameWithAndWithout) {
  WriteModel(model_.path(), false);
  const Answer off = Run({"weight_cache"});
  EXPECT_EQ(off.state, RowState::kOff);
  EXPECT_TRUE(off.owned);
  EXPECT_THAT(off.ids, SizeIs(8));
  EXPECT_FALSE(fs::exists(folder()));
  const Answer read_only = Run({}, "0GB");
  EXPECT_TRUE(read_only.owned);
  EXPECT_FALSE(fs::exists(folder()));
  const Answer first = Run();
  EXPECT_EQ(first.state, RowState::kOn);
  EXPECT_THAT(FilesIn(folder()), SizeIs(1));
  const Answer second = Run();
  EXPECT_EQ(Run({}, "0GB").owned, false) << "what is there is used";
  for (const Answer* answer : {&first, &second, &read_only}) {
    EXPECT_EQ(answer->ids, off.ids);
    EXPECT_THAT(answer->notices, IsEmpty());
  }
  EXPECT_FALSE(first.owned || second.owned);
  EXPECT_EQ(Run({"compile"}).state, RowState::kNoEffect);
  EXPECT_EQ(Run({"low_cpu_mem_usage"}).state, RowState::kNoEffect);
  EXPECT_THAT(FilesIn(folder()), SizeIs(1));
}

TEST_F(WithCacheHome, NotANumberIsSaidAtEveryStart) {
  WriteModel(model_.path(), true);
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(Run().notices,
                ::testing::ElementsAre(Field(&Notice::text, HasSubstr("NaN or infinity"))));
  }
}

}  // namespace
}  // namespace fathom
