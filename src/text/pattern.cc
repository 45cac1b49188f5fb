#include "text/pattern.h"

#include <fmt/format.h>
#include <oniguruma.h>
#include <time.h>

#include <algorithm>
#include <mutex>

#include "base/utf8.h"
#include "text/component.h"
#include "text/unicode.h"

namespace fathom {
namespace {

// Oniguruma's own limit of one match (its default, under which tokenizers runs).
constexpr unsigned long kMaxSteps = 10'000'000;
constexpr int kMatchesBetweenChecks = 16;
// Longer expressions than any real one are refused: classes written out make them grow.
constexpr size_t kMaxExpressionBytes = 1 << 16;

// A class by its general categories (one bit each) or by a flag.
struct ClassTest {
  uint32_t categories = 0;
  uint16_t flag = 0;
  bool Holds(uint16_t record) const {
    return (categories >> (record & 31) & 1) != 0 || (record >> 5 & flag) != 0;
  }
  bool known() const { return categories != 0 || flag != 0; }
};

// The members as \x{..}-\x{..} ranges, surrogates (which no text holds) left out.
std::string Ranges(const ClassTest& test) {
  std::string out;
  const auto append = [&](uint32_t begin, uint32_t end) {
    if (begin >= end) return;
    out += fmt::format("\\x{{{:x}}}", begin);
    if (end - begin > 1) out += fmt::format("-\\x{{{:x}}}", end - 1);
  };
  uint32_t begin = 0, end = 0;  // the range that is growing
  const auto flush = [&] {
    append(begin, std::min(end, 0xD800u));
    append(std::max(begin, 0xE000u), end);
  };
  ForEachRecordRun([&](uint32_t run_begin, uint32_t run_end, uint16_t record) {
    if (!test.Holds(record)) return;
    if (run_begin != end) {
      flush();
      begin = run_begin;
    }
    end = run_end;
  });
  flush();
  return out;
}

// The test behind \p{name}; unknown where the name is no general category and not Han.
ClassTest PropertyTest(std::string_view name) {
  if (name == "Han") return {.flag = kRegexHan};
  ClassTest test;
  for (int i = 0; i < kGeneralCategoryCount; ++i) {
    const std::string_view category = GeneralCategoryName(static_cast<GeneralCategory>(i));
    const bool same = category == name || (name.size() == 1 && category[0] == name[0]);
    if (same) test.categories |= 1u << i;
  }
  return test;
}

ClassTest LetterClassTest(char letter) {
  switch (letter) {
    case 's':
      return {.flag = kRegexSpace};
    case 'd':
      return {.flag = kRegexDigit};
    case 'w':
      return {.flag = kRegexWord};
    default:
      return {};
  }
}

// One escape at `text` ("\p{..}", "\s", "\W" ...): its class and its length, or length 0.
struct ClassEscape {
  ClassTest test;
  bool negated = false;
  size_t length = 0;
};

ClassEscape ReadClassEscape(std::string_view text) {
  if (text.size() < 2 || text[0] != '\\') return {};
  const char kind = text[1];
  if (kind == 'p' || kind == 'P') {
    const size_t close = text.find('}');
    if (text.size() < 4 || text[2] != '{' || close == std::string_view::npos) return {};
    std::string_view name = text.substr(3, close - 3);
    bool negated = kind == 'P';
    if (name.starts_with('^')) {
      negated = !negated;
      name.remove_prefix(1);
    }
    const ClassTest test = PropertyTest(name);
    if (!test.known()) return {};
    return {test, negated, close + 1};
  }
  const bool upper = kind == 'S' || kind == 'D' || kind == 'W';
  const ClassTest test = LetterClassTest(upper ? static_cast<char>(kind - 'A' + 'a') : kind);
  if (!test.known()) return {};
  return {test, upper, 2};
}

}  // namespace

bool PatternBudget::IsSpent() {
  timespec now = {};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  const int64_t now_ns = int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
  if (deadline_ns_ < 0) deadline_ns_ = now_ns + allowed_ns_;
  return now_ns > deadline_ns_;
}

std::string WithClassesWrittenOut(std::string_view expression) {
  // Always with brackets of their own: inside another class they are a union with it.
  std::string out;
  for (size_t i = 0; i < expression.size();) {
    const ClassEscape escape = ReadClassEscape(expression.substr(i));
    if (escape.length > 0) {
      out += fmt::format("[{}{}]", escape.negated ? "^" : "", Ranges(escape.test));
      i += escape.length;
    } else {
      const size_t length = expression[i] == '\\' ? 2 : 1;
      out += expression.substr(i, length);
      i += length;
    }
  }
  return out;
}

struct Pattern::Compiled {
  regex_t* regex = nullptr;
  ~Compiled() {
    if (regex != nullptr) onig_free(regex);
  }
};

// What one scan over a text needs besides the pattern.
struct Pattern::Search {
  std::string_view text;
  PatternBudget& budget;
  std::unique_ptr<OnigMatchParam, void (*)(OnigMatchParam*)> param{onig_new_match_param(),
                                                                   onig_free_match_param};
  int count = 0;  // of positions tried

