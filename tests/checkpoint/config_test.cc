// config.json and generation_config.json against what transformers makes of the same files
// (make_config_goldens.py).
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>

#include "checkpoint/generation_config.h"
#include "checkpoint/model_config.h"
#include "tests/checkpoint/defaults.h"
#include "tests/checkpoint/files.h"

namespace fathom {
namespace {

constexpr std::string_view kData = FATHOM_SOURCE_DIR "/tests/checkpoint/data/";

const JsonArray& Cases(const JsonValue& golden) { return golden.Find("cases")->as_array(); }

JsonValue ReadGolden(std::string_view name) {
  auto golden = ParseJsonFile(std::string(kData) + std::string(name));
  EXPECT_TRUE(golden.ok()) << golden.status().message();
  return golden.ok() ? *golden : JsonValue();
}

JsonValue Json(const std::vector<int64_t>& ids) {
  JsonArray array(ids.begin(), ids.end());
  return array;
}
JsonValue Json(const std::vector<std::string>& strings) {
  return JsonArray(strings.begin(), strings.end());
}
template <typename T>
JsonValue Json(const std::optional<T>& value) {
  return value ? JsonValue(*value) : JsonValue();
}

// An id or a list of them, as a list; null as an empty one.
JsonValue AsList(const JsonValue& value) {
  if (value.is_null()) return JsonArray();
  return value.is_array() ? value : JsonArray{value};
}

// Numbers are equal as numbers: transformers keeps an integer where the file has one.
bool Same(const JsonValue& a, const JsonValue& b) {
  if (a.is_number() && b.is_number()) return a.as_double() == b.as_double();
  if (a.is_array() && b.is_array()) {
    return std::equal(a.as_array().begin(), a.as_array().end(), b.as_array().begin(),
                      b.as_array().end(), Same);
  }
  return a == b;
}

void ExpectRope(const RopeParameters& rope, const JsonValue& seen) {
  const auto expect = [&](std::string_view key, const JsonValue& value, JsonValue missing = {}) {
    const JsonValue* wanted = seen.Find(key);
    if (wanted == nullptr) wanted = &missing;
    EXPECT_TRUE(Same(value, *wanted))
        << key << ": " << WriteJson(value) << ", transformers " << WriteJson(*wanted);
  };
  const JsonValue* type = seen.Find("rope_type");
  ASSERT_NE(type, nullptr);
  ASSERT_EQ(RopeTypeName(rope.rope_type), type->as_string());
  expect("rope_theta", rope.rope_theta);
  expect("partial_rotary_factor", rope.partial_rotary_factor, 1.0);
  switch (rope.rope_type) {
    case RopeType::kDefault:
      break;
    case RopeType::kLinear:
    case RopeType::kDynamic:
    case RopeType::kProportional:
      expect("factor", Json(rope.factor));
      break;
    case RopeType::kYarn:
      expect("factor", Json(rope.factor));
      expect("attention_factor", Json(rope.attention_factor));
      expect("beta_fast", rope.beta_fast, 32);
      expect("beta_slow", rope.beta_slow, 1);
      expect("mscale", Json(rope.mscale));
      EXPECT_EQ(rope.mscale_all_dim, std::nullopt);  // 0 in the goldens: as good as none
      expect("truncate", rope.truncate, true);
      break;
    case RopeType::kLongrope:
      expect("factor", Json(rope.factor));
      expect("attention_factor", Json(rope.attention_factor));
      expect("short_factor", JsonArray(rope.short_factor.begin(), rope.short_factor.end()));
      expect("long_factor", JsonArray(rope.long_factor.begin(), rope.long_factor.end()));
      break;
    case RopeType::kLlama3:
      expect("factor", Json(rope.factor));
      expect("low_freq_factor", rope.low_freq_factor);
      expect("high_freq_factor", rope.high_freq_factor);
      break;
  }
  if (rope.original_max_position_embeddings != 0) {
    expect("original_max_position_embeddings", rope.original_max_position_embeddings);
  }
}

void ExpectSame(const ModelConfig& config, const JsonValue& seen) {
  const auto expect = [&](std::string_view key, const JsonValue& value, bool optional = false) {
    const JsonValue* wanted = seen.Find(key);
    ASSERT_NE(wanted, nullptr) << key;
    if (optional && wanted->is_null()) return;  // no field of this architecture
    EXPECT_TRUE(Same(value, *wanted))
        << key << ": " << WriteJson(value) << ", transformers " << WriteJson(*wanted);
  };
  expect("vocab_size", config.vocab_size);
  expect("hidden_size", config.hidden_size);
  expect("intermediate_size", config.intermediate_size);
  expect("num_hidden_layers", config.num_hidden_layers);
  expect("num_attention_heads", config.num_attention_heads);
  expect("num_key_value_heads", config.num_key_value_heads);
  expect("head_dim", config.head_dim);
  expect("max_position_embeddings", config.max_position_embeddings);
  expect("rms_norm_eps", config.rms_norm_eps);
  expect("hidden_act", config.hidden_act);
  expect("tie_word_embeddings", config.tie_word_embeddings);
  expect("attention_bias", config.attention_bias, true);
  expect("mlp_bias", config.mlp_bias, true);
  expect("sliding_window", Json(config.sliding_window));
  expect("max_window_layers", config.max_window_layers, true);
  expect("layer_types", Json(config.layer_types), true);
  EXPECT_EQ(Json(config.bos_token_id), AsList(*seen.Find("bos_token_id")));
  EXPECT_EQ(Json(config.eos_token_id), AsList(*seen.Find("eos_token_id")));
  EXPECT_EQ(Json(config.pad_token_id), *seen.Find("pad_token_id"));
  const JsonValue dtype = config.dtype ? JsonValue(TorchName(*config.dtype)) : JsonValue();
  EXPECT_EQ(dtype, *seen.Find("dtype"));
  const JsonValue& ropes = *seen.Find("rope_parameters");
  for (int64_t layer = 0; layer < config.num_hidden_layers; ++layer) {
    const RopeParameters* rope = config.RopeOf(layer);
    ASSERT_NE(rope, nullptr);
    const JsonValue* nested = ropes.Find(config.layer_types[layer]);
    ExpectRope(*rope, nested != nullptr ? *nested : ropes);
  }
}

TEST(ModelConfig, IsWhatTransformersMakesOfIt) {
  const JsonValue golden = ReadGolden("config_goldens.json");
  ASSERT_GT(Cases(golden).size(), 90u);
  for (const JsonValue& item : Cases(golden)) {
    const std::string json = WriteJson(*item.Find("config"));
    SCOPED_TRACE(json);
    auto file = ConfigFile::Parse(json, "config.json");
    ASSERT_TRUE(file.ok()) << file.status().message();
    auto config = ParseModelConfig(*file, file->model_type == "llama" ? kLlama : kQwen2);
    ASSERT_TRUE(config.ok()) << config.status().message();
    ExpectSame(*config, *item.Find("seen"));
    if (testing::Test::HasFailure()) return;
  }
}

TEST(ModelConfig, RunsTheTextPartOfACompositeModel) {
  auto file = ConfigFile::Parse(
      R"({"model_type":"mistral3","torch_dtype":"bfloat16","tie_word_embeddings":true,
          "eos_token_id":5,"hidden_size":1,"vision_config":{"hidden_size":2},
          "text_config":{"model_type":"llama","hidden_size":64,"num_attention_heads":4,
                         "bos_token_id":7,"num_hidden_layers":2}})",
      "config.json");
  ASSERT_TRUE(file.ok()) << file.status().message();
  EXPECT_TRUE(file->composite);
  EXPECT_EQ(file->model_type, "llama");
  auto config = ParseModelConfig(*file, kLlama);
  ASSERT_TRUE(config.ok()) << config.status().message();
  EXPECT_EQ(config->hidden_size, 64);
  EXPECT_EQ(config->dtype, DType::kBF16);
  EXPECT_TRUE(config->tie_word_embeddings);
  EXPECT_EQ(config->bos_token_id, std::vector<int64_t>{7});
  EXPECT_EQ(config->eos_token_id, std::vector<int64_t>{5});
  ASSERT_EQ(config->notices.size(), 1u);
  EXPECT_NE(config->notices[0].find("text part"), std::string::npos);
  EXPECT_EQ(config->raw->Find("hidden_size")->as_int(), 1);

