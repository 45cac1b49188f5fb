// --dtype int8 and int4 through the whole engine.
//
// 1. The reference backend on the integer weights gives bit for bit the logits of the reference
//    backend on a float32 model whose files hold the dequantized weights: nothing else changed.
// 2. Every arm of the cpu backend is held against the reference on the integer weights.
//    float32 products: 1e-4 of the largest logit, as golden_test.cc has for float32.
//    Integer products round the inputs of each linear layer, four a layer and the head's, to 8 bits
//    by groups. One rounding is uniform within scale / 2 = max |x| / 254, which is
//    max |x| / (254 sqrt(3)) in the mean square; the largest of 64 normal numbers is 3 deviations
//    at most times out of ten: u = 3 / (254 sqrt(3)) = 0.0068 of the input, and of the output.
//    The GEMMs of avx512 and amx also round the weights once more, to 8 bits by blocks: two such
//    errors, sqrt(2) u.
//    Worst over some thousand logits: four deviations. The errors add up as the root of their
//    number, and attention amplifies them, by as much as the model's golden says of bfloat16's
//    (golden_test.cc):
//      |ours - theirs| <= 4 u sqrt(4 L + 1) max(1, bfloat16_error / (2^-8 sqrt(8 L + 1)))
//      max|logit|
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <random>

#include "backends/backend.h"
#include "base/log.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/model_config.h"
#include "fathom/engine.h"
#include "fathom/machine.h"
#include "tensor/convert.h"
#include "tensor/quantized_weight.h"
#include "tests/engine/golden.h"

namespace fathom {
namespace {

using Rows = std::vector<std::vector<float>>;  // a prompt: its logits, row behind row

std::shared_ptr<const Model> Load(const std::string& folder, const EngineOptions& options,
                                  NoticeSink* notices = nullptr) {
  EngineOptions all = options;
  all.context_length = 192;
  all.max_sequences = 2;
  all.chunk_tokens = 128;
  all.load_tokenizer = false;
  auto model = Model::Load(folder, all, notices);
  EXPECT_TRUE(model.ok()) << folder << ": " << model.status().message();
  return model.ok() ? *model : nullptr;
}

Rows Logits(const std::shared_ptr<const Model>& model, const JsonValue& golden) {
  Rows rows;
  auto engine = Engine::Create(model, nullptr);
  EXPECT_TRUE(engine.ok()) << engine.status().message();
  if (!engine.ok()) return rows;
  for (const JsonValue& prompt : golden.Find("prompts")->as_array()) {
    auto& mine = rows.emplace_back();
    const Status status = (*engine)->Score(GoldenIds(*prompt.Find("ids")),
                                           [&](int64_t, std::span<const float> logits) {
                                             mine.insert(mine.end(), logits.begin(), logits.end());
                                           });
    EXPECT_TRUE(status.ok()) << status.message();
  }
  return rows;
}

JsonValue GoldenOf(const std::string& name) {
  return ReadGolden(GoldenPath("models/" + name + "/golden.json"));
}

double Largest(const std::vector<float>& values) {
  double largest = 0;
  for (const float value : values) largest = std::max(largest, std::abs(double{value}));
  return largest;
}

// --- 1. against dequantized files
// ------------------------------------------------------------------

// The rows of a matrix as the integers hold them.
std::vector<float> Dequantized(const CheckpointTensor& tensor, WeightFormat format) {
  Weight weight = PlanQuantized(format, tensor.shape[0], tensor.shape[1]);
  std::vector<std::byte> bytes(static_cast<size_t>(weight.size_bytes));
  PackQuantized(weight, tensor.dtype, tensor.data, weight.cols, 0, weight.rows, bytes.data());
  weight.data = bytes.data();
  std::vector<float> values(static_cast<size_t>(weight.rows * weight.cols));
  for (int64_t r = 0; r < weight.rows; ++r) {
    ReadWeightRow(weight, r, values.data() + r * weight.cols);
  }
  return values;
}

std::vector<float> Plain(const CheckpointTensor& tensor) {
  std::vector<float> values(static_cast<size_t>(tensor.elements()));
  ConvertToFloat(tensor.dtype, tensor.data, tensor.elements(), values.data());
  return values;
}

// A float32 safetensors file under construction.
struct File {
  std::string header, data;

