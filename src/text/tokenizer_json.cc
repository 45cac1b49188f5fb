#include "text/tokenizer_json.h"

#include <fmt/format.h>

#include "text/component.h"
#include "text/tokenizer_sections.h"

namespace fathom {
namespace {

// Builds the tree of everything but model.vocab (where it is an object) and model.merges.
class Reader final : public JsonHandler {
 public:
  explicit Reader(TokenizerJson& out) : out_(out) {}

  Status OnNull() override { return Value(JsonValue()); }
  Status OnBool(bool value) override { return Value(value); }
  Status OnUint(uint64_t value) override { return Value(value); }
  Status OnDouble(double value) override { return Value(value); }
  Status OnInt(int64_t value) override {
    if (mode_ != Mode::kVocab) return Value(value);
    out_.model.vocab.emplace_back(token_, value);
    return Status::Ok();
  }
  Status OnString(std::string& value) override {
    if (mode_ == Mode::kMerges) return Legacy(value);
    if (mode_ == Mode::kMergePair) {
      part_count_ < 2 ? parts_[part_count_] = out_.model.merge_pool.Add(value) : parts_[0];
      ++part_count_;
      return Status::Ok();
    }
    return Value(std::move(value));
  }
  Status OnKey(std::string& key) override {
    if (mode_ == Mode::kVocab) {
      FATHOM_TRY(CheckPool(out_.model.pool));
      token_ = out_.model.pool.Add(key);
    } else {
      open_.back().key = std::move(key);
    }
    return Status::Ok();
  }
  Status OnStartObject() override {
    if (IsModelMember("vocab")) {
      mode_ = Mode::kVocab;
      out_.model.has_vocab = true;
      out_.model.vocab.clear();
      return Status::Ok();
    }
    if (mode_ != Mode::kTree) return Value(JsonValue(JsonObject()));
    open_.push_back({JsonValue(JsonObject()), {}});
    return Status::Ok();
  }
  Status OnEndObject() override {
    if (mode_ == Mode::kVocab) {
      mode_ = Mode::kTree;
      return Status::Ok();
    }
    return Close();
  }
  Status OnStartArray() override {
    if (IsModelMember("merges")) {
      mode_ = Mode::kMerges;
      out_.model.has_merges = true;
      out_.model.merges.clear();
      return Status::Ok();
    }
    if (mode_ == Mode::kMerges) {
      FATHOM_TRY(CheckPool(out_.model.merge_pool));
      mode_ = Mode::kMergePair;
      part_count_ = 0;
      return Status::Ok();
    }
    if (mode_ != Mode::kTree) return Value(JsonValue(JsonArray()));
    open_.push_back({JsonValue(JsonArray()), {}});
    return Status::Ok();
  }
  Status OnEndArray() override {
    if (mode_ == Mode::kMergePair) {
      if (part_count_ != 2) return BadMerge(fmt::format("has {} parts", part_count_));
      out_.model.merges.emplace_back(parts_[0], parts_[1]);
      mode_ = Mode::kMerges;
      return Status::Ok();
    }
    if (mode_ == Mode::kMerges) {
      mode_ = Mode::kTree;
      return Status::Ok();
    }
    return Close();
  }

 private:
  enum class Mode { kTree, kVocab, kMerges, kMergePair };
  struct Open {
    JsonValue value;
    std::string key;
  };

