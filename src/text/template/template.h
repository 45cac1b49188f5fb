// Jinja2 as chat templates use it: transformers' ImmutableSandboxedEnvironment with trim_blocks,
// lstrip_blocks, loop controls and the generation tag (transformers/utils/chat_template_utils.py).
//
// Trusted: the spans of the output that the template itself wrote, its data, its string constants,
// and the variables that the caller calls trusted. Text from messages, tools and other arguments
// stays untrusted through every operation; where an operation cannot follow its text code point by
// code point (tojson, urlize, striptags) the result is trusted only where all of its input is. The
// text of numbers, booleans and none is trusted: it holds no special token.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "fathom/status.h"
#include "text/template/heap.h"

namespace fathom::jinja {

struct TemplateTree;

// Bytes [begin, end) of a text.
struct TextSpan {
  size_t begin = 0;
  size_t end = 0;
  friend bool operator==(const TextSpan&, const TextSpan&) = default;
};

struct RenderedText {
  std::string text;
  std::vector<TextSpan> trusted;  // ascending, apart from each other
};

// A variable of the template.
struct Variable {
  enum class Trust {
    kNone,
    kAll,
    // Messages: of each, the string under "role", where it is a word (letters, digits, "_" and
    // "-").
    kRoles,
  };
  std::string name;
  const JsonValue* value;
  Trust trust = Trust::kNone;
};

class Template {
 public:
  Template();
  ~Template();
  Template(Template&&) noexcept;
  Template& operator=(Template&&) noexcept;

  // kBadFile, naming `name` and the line, for what Jinja would refuse to compile, for a tree deeper
  // than 256 and for a source of more than 512 KiB.
  static Result<Template> Parse(std::string_view source, std::string_view name);

  // kRunTime where the template fails, calls raise_exception (its message alone is the status's
  // value) or goes over the budget, which grows with the size of the variables. Several threads may
  // render one template at a time.
  Result<RenderedText> Render(const std::vector<Variable>& variables, Budget budget = {}) const;

 private:
  std::unique_ptr<TemplateTree> tree_;
};

}  // namespace fathom::jinja