  void Add(const std::string& name, const CheckpointTensor& like,
           const std::vector<float>& values) {
    std::string shape;
    for (const int64_t size : like.shape) {
      shape += (shape.empty() ? "" : ",") + std::to_string(size);
    }
    const size_t begin = data.size();
    data.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
    header += fmt::format(R"({}"{}":{{"dtype":"F32","shape":[{}],"data_offsets":[{},{}]}})",
                          header.empty() ? "{" : ",", name, shape, begin, data.size());
  }
  void Write(const std::string& path) {
    std::string text = header + "}";
    text.append((8 - text.size() % 8) % 8, ' ');
    const uint64_t size = text.size();
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char*>(&size), sizeof(size));
    file << text << data;
  }
};

// A folder with the same model in float32, its linear weights as `format` holds them, the head as
// int8 does.
std::string WriteDequantized(const std::string& name, WeightFormat format) {
  const std::string source = GoldenPath("models/" + name);
  const std::string folder =
      fmt::format("{}/fathom-dequantized-{}-{}", std::filesystem::temp_directory_path().string(),
                  getpid(), name);
  std::filesystem::create_directories(folder);
  std::filesystem::copy_file(source + "/config.json", folder + "/config.json",
                             std::filesystem::copy_options::overwrite_existing);
  const auto checkpoint = Checkpoint::Open(source);
  EXPECT_TRUE(checkpoint.ok());
  File file;
  for (const CheckpointTensor& tensor : checkpoint->tensors()) {
    const std::string tensor_name(tensor.name);
    if (tensor_name == "lm_head.weight") continue;
    const bool linear = tensor_name.ends_with("_proj.weight");
    file.Add(tensor_name, tensor, linear ? Dequantized(tensor, format) : Plain(tensor));
  }
  const CheckpointTensor* head = checkpoint->Find("lm_head.weight");
  if (head == nullptr) head = checkpoint->Find("model.embed_tokens.weight");
  EXPECT_NE(head, nullptr);
  file.Add("lm_head.weight", *head, Dequantized(*head, WeightFormat::kInt8Panel16));
  file.Write(folder + "/model.safetensors");
  return folder;
}

class QuantizedFiles : public testing::TestWithParam<const char*> {};

TEST_P(QuantizedFiles, GiveTheSameBits) {
  // float32 checkpoints, tied and not, with biases and sizes that no group divides.
  for (const std::string name : {"llama-odd", "qwen2-odd", "qwen2-untied", "llama-tied-fp32"}) {
    const std::string dtype = GetParam();
    const WeightFormat format =
        dtype == "int8" ? WeightFormat::kInt8Panel16 : WeightFormat::kInt4Panel16;
    const std::string folder = WriteDequantized(name, format);
    const auto integers =
        Load(GoldenPath("models/" + name), {.backend = "reference", .dtype = dtype});
    const auto floats = Load(folder, {.backend = "reference", .dtype = "float32"});
    ASSERT_TRUE(integers != nullptr && floats != nullptr);
    EXPECT_EQ(integers->options().dtype, dtype);
    EXPECT_EQ(integers->memory().parameters,
              Load(GoldenPath("models/" + name), {})->memory().parameters);
    const JsonValue golden = GoldenOf(name);
    EXPECT_EQ(Logits(integers, golden), Logits(floats, golden)) << name;
    std::filesystem::remove_all(folder);
  }
}

INSTANTIATE_TEST_SUITE_P(Types, QuantizedFiles, testing::Values("int8", "int4"));

// --- 2. every arm against the reference
// ------------------------------------------------------------

struct Arm {
  std::string isa;
  bool compiled;
};

class QuantizedArms : public testing::TestWithParam<Arm> {};

TEST_P(QuantizedArms, AgreeWithTheReference) {
  const Arm& arm = GetParam();
  const auto isa = ParseIsa(arm.isa);
  if (!isa.ok() || !FeaturesAllowed(HostCpuFeatures(), *isa).ok()) {
    GTEST_SKIP() << "this machine has no " << arm.isa;
  }
  for (const std::string name : {"llama-odd", "llama-wide", "qwen2-odd", "qwen2-window",
                                 "qwen2-untied", "llama-sharded-fp16"}) {
    const JsonValue golden = GoldenOf(name);
    const auto errors = GoldenNumbers(*golden.Find("bfloat16_error"));
    for (const std::string dtype : {"int8", "int4"}) {
      const std::string folder = GoldenPath("models/" + name);
      const auto reference = Load(folder, {.backend = "reference", .dtype = dtype});
      EngineOptions options{.isa = arm.isa, .dtype = dtype};
      if (!arm.compiled) options.disabled = {"compile"};
      const auto model = Load(folder, options);
      ASSERT_TRUE(reference != nullptr && model != nullptr);
      auto engine = Engine::Create(model, nullptr);
      ASSERT_TRUE(engine.ok());
      bool integers = false, twice = false;
      for (const KernelChoice& choice : (*engine)->kernels()) {
        EXPECT_FALSE(choice.fallback) << choice.node << " " << choice.op;
        integers |= choice.kernel.find("panel16_dot") != std::string::npos;
        twice |= choice.kernel.ends_with("panel16_dot_gemm_avx512") ||
                 choice.kernel.ends_with("panel16_dot_gemm_amx");
      }
      const Rows wanted = Logits(reference, golden), found = Logits(model, golden);
      ASSERT_EQ(wanted.size(), found.size());
      const auto layers = static_cast<double>(model->config().num_hidden_layers);
      double worst = 0;
      for (size_t p = 0; p < wanted.size(); ++p) {
        ASSERT_EQ(wanted[p].size(), found[p].size());
        const double bf16 = p < errors.size() ? errors[p] : *std::ranges::max_element(errors);
        const double amplified = std::max(1.0, bf16 / (0x1p-8 * std::sqrt(8 * layers + 1)));
        const double unit = twice ? std::sqrt(2.0) * 0.0068 : 0.0068;
        const double rounding = 4 * unit * std::sqrt(4 * layers + 1) * amplified;
        // A narrower cache rounds keys that differ in their last bits to different neighbours.
        const bool narrow = BytesOf(model->plan().cache_dtype) < 4;
        const double floor = narrow ? std::max(0x1p-8 * std::sqrt(2 * layers), bf16) : 1e-4;
        const double limit = (integers ? rounding : floor) * Largest(wanted[p]);
        double error = 0;
        for (size_t i = 0; i < wanted[p].size(); ++i) {
          const double difference = std::abs(double{wanted[p][i]} - found[p][i]);
          error = std::max(error, difference <= 1e30 ? difference : 1e30);
        }
        EXPECT_LE(error, limit) << name << " " << dtype << ", prompt " << p;
        worst = std::max(worst, error / limit);
      }
      std::printf("%-20s %s %.3f of the tolerance, %s products\n", name.c_str(), dtype.c_str(),
                  worst, integers ? "integer" : "float32");
    }
  }
}

std::vector<Arm> AllArms() {
  std::vector<Arm> arms;
  for (const char* isa : {"baseline", "avx2", "avx512", "amx", "neon"}) {
    arms.push_back({isa, true});
    arms.push_back({isa, false});
  }
  return arms;
}

INSTANTIATE_TEST_SUITE_P(Arms, QuantizedArms, testing::ValuesIn(AllArms()), [](const auto& info) {
  return info.param.isa + (info.param.compiled ? "_planned" : "_eager");
});

// --- what is said and counted
// ----------------------------------------------------------------------

TEST(Quantized, TellsTheWidthsThatTheGroupDoesNotDivide) {
  NoticeList notices;
  ASSERT_NE(Load(GoldenPath("models/llama-odd"), {.dtype = "int8"}, &notices), nullptr);
  std::string all;
  for (const Notice& notice : notices.Take()) all += notice.text + "\n";
  EXPECT_NE(all.find("int8: no group divides a width of 40"), std::string::npos) << all;
  EXPECT_NE(all.find("a width of 72"), std::string::npos) << all;
  ASSERT_NE(Load(GoldenPath("models/llama-wide"), {.dtype = "int8"}, &notices), nullptr);
  all.clear();
  for (const Notice& notice : notices.Take()) all += notice.text + "\n";
  EXPECT_EQ(all.find("128"), std::string::npos) << all;
  EXPECT_NE(all.find("int8: the group of 64 does not divide a width of 96: groups of 32"),
            std::string::npos)
      << all;
}

TEST(Quantized, IsNeverChosenByItself) {
  for (const std::string& name : GoldenModels()) {
    const auto model = Load(GoldenPath("models/" + name), {});
    ASSERT_NE(model, nullptr);
    for (const WeightPlan& plan : model->plan().weights) EXPECT_FALSE(IsQuantized(plan.format));
  }
}

TEST(Quantized, MemoryIsForecastAsItIsHeld) {
  for (const std::string dtype : {"int8", "int4"}) {
    const auto model = Load(GoldenPath("models/llama-wide"), {.dtype = dtype});
    ASSERT_NE(model, nullptr);
    // Tied: the embedding stays in the mapped file, beside an int8 head.
    const ModelConfig& config = model->config();
    const int64_t mapped = config.vocab_size * config.hidden_size * 2;
    EXPECT_EQ(model->memory().weights_bytes, model->weights()->size_bytes() + mapped);
    const Weight& head = model->weights()->Get(static_cast<int>(model->graph().weights.size()) - 1);
    EXPECT_EQ(head.format, WeightFormat::kInt8Panel16);
    EXPECT_EQ(head.rows, config.vocab_size);
  }
}

// float32_matmul_precision: bf16 products where the CPU has them, the very same numbers elsewhere.
TEST(Float32Products, ActWhereTheCpuHasBf16Only) {
  const std::string name = "llama-tied-fp32";
  const JsonValue golden = GoldenOf(name);
  const auto errors = GoldenNumbers(*golden.Find("bfloat16_error"));
  const double bf16 = 3 * *std::ranges::max_element(errors);
  const auto highest = Load(GoldenPath("models/" + name), {});
  ASSERT_NE(highest, nullptr);
  const Rows wanted = Logits(highest, golden);
  for (const std::string precision : {"medium", "high"}) {
    EngineOptions options;
    options.float32_matmul_precision = precision;
    const auto model = Load(GoldenPath("models/" + name), options);
    ASSERT_NE(model, nullptr);
    EXPECT_EQ(model->memory().parameters, highest->memory().parameters);
    const Rows found = Logits(model, golden);
    if (!model->backend().HasBf16Products()) {
      EXPECT_EQ(wanted, found) << precision;
      continue;
    }
    EXPECT_NE(wanted, found) << precision;
    const double tolerance = precision == "medium" ? bf16 : 3 * 0x1p-8 * bf16;
    for (size_t p = 0; p < wanted.size(); ++p) {
      double error = 0;
      for (size_t i = 0; i < wanted[p].size(); ++i) {
        error = std::max(error, std::abs(double{wanted[p][i]} - found[p][i]));
      }
      EXPECT_LE(error, tolerance * Largest(wanted[p])) << precision;
    }
  }
}

// For bfloat16 weights it is asked for in vain.
TEST(Float32Products, LeaveOtherTypesAlone) {
  const JsonValue golden = GoldenOf("llama-wide");
  EngineOptions options;
  const auto plain = Load(GoldenPath("models/llama-wide"), options);
  options.float32_matmul_precision = "medium";
  const auto asked = Load(GoldenPath("models/llama-wide"), options);
  ASSERT_TRUE(plain != nullptr && asked != nullptr);
  EXPECT_EQ(Logits(plain, golden), Logits(asked, golden));
}

TEST(Quantized, OtherTypesAreRefused) {
  for (const char* dtype : {"int3", "INT8", "int16", "uint8"}) {
    const auto model = Model::Load(GoldenPath("models/llama-odd"), {.dtype = dtype}, nullptr);
    ASSERT_FALSE(model.ok()) << dtype;
    EXPECT_EQ(model.status().code(), StatusCode::kUsage);
  }
}

}  // namespace
}  // namespace fathom
