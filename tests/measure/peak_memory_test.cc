// Peak memory and other programs, in fresh processes. Memory is asserted, time never.
#include "measure/peak_memory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <random>

#include "measure/subprocess.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

TEST(Subprocess, TakesInWhatIsWritten) {
  std::vector<std::string> lines;
  const auto result =
      RunSubprocess({.arguments = {"sh", "-c", "echo out; echo one >&2; echo two >&2; exit 3"},
                     .on_error_line = [&](std::string_view line) { lines.emplace_back(line); }});
  ASSERT_TRUE(result.ok()) << result.status().message();
  EXPECT_EQ(result->out, "out\n");
  EXPECT_EQ(result->err, "one\ntwo\n");
  EXPECT_EQ(lines, (std::vector<std::string>{"one", "two"}));
  EXPECT_EQ(result->exit_code, 3);
}

TEST(Subprocess, EndsWhatDoesNotEnd) {
  const auto late = RunSubprocess({.arguments = {"sleep", "100"}, .timeout_seconds = 0.2});
  ASSERT_TRUE(late.ok());
  EXPECT_TRUE(late->timed_out);
  const auto stopped = RunSubprocess({.arguments = {"sleep", "100"}, .stop = [] { return true; }});
  EXPECT_EQ(stopped.status().code(), StatusCode::kInterrupted);
  const auto killed = RunSubprocess({.arguments = {"sh", "-c", "kill -9 $$"}});
  EXPECT_EQ(killed->exit_code, 137);
  const auto missing = RunSubprocess({.arguments = {"/no/such/program"}});
  EXPECT_THAT(missing.status().message(), HasSubstr("/no/such/program: cannot be started"));
}

// A llama of about 100 MB in bfloat16 with random weights, written as Hugging Face would.
class BigModel : public testing::Test {
 protected:
  static constexpr int kHidden = 768, kInner = 2048, kLayers = 6, kVocab = 4096;

  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("fathom_peak_" + std::to_string(getpid()));
    fs::create_directories(folder_);
    Write("config.json", R"({"model_type":"llama","architectures":["LlamaForCausalLM"],
        "hidden_size":768,"intermediate_size":2048,"num_hidden_layers":6,"num_attention_heads":12,
        "num_key_value_heads":12,"vocab_size":4096,"max_position_embeddings":256,
        "rms_norm_eps":1e-5,"rope_theta":10000.0,"tie_word_embeddings":false,"hidden_act":"silu",
        "torch_dtype":"bfloat16","bos_token_id":0,"eos_token_id":1})");
    Add("model.embed_tokens.weight", kVocab, kHidden);
    for (int i = 0; i < kLayers; ++i) {
      const std::string at = "model.layers." + std::to_string(i) + ".";
      Add(at + "input_layernorm.weight", kHidden);
      for (const char* name : {"q_proj", "k_proj", "v_proj", "o_proj"}) {
        Add(at + "self_attn." + name + ".weight", kHidden, kHidden);
      }
      Add(at + "post_attention_layernorm.weight", kHidden);
      Add(at + "mlp.gate_proj.weight", kInner, kHidden);
      Add(at + "mlp.up_proj.weight", kInner, kHidden);
      Add(at + "mlp.down_proj.weight", kHidden, kInner);
    }
    Add("model.norm.weight", kHidden);
    Add("lm_head.weight", kVocab, kHidden);
    WriteTensors();
  }
  void TearDown() override { fs::remove_all(folder_); }

  int64_t PeakOf(const EngineOptions& options) {
    // A short text: what is loaded counts here, not what is computed with it.
    const PeakWork work{.prompt_tokens = 8, .decode_tokens = 2};
    const auto peak = MeasurePeakMemory(FATHOM_BINARY, folder_.string(), options, work);
    EXPECT_TRUE(peak.ok()) << peak.status().message();
    return peak.ok() ? peak->resident_bytes : 0;
  }

  fs::path folder_;
  int64_t weights_bytes_ = 0;

 private:
  void Write(const char* name, const std::string& text) {
    std::FILE* file = std::fopen((folder_ / name).c_str(), "wb");
    std::fwrite(text.data(), 1, text.size(), file);
    std::fclose(file);
  }
  void Add(const std::string& name, int64_t rows, int64_t cols = 0) {
    const int64_t bytes = rows * std::max<int64_t>(cols, 1) * 2;
    header_ += (header_.empty() ? "{\"" : ",\"") + name + R"(":{"dtype":"BF16","shape":[)" +
               std::to_string(rows) + (cols > 0 ? "," + std::to_string(cols) : "") +
               "],\"data_offsets\":[" + std::to_string(weights_bytes_) + "," +
               std::to_string(weights_bytes_ + bytes) + "]}";
    weights_bytes_ += bytes;
  }
  void WriteTensors() {
    header_ += "}";
    while (header_.size() % 8 != 0) header_ += ' ';
    std::FILE* file = std::fopen((folder_ / "model.safetensors").c_str(), "wb");
    const uint64_t size = header_.size();
    std::fwrite(&size, sizeof(size), 1, file);
    std::fwrite(header_.data(), 1, header_.size(), file);
    // Random bfloat16 of about 2^-6, either sign.
    std::mt19937_64 random(3);
    std::vector<uint16_t> block(1 << 16);
    for (int64_t left = weights_bytes_ / 2; left > 0;) {
      for (uint16_t& value : block) {
        const uint64_t draw = random();
        value = static_cast<uint16_t>(((draw & 1) << 15) | 0x3C00 | ((draw >> 8) & 0xFF));
      }
      const auto count = static_cast<size_t>(std::min<int64_t>(left, 1 << 16));
      std::fwrite(block.data(), 2, count, file);
      left -= static_cast<int64_t>(count);
    }
    std::fclose(file);
  }

  std::string header_;
};

TEST_F(BigModel, MappedLoadHoldsTheWeightsOnceReadAndCopyTwice) {
  const auto weights = static_cast<double>(weights_bytes_);
  ASSERT_GT(weights, 90e6);
  EngineOptions mapped, copied, eager;
  copied.disabled = {"low_cpu_mem_usage"};
  eager.disabled = {"compile"};
  const auto limit = static_cast<int64_t>(1.03 * weights + 64e6);
  const int64_t on = PeakOf(mapped);
  EXPECT_LE(on, limit);
  EXPECT_GE(on, static_cast<int64_t>(0.9 * weights)) << "the weights were not all touched";
  EXPECT_LE(PeakOf(eager), limit);
  const int64_t off = PeakOf(copied);
  EXPECT_GE(off, static_cast<int64_t>(1.8 * weights));
  EXPECT_LE(off, static_cast<int64_t>(2.2 * weights + 64e6));
}

TEST_F(BigModel, WhatFailsInTheProcessIsSaid) {
  EngineOptions options;
  options.dtype = "float7";
  const auto peak = MeasurePeakMemory(FATHOM_BINARY, folder_.string(), options, {});
  ASSERT_FALSE(peak.ok());
  EXPECT_THAT(peak.status().message(), HasSubstr("ended with 2: "));
  EXPECT_THAT(peak.status().message(), HasSubstr("float7"));
}

}  // namespace
}  // namespace fathom
