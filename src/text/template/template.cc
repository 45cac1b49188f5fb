#include "text/template/template.h"

#include <algorithm>
#include <cctype>

#include "base/utf8.h"
#include "text/template/interpreter.h"
#include "text/template/parser.h"
#include "text/template/resolver.h"

namespace fathom::jinja {
namespace {

constexpr size_t kMaxSourceBytes = size_t{512} << 10;

// What a value adds to the budget: about its size as JSON.
size_t SizeOf(const JsonValue& value, int depth = 0) {
  if (depth > 256) return 0;
  size_t size = 8;
  if (value.is_string()) size += value.as_string().size();
  if (value.is_array()) {
    for (const JsonValue& item : value.as_array()) size += SizeOf(item, depth + 1);
  }
  if (value.is_object()) {
    for (const auto& [key, item] : value.as_object()) size += key.size() + SizeOf(item, depth + 1);
  }
  return size;
}

bool IsWord(std::string_view text) {
  return text.size() <= 64 && std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return std::isalnum(c) != 0 || c == '_' || c == '-';
         });
}

// `role_depth` counts down to the objects whose "role" may be trusted; below 0 none is.
Value FromJson(const JsonValue& json, bool trusted, int role_depth = -1) {
  const Heap::DepthScope depth;
  Heap::Current().Step();
  if (json.is_bool()) return Value::Bool(json.as_bool());
  if (json.is_int()) return Value::Integer(json.as_int());
  if (json.is_uint()) return Value::Integer(static_cast<Int>(json.as_uint()));
  if (json.is_double()) return Value::Float(json.as_double());
  if (json.is_string()) return NewString(FromUtf8(json.as_string()), trusted);
  if (json.is_array()) {
    Values items;
    for (const JsonValue& item : json.as_array())
      items.push_back(FromJson(item, trusted, role_depth - 1));
    return NewList(std::move(items));
  }
  if (json.is_object()) {
    Ref<Dict> dict = New<Dict>();
    for (const auto& [key, item] : json.as_object()) {
      const bool role =
          role_depth == 0 && key == "role" && item.is_string() && IsWord(item.as_string());
      dict->Set(NewString(FromUtf8(key), trusted), FromJson(item, trusted || role));
    }
    return NewDict(std::move(dict));
  }
  return Value::None();
}

RenderedText ToRendered(const StringBuilder& out) {
  RenderedText rendered;
  size_t begin = 0;
  for (const Run& run : out.runs()) {
    const TextView text = TextView(out.text()).substr(begin, run.end - begin);
    for (const char32_t c : text) {
      if (c >= 0xD800 && c < 0xE000) {
        Raise(ErrorKind::kValue, "the rendered text holds a lone surrogate");
      }
    }
    const size_t first = rendered.text.size();
    rendered.text += ToUtf8(text);
    if (run.trusted) rendered.trusted.push_back({first, rendered.text.size()});
    begin = run.end;
  }
  return rendered;
}

Status RenderFailure(const Error& error, int line) {
  if (error.kind == ErrorKind::kRaised) return Status::RunTime(error.message);
  return Status::RunTime(fmt::format("chat template, line {}: {}", line, error.message));
}

}  // namespace

Template::Template() = default;
Template::~Template() = default;
Template::Template(Template&&) noexcept = default;
Template& Template::operator=(Template&&) noexcept = default;

Result<Template> Template::Parse(std::string_view source, std::string_view name) {
  const std::string file(name);
  if (source.size() > kMaxSourceBytes) {
    return Status::BadFile(
        file, "", fmt::format("{} bytes", source.size()),
        fmt::format("is beyond the limit of {} bytes of a chat template", kMaxSourceBytes));
  }
  const size_t invalid = FindInvalidUtf8(source);
  if (invalid != std::string_view::npos) {
    return Status::BadFile(file, "", fmt::format("invalid UTF-8 at byte {}", invalid));
  }
  // Text that is made while parsing is charged too.
  Heap heap({.max_steps = UINT64_MAX / 2, .max_bytes = size_t{1} << 30});
  try {
    Template result;
    result.tree_ = std::make_unique<TemplateTree>(ParseTemplate(FromUtf8(source)));
    ResolveTemplate(*result.tree_);
    return result;
  } catch (const Error& error) {
    return Status::BadFile(file, fmt::format("line {}", error.line), error.message);
  }
}

Result<RenderedText> Template::Render(const std::vector<Variable>& variables, Budget budget) const {
  for (const Variable& variable : variables) {
    const size_t size = SizeOf(*variable.value);
    budget.max_bytes += size * 24;
    budget.max_steps += size * 8;
  }
  Heap heap(budget);
  int line = 0;
  try {
    const Ref<Context> globals = New<Context>();
    AddGlobals(*globals);
    const Ref<Context> context = New<Context>();
    context->parent = globals;
    for (const Variable& variable : variables) {
      context->variables[FromUtf8(variable.name)] =
          FromJson(*variable.value, variable.trust == Variable::Trust::kAll,
                   variable.trust == Variable::Trust::kRoles ? 1 : -1);
    }
    StringBuilder out;
    Interpreter interpreter(*tree_, context);
    try {
      interpreter.Render(out);
      return ToRendered(out);
    } catch (const Error&) {
      line = interpreter.line();
      throw;
    }
  } catch (const Error& error) {
    return RenderFailure(error, line);
  }
}

}  // namespace fathom::jinja
