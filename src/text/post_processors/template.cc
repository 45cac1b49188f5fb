// TemplateProcessing: special tokens and the text's own ids in the order of a template
// (tokenizers' processors/template.rs).
#include <fmt/format.h>

#include <unordered_map>

#include "text/post_processor.h"

namespace fathom {
namespace {

struct TemplatePiece {
  int sequence = -1;         // 0: A, 1: B; -1: special tokens
  std::vector<int32_t> ids;  // of the special tokens
};

using SpecialTokens = std::unordered_map<std::string, std::vector<int32_t>>;

Result<SpecialTokens> ReadSpecialTokens(const JsonValue& json, const std::string& field) {
  SpecialTokens result;
  const std::string where = field + ".special_tokens";
  const JsonValue* tokens = json.Find("special_tokens");
  if (tokens == nullptr || !tokens->is_object()) {
    return Status::BadFile("", where, "is missing or no object");
  }
  for (const auto& [name, token] : tokens->as_object()) {
    const JsonValue* ids = token.Find("ids");
    if (ids == nullptr || !ids->is_array()) {
      return Status::BadFile("", fmt::format("{}[\"{}\"].ids", where, name), "is no array");
    }
    std::vector<int32_t>& list = result[name];
    for (const JsonValue& id : ids->as_array()) {
      if (!id.is_int() || id.as_int() < 0 || id.as_int() >= INT32_MAX) {
        return Status::BadFile("", fmt::format("{}[\"{}\"].ids", where, name),
                               WriteJson(id).substr(0, 40), "is no token id");
      }
      list.push_back(static_cast<int32_t>(id.as_int()));
    }
  }
  return result;
}

Result<TemplatePiece> ReadPiece(const JsonValue& json, const SpecialTokens& tokens,
                                const std::string& where) {
  const bool one_member = json.is_object() && json.as_object().size() == 1;
  const JsonValue* id = one_member ? json.as_object()[0].second.Find("id") : nullptr;
  if (id == nullptr || !id->is_string()) {
    return Status::BadFile("", where, "is neither a Sequence nor a SpecialToken with an id");
  }
  const std::string& kind = json.as_object()[0].first;
  if (kind == "Sequence" && (id->as_string() == "A" || id->as_string() == "B")) {
    return TemplatePiece{.sequence = id->as_string() == "A" ? 0 : 1, .ids = {}};
  }
  const auto found = tokens.find(id->as_string());
  if (kind != "SpecialToken" || found == tokens.end()) {
    return Status::BadFile("", where, fmt::format("{} \"{}\"", kind, id->as_string()),
                           "is not among special_tokens");
  }
  return TemplatePiece{.sequence = -1, .ids = found->second};
}

Result<std::vector<TemplatePiece>> ReadTemplate(const JsonValue& json, std::string_view name,
                                                const SpecialTokens& tokens,
                                                const std::string& field) {
  const std::string where = field + "." + std::string(name);
  const JsonValue* pieces = json.Find(name);
  if (pieces == nullptr || !pieces->is_array()) {
    return Status::BadFile("", where, "is missing or no array");
  }
  std::vector<TemplatePiece> result;
  for (size_t i = 0; i < pieces->as_array().size(); ++i) {
    FATHOM_ASSIGN(auto piece,
                  ReadPiece(pieces->as_array()[i], tokens, fmt::format("{}[{}]", where, i)));
    result.push_back(std::move(piece));
  }
  return result;
}

class TemplateProcessing final : public PostProcessor {
 public:
  static Result<PostProcessorPtr> Make(const JsonValue& json, const std::string& field) {
    auto result = std::make_unique<TemplateProcessing>();
    FATHOM_ASSIGN(const SpecialTokens tokens, ReadSpecialTokens(json, field));
    FATHOM_ASSIGN(result->single_, ReadTemplate(json, "single", tokens, field));
    FATHOM_ASSIGN(result->pair_, ReadTemplate(json, "pair", tokens, field));
    for (const TemplatePiece& piece : result->single_) {
      if (piece.sequence == 1) {
        return Status::BadFile("", field + ".single", "uses the sequence B", "(only A is there)");
      }
    }
    return PostProcessorPtr(std::move(result));
  }

  // Two parts can only come from a template before this one in a Sequence; tokenizers takes them
  // for a pair, and stops at more.
  Status Apply(Encodings& encodings, bool add_special_tokens) const override {
    if (encodings.size() != 1 && encodings.size() != 2) {
      return Status::RunTime(
          fmt::format("the tokenizer's post_processor applies a template to {} "
                      "parts",
                      encodings.size()));
    }
    Encodings result;
    for (const TemplatePiece& piece : encodings.size() == 1 ? single_ : pair_) {
      if (piece.sequence >= 0) {
        result.push_back(encodings[static_cast<size_t>(piece.sequence)]);
      } else if (add_special_tokens) {
        result.push_back(piece.ids);
      }
    }
    encodings = std::move(result);
    return Status::Ok();
  }

 private:
  std::vector<TemplatePiece> single_;
  std::vector<TemplatePiece> pair_;
};

const RegisterComponent<PostProcessor> kTemplate("TemplateProcessing", TemplateProcessing::Make);

}  // namespace
}  // namespace fathom
