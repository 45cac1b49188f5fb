#include "checkpoint/model_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "base/mapped_file.h"

namespace fathom {
namespace {

// ALLOWED_ATTN_LAYER_TYPES of transformers' configuration_utils.py.
constexpr std::array<std::string_view, 14> kLayerTypes = {"full_attention",
                                                          "sliding_attention",
                                                          "chunked_attention",
                                                          "window_attention",
                                                          "indexed_attention",
                                                          "compressed_sparse_attention",
                                                          "heavily_compressed_attention",
                                                          "minimax_m3_sparse",
                                                          "conv",
                                                          "moe",
                                                          "hybrid",
                                                          "hybrid_sliding",
                                                          "reference_sliding_attention",
                                                          "linear_attention"};

// Spelled otherwise by older files (_LEGACY_LAYER_TYPE_REMAP there).
std::string CurrentLayerType(const std::string& name) {
  if (name == "mamba") return "linear_attention";
  if (name == "attention") return "full_attention";
  if (name == "deepseek_sparse_attention" || name == "qwen_sparse_attention") {
    return "indexed_attention";
  }
  return name;
}

// Fields that a composite model keeps outside its text_config, taken in where that lacks them.
constexpr std::array<std::string_view, 8> kOuterFields = {
    "dtype",        "torch_dtype",  "tie_word_embeddings", "bos_token_id",
    "eos_token_id", "pad_token_id", "quantization_config", "architectures"};

Status SplitComposite(ConfigFile& file) {
  const JsonValue* inner = file.raw->Find("text_config");
  if (inner == nullptr || inner->is_null()) {
    file.text = file.raw;
    return Status::Ok();
  }
  if (!inner->is_object()) {
    return Status::BadFile(file.path, "text_config", ShownJson(*inner), "is no object");
  }
  JsonValue text = *inner;
  for (const std::string_view key : kOuterFields) {
    const JsonValue* outer = file.raw->Find(key);
    const JsonValue* own = text.Find(key);
    if (outer == nullptr || (own != nullptr && !own->is_null())) continue;
    // Either spelling of the type counts as there.
    if (key == "torch_dtype" && text.Find("dtype") != nullptr) continue;
    if (key == "dtype" && text.Find("torch_dtype") != nullptr) continue;
    text.Set(key, *outer);
  }
  file.composite = true;
  file.text = std::make_shared<const JsonValue>(std::move(text));
  file.notices.push_back("config.json describes a composite model: its text part runs");
  return Status::Ok();
}

// The values of one parse: fields fill `config`, refusals gather in `reader`.
struct Parse {
  const ConfigDefaults& defaults;
  ConfigReader reader;
  ModelConfig config;
};

void ReadSizes(Parse& p) {
  ConfigReader& r = p.reader;
  ModelConfig& c = p.config;
  const ConfigDefaults& d = p.defaults;
  c.vocab_size = r.Int("vocab_size", d.vocab_size, {1, kMaxVocabSize});
  c.hidden_size = r.Int("hidden_size", d.hidden_size, {1, kMaxHiddenSize});
  c.intermediate_size = r.Int("intermediate_size", d.intermediate_size, {1, kMaxIntermediateSize});
  c.num_hidden_layers = r.Int("num_hidden_layers", d.num_hidden_layers, {1, kMaxLayers});
  c.num_attention_heads = r.Int("num_attention_heads", d.num_attention_heads, {1, kMaxHeads});
  c.num_key_value_heads =
      r.OptionalInt("num_key_value_heads", d.num_key_value_heads, {1, kMaxHeads})
          .value_or(c.num_attention_heads);
  c.max_position_embeddings =
      r.Int("max_position_embeddings", d.max_position_embeddings, {1, kMaxPositions});
  const std::optional<int64_t> head_dim = r.OptionalInt("head_dim", d.head_dim, {1, kMaxHeadDim});
  if (!r.status().ok()) return;

  if (c.num_attention_heads % c.num_key_value_heads != 0) {
    r.Refuse("num_key_value_heads", fmt::format("{}", c.num_key_value_heads),
             fmt::format("does not divide num_attention_heads, {}", c.num_attention_heads));
  }
  if ((!head_dim || d.hidden_size_by_heads) && c.hidden_size % c.num_attention_heads != 0) {
    r.Refuse("hidden_size", fmt::format("{}", c.hidden_size),
             fmt::format("is no multiple of num_attention_heads, {}", c.num_attention_heads));
  }
  c.head_dim = head_dim.value_or(c.hidden_size / c.num_attention_heads);
  if (c.head_dim > kMaxHeadDim) {
    r.Refuse("num_attention_heads", fmt::format("{} dimensions a head", c.head_dim),
             fmt::format("exceed the limit of {}", kMaxHeadDim));
  }
  if (c.num_attention_heads * c.head_dim > kMaxIntermediateSize) {
    r.Refuse("head_dim", fmt::format("{} heads of {}", c.num_attention_heads, c.head_dim),
             fmt::format("exceed the limit of {} together", kMaxIntermediateSize));
  }
}

void ReadBlocks(Parse& p) {
  ConfigReader& r = p.reader;
  p.config.rms_norm_eps = r.Number("rms_norm_eps", p.defaults.rms_norm_eps, {0, 1});
  p.config.hidden_act = r.String("hidden_act", p.defaults.hidden_act);
  p.config.tie_word_embeddings = r.Bool("tie_word_embeddings", p.defaults.tie_word_embeddings);
  p.config.attention_bias = r.Bool("attention_bias", p.defaults.attention_bias);
  p.config.mlp_bias = r.Bool("mlp_bias", p.defaults.mlp_bias);
}

// layer_types of the file, under their current names; empty where it has none.
std::vector<std::string> ReadLayerTypes(Parse& p) {
  ConfigReader& r = p.reader;
  std::optional<std::vector<std::string>> types = r.StringOrList("layer_types");
  if (!types || !r.status().ok()) return {};
  if (static_cast<int64_t>(types->size()) != p.config.num_hidden_layers) {
    r.Refuse("layer_types", fmt::format("{} entries", types->size()),
             fmt::format("where num_hidden_layers is {}", p.config.num_hidden_layers));
    return {};
  }
  for (std::string& type : *types) {
    type = CurrentLayerType(type);
    if (std::find(kLayerTypes.begin(), kLayerTypes.end(), type) == kLayerTypes.end()) {
      r.Refuse("layer_types", fmt::format("\"{}\"", type.substr(0, 80)), "is no known layer type");
      return {};
    }
  }
  return *std::move(types);
}

void ReadLayers(Parse& p) {
  ConfigReader& r = p.reader;
  ModelConfig& c = p.config;
  const ConfigDefaults& d = p.defaults;
  c.layer_types = ReadLayerTypes(p);
  if (!d.has_layer_types) {
    c.layer_types.assign(static_cast<size_t>(c.num_hidden_layers), "full_attention");
    return;
  }
  c.use_sliding_window = r.Bool("use_sliding_window", d.use_sliding_window);
  c.max_window_layers = r.Int("max_window_layers", d.max_window_layers, {0, kMaxLayers});
  c.sliding_window = r.OptionalInt("sliding_window", d.sliding_window, {1, kMaxPositions});
  if (!c.use_sliding_window) c.sliding_window.reset();
  if (!r.status().ok()) return;
  if (c.layer_types.empty()) {
    for (int64_t layer = 0; layer < c.num_hidden_layers; ++layer) {
      const bool slides = c.sliding_window && layer >= c.max_window_layers;
      c.layer_types.push_back(slides ? "sliding_attention" : "full_attention");
    }
  }
  const auto slides = std::find(c.layer_types.begin(), c.layer_types.end(), "sliding_attention");
  if (slides != c.layer_types.end() && !c.sliding_window) {
    r.Refuse("layer_types", "\"sliding_attention\"", "where no sliding window is set");
  }
}

void ReadRope(Parse& p) {
  RopeContext context;
  context.default_theta = p.defaults.rope_theta;
  context.head_dim = p.config.head_dim;
  context.max_position_embeddings = p.config.max_position_embeddings;
  if (p.defaults.has_layer_types) {
    context.layer_types = p.config.layer_types;
    auto& types = context.layer_types;
    std::sort(types.begin(), types.end());
    types.erase(std::unique(types.begin(), types.end()), types.end());
  }
  p.config.rope_parameters = ReadRopeParameters(p.reader, context);
}

// The ids of a field that the vocabulary has. Published files hold others (pad_token_id -1): as in
// transformers' validate_token_ids they are told, not refused.
std::vector<int64_t> ReadIds(Parse& p, std::string_view key, std::optional<int64_t> fallback) {
  std::optional<std::vector<int64_t>> ids = p.reader.IntOrList(key, {});
  if (!p.reader.Contains(key) && fallback) ids = {*fallback};
  std::vector<int64_t> kept;
  for (const int64_t id : ids.value_or(std::vector<int64_t>())) {
    if (id >= 0 && id < p.config.vocab_size) {
      kept.push_back(id);
    } else {
      p.config.notices.push_back(
          fmt::format("config.json: {} {} is outside the vocabulary of {}: ignored", key, id,
                      p.config.vocab_size));
    }
  }
  return kept;
}

void ReadTokenIds(Parse& p) {
  p.config.bos_token_id = ReadIds(p, "bos_token_id", p.defaults.bos_token_id);
  p.config.eos_token_id = ReadIds(p, "eos_token_id", p.defaults.eos_token_id);
  const std::vector<int64_t> pad = ReadIds(p, "pad_token_id", p.defaults.pad_token_id);
  if (!pad.empty()) p.config.pad_token_id = pad[0];
}

void ReadDType(Parse& p) {
  const std::string_view key = p.reader.Has("dtype") ? "dtype" : "torch_dtype";
  const std::optional<std::string> name = p.reader.OptionalString(key);
  if (!name || *name == "auto" || !p.reader.status().ok()) return;
  p.config.dtype = DTypeFromTorch(*name);
  if (!p.config.dtype) {
    p.reader.Refuse(key, fmt::format("\"{}\"", name->substr(0, 80)), "is no known element type");
  }
}

void ReadQuantization(Parse& p) {
  const JsonValue* object = p.reader.Object("quantization_config");
  if (object == nullptr) return;
  ConfigReader reader(p.reader.file(), *object, "quantization_config.");
  p.config.quantization_method = reader.OptionalString("quant_method").value_or("unknown");
  p.reader.Adopt(reader);
}

}  // namespace

Result<ConfigFile> ConfigFile::Parse(std::string_view json, std::string path) {
  ConfigFile file;
  file.path = std::move(path);
  if (json.size() > kMaxConfigBytes) {
    return Status::BadFile(file.path, "size", fmt::format("{} bytes", json.size()),
                           fmt::format("exceed the limit of {}", kMaxConfigBytes));
  }
  FATHOM_ASSIGN(JsonValue raw, ParseJson(json, file.path));
  if (!raw.is_object()) {
    return Status::BadFile(file.path, "", ShownJson(raw), "where an object is required");
  }
  file.raw = std::make_shared<const JsonValue>(std::move(raw));
  FATHOM_TRY(SplitComposite(file));
  ConfigReader reader(file.path, *file.text);
  const std::optional<std::string> type = reader.OptionalString("model_type");
  file.architectures = reader.StringOrList("architectures").value_or(std::vector<std::string>());
  FATHOM_TRY(reader.status());
  if (type) {
    file.model_type = *type;
  } else if (file.composite) {
    ConfigReader outer(file.path, *file.raw);
    file.model_type = outer.OptionalString("model_type").value_or("");
    FATHOM_TRY(outer.status());
    if (!file.model_type.empty()) file.model_type += "_text";
  }
  if (file.model_type.empty()) {
    return Status::BadFile(file.path, "model_type", "is missing", "",
                           "add the name of the architecture, such as \"llama\"");
  }
  for (const auto& part : {file.raw, file.text}) {
    if (part->Find("auto_map") == nullptr) continue;
    file.notices.push_back("config.json names code of its own (auto_map): ignored, never run");
    break;
  }
  return file;
}

Result<ConfigFile> ConfigFile::Open(const std::string& path) {
  std::error_code error;
  const bool folder = std::filesystem::is_directory(path, error);
  const std::string file = folder ? (std::filesystem::path(path) / "config.json").string() : path;
  FATHOM_ASSIGN(const std::string json, ReadTextFile(file, kMaxConfigBytes));
  return Parse(json, file);
}

const RopeParameters* ModelConfig::RopeOf(int64_t layer) const {
  for (const NamedRope& rope : rope_parameters) {
    if (rope.layer_type.empty() || rope.layer_type == layer_types[layer]) return &rope.parameters;
  }
  return nullptr;
}

Result<ModelConfig> ParseModelConfig(const ConfigFile& file, const ConfigDefaults& defaults) {
  Parse p{defaults, ConfigReader(file.path, *file.text, file.composite ? "text_config." : ""), {}};
  p.config.file = file.path;
  p.config.model_type = file.model_type;
  p.config.architectures = file.architectures;
  p.config.notices = file.notices;
  ReadSizes(p);
  FATHOM_TRY(p.reader.status());
  ReadBlocks(p);
  ReadLayers(p);
  FATHOM_TRY(p.reader.status());
  ReadRope(p);
  ReadTokenIds(p);
  ReadDType(p);
  ReadQuantization(p);
  FATHOM_TRY(p.reader.status());
  p.config.raw = file.raw;
  p.config.text = file.text;
  return std::move(p.config);
}

}  // namespace fathom
