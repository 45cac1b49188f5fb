// Changing the case of text and asking for it: str.upper, str.title, str.islower ...
#include "text/template/string_functions.h"

namespace fathom::jinja {
namespace {

// Appends what each code point becomes; a code point's image is trusted as it is.
template <typename Map>
Value MapText(const String& source, Map map) {
  StringBuilder out;
  Text image;
  size_t begin = 0;
  for (const Run& run : source.runs) {
    image.clear();
    for (size_t i = begin; i < run.end; ++i) map(i, source.text[i], image);
    out.Append(image, run.trusted);
    begin = run.end;
  }
  return out.Finish(source.markup);
}

void AppendLowerAt(TextView text, size_t at, Text& out) {
  if (text[at] == 0x3A3) {
    out += IsFinalSigma(text, at) ? U'\u03C2' : U'\u03C3';
  } else {
    AppendLower(text[at], out);
  }
}

}  // namespace

Value Upper(const String& text) {
  return MapText(text, [](size_t, char32_t c, Text& out) { AppendUpper(c, out); });
}

Value Lower(const String& text) {
  return MapText(text, [&](size_t i, char32_t, Text& out) { AppendLowerAt(text.text, i, out); });
}

Value CaseFold(const String& text) {
  return MapText(text, [](size_t, char32_t c, Text& out) { AppendFolded(c, out); });
}

Value Capitalize(const String& text) {
  return MapText(text, [&](size_t i, char32_t c, Text& out) {
    if (i == 0) {
      AppendTitle(c, out);
    } else {
      AppendLowerAt(text.text, i, out);
    }
  });
}

Value Title(const String& text) {
  bool after_cased = false;
  return MapText(text, [&](size_t i, char32_t c, Text& out) {
    if (after_cased) {
      AppendLowerAt(text.text, i, out);
    } else {
      AppendTitle(c, out);
    }
    after_cased = IsCased(c);
  });
}

Value SwapCase(const String& text) {
  return MapText(text, [&](size_t i, char32_t c, Text& out) {
    if (Contains(kUpper, c)) {
      AppendLowerAt(text.text, i, out);
    } else if (Contains(kLower, c)) {
      AppendUpper(c, out);
    } else {
      out += c;
    }
  });
}

bool IsLowerText(TextView text) {
  bool cased = false;
  for (const char32_t c : text) {
    if (Contains(kUpper, c) || Contains(kTitleCase, c)) return false;
    cased = cased || Contains(kLower, c);
  }
  return cased;
}

bool IsUpperText(TextView text) {
  bool cased = false;
  for (const char32_t c : text) {
    if (Contains(kLower, c) || Contains(kTitleCase, c)) return false;
    cased = cased || Contains(kUpper, c);
  }
  return cased;
}

bool IsTitleText(TextView text) {
  bool cased = false, after_cased = false;
  for (const char32_t c : text) {
    if (Contains(kUpper, c) || Contains(kTitleCase, c)) {
      if (after_cased) return false;
      after_cased = cased = true;
    } else if (Contains(kLower, c)) {
      if (!after_cased) return false;
      after_cased = cased = true;
    } else {
      after_cased = false;
    }
  }
  return cased;
}

}  // namespace fathom::jinja
