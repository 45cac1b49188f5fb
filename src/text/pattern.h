// Patterns that split a text: a literal or a regular expression with Oniguruma's syntax.
//
// Mirrors tokenizers: utils/onig.rs and tokenizer/pattern.rs (find_matches), and the crate onig's
// FindMatches for empty matches. The character classes \p{L} .. and \s \d \w are replaced by this
// project's own tables before compiling, since the installed Oniguruma may follow another Unicode.
// A pattern is untrusted: matching counts its backtracking steps against a budget.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "fathom/status.h"

namespace fathom {

// A part of a text; the parts of a text cover it in order.
struct PatternSpan {
  size_t begin;
  size_t end;
  bool is_match;
};

// What one call of Encode may spend on patterns. Linear patterns never come near it; one that
// explodes or is quadratic ends with an error. Oniguruma counts its backtracking steps (a single
// match may take ten million, its own default), but not its way forward: for that the thread's CPU
// time counts.
class PatternBudget {
 public:
  static PatternBudget ForText(size_t size_bytes) {
    return PatternBudget(300'000'000 + 2000 * static_cast<int64_t>(size_bytes));
  }
  // Called every now and then while a pattern works; true where the time is up.
  bool IsSpent();

 private:
  explicit PatternBudget(int64_t allowed_ns) : allowed_ns_(allowed_ns) {}
  int64_t allowed_ns_;
  int64_t deadline_ns_ = -1;  // of the thread's CPU clock, from the first question on
};

class Pattern {
 public:
  static Result<Pattern> Regex(const std::string& expression, const std::string& field);
  static Pattern Literal(std::string text);
  // {"Regex": "..."} or {"String": "..."}: the member `name` of `json`.
  static Result<Pattern> FromJson(const JsonValue& json, std::string_view name,
                                  const std::string& field);

  Pattern(Pattern&&) noexcept;
  Pattern& operator=(Pattern&&) noexcept;
  ~Pattern();

  // The expression as the file gives it; empty for a literal.
  const std::string& expression() const { return expression_; }

  // Appends the spans of `text` (valid UTF-8). kRunTime where the budget is spent.
  Status FindSpans(std::string_view text, PatternBudget& budget,
                   std::vector<PatternSpan>& spans) const;

 private:
  struct Compiled;
  struct Search;
  Pattern();
  // The next match at or after `start`; found = false where there is none.
  Status TooManySteps() const;
  Status Next(Search& search, size_t start, bool* found, PatternSpan* match) const;

  std::string expression_;
  std::string literal_;
  std::unique_ptr<Compiled> compiled_;
};

// The classes of the expression written out; for tests.
std::string WithClassesWrittenOut(std::string_view expression);

// How a delimiter is kept. Names as in tokenizer.json.
enum class SplitBehavior { kRemoved, kIsolated, kMergedWithPrevious, kMergedWithNext, kContiguous };
Result<SplitBehavior> SplitBehaviorFromJson(const JsonValue& json, const std::string& field,
                                            bool required);

// NormalizedString::split (tokenizer/normalizer.rs): the parts that are kept, empty ones left out.
void ApplyBehavior(SplitBehavior behavior, std::vector<PatternSpan>& spans);

}  // namespace fathom
