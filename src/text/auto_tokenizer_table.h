// Which class AutoTokenizer takes (tools/make_auto_tokenizer_table.py).
#pragma once

#include <cstddef>
#include <string_view>

namespace fathom {

struct ModelTypeRow {
  std::string_view model_type;
  std::string_view class_name;
  bool hub_class_is_wrong;  // MODELS_WITH_INCORRECT_HUB_TOKENIZER_CLASS
};
extern const ModelTypeRow kModelTypes[];  // ascending by model_type
extern const size_t kModelTypesCount;

struct TokenizerClassRow {
  std::string_view name;
  std::string_view resolved;  // the class that transformers takes for the name
  bool loads_file_as_is;      // tokenizer.json decides; else the class builds its own pipeline
};
extern const TokenizerClassRow kTokenizerClasses[];  // ascending by name
extern const size_t kTokenizerClassesCount;

}  // namespace fathom
