// What the methods and the filters of strings share. Results keep the runs of their sources.
#pragma once

#include "text/template/value.h"

namespace fathom::jinja {

Value Upper(const String& text);
Value Lower(const String& text);
Value CaseFold(const String& text);
Value Capitalize(const String& text);
Value Title(const String& text);
Value SwapCase(const String& text);
bool IsLowerText(TextView text);
bool IsUpperText(TextView text);
bool IsTitleText(TextView text);

// str.strip: `chars` is none, missing or a string.
Value Strip(const String& text, const Value& chars, bool left, bool right);
// str.replace; every occurrence where count is negative.
Value Replace(const String& text, const String& from, const String& to, int64_t count);
Values SplitLines(const String& text, bool keep_ends);
Values SplitOnSpace(const String& text, int64_t most);
// str.center, ljust, rjust: `left` of the padding goes before the text.
Value Pad(const String& text, int64_t width, const String& fill, bool before, bool after);

// separator.join(items): each item a string; with `convert`, str() of each.
Value Join(const String& separator, const Value& items, bool convert);

}  // namespace fathom::jinja
