// What AutoTokenizer makes of a model folder: which class it takes, what that class puts in place
// of the file's own pipeline, and which tokens are added beside those of the file.
//
// Mirrors transformers 5.23: models/auto/tokenization_auto.py (from_pretrained),
// tokenization_utils_base.py (_from_pretrained), tokenization_utils_tokenizers.py
// (TokenizersBackend), models/gpt2/tokenization_gpt2.py, models/qwen2/tokenization_qwen2.py.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "fathom/status.h"
#include "text/tokenizer_json.h"

namespace fathom {

// The small files of the folder; null where one is not there.
struct FolderFiles {
  JsonValue config;              // config.json
  JsonValue tokenizer_config;    // tokenizer_config.json
  JsonValue special_tokens_map;  // special_tokens_map.json
  JsonValue added_tokens;        // added_tokens.json
};

struct AutoTokenizerPlan {
  std::string class_name;
  // Added one batch after the other (AddedVocabulary::Add).
  std::vector<std::vector<AddedToken>> added_batches;
  // "bos_token" -> "<s>", in transformers' order, those that are set.
  std::vector<std::pair<std::string, std::string>> special_tokens;
};

// The class that from_pretrained takes. `tokenizer_json_text`: the raw file, in which it looks for
// the word "ByteLevel".
std::string ChooseTokenizerClass(const FolderFiles& files, std::string_view tokenizer_json_text);

// Plans, and changes `json` where the class builds a pipeline of its own. kBadFile where the class
// is one that this project does not have yet.
Result<AutoTokenizerPlan> PlanAutoTokenizer(const FolderFiles& files,
                                            std::string_view tokenizer_json_text,
                                            TokenizerJson& json);

}  // namespace fathom
