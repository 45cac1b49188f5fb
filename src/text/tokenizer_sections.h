// The two large members of a tokenizer.json, model.vocab and model.merges, read straight from the
// text: they are all but some kilobytes of the file and have one form each.
//
// What is in any way unusual (a member given twice, a value of another kind, an escape that is no
// valid one) is left to the general reader, which knows every case and its error.
#pragma once

#include <string>
#include <string_view>

#include "text/model.h"

namespace fathom {

// Reads both members into `model` and the rest of the document, in which they are empty, into
// `rest`. False, and nothing to be used, where the text is not of the plain form.
bool ReadModelSections(std::string_view text, ModelJson& model, std::string& rest);

}  // namespace fathom
