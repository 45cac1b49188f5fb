// The tree of a template, as the parser builds it and the resolver completes it.
#pragma once

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "text/template/value.h"

namespace fathom::jinja {

enum class ExpressionKind {
  kConstant,
  kName,
  kNamespaceTarget,  // `name.attribute`, the target of an assignment
  kTuple,
  kList,
  kDict,         // items: key, value, key, value ...
  kConditional,  // items: test, then, else (may be null)
  kAnd,
  kOr,
  kNot,
  kNegate,
  kPlus,
  kBinary,   // op; items: left, right
  kCompare,  // items: first, then one for each of ops
  kConcat,   // a ~ b ~ c
  kGetAttr,  // items: object; text: the attribute
  kGetItem,  // items: object, key
  kSlice,    // items: start, stop, step; each may be null
  kCall,     // items: callee, arguments ...
  kFilter,   // items: input (null in a filter block), arguments ...; name
  kTest,     // the same
};

enum class Operator {
  kAdd,
  kSubtract,
  kMultiply,
  kDivide,
  kFloorDivide,
  kModulo,
  kPower,
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kIn,
  kNotIn,
};

// A variable: `hops` scopes out, at `slot`.
struct VariableRef {
  int hops = 0;
  int slot = -1;
};

using Constant = std::variant<std::monostate, bool, Int, double, Text>;

struct FilterEntry;

struct Expression;
using ExpressionPtr = std::unique_ptr<Expression>;

struct KeywordArgument {
  std::string name;
  ExpressionPtr value;
};

struct Expression {
  ExpressionKind kind;
  Operator op = Operator::kAdd;
  int line = 0;
  int depth = 1;                       // of the tree below, this node included
  int constant_index = -1;             // into the rendering's table of constants
  VariableRef variable;                // kName, kNamespaceTarget
  Text text;                           // a name, an attribute
  const FilterEntry* entry = nullptr;  // kFilter, kTest: null where the name is unknown
  Text attribute;                      // kNamespaceTarget
  Constant constant;
  std::vector<Operator> ops;
  std::vector<ExpressionPtr> items;
  std::vector<KeywordArgument> keywords;
  ExpressionPtr extra_positional;  // *arguments
  ExpressionPtr extra_keywords;    // **arguments
};

// What happens to a variable when its frame is entered (jinja2/idtracking.py, VAR_LOAD_*).
struct Load {
  enum class Action { kParameter, kResolve, kAlias, kUnset };
  Action action;
  int slot;
  Text name;         // kResolve: looked up in the context
  VariableRef from;  // kAlias
};
using FrameLoads = std::vector<Load>;

enum class StatementKind {
  kOutput,
  kFor,
  kIf,
  kSet,
  kSetBlock,
  kMacro,
  kCallBlock,
  kFilterBlock,
  kWith,
  kAutoescape,
  kBlock,
  kBreak,
  kContinue,
  kUnavailable,  // include, import, extends: there is no other template
};

struct Statement {
  explicit Statement(StatementKind statement_kind, int at_line)
      : kind(statement_kind), line(at_line) {}
  virtual ~Statement() = default;
  const StatementKind kind;
  const int line;
};
using Body = std::vector<std::unique_ptr<Statement>>;

struct OutputStatement final : Statement {
  explicit OutputStatement(int at_line) : Statement(StatementKind::kOutput, at_line) {}
  struct Item {
    Text data;  // of the template, where there is no expression
    ExpressionPtr expression;
  };
  std::vector<Item> items;
};

// The names that the scope of a function holds; a function is what Jinja compiles into a function
// of Python: the template, a macro, a recursive loop, the filter of a loop, a block.
struct FunctionScope {
  int slots = 0;
};

struct ForStatement final : Statement {
  explicit ForStatement(int at_line) : Statement(StatementKind::kFor, at_line) {}
  ExpressionPtr target, iterable, test;
  ExpressionPtr test_target;  // the target once more, in the scope of the test
  Body body, else_body;
  bool recursive = false;
  bool has_else = false;
  bool uses_loop = false;
  int loop_slot = -1;
  FrameLoads loads, else_loads, test_loads;
  FunctionScope function;       // where recursive
  FunctionScope test_function;  // where there is a test
};

struct IfStatement final : Statement {
  explicit IfStatement(int at_line) : Statement(StatementKind::kIf, at_line) {}
  struct Branch {
    ExpressionPtr test;  // null: else
    Body body;
  };
  std::vector<Branch> branches;
};

// A toplevel assignment is seen by the blocks too: it goes to the context.
struct Export {
  Text name;
  VariableRef variable;
};

struct SetStatement final : Statement {
  explicit SetStatement(int at_line) : Statement(StatementKind::kSet, at_line) {}
  ExpressionPtr target, value;
  std::vector<Export> exports;
};

struct SetBlockStatement final : Statement {
  explicit SetBlockStatement(int at_line) : Statement(StatementKind::kSetBlock, at_line) {}
  ExpressionPtr target, filter;  // filter may be null
  Body body;
  FrameLoads loads;
  std::vector<Export> exports;
};

struct MacroBody {
  std::vector<ExpressionPtr> parameters;  // names
  std::vector<ExpressionPtr> defaults;    // of the last parameters
  Body body;
  FunctionScope function;
  FrameLoads loads;
  std::vector<int> parameter_slots;
  int caller_slot = -1, kwargs_slot = -1, varargs_slot = -1;
  bool accesses_caller = false;
};

struct MacroStatement final : Statement {
  explicit MacroStatement(int at_line) : Statement(StatementKind::kMacro, at_line) {}
  Text name;
  MacroBody macro;
  VariableRef variable;
  std::vector<Export> exports;
};

struct CallBlockStatement final : Statement {
  explicit CallBlockStatement(int at_line) : Statement(StatementKind::kCallBlock, at_line) {}
  ExpressionPtr call;  // null: {% generation %}
  MacroBody caller;
};

struct FilterBlockStatement final : Statement {
  explicit FilterBlockStatement(int at_line) : Statement(StatementKind::kFilterBlock, at_line) {}
  ExpressionPtr filter;
  Body body;
  FrameLoads loads;
};

struct WithStatement final : Statement {
  explicit WithStatement(int at_line) : Statement(StatementKind::kWith, at_line) {}
  std::vector<ExpressionPtr> targets, values;
  Body body;
  FrameLoads loads;
};

struct AutoescapeStatement final : Statement {
  explicit AutoescapeStatement(int at_line) : Statement(StatementKind::kAutoescape, at_line) {}
  ExpressionPtr enabled;
  Body body;
  FrameLoads loads;
};

struct BlockStatement final : Statement {
  explicit BlockStatement(int at_line) : Statement(StatementKind::kBlock, at_line) {}
  Text name;
  bool scoped = false, required = false;
  Body body;
  FunctionScope function;
  FrameLoads loads;
  int self_slot = -1, super_slot = -1;
  std::vector<Export> visible;  // of a scoped block: the variables around it
};

struct SimpleStatement final : Statement {
  using Statement::Statement;
  std::string tag;  // kUnavailable
};

struct TemplateTree {
  Body body;
  FunctionScope function;
  FrameLoads loads;
  int self_slot = -1;
  std::vector<BlockStatement*> blocks;
  std::vector<const Expression*> constants;  // by constant_index
};

constexpr int kMaxTreeDepth = 256;

}  // namespace fathom::jinja
