// Script: what a file defines, writes and calls, found by one walk over its tree.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "audit/analysis/syntax_node.h"
#include "audit/python/python_source.h"

namespace fathom {

// One place that gives a name (or "cfg.x", "self.x") a value, or changes the dictionary in it.
struct Definition {
  enum class Kind : uint8_t {
    kAssign,     // name = value
    kElement,    // (.., name, ..) = value: `position` in it
    kItem,       // name[key] = value, name.setdefault(key, value)
    kUpdate,     // name.update(...), name |= ...: `node` is the call or the statement
    kRemove,     // del name[key], name.pop(key)
    kImport,     // path
    kFunction,   // def, node
    kClass,      // class, node
    kParameter,  // of the scope's function
    kLoop,       // for name in value
    kWith,       // with value as name
    kOpaque      // value cannot be told
  };
  Kind kind = Kind::kOpaque;
  const SyntaxNode* node = nullptr;      // the statement, call or parameter
  const SyntaxNode* value = nullptr;     // the expression
  std::string key;                       // kItem, kRemove
  const SyntaxNode* key_node = nullptr;  // kItem whose key is no literal
  std::string path;                      // kImport: "torch.backends.cudnn"
  int position = 0;                      // kElement, kParameter
};

struct Scope {
  enum class Kind : uint8_t { kModule, kFunction, kClass, kComprehension };
  Kind kind = Kind::kModule;
  const SyntaxNode* node = nullptr;
  Scope* parent = nullptr;
  std::string self_name;  // of a method: its first parameter
  std::vector<std::string> global_names;
  std::map<std::string, std::vector<Definition>, std::less<>> names;

  const std::vector<Definition>* Find(std::string_view name) const;
};

// A call as its callee sees it. `Thread(target=f, args=(a,), kwargs=d)`, `partial(f, a, b=c)` and
// `executor.submit(f, a)` are calls of f as well.
struct CallSite {
  struct Keyword {
    std::string name;
    const SyntaxNode* value = nullptr;
    const SyntaxNode* node = nullptr;  // name=value
  };
  const SyntaxNode* node = nullptr;
  const SyntaxNode* callee = nullptr;
  std::vector<const SyntaxNode*> positional;
  std::vector<Keyword> keywords;
  std::vector<const SyntaxNode*> splats;  // of **
  bool star = false;                      // *args: positions after it are not known
  bool indirect = false;                  // through Thread, partial, submit

  const Keyword* Find(std::string_view name) const;
};

// object.attribute = value, or setattr(object, "attribute", value).
struct AttributeWrite {
  const SyntaxNode* node = nullptr;  // statement or call
  const SyntaxNode* object = nullptr;
  std::string attribute;
  const SyntaxNode* value = nullptr;
};

class Script {
 public:
  explicit Script(const PythonSource& source);

  const PythonSource& source() const { return source_; }
  const SyntaxTree& tree() const { return tree_; }
  // In order of place; dead code left out.
  const std::vector<CallSite>& calls() const { return calls_; }
  const std::vector<AttributeWrite>& writes() const { return writes_; }
  const std::vector<const SyntaxNode*>& functions() const { return functions_; }
  const std::vector<const SyntaxNode*>& classes() const { return classes_; }
  const std::vector<std::string>& wildcard_imports() const { return wildcards_; }
  // `exec(...)` may replace the module's variables.
  bool has_exec() const { return has_exec_; }

  const Scope* ScopeOf(const SyntaxNode* node) const { return scopes_of_[node->index]; }
  // The scope that a function, class or lambda opens.
  const Scope* ScopeIn(const SyntaxNode* node) const;
  const Scope* module_scope() const { return &scopes_.front(); }
  // The class around a method, or null.
  const Scope* ClassOf(const Scope* function) const;
  // Calls in the text of `X.add_argument`, `X.set_defaults`: where options get their defaults.
  const std::vector<const CallSite*>& option_calls() const { return option_calls_; }
  const CallSite* CallAt(const SyntaxNode* node) const;

  int LineOf(uint32_t byte) const { return source_.Line(byte); }
  int FirstLine(const SyntaxNode* node) const { return LineOf(node->begin); }
  int LastLine(const SyntaxNode* node) const;

 private:
  Scope* OpenScope(const SyntaxNode* node, Scope* parent);
  void Visit(const SyntaxNode& node);
  void Define(Scope* scope, std::string_view name, Definition definition);
  void DefineTarget(const SyntaxNode* target, const SyntaxNode* value, const SyntaxNode* statement,
                    Definition::Kind kind);
  void DefineItem(const SyntaxNode* target, const SyntaxNode* value, const SyntaxNode* statement);
  void DefineParameters(const SyntaxNode& function, Scope* scope);
  void VisitAssignment(const SyntaxNode& node);
  void VisitImport(const SyntaxNode& node);
  void VisitCall(const SyntaxNode& node);
  void VisitLoops(const SyntaxNode& node);
  void AddDerivedCalls(const CallSite& call);
  void DefineByMethod(const CallSite& call);

  const PythonSource& source_;
  SyntaxTree tree_;
  std::deque<Scope> scopes_;
  std::vector<Scope*> scopes_of_;
  std::map<const SyntaxNode*, Scope*> opened_;
  std::vector<CallSite> calls_;
  std::vector<AttributeWrite> writes_;
  std::vector<const SyntaxNode*> functions_;
  std::vector<const SyntaxNode*> classes_;
  std::vector<std::string> wildcards_;
  std::vector<const CallSite*> option_calls_;
  std::map<const SyntaxNode*, size_t> call_index_;
  bool has_exec_ = false;
};

// The parameters of a function or lambda in order, with what they are.
struct Parameter {
  enum class Kind : uint8_t { kPlain, kStar, kDoubleStar };
  Kind kind = Kind::kPlain;
  std::string_view name;
  const SyntaxNode* node = nullptr;
  const SyntaxNode* default_value = nullptr;
  const SyntaxNode* annotation = nullptr;
  bool keyword_only = false;
};
std::vector<Parameter> ParametersOf(const SyntaxNode* function);

}  // namespace fathom
