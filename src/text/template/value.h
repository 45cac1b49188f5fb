// The values of a template, with the semantics of the Python values that Jinja hands to it.
//
// Strings, lists, tuples and dicts never change once made (transformers renders in Jinja's
// immutable sandbox, which refuses append, update ...); a namespace, a loop and a cycler do. A
// string knows which of its code points the template itself wrote (Run): see template.h, "trusted".
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "text/template/error.h"
#include "text/template/heap.h"
#include "text/template/unicode.h"

namespace fathom::jinja {

// Python's integers have no bound; these end at 2^127, beyond which an operation is an error.
__extension__ typedef __int128 Int;

enum class Kind : uint8_t {
  kMissing,  // an unset variable, an argument that was not passed; never seen by a template
  kUndefined,
  kNone,
  kBool,
  kInt,
  kFloat,
  kString,
  kList,
  kTuple,
  kDict,
  kDictView,
  kRange,
  kSlice,
  kIterator,
  kFunction,
  kMacro,
  kLoop,
  kNamespace,
  kCycler,
  kJoiner,
  kBlock,
  kSelf,
};

class Interpreter;
class Value;
struct String;
struct List;
struct Dict;
struct DictView;
struct Range;
struct Slice;
struct Undefined;
class Iterator;
struct Function;
struct Macro;
class Loop;
struct Namespace;
struct Cycler;
struct Joiner;
struct BlockReference;

class Value {
 public:
  Value() = default;
  static Value Missing() { return Value(Kind::kMissing); }
  static Value None() { return Value(Kind::kNone); }
  static Value Bool(bool value) {
    Value v(Kind::kBool);
    v.number_.integer = value;
    return v;
  }
  static Value Integer(Int value) {
    Value v(Kind::kInt);
    v.number_.integer = value;
    return v;
  }
  static Value Float(double value) {
    Value v(Kind::kFloat);
    v.number_.floating = value;
    return v;
  }
  template <typename T>
  static Value Of(Kind kind, Ref<T> object) {
    Value v(kind);
    v.object_ = Ref<Object>(object.get());
    return v;
  }

  Kind kind() const { return kind_; }
  bool is(Kind kind) const { return kind_ == kind; }
  bool is_missing() const { return kind_ == Kind::kMissing; }
  bool is_none() const { return kind_ == Kind::kNone; }
  bool is_undefined() const { return kind_ == Kind::kUndefined; }
  bool is_string() const { return kind_ == Kind::kString; }
  // A bool is an integer, as in Python.
  bool is_integer() const { return kind_ == Kind::kInt || kind_ == Kind::kBool; }
  bool is_number() const { return is_integer() || kind_ == Kind::kFloat; }
  bool is_sequence() const { return kind_ == Kind::kList || kind_ == Kind::kTuple; }

  // The caller has asked the kind before.
  bool boolean() const { return number_.integer != 0; }
  Int integer() const { return number_.integer; }
  double floating() const { return number_.floating; }
  template <typename T>
  T& as() const {
    return *static_cast<T*>(object_.get());
  }
  const String& string() const;
  const List& list() const;  // kList and kTuple
  const Dict& dict() const;
  Object* object() const { return object_.get(); }

 private:
  explicit Value(Kind kind) : kind_(kind) {}

  Kind kind_ = Kind::kNone;
  Ref<Object> object_;
  union {
    Int integer;
    double floating;
  } number_ = {0};
};

// `end` code points from the start of the string, this run is all trusted or all untrusted.
struct Run {
  size_t end;
  bool trusted;
};

struct String final : Object {
  Text text;
  std::vector<Run> runs;  // covers the text; adjacent runs differ; empty for an empty text
  bool markup = false;    // markupsafe.Markup: already safe for HTML
  Charged charged;

  TextView view() const { return text; }
  bool trusted() const { return runs.empty() || (runs.size() == 1 && runs[0].trusted); }
  // Index of the run that holds the code point `at`.
  size_t RunAt(size_t at) const;
};

// Makes a string piece by piece; each piece is charged before it is copied.
class StringBuilder {
 public:
  void Append(TextView text, bool trusted);
  void Append(const String& text) { AppendSlice(text, 0, text.text.size()); }
  void AppendSlice(const String& text, size_t begin, size_t end);
  void Append(const StringBuilder& other);
  size_t size() const { return text_.size(); }
  const Text& text() const { return text_; }
  const std::vector<Run>& runs() const { return runs_; }
  Value Finish(bool markup = false);