  Search(std::string_view searched, PatternBudget& of_call) : text(searched), budget(of_call) {
    onig_initialize_match_param(param.get());
    onig_set_retry_limit_in_match_of_match_param(param.get(), kMaxSteps);
  }
};

Pattern::Pattern() = default;
Pattern::Pattern(Pattern&&) noexcept = default;
Pattern& Pattern::operator=(Pattern&&) noexcept = default;
Pattern::~Pattern() = default;

Pattern Pattern::Literal(std::string text) {
  Pattern pattern;
  pattern.literal_ = std::move(text);
  return pattern;
}

Result<Pattern> Pattern::Regex(const std::string& expression, const std::string& field) {
  if (expression.size() > kMaxExpressionBytes) {
    return Status::BadFile("", field, fmt::format("has {} bytes", expression.size()),
                           fmt::format("and may have {}", kMaxExpressionBytes));
  }
  static std::once_flag once;
  std::call_once(once, [] {
    OnigEncoding encodings[] = {ONIG_ENCODING_UTF8};
    onig_initialize(encodings, 1);
    onig_set_parse_depth_limit(256);
  });
  Pattern pattern;
  pattern.expression_ = expression;
  pattern.compiled_ = std::make_unique<Compiled>();
  const std::string written_out = WithClassesWrittenOut(expression);
  const auto* begin = reinterpret_cast<const OnigUChar*>(written_out.data());
  OnigErrorInfo error = {};
  const int code = onig_new(&pattern.compiled_->regex, begin, begin + written_out.size(),
                            ONIG_OPTION_NONE, ONIG_ENCODING_UTF8, ONIG_SYNTAX_DEFAULT, &error);
  if (code != ONIG_NORMAL) {
    OnigUChar text[ONIG_MAX_ERROR_MESSAGE_LEN] = {};
    onig_error_code_to_str(text, code, &error);
    pattern.compiled_->regex = nullptr;
    return Status::BadFile("", field, fmt::format("pattern \"{}\"", expression.substr(0, 200)),
                           fmt::format("is refused: {}", reinterpret_cast<const char*>(text)));
  }
  return pattern;
}

Result<Pattern> Pattern::FromJson(const JsonValue& json, std::string_view name,
                                  const std::string& field) {
  const std::string where = field + "." + std::string(name);
  const JsonValue* value = json.Find(name);
  if (value != nullptr && value->is_object() && value->as_object().size() == 1) {
    const auto& [kind, text] = value->as_object()[0];
    if (text.is_string() && kind == "Regex") return Regex(text.as_string(), where);
    if (text.is_string() && kind == "String") return Literal(text.as_string());
  }
  return Status::BadFile("", where, "is not {\"Regex\": \"...\"} or {\"String\": \"...\"}");
}

Status Pattern::TooManySteps() const {
  return Status::RunTime(
      fmt::format("the tokenizer's pattern \"{}\" needs too many steps on this "
                  "text",
                  expression_.substr(0, 200)));
}

Status Pattern::Next(Search& search, size_t start, bool* found, PatternSpan* match) const {
  const std::string_view text = search.text;
  *found = false;
  if (compiled_ == nullptr) {
    const size_t at = text.find(literal_, start);
    if (at == std::string_view::npos) return Status::Ok();
    *found = true;
    *match = {at, at + literal_.size(), true};
    return Status::Ok();
  }
  const auto* begin = reinterpret_cast<const OnigUChar*>(text.data());
  const auto* end = begin + text.size();
  // Position by position instead of onig_search: one search may walk over the text from each of its
  // starts, quadratic work that no limit of Oniguruma sees and that could not be interrupted.
  for (size_t at = start; at <= text.size();) {
    if (++search.count % kMatchesBetweenChecks == 0 && search.budget.IsSpent()) {
      return TooManySteps();
    }
    const int length = onig_match_with_param(compiled_->regex, begin, end, begin + at, nullptr,
                                             ONIG_OPTION_NONE, search.param.get());
    if (length >= 0) {
      *found = true;
      *match = {at, at + static_cast<size_t>(length), true};
      return Status::Ok();
    }
    if (length != ONIG_MISMATCH) return TooManySteps();
    at += static_cast<size_t>(std::max(1, DecodeUtf8(text, at).size_bytes));
  }
  return Status::Ok();
}

Status Pattern::FindSpans(std::string_view text, PatternBudget& budget,
                          std::vector<PatternSpan>& spans) const {
  if (text.empty()) {
    spans.push_back({0, 0, false});
    return Status::Ok();
  }
  Search search(text, budget);
  size_t previous_end = 0;  // of the spans appended
  size_t last_match_end = SIZE_MAX;
  size_t start = 0;
  while (start <= text.size()) {
    bool found;
    PatternSpan match;
    FATHOM_TRY(Next(search, start, &found, &match));
    if (!found) break;
    if (match.begin == match.end && match.end == last_match_end) {
      // An empty match right behind the last one is passed over.
      start += static_cast<size_t>(std::max(1, DecodeUtf8(text, start).size_bytes));
      continue;
    }
    if (previous_end != match.begin) spans.push_back({previous_end, match.begin, false});
    spans.push_back(match);
    previous_end = match.end;
    last_match_end = match.end;
    start = match.end;
  }
  if (previous_end != text.size()) spans.push_back({previous_end, text.size(), false});
  return Status::Ok();
}

Result<SplitBehavior> SplitBehaviorFromJson(const JsonValue& json, const std::string& field,
                                            bool required) {
  const std::optional<size_t> isolated = required ? std::nullopt : std::optional<size_t>(1);
  FATHOM_ASSIGN(const size_t index, JsonFields(json, field)
                                        .OneOf("behavior",
                                               {"Removed", "Isolated", "MergedWithPrevious",
                                                "MergedWithNext", "Contiguous"},
                                               isolated));
  return static_cast<SplitBehavior>(index);
}

namespace {

// Joins spans by the rule joins(is_match, previous_is_match), in the order given.
template <typename Joins, typename Extend>
std::vector<PatternSpan> Fold(const std::vector<PatternSpan>& spans, Joins joins, Extend extend) {
  std::vector<PatternSpan> out;
  bool previous = false;
  for (const PatternSpan& span : spans) {
    if (joins(span.is_match, previous) && !out.empty()) {
      extend(out.back(), span);
    } else {
      out.push_back({span.begin, span.end, false});
    }
    previous = span.is_match;
  }
  return out;
}

}  // namespace

void ApplyBehavior(SplitBehavior behavior, std::vector<PatternSpan>& spans) {
  const auto grow_end = [](PatternSpan& last, const PatternSpan& span) { last.end = span.end; };
  const auto grow_begin = [](PatternSpan& last, const PatternSpan& span) {
    last.begin = span.begin;
  };
  const auto new_match = [](bool is_match, bool previous) { return is_match && !previous; };
  switch (behavior) {
    case SplitBehavior::kRemoved:
      std::erase_if(spans, [](const PatternSpan& span) { return span.is_match; });
      break;
    case SplitBehavior::kIsolated:
      break;
    case SplitBehavior::kContiguous:
      spans = Fold(
          spans, [](bool is_match, bool previous) { return is_match == previous; }, grow_end);
      break;
    case SplitBehavior::kMergedWithPrevious:
      spans = Fold(spans, new_match, grow_end);
      break;
    case SplitBehavior::kMergedWithNext:
      std::reverse(spans.begin(), spans.end());
      spans = Fold(spans, new_match, grow_begin);
      std::reverse(spans.begin(), spans.end());
      break;
  }
  std::erase_if(spans, [](const PatternSpan& span) { return span.begin == span.end; });
}

}  // namespace fathom
