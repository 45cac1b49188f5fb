// json.dumps, as the tojson filter of transformers calls it.
#pragma once

#include "text/template/value.h"

namespace fathom::jinja {

struct JsonStyle {
  bool ensure_ascii = false;
  bool sort_keys = false;
  bool lines = false;  // an indent was given
  Value indent;        // the text of one level, where `lines`
  Value item_separator;
  Value key_separator;
};

// All trusted only where every string of `value` is (template.h, "trusted").
Value DumpJson(const Value& value, const JsonStyle& style);

}  // namespace fathom::jinja