 private:
  Text text_;
  std::vector<Run> runs_;
  Charged charged_;
};

Value NewString(TextView text, bool trusted, bool markup = false);
// Text of the interpreter's own: numbers, names of types ... Trusted (template.h says why).
Value NewAscii(std::string_view text);
Value SubString(const String& text, size_t begin, size_t end);
// `text` as it stands in for `source`: all trusted only where all of `source` is.
Value NewDerived(TextView text, const String& source);

using Values = std::vector<Value>;

// A list or a tuple, by the kind of the value that holds it.
struct List final : Object {
  explicit List(Values values) : items(std::move(values)), charged(items.size() * sizeof(Value)) {}
  const Values items;
  bool group = false;  // a tuple of groupby: (grouper, list), by name too
  const Charged charged;
};
Value NewList(Values items);
Value NewTuple(Values items);

// In insertion order. Keys are hashable values; 1, 1.0 and true are one key, as in Python.
struct Dict final : Object {
  const Value* Find(const Value& key) const;
  const Value* Find(TextView key) const;
  void Set(const Value& key, Value value);

  std::vector<std::pair<Value, Value>> items;

 private:
  std::unordered_multimap<size_t, size_t> index_;  // hash -> position; made at the ninth item
  Charged charged_;

  size_t Locate(const Value& key, size_t hash) const;
};
inline Value NewDict(Ref<Dict> dict) { return Value::Of(Kind::kDict, std::move(dict)); }

struct DictView final : Object {
  enum class Of { kKeys, kValues, kItems };
  DictView(Value of_dict, Of part) : dict(std::move(of_dict)), of(part) {}
  const Value dict;
  const Of of;
};

struct Range final : Object {
  Range(Int first, Int end, Int by) : start(first), stop(end), step(by) {}
  const Int start, stop, step;
  Int size() const;
  Value at(Int index) const { return Value::Integer(start + index * step); }
};

struct Slice final : Object {
  Value start, stop, step;
};

// Why a value is undefined: the message is made only where it is needed.
struct Undefined final : Object {
  enum class Why { kName, kAttribute, kElement, kHint };
  Why why;
  std::string type;  // of the object that has no such attribute
  Text name;         // or the hint
  ErrorKind error = ErrorKind::kUndefined;

  std::string Message() const;
  [[noreturn]] void Fail() const { throw Error{error, Message()}; }
};
Value UndefinedName(TextView name);
Value UndefinedAttribute(const Value& object, const Value& name);
Value UndefinedHint(std::string_view hint);

// A Python iterator: used up once.
class Iterator : public Object {
 public:
  // False at the end.
  virtual bool Next(Value& item) = 0;
};
Value NewIterator(Ref<Iterator> iterator);

struct Arguments {
  Values positional;
  std::vector<std::pair<std::string, Value>> keyword;

  // Takes a keyword argument out; kMissing where there is none.
  Value TakeKeyword(std::string_view name);
};

// A function of the environment or a method bound to its object.
struct Function final : Object {
  using Body = Value (*)(Interpreter&, const Value& self, Arguments&);
  Function(std::string_view function_name, Value bound, Body function_body)
      : name(function_name), self(std::move(bound)), body(function_body) {}
  const std::string_view name;  // static text
  const Value self;
  const Body body;
};
Value NewFunction(std::string_view name, Value self, Function::Body body);

struct Namespace final : CyclicObject {
  Ref<Dict> attributes;
  void Clear() override { attributes = Ref<Dict>(); }
};

struct Cycler final : Object {
  Values items;
  size_t position = 0;
};

struct Joiner final : Object {
  Value separator;
  bool used = false;
};

inline const String& Value::string() const { return as<String>(); }
inline const List& Value::list() const { return as<List>(); }
inline const Dict& Value::dict() const { return as<Dict>(); }

// "str", "int", "dict" ...: type(value).__name__.
std::string_view TypeName(const Value& value);
bool Truth(const Value& value);
bool Equal(const Value& a, const Value& b);  // ==
// <; raises kType where Python has no order.
bool Less(const Value& a, const Value& b, std::string_view op = "<");
size_t Hash(const Value& value);  // raises kType for what is not hashable
// `needle in haystack`
bool IsIn(const Value& needle, const Value& haystack);
// len(value); raises kType where there is none.
size_t Length(const Value& value);
// iter(value); raises kType where the value cannot be iterated.
Ref<Iterator> Iterate(const Value& value);
Values ToValues(const Value& iterable);  // list(value)

void AppendStr(const Value& value, StringBuilder& out);   // str(value)
void AppendRepr(const Value& value, StringBuilder& out);  // repr(value)
Value Str(const Value& value);                            // str(value): never markup
Value SoftStr(const Value& value);                        // markupsafe.soft_str
std::string DescribeForError(const Value& value);         // a short repr

// Python's checks of an argument: kType where the value is none.
const String& RequireString(const Value& value, std::string_view what);
Int RequireInt(const Value& value, std::string_view what);
// As a container index or size: clamped to +-2^62.
int64_t RequireIndex(const Value& value, std::string_view what);

}  // namespace fathom::jinja
