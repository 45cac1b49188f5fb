// The filter urlize: links around what looks like an address (jinja2/utils.py, urlize).
#include <algorithm>
#include <set>

#include "text/template/arguments.h"
#include "text/template/html.h"
#include "text/template/interpreter.h"
#include "text/template/wrap.h"

namespace fathom::jinja {
namespace {

bool IsWord(char32_t c) { return IsAlnum(c) || c == '_'; }

bool All(TextView text, bool (*predicate)(char32_t)) {
  return std::all_of(text.begin(), text.end(), predicate);
}

bool StartsWith(TextView text, TextView prefix) { return text.substr(0, prefix.size()) == prefix; }
bool EndsWith(TextView text, TextView suffix) {
  return text.size() >= suffix.size() && text.substr(text.size() - suffix.size()) == suffix;
}

std::vector<TextView> SplitDots(TextView text) {
  std::vector<TextView> parts;
  for (size_t at = 0;;) {
    const size_t dot = text.find(U'.', at);
    parts.push_back(text.substr(at, dot == TextView::npos ? dot : dot - at));
    if (dot == TextView::npos) return parts;
    at = dot + 1;
  }
}

bool IsLabel(TextView label, size_t least, size_t most) {
  return label.size() >= least && label.size() <= most &&
         All(label, [](char32_t c) { return IsWord(c) || c == '%' || c == '-'; });
}

bool IsTopLevel(TextView label) {
  if (label.size() >= 2 && label.size() <= 63 &&
      All(label, [](char32_t c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z' && c < 0x80; })) {
    return true;
  }
  return StartsWith(label, U"xn--") && label.size() >= 6 && label.size() <= 63 &&
         All(label.substr(4), [](char32_t c) { return IsWord(c) || c == '%'; });
}

// After http:// or www.: labels and a top-level domain.
bool IsDomain(TextView host) {
  const std::vector<TextView> labels = SplitDots(host);
  for (size_t i = 0; i + 1 < labels.size(); ++i) {
    if (!IsLabel(labels[i], 1, TextView::npos)) return false;
  }
  return IsTopLevel(labels.back());
}

bool IsBareDomain(TextView host) {
  static constexpr TextView kKnown[] = {U"com", U"net", U"int",  U"edu",
                                        U"gov", U"org", U"info", U"mil"};
  const std::vector<TextView> labels = SplitDots(host);
  if (labels.size() < 2) return false;
  for (size_t i = 0; i + 1 < labels.size(); ++i) {
    if (!IsLabel(labels[i], 2, 63)) return false;
  }
  return std::find(std::begin(kKnown), std::end(kKnown), labels.back()) != std::end(kKnown);
}

bool IsIPv4(TextView host) {
  const std::vector<TextView> parts = SplitDots(host);
  return parts.size() == 4 && std::all_of(parts.begin(), parts.end(), [](TextView part) {
           return !part.empty() && part.size() <= 3 &&
                  All(part, [](char32_t c) { return Contains(kDecimal, c); });
         });
}

// \[([\da-f]{0,4}:){2}([\da-f]{0,4}:?){1,6}]
bool IsIPv6(TextView host) {
  if (host.size() < 4 || host.front() != '[' || host.back() != ']') return false;
  size_t groups = 0, digits = 0, colons = 0;
  for (const char32_t c : host.substr(1, host.size() - 2)) {
    if (c == ':') {
      ++colons;
      ++groups;
      digits = 0;
    } else if ((c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')) {
      if (++digits > 4) {
        // A group that ran into the next one without a colon: only after the first two.
        if (colons < 2) return false;
        ++groups;
        digits = 1;
      }
    } else {
      return false;
    }
  }
  return colons >= 2 && groups + (digits > 0 ? 1 : 0) <= 8;
}

Text LowerAscii(TextView text) {
  Text out(text);
  for (char32_t& c : out) {
    if (c >= 'A' && c <= 'Z') c += 32;
  }
  return out;
}

bool IsUrl(TextView word) {
  const Text lowered = LowerAscii(word);
  TextView rest = lowered;
  const size_t scheme = StartsWith(rest, U"https://") ? 8 : StartsWith(rest, U"http://") ? 7 : 0;
  rest.remove_prefix(scheme);
  TextView host = rest.substr(0, rest.find_first_of(U"/?#"));
  const size_t colon = host.rfind(U':');
  if (colon != TextView::npos && host.back() != ']') {
    const TextView port = host.substr(colon + 1);
    if (port.empty() || port.size() > 5 ||
        !All(port, [](char32_t c) { return Contains(kDecimal, c); })) {
      return false;
    }
    host = host.substr(0, colon);
  }
  if (scheme != 0) return IsDomain(host) || IsIPv4(host) || IsIPv6(host) || IsBareDomain(host);
  return (StartsWith(host, U"www.") && IsDomain(host.substr(4))) || IsBareDomain(host);
}

// ^\S+@\w[\w.-]*\.\w+$
bool IsEmail(TextView word) {
  const size_t at = word.rfind(U'@');
  if (at == TextView::npos || at == 0) return false;
  const TextView domain = word.substr(at + 1);
  const size_t dot = domain.rfind(U'.');
  return dot != TextView::npos && dot >= 1 && dot + 1 < domain.size() && IsWord(domain[0]) &&
         All(domain.substr(0, dot), [](char32_t c) { return IsWord(c) || c == '.' || c == '-'; }) &&
         All(domain.substr(dot + 1), IsWord);
}

size_t CountOf(TextView text, TextView part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != TextView::npos; at = text.find(part, at + part.size())) {
    ++count;
  }
  return count;
}

struct UrlizeOptions {
  int64_t trim = -1;
  Text attributes;  // rel and target
  std::vector<Text> schemes;
};

Text Anchor(TextView href, TextView attributes, TextView shown) {
  return Text(U"<a href=\"") + Text(href) + U"\"" + Text(attributes) + U">" + Text(shown) + U"</a>";
}

Text LinkWord(Text middle, const UrlizeOptions& options) {
  const auto trimmed = [&](const Text& url) {
    return options.trim >= 0 && static_cast<int64_t>(url.size()) > options.trim
               ? url.substr(0, static_cast<size_t>(options.trim)) + U"..."
               : url;
  };
  if (IsUrl(middle)) {
    const bool complete = StartsWith(middle, U"https://") || StartsWith(middle, U"http://");
    return Anchor(complete ? middle : U"https://" + middle, options.attributes, trimmed(middle));
  }
  if (StartsWith(middle, U"mailto:") && IsEmail(TextView(middle).substr(7))) {
    return Anchor(middle, {}, TextView(middle).substr(7));
  }
  if (middle.find(U'@') != Text::npos && !StartsWith(middle, U"www.") && middle[0] != '@' &&
      middle.find(U':') == Text::npos && IsEmail(middle)) {
    return Anchor(U"mailto:" + middle, {}, middle);
  }
  for (const Text& scheme : options.schemes) {
    if (middle != scheme && StartsWith(middle, scheme)) {
      middle = Anchor(middle, options.attributes, middle);
    }
  }
  return middle;
}

// Brackets and punctuation around the word stay outside of the link.
Text UrlizeWord(TextView word, const UrlizeOptions& options) {
  size_t begin = 0, end = word.size();
  for (;;) {
    const TextView rest = word.substr(begin);
    if (!rest.empty() && (rest[0] == '(' || rest[0] == '<')) {
      ++begin;
    } else if (StartsWith(rest, U"&lt;")) {
      begin += 4;
    } else {
      break;
    }
  }
  for (;;) {
    const TextView rest = word.substr(begin, end - begin);
    if (!rest.empty() && TextView(U")>.,\n").find(rest.back()) != TextView::npos) {
      --end;
    } else if (EndsWith(rest, U"&gt;")) {
      end -= 4;
    } else {
      break;
    }
  }
  Text middle(word.substr(begin, end - begin));
  Text tail(word.substr(end));
  static constexpr TextView kPairs[][2] = {{U"(", U")"}, {U"<", U">"}, {U"&lt;", U"&gt;"}};
  for (const auto& [open, close] : kPairs) {
    const size_t opened = CountOf(middle, open);
    if (opened <= CountOf(middle, close)) continue;
    for (size_t moves = std::min(opened, CountOf(tail, close)); moves > 0; --moves) {
      const size_t cut = tail.find(close) + close.size();
      middle += tail.substr(0, cut);
      tail.erase(0, cut);
    }
  }
  return Text(word.substr(0, begin)) + LinkWord(middle, options) + tail;
}

UrlizeOptions ReadOptions(const Values& bound) {
  UrlizeOptions options;
  if (!bound[0].is_missing() && !bound[0].is_none())
    options.trim = RequireIndex(bound[0], "trim_url_limit");
  std::set<std::string> rel = {"noopener"};
  if (!bound[1].is_missing() && Truth(bound[1])) rel.insert("nofollow");
  if (!bound[3].is_missing() && Truth(bound[3])) {
    std::string part;
    for (const char c : ToUtf8(RequireString(bound[3], "rel").view()) + " ") {
      if (c != ' ') {
        part += c;
      } else if (!part.empty()) {
        rel.insert(std::exchange(part, {}));
      }
    }
  }
  std::string joined;
  for (const std::string& part : rel) joined += (joined.empty() ? "" : " ") + part;
  const auto attribute = [&](TextView name, const Value& value) {
    options.attributes +=
        Text(U" ") + Text(name) + U"=\"" + EscapeHtml(value).string().text + U"\"";
  };
  attribute(U"rel", NewString(FromUtf8(joined), true));
  if (!bound[2].is_missing() && Truth(bound[2])) attribute(U"target", bound[2]);
  if (bound[4].is_missing() || bound[4].is_none()) return options;
  for (const Value& scheme : ToValues(bound[4])) {
    const TextView text = RequireString(scheme, "a scheme").view();
    const size_t colon = text.find(U':');
    const TextView slashes = colon == TextView::npos ? text : text.substr(colon + 1);
    const bool good = colon != TextView::npos && colon >= 2 && slashes.size() <= 2 &&
                      All(slashes, [](char32_t c) { return c == '/'; }) &&
                      All(text.substr(0, colon),
                          [](char32_t c) { return IsWord(c) || c == '.' || c == '+' || c == '-'; });
    if (!good) {
      Raise(ErrorKind::kRuntime, "{} is not a valid URI scheme prefix.", DescribeForError(scheme));
    }
    options.schemes.emplace_back(text);
  }
  return options;
}

}  // namespace

Value UrlizeFilter(Interpreter& interpreter, const Value& input, Arguments& arguments) {
  const Values bound =
      Bind("urlize", arguments, {"trim_url_limit", "nofollow", "target", "rel", "extra_schemes"});
  const UrlizeOptions options = ReadOptions(bound);
  const Value escaped = EscapeHtml(input);
  const TextView text = escaped.string().view();
  StringBuilder out;
  const bool trusted = escaped.string().trusted();
  for (size_t at = 0; at < text.size();) {
    const bool space = IsSpace(text[at]);
    size_t end = at;
    while (end < text.size() && IsSpace(text[end]) == space) ++end;
    const TextView word = text.substr(at, end - at);
    Heap::Current().StepText(word.size() * 8);
    out.Append(space ? Text(word) : UrlizeWord(word, options), trusted);
    at = end;
  }
  return out.Finish(interpreter.autoescape());
}

}  // namespace fathom::jinja
