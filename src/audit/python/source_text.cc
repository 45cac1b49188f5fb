#include "audit/python/source_text.h"

#include <fmt/format.h>
#include <iconv.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>

#include "base/utf8.h"

namespace fathom {
namespace {

constexpr std::string_view kBom = "\xEF\xBB\xBF";

Status Unreadable(const std::string& name, std::string what, std::string remedy = {}) {
  return Status(StatusCode::kRunTime,
                {.file = name, .value = std::move(what), .remedy = std::move(remedy)});
}

bool IsCookieChar(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
         c == '_' || c == '.';
}

// The encoding that a comment line names; a line of code or of an unfinished statement ends the
// search.
struct Cookie {
  std::string encoding;
  bool line_is_blank = false;
};

Cookie ReadCookie(std::string_view line) {
  const size_t start = line.find_first_not_of(" \t\f");
  if (start == std::string_view::npos) return {.line_is_blank = true};
  if (line[start] != '#') return {};
  for (size_t at = line.find("coding", start); at != std::string_view::npos;
       at = line.find("coding", at + 1)) {
    size_t i = at + 6;
    if (i >= line.size() || (line[i] != ':' && line[i] != '=')) continue;
    i = line.find_first_not_of(" \t", i + 1);
    if (i == std::string_view::npos) continue;
    size_t end = i;
    while (end < line.size() && IsCookieChar(line[end])) ++end;
    if (end > i) return {.encoding = std::string(line.substr(i, end - i)), .line_is_blank = true};
  }
  return {.line_is_blank = true};
}

std::string FindCookie(std::string_view bytes) {
  for (int line = 0; line < 2 && !bytes.empty(); ++line) {
    const size_t end = std::min(bytes.find_first_of("\r\n"), bytes.size());
    const Cookie cookie = ReadCookie(bytes.substr(0, end));
    if (!cookie.encoding.empty() || !cookie.line_is_blank) return cookie.encoding;
    size_t next = end;
    if (next < bytes.size()) next += bytes.substr(next, 2) == "\r\n" ? 2 : 1;
    bytes.remove_prefix(next);
  }
  return {};
}

// Lower case, '_' as '-'.
std::string Folded(std::string_view name) {
  std::string result(name);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (c == '_') c = '-';
  }
  return result;
}

bool StartsWithName(std::string_view name, std::string_view stem) {
  return name == stem || (name.starts_with(stem) && name[stem.size()] == '-');
}

// The name by which iconv knows one of Python's codecs ("" for UTF-8 itself).
std::string IconvName(std::string_view cookie) {
  const std::string name = Folded(cookie);
  if (StartsWithName(name, "utf-8") || name == "utf8" || name == "u8" || name == "cp65001" ||
      name == "utf") {
    return {};
  }
  for (std::string_view latin : {"latin-1", "iso-8859-1", "iso-latin-1"}) {
    if (StartsWithName(name, latin)) return "ISO-8859-1";
  }
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 18> kNames = {{
      {"latin1", "ISO-8859-1"},
      {"l1", "ISO-8859-1"},
      {"iso8859-1", "ISO-8859-1"},
      {"8859", "ISO-8859-1"},
      {"cp819", "ISO-8859-1"},
      {"ascii", "ASCII"},
      {"us-ascii", "ASCII"},
      {"646", "ASCII"},
      {"latin9", "ISO-8859-15"},
      {"latin-9", "ISO-8859-15"},
      {"windows-1252", "CP1252"},
      {"cp936", "GBK"},
      {"ms936", "GBK"},
      {"cp932", "CP932"},
      {"mskanji", "CP932"},
      {"eucjp", "EUC-JP"},
      {"ujis", "EUC-JP"},
      {"cyrillic", "ISO-8859-5"},
  }};
  for (const auto& [python, iconv_name] : kNames) {
    if (name == python) return std::string(iconv_name);
  }
  return name;
}

// Decodes with iconv, one character a step, so that the map can follow.
Result<SourceText> Transcode(std::string_view bytes, const std::string& encoding,
                             const std::string& cookie, const std::string& name) {
  const iconv_t converter = iconv_open("UTF-8", encoding.c_str());
  if (converter == reinterpret_cast<iconv_t>(-1)) {
    return Unreadable(name, fmt::format("unknown encoding: {}", cookie),
                      "save the script in UTF-8");
  }
  SourceText result;
  result.text.reserve(bytes.size() + bytes.size() / 8);
  // iconv takes its input through a pointer to non-const, which it leaves alone.
  char* in = const_cast<char*>(bytes.data());
  size_t left = bytes.size();
  bool bad = false;
  while (left > 0 && !bad) {
    char* const start = in;
    size_t given = 1;
    std::array<char, 64> out;
    for (;; ++given) {
      if (given > left || given > 16) {
        bad = true;
        break;
      }
      size_t take = given;
      char* to = out.data();
      size_t room = out.size();
      in = start;
      const size_t done = iconv(converter, &in, &take, &to, &room);
      if (done == static_cast<size_t>(-1) && errno != EINVAL) {
        bad = true;
        break;
      }
      if (done == static_cast<size_t>(-1) || take > 0) continue;
      const size_t size = static_cast<size_t>(to - out.data());
      result.map.Add(result.text.size(), static_cast<size_t>(start - bytes.data()));
      result.text.append(out.data(), size);
      break;
    }
    left = bytes.size() - static_cast<size_t>(in - bytes.data());
  }
  iconv_close(converter);
  if (bad) {
    return Unreadable(name, fmt::format("byte {} is not in the encoding {} that the file names",
                                        in - bytes.data(), cookie));
  }
  result.map.Add(result.text.size(), bytes.size());
  return result;
}

SourceText Plain(std::string_view bytes, size_t skip) {
  SourceText result;
  result.text = std::string(bytes.substr(skip));
  result.map.Add(0, skip);
  return result;
}

// "\r\n" and "\r" become "\n".
SourceText TranslateNewlines(SourceText source) {
  if (source.text.find('\r') == std::string::npos) return source;
  SourceText result;
  result.text.reserve(source.text.size());
  result.map = {};
  const std::string& from = source.text;
  size_t at = 0;
  while (at < from.size()) {
    const size_t end = std::min(from.find('\r', at), from.size());
    for (size_t i = at; i < end;) {  // a piece keeps the steps of the map that it came with
      const size_t step = std::min(end, source.map.StepEnd(i));
      result.map.Add(result.text.size(), source.map.Raw(i));
      result.text.append(from, i, step - i);
      i = step;
    }
    if (end == from.size()) break;
    result.map.Add(result.text.size(), source.map.Raw(end));
    result.text.push_back('\n');
    at = end + (end + 1 < from.size() && from[end + 1] == '\n' ? 2 : 1);
  }
  result.map.Add(result.text.size(), source.map.Raw(from.size()));
  return result;
}

}  // namespace