  auto nameless = ConfigFile::Parse(R"({"model_type":"gemma3","text_config":{}})", "config.json");
  ASSERT_TRUE(nameless.ok());
  EXPECT_EQ(nameless->model_type, "gemma3_text");
}

TEST(ModelConfig, DropsIdsOutsideTheVocabularyAndSaysSo) {
  auto file = ConfigFile::Parse(
      R"({"model_type":"llama","vocab_size":10,"pad_token_id":-1,"eos_token_id":[3,10],
          "bos_token_id":[1,2]})",
      "config.json");
  ASSERT_TRUE(file.ok());
  auto config = ParseModelConfig(*file, kLlama);
  ASSERT_TRUE(config.ok()) << config.status().message();
  EXPECT_EQ(config->pad_token_id, std::nullopt);
  EXPECT_EQ(config->eos_token_id, std::vector<int64_t>{3});
  EXPECT_EQ(config->bos_token_id, (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(config->notices.size(), 2u);
}

TEST(ModelConfig, TellsTheQuantizationMethod) {
  auto file = ConfigFile::Parse(
      R"({"model_type":"llama","quantization_config":{"quant_method":"gptq","bits":4}})", "c");
  ASSERT_TRUE(file.ok());
  auto config = ParseModelConfig(*file, kLlama);
  ASSERT_TRUE(config.ok());
  EXPECT_EQ(config->quantization_method, "gptq");
}

TEST(ModelConfig, TakesAnIntegerForANumber) {
  auto file = ConfigFile::Parse(R"({"model_type":"llama","rms_norm_eps":0})", "c");
  ASSERT_TRUE(file.ok());
  EXPECT_TRUE(ParseModelConfig(*file, kLlama).ok());
}

TEST(ModelConfig, TakesHeadDimOfTheDefaultsUnlessTheFileHasOne) {
  ConfigDefaults defaults = kLlama;
  defaults.head_dim = 24;
  for (const auto& [more, head_dim] : {std::pair{"", 24}, std::pair{R"(,"head_dim":40)", 40}}) {
    auto file = ConfigFile::Parse(fmt::format(R"({{"model_type":"llama"{}}})", more), "c");
    ASSERT_TRUE(file.ok());
    auto config = ParseModelConfig(*file, defaults);
    ASSERT_TRUE(config.ok()) << config.status().message();
    EXPECT_EQ(config->head_dim, head_dim);
  }
}

TEST(ModelConfig, SurvivesRandomMutations) {
  const JsonValue golden = ReadGolden("config_goldens.json");
  std::mt19937 random(2);
  const std::string_view grammar = "{}[]\",:0123456789-.eE\\ nulltrue\xff";
  for (int round = 0; round < 20'000; ++round) {
    const JsonValue& item = Cases(golden)[random() % Cases(golden).size()];
    std::string json = WriteJson(*item.Find("config"));
    for (int i = 0; i < 3; ++i) {
      const size_t at = random() % json.size();
      switch (random() % 4) {
        case 0:
          json[at] = static_cast<char>(json[at] ^ (1 << (random() % 8)));
          break;
        case 1:
          json[at] = grammar[random() % grammar.size()];
          break;
        case 2:
          json.erase(at, 1 + random() % 4);
          break;
        default:
          json.insert(at, json.substr(random() % json.size(), random() % 30));
      }
      if (json.empty()) json.push_back(' ');
    }
    auto file = ConfigFile::Parse(json, "config.json");
    Status status = file.ok() ? Status::Ok() : file.status();
    if (file.ok()) {
      auto config = ParseModelConfig(*file, round % 2 == 0 ? kLlama : kQwen2);
      if (!config.ok()) status = config.status();
      auto generation = GenerationConfig::FromJson(*file->raw, "config.json");
      if (!generation.ok()) {
        EXPECT_EQ(generation.status().code(), StatusCode::kBadFile);
      } else {
        (void)generation->WithDefaults().Validate();
      }
    }
    if (!status.ok()) {
      EXPECT_EQ(status.code(), StatusCode::kBadFile) << json;
    }
  }
}

JsonValue Describe(const SequenceBias& bias) { return JsonArray{Json(bias.ids), bias.bias}; }
JsonValue Describe(const std::vector<int64_t>& ids) { return Json(ids); }

// The value of a field as the goldens write it.
template <typename T>
JsonValue Field(const std::optional<T>& value) {
  if (!value) return {};
  if constexpr (std::is_same_v<T, std::vector<int64_t>> ||
                std::is_same_v<T, std::vector<std::string>>) {
    return Json(*value);
  } else if constexpr (std::is_same_v<T, ExponentialDecay>) {
    return JsonArray{value->start, value->factor};
  } else if constexpr (std::is_same_v<T, std::vector<SequenceBias>> ||
                       std::is_same_v<T, std::vector<std::vector<int64_t>>>) {
    JsonArray items;
    for (const auto& item : *value) items.push_back(Describe(item));
    return items;
  } else {
    return JsonValue(*value);
  }
}

void ExpectSame(const GenerationConfig& c, const JsonValue& seen) {
#define EXPECT_FIELD(name)                                                              \
  do {                                                                                  \
    const JsonValue value = Field(c.name);                                              \
    const JsonValue& wanted = *seen.Find(#name);                                        \
    const bool list = value.is_array() && !wanted.is_array();                           \
    EXPECT_TRUE(Same(value, list ? AsList(wanted) : wanted))                            \
        << #name << ": " << WriteJson(value) << ", transformers " << WriteJson(wanted); \
  } while (false)
  EXPECT_FIELD(max_length);
  EXPECT_FIELD(max_new_tokens);
  EXPECT_FIELD(min_length);
  EXPECT_FIELD(min_new_tokens);
  EXPECT_FIELD(max_time);
  EXPECT_FIELD(stop_strings);
  EXPECT_FIELD(do_sample);
  EXPECT_FIELD(num_beams);
  EXPECT_FIELD(num_return_sequences);
  EXPECT_FIELD(length_penalty);
  EXPECT_FIELD(use_cache);
  EXPECT_FIELD(guidance_scale);
  EXPECT_FIELD(sequence_bias);
  EXPECT_FIELD(repetition_penalty);
  EXPECT_FIELD(no_repeat_ngram_size);
  EXPECT_FIELD(bad_words_ids);
  EXPECT_FIELD(forced_bos_token_id);
  EXPECT_FIELD(forced_eos_token_id);
  EXPECT_FIELD(remove_invalid_values);
  EXPECT_FIELD(exponential_decay_length_penalty);
  EXPECT_FIELD(suppress_tokens);
  EXPECT_FIELD(begin_suppress_tokens);
  EXPECT_FIELD(temperature);
  EXPECT_FIELD(top_h);
  EXPECT_FIELD(top_k);
  EXPECT_FIELD(top_p);
  EXPECT_FIELD(min_p);
  EXPECT_FIELD(typical_p);
  EXPECT_FIELD(epsilon_cutoff);
  EXPECT_FIELD(eta_cutoff);
  EXPECT_FIELD(renormalize_logits);
  EXPECT_FIELD(bos_token_id);
  EXPECT_FIELD(eos_token_id);
  EXPECT_FIELD(pad_token_id);
  EXPECT_FIELD(output_attentions);
  EXPECT_FIELD(output_hidden_states);
  EXPECT_FIELD(output_scores);
  EXPECT_FIELD(output_logits);
  EXPECT_FIELD(return_dict_in_generate);
#undef EXPECT_FIELD
  // A boolean or "never" there, always a word here.
  const JsonValue& stopping = *seen.Find("early_stopping");
  const std::string word = stopping.is_null()     ? "unset"
                           : stopping.is_string() ? stopping.as_string()
                                                  : WriteJson(stopping);
  EXPECT_EQ(c.early_stopping.value_or("unset"), word);
}

TEST(GenerationConfig, IsWhatTransformersMakesOfTheFolder) {
  const JsonValue golden = ReadGolden("generation_goldens.json");
  ASSERT_GE(Cases(golden).size(), 10u);
  for (const JsonValue& item : Cases(golden)) {
    const TempFolder folder;
    folder.Write("config.json", WriteJson(*item.Find("config")));
    const JsonValue& written = *item.Find("generation_config");
    if (!written.is_null()) folder.Write("generation_config.json", WriteJson(written));
    SCOPED_TRACE(WriteJson(written) + " " + WriteJson(*item.Find("config")));
    auto config = GenerationConfig::OpenFolder(folder.path());
    ASSERT_TRUE(config.ok()) << config.status().message();
    ExpectSame(*config, *item.Find("loaded"));
    ExpectSame(config->WithDefaults(), *item.Find("full"));
  }
}

TEST(GenerationConfig, TheCommandLineWins) {
  auto file = ParseJson(R"({"temperature":0,"do_sample":true,"top_k":7})", "f");
  ASSERT_TRUE(file.ok());
  auto config = GenerationConfig::FromJson(*file, "f");
  ASSERT_TRUE(config.ok());
  EXPECT_EQ(config->Validate(StatusCode::kBadFile, "f").message(),
            "f: temperature: 0 is not above 0; for greedy decoding leave sampling off (do_sample "
            "false)");
  GenerationConfig line;
  line.temperature = 2;
  line.top_k = 0;
  config->OverlayWith(line);
  EXPECT_TRUE(config->Validate().ok());
  EXPECT_EQ(config->temperature, 2.0);
  EXPECT_EQ(config->top_k, 0);
  EXPECT_EQ(config->do_sample, true);
  line.top_p = 3;
  config->OverlayWith(line);
  const Status status = config->Validate(StatusCode::kUsage);
  EXPECT_EQ(status.code(), StatusCode::kUsage);
  EXPECT_EQ(status.message(), "--top-p: 3 is not from 0 to 1");
}

TEST(GenerationConfig, WhatGreedyDecodingDoesNotUseIsNotRefused) {
  auto json = ParseJson(R"({"temperature":0.0,"top_p":7,"top_k":-1,"eos_token_id":-1})", "f");
  ASSERT_TRUE(json.ok());
  auto config = GenerationConfig::FromJson(*json, "f");
  ASSERT_TRUE(config.ok()) << config.status().message();
  EXPECT_TRUE(config->Validate().ok());
  EXPECT_EQ(config->eos_token_id, std::nullopt);
}

}  // namespace
}  // namespace fathom
