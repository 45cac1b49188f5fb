// The file tokenizer.json: read as a stream where it is large (vocabulary, merges), as a tree else.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "fathom/status.h"
#include "text/added_vocabulary.h"
#include "text/model.h"

namespace fathom {

struct TokenizerJson {
  JsonValue fields;  // all of the root but "model"
  bool has_model = false;
  ModelJson model;
};

// `what` names the file in errors (kBadFile).
Result<TokenizerJson> ReadTokenizerJson(std::string_view text, const std::string& what);

// An added token out of tokenizer.json, tokenizer_config.json or special_tokens_map.json. A missing
// "normalized" is the opposite of "special", as in tokenizers' AddedToken.
Result<AddedToken> ReadAddedToken(const JsonValue& json, const std::string& field);

// The added tokens of the file, in file order (their ids do not count: AddedVocabulary::Add).
Result<std::vector<AddedToken>> ReadAddedTokens(const JsonValue& fields);

}  // namespace fathom