void OffsetMap::Add(size_t text, size_t raw) {
  if (!steps_.empty() && raw - steps_.back().raw == text - steps_.back().text) return;
  if (!steps_.empty() && steps_.back().text == text) steps_.pop_back();
  steps_.push_back({text, raw});
}

size_t OffsetMap::Raw(size_t text) const {
  const auto after =
      std::upper_bound(steps_.begin(), steps_.end(), text,
                       [](size_t value, const Step& step) { return value < step.text; });
  if (after == steps_.begin()) return text;
  const Step& step = *(after - 1);
  const size_t raw = step.raw + (text - step.text);
  // A character may be longer here than there; its bytes stay before what follows it.
  return after == steps_.end() ? raw : std::min(raw, after->raw);
}

size_t OffsetMap::StepEnd(size_t text) const {
  const auto after =
      std::upper_bound(steps_.begin(), steps_.end(), text,
                       [](size_t value, const Step& step) { return value < step.text; });
  return after == steps_.end() ? static_cast<size_t>(-1) : after->text;
}

Result<SourceText> DecodePythonSource(std::string_view bytes, const std::string& name) {
  if (bytes.starts_with("\xFF\xFE") || bytes.starts_with("\xFE\xFF")) {
    return Unreadable(name, "the text is UTF-16, which Python does not read",
                      "save the script in UTF-8");
  }
  if (const size_t nul = bytes.find('\0'); nul != std::string_view::npos) {
    return Unreadable(name, fmt::format("NUL byte at offset {}: this is no Python text", nul));
  }
  const bool has_bom = bytes.starts_with(kBom);
  const std::string_view body = bytes.substr(has_bom ? kBom.size() : 0);
  const std::string cookie = FindCookie(body);
  const std::string encoding = cookie.empty() ? std::string() : IconvName(cookie);
  if (has_bom && !cookie.empty() && !StartsWithName(Folded(cookie), "utf-8")) {
    return Unreadable(
        name, fmt::format("the file begins with UTF-8's mark and names the encoding {}", cookie),
        "remove one of the two");
  }
  if (encoding.empty()) return TranslateNewlines(Plain(bytes, has_bom ? kBom.size() : 0));
  FATHOM_ASSIGN(SourceText decoded, Transcode(bytes, encoding, cookie, name));
  return TranslateNewlines(std::move(decoded));
}

SourceText RepairSource(const SourceText& source) {
  SourceText result;
  result.text.reserve(source.text.size());
  for (size_t i = 0; i < source.text.size();) {
    const DecodedCodePoint point = DecodeUtf8(source.text, i);
    result.map.Add(result.text.size(), source.map.Raw(i));
    if (point.valid) {
      result.text.append(source.text, i, static_cast<size_t>(point.size_bytes));
    } else {
      result.text.append("\xEF\xBF\xBD");
    }
    i += static_cast<size_t>(point.size_bytes);
  }
  result.map.Add(result.text.size(), source.map.Raw(source.text.size()));
  return result;
}

}  // namespace fathom