  bool IsModelMember(std::string_view name) const {
    return mode_ == Mode::kTree && open_.size() == 2 && open_[0].key == "model" &&
           open_[1].value.is_object() && open_[1].key == name;
  }
  // Offsets into a pool have 32 bits.
  static Status CheckPool(const StringPool& pool) {
    if (pool.size_bytes() < (size_t{1} << 31)) return Status::Ok();
    return Status::BadFile("", "model", "has more than 2^31 bytes of tokens");
  }
  Status BadMerge(const std::string& reason) const {
    return Status::BadFile("", fmt::format("model.merges[{}]", out_.model.merges.size()), reason,
                           "and must be \"a b\" or [\"a\", \"b\"]");
  }
  // "a b", the older spelling (convert_merges_to_hashmap in models/bpe/model.rs).
  Status Legacy(const std::string& line) {
    if (line.starts_with("#version")) return Status::Ok();
    FATHOM_TRY(CheckPool(out_.model.merge_pool));
    const size_t space = line.find(' ');
    if (space == std::string::npos || line.find(' ', space + 1) != std::string::npos) {
      return BadMerge(fmt::format("\"{}\"", line.substr(0, 100)));
    }
    const std::string_view text = line;
    const StringPool::Ref left = out_.model.merge_pool.Add(text.substr(0, space));
    out_.model.merges.emplace_back(left, out_.model.merge_pool.Add(text.substr(space + 1)));
    return Status::Ok();
  }
  Status Value(JsonValue value) {
    if (mode_ == Mode::kVocab) {
      return Status::BadFile("", fmt::format("model.vocab[\"{}\"]", out_.model.pool.Get(token_)),
                             fmt::format("is a {}", value.TypeName()), "and must be an integer");
    }
    if (mode_ != Mode::kTree) return BadMerge(fmt::format("holds a {}", value.TypeName()));
    if (open_.empty()) {
      return Status::BadFile("", "", fmt::format("is a {}", value.TypeName()),
                             "and must be an object");
    }
    if (open_.back().value.is_array()) {
      open_.back().value.as_array().push_back(std::move(value));
    } else {
      open_.back().value.Set(open_.back().key, std::move(value));  // the last of equal keys counts
    }
    return Status::Ok();
  }
  Status Close() {
    JsonValue value = std::move(open_.back().value);
    open_.pop_back();
    if (open_.empty()) {
      out_.fields = std::move(value);
      return Status::Ok();
    }
    if (open_.size() == 1 && open_[0].key == "model" && value.is_object()) {
      out_.has_model = true;
      out_.model.fields = std::move(value);
      return Status::Ok();
    }
    return Value(std::move(value));
  }

  TokenizerJson& out_;
  std::vector<Open> open_;
  Mode mode_ = Mode::kTree;
  StringPool::Ref token_ = {};
  StringPool::Ref parts_[2] = {};
  int part_count_ = 0;
};

}  // namespace

namespace {

// The general reader over the rest of a document whose large members were read before it.
bool ReadInSections(std::string_view text, const std::string& what, TokenizerJson& json) {
  TokenizerJson sections;
  std::string rest;
  if (!ReadModelSections(text, sections.model, rest)) return false;
  Reader reader(json);
  if (!ReadJson(rest, what, JsonLimits{}, reader).ok()) return false;
  sections.model.fields = std::move(json.model.fields);
  json.model = std::move(sections.model);
  return true;
}

}  // namespace

Result<TokenizerJson> ReadTokenizerJson(std::string_view text, const std::string& what) {
  TokenizerJson json;
  if (!ReadInSections(text, what, json)) {
    json = TokenizerJson();
    Reader reader(json);
    FATHOM_TRY(ReadJson(text, what, JsonLimits{}, reader));
  }
  if (!json.fields.is_object()) return Status::BadFile(what, "", "is no JSON object");
  const JsonValue* version = json.fields.Find("version");
  if (version != nullptr && !(version->is_string() && version->as_string() == "1.0")) {
    return Status::BadFile(what, "version", WriteJson(*version).substr(0, 40), "is not \"1.0\"");
  }
  if (!json.has_model) return Status::BadFile(what, "model", "is missing or no object");
  return json;
}

Result<AddedToken> ReadAddedToken(const JsonValue& json, const std::string& field) {
  if (!json.is_object()) return Status::BadFile("", field, "is no object");
  const JsonFields fields(json, field);
  AddedToken token;
  FATHOM_ASSIGN(token.content, fields.String("content"));
  FATHOM_ASSIGN(token.single_word, fields.Bool("single_word", false));
  FATHOM_ASSIGN(token.lstrip, fields.Bool("lstrip", false));
  FATHOM_ASSIGN(token.rstrip, fields.Bool("rstrip", false));
  FATHOM_ASSIGN(token.special, fields.Bool("special", false));
  FATHOM_ASSIGN(token.normalized, fields.Bool("normalized", !token.special));
  return token;
}

Result<std::vector<AddedToken>> ReadAddedTokens(const JsonValue& fields) {
  std::vector<AddedToken> tokens;
  const JsonValue* list = fields.Find("added_tokens");
  if (list == nullptr) return tokens;
  if (!list->is_array()) return Status::BadFile("", "added_tokens", "is no array");
  for (size_t i = 0; i < list->as_array().size(); ++i) {
    FATHOM_ASSIGN(auto token,
                  ReadAddedToken(list->as_array()[i], fmt::format("added_tokens[{}]", i)));
    tokens.push_back(std::move(token));
  }
  return tokens;
}

}  // namespace fathom
