#include "text/template/resolver.h"

#include <algorithm>

#include "text/template/filters.h"
#include "text/template/symbols.h"

namespace fathom::jinja {
namespace {

[[noreturn]] void Refuse(int line, std::string message) {
  throw Error{ErrorKind::kSyntax, std::move(message), line};
}

template <typename Visit>
void ForEachChild(const Expression& node, Visit visit) {
  for (const ExpressionPtr& item : node.items) {
    if (item != nullptr) visit(*item);
  }
  for (const KeywordArgument& keyword : node.keywords) visit(*keyword.value);
  if (node.extra_positional != nullptr) visit(*node.extra_positional);
  if (node.extra_keywords != nullptr) visit(*node.extra_keywords);
}

// Which of some names a body reads without assigning them first (compiler.py, find_undeclared).
// Goes into loops and macros, not into blocks.
class UndeclaredNames {
 public:
  explicit UndeclaredNames(std::set<Text> names) : names_(std::move(names)) {}

  void Visit(const Body& body) {
    for (const auto& statement : body) Visit(*statement);
  }
  bool Has(const Text& name) const { return found_.count(name) != 0; }

 private:
  void Visit(const ExpressionPtr& expression) {
    if (expression != nullptr) Visit(*expression, false);
  }
  void Store(const ExpressionPtr& target) {
    if (target != nullptr) Visit(*target, true);
  }
  void Visit(const Expression& node, bool store) {
    if (node.kind == ExpressionKind::kName) {
      if (store) {
        names_.erase(node.text);
      } else if (names_.count(node.text) != 0) {
        found_.insert(node.text);
      }
    }
    ForEachChild(node, [&](const Expression& child) { Visit(child, store); });
  }
  void Visit(const MacroBody& macro) {
    for (const ExpressionPtr& parameter : macro.parameters) Store(parameter);
    for (const ExpressionPtr& value : macro.defaults) Visit(value);
    Visit(macro.body);
  }
  void Visit(const Statement& statement);

  std::set<Text> names_;
  std::set<Text> found_;
};

void UndeclaredNames::Visit(const Statement& statement) {
  switch (statement.kind) {
    case StatementKind::kOutput:
      for (const auto& item : static_cast<const OutputStatement&>(statement).items) {
        Visit(item.expression);
      }
      return;
    case StatementKind::kFor: {
      const auto& node = static_cast<const ForStatement&>(statement);
      Store(node.target);
      Visit(node.iterable);
      Visit(node.body);
      Visit(node.else_body);
      return Visit(node.test);
    }
    case StatementKind::kIf:
      for (const auto& branch : static_cast<const IfStatement&>(statement).branches) {
        Visit(branch.test);
        Visit(branch.body);
      }
      return;
    case StatementKind::kSet: {
      const auto& node = static_cast<const SetStatement&>(statement);
      Store(node.target);
      return Visit(node.value);
    }
    case StatementKind::kSetBlock: {
      const auto& node = static_cast<const SetBlockStatement&>(statement);
      Store(node.target);
      Visit(node.filter);
      return Visit(node.body);
    }
    case StatementKind::kMacro:
      return Visit(static_cast<const MacroStatement&>(statement).macro);
    case StatementKind::kCallBlock:
      Visit(static_cast<const CallBlockStatement&>(statement).call);
      return Visit(static_cast<const CallBlockStatement&>(statement).caller);
    case StatementKind::kFilterBlock:
      Visit(static_cast<const FilterBlockStatement&>(statement).body);
      return Visit(static_cast<const FilterBlockStatement&>(statement).filter);
    case StatementKind::kWith: {
      const auto& node = static_cast<const WithStatement&>(statement);
      for (const ExpressionPtr& target : node.targets) Store(target);
      for (const ExpressionPtr& value : node.values) Visit(value);
      return Visit(node.body);
    }
    case StatementKind::kAutoescape:
      Visit(static_cast<const AutoescapeStatement&>(statement).enabled);
      return Visit(static_cast<const AutoescapeStatement&>(statement).body);
    default:
      return;
  }
}

bool Reads(const Body& body, const Text& name) {
  UndeclaredNames names({name});
  names.Visit(body);
  return names.Has(name);
}

// Enters the names of a frame into its symbols, not those of the frames inside it (idtracking.py,
// FrameSymbolVisitor).
class SymbolVisitor {
 public:
  explicit SymbolVisitor(Symbols& symbols) : symbols_(&symbols) {}

  void Use(const ExpressionPtr& expression) {
    if (expression != nullptr) Use(*expression);
  }
  void Store(const Expression& target, bool parameter = false) {
    if (target.kind == ExpressionKind::kNamespaceTarget) {
      symbols_->Use(target.text);
    } else if (target.kind == ExpressionKind::kName) {
      if (parameter) {
        symbols_->DeclareParameter(target.text);
      } else {
        symbols_->Store(target.text);
      }
    }
    for (const ExpressionPtr& item : target.items) Store(*item, parameter);
  }
  void Visit(const Body& body) {
    for (const auto& statement : body) Visit(*statement);
  }

 private:
  void Use(const Expression& node) {
    if (node.kind == ExpressionKind::kName) symbols_->Use(node.text);
    // A conditional expression is visited test first, as all its fields are in Jinja's nodes.
    ForEachChild(node, [&](const Expression& child) { Use(child); });
  }
  void Visit(const Statement& statement);
  void VisitIf(const IfStatement& node);

  Symbols* symbols_;
};

void SymbolVisitor::VisitIf(const IfStatement& node) {
  // Jinja nests the tests of elif into the branch that they begin.
  Symbols* original = symbols_;
  std::vector<Symbols> branches;
  Use(node.branches[0].test);
  Symbols first = *original;
  symbols_ = &first;
  Visit(node.branches[0].body);
  Symbols elifs = *original;
  symbols_ = &elifs;
  Symbols otherwise = *original;
  for (size_t i = 1; i < node.branches.size(); ++i) {
    const IfStatement::Branch& branch = node.branches[i];
    if (branch.test == nullptr) {
      symbols_ = &otherwise;
      Visit(branch.body);
      break;
    }
    // Each elif is an `if` of its own there: its branches merge before the next one.
    symbols_ = &elifs;
    Use(branch.test);
    Symbols body = elifs;
    symbols_ = &body;
    Visit(branch.body);
    elifs.MergeBranches({body, elifs, elifs});
  }
  symbols_ = original;
  symbols_->MergeBranches({first, elifs, otherwise});
}

void SymbolVisitor::Visit(const Statement& statement) {
  switch (statement.kind) {
    case StatementKind::kOutput:
      for (const auto& item : static_cast<const OutputStatement&>(statement).items) {
        Use(item.expression);
      }
      return;
    case StatementKind::kFor:
      return Use(static_cast<const ForStatement&>(statement).iterable);
    case StatementKind::kIf:
      return VisitIf(static_cast<const IfStatement&>(statement));
    case StatementKind::kSet: {
      const auto& node = static_cast<const SetStatement&>(statement);
      Use(node.value);
      return Store(*node.target);
    }
    case StatementKind::kSetBlock:
      return Store(*static_cast<const SetBlockStatement&>(statement).target);
    case StatementKind::kMacro:
      return symbols_->Store(static_cast<const MacroStatement&>(statement).name);
    case StatementKind::kCallBlock:
      return Use(static_cast<const CallBlockStatement&>(statement).call);
    case StatementKind::kFilterBlock:
      return Use(static_cast<const FilterBlockStatement&>(statement).filter);
    case StatementKind::kWith:
      for (const ExpressionPtr& value : static_cast<const WithStatement&>(statement).values) {
        Use(value);
      }
      return;
    default:
      return;
  }
}

// The frame in which a statement stands while references are written into the tree.
struct Frame {
  Symbols symbols;
  bool toplevel = false;  // assignments reach the context
  bool soft = false;      // inside a condition: unknown filters are refused only when called
  bool in_loop = false;   // break and continue have a loop in this function

  Frame Inner() const {
    return Frame{Symbols(&symbols, symbols.scope(), symbols.level() + 1), false, false, in_loop};
  }
  Frame InnerFunction(ScopeBuilder* scope) const {
    return Frame{Symbols(&symbols, scope, symbols.level() + 1), false, false, false};
  }
};

class Resolver {
 public:
  void ResolveAll(TemplateTree& tree);

 private:
  void Visit(Body& body, Frame& frame) {
    for (auto& statement : body) Visit(*statement, frame);
  }
  void Visit(Statement& statement, Frame& frame);
  void Visit(const ExpressionPtr& expression, const Frame& frame) {
    if (expression != nullptr) Visit(*expression, frame, frame.soft);
  }
  void Visit(Expression& node, const Frame& frame, bool soft);
  void VisitFor(ForStatement& node, Frame& frame);
  void VisitIf(IfStatement& node, Frame& frame);
  void VisitMacroBody(MacroBody& macro, Frame& frame, int line);
  void VisitSetBlock(SetBlockStatement& node, Frame& frame);
  void VisitMacro(MacroStatement& node, Frame& frame);
  void VisitCallBlock(CallBlockStatement& node, Frame& frame);
  void VisitFilterBlock(FilterBlockStatement& node, Frame& frame);
  void VisitWith(WithStatement& node, Frame& frame);
  void VisitAutoescape(AutoescapeStatement& node, Frame& frame);
  void VisitBlockUse(BlockStatement& node, Frame& frame);
  void ResolveBlock(BlockStatement& node);
  static void AddExports(const Expression& target, const Frame& frame, std::vector<Export>& out);
  static void RefuseLoopTargets(const Body& body, int line);
  static void RefuseLoopTarget(const Expression& target);

  bool scoped_blocks_ = false;  // a scoped block sees the loop around it
};

void Resolver::Visit(Expression& node, const Frame& frame, bool soft) {
  if (node.kind == ExpressionKind::kName || node.kind == ExpressionKind::kNamespaceTarget) {
    node.variable = frame.symbols.Reference(node.text, frame.symbols.scope());
  }
  if (node.kind == ExpressionKind::kFilter || node.kind == ExpressionKind::kTest) {
    const bool filter = node.kind == ExpressionKind::kFilter;
    node.entry = filter ? FindFilter(node.text) : FindTest(node.text);
    if (node.entry == nullptr && !soft) {
      Refuse(node.line,
             fmt::format("No {} named '{}'.", filter ? "filter" : "test", ToUtf8(node.text)));
    }
  }
  const bool child_soft = soft || node.kind == ExpressionKind::kConditional;
  ForEachChild(node, [&](const Expression& child) {
    Visit(const_cast<Expression&>(child), frame, child_soft);
  });
}

void Resolver::AddExports(const Expression& target, const Frame& frame, std::vector<Export>& out) {
  if (target.kind == ExpressionKind::kName) {
    out.push_back({target.text, frame.symbols.Reference(target.text, frame.symbols.scope())});
  }
  for (const ExpressionPtr& item : target.items) AddExports(*item, frame, out);
}

void Resolver::RefuseLoopTarget(const Expression& target) {
  if (target.kind == ExpressionKind::kName && target.text == U"loop") {
    Refuse(target.line, "Can't assign to special loop variable in for-loop target");
  }
  if (target.kind != ExpressionKind::kTuple) return;
  for (const ExpressionPtr& item : target.items) RefuseLoopTarget(*item);
}

// No assignment anywhere inside a loop may be to `loop`.
void Resolver::RefuseLoopTargets(const Body& body, int line) {
  for (const auto& statement : body) {
    switch (statement->kind) {
      case StatementKind::kSet:
        RefuseLoopTarget(*static_cast<const SetStatement&>(*statement).target);
        break;
      case StatementKind::kSetBlock: {
        const auto& node = static_cast<const SetBlockStatement&>(*statement);
        RefuseLoopTarget(*node.target);
        RefuseLoopTargets(node.body, line);
        break;
      }
      case StatementKind::kFor:  // refuses its own
        break;
      case StatementKind::kIf:
        for (const auto& branch : static_cast<const IfStatement&>(*statement).branches) {
          RefuseLoopTargets(branch.body, line);
        }
        break;
      case StatementKind::kMacro:
        RefuseLoopTargets(static_cast<const MacroStatement&>(*statement).macro.body, line);
        break;
      case StatementKind::kCallBlock:
        RefuseLoopTargets(static_cast<const CallBlockStatement&>(*statement).caller.body, line);
        break;
      case StatementKind::kFilterBlock:
        RefuseLoopTargets(static_cast<const FilterBlockStatement&>(*statement).body, line);
        break;
      case StatementKind::kWith:
        RefuseLoopTargets(static_cast<const WithStatement&>(*statement).body, line);
        break;
      case StatementKind::kAutoescape:
        RefuseLoopTargets(static_cast<const AutoescapeStatement&>(*statement).body, line);
        break;
      case StatementKind::kBlock:
        RefuseLoopTargets(static_cast<const BlockStatement&>(*statement).body, line);
        break;
      default:
        break;
    }
  }
}

void Resolver::VisitFor(ForStatement& node, Frame& frame) {
  RefuseLoopTarget(*node.target);
  RefuseLoopTargets(node.body, node.line);
  RefuseLoopTargets(node.else_body, node.line);
  ScopeBuilder function{&node.function, frame.symbols.scope(), {}};
  ScopeBuilder test_function{&node.test_function, frame.symbols.scope(), {}};
  if (node.test != nullptr) {
    Frame test = frame.InnerFunction(&test_function);
    SymbolVisitor visitor(test.symbols);
    visitor.Store(*node.test_target, true);
    visitor.Use(node.test);
    node.test_loads = test.symbols.Loads();
    Visit(node.test_target, test);
    Visit(node.test, test);
  }
  Visit(node.iterable, frame);
  Frame body = node.recursive ? frame.InnerFunction(&function) : frame.Inner();
  node.uses_loop = node.recursive || scoped_blocks_ || Reads(node.body, U"loop");
  if (node.uses_loop) node.loop_slot = body.symbols.DeclareParameter(U"loop");
  SymbolVisitor visitor(body.symbols);
  visitor.Store(*node.target, true);
  visitor.Visit(node.body);
  node.loads = body.symbols.Loads();
  Visit(node.target, body);
  Frame otherwise = node.recursive ? frame.InnerFunction(&function) : frame.Inner();
  body.in_loop = true;
  Visit(node.body, body);
  if (node.has_else) {
    SymbolVisitor(otherwise.symbols).Visit(node.else_body);
    node.else_loads = otherwise.symbols.Loads();
    Visit(node.else_body, otherwise);
  }
}

void Resolver::VisitIf(IfStatement& node, Frame& frame) {
  const bool soft = std::exchange(frame.soft, true);
  for (IfStatement::Branch& branch : node.branches) {
    Visit(branch.test, frame);
    Visit(branch.body, frame);
  }
  frame.soft = soft;
}

void Resolver::VisitMacroBody(MacroBody& macro, Frame& frame, int line) {
  ScopeBuilder function{&macro.function, frame.symbols.scope(), {}};
  Frame inner = frame.InnerFunction(&function);
  std::set<Text> seen;
  bool explicit_caller = false, explicit_kwargs = false, explicit_varargs = false;
  for (size_t i = 0; i < macro.parameters.size(); ++i) {
    const Text& name = macro.parameters[i]->text;
    if (!seen.insert(name).second) {
      Refuse(line, "duplicate argument '" + ToUtf8(name) + "' in a macro");
    }
    macro.parameter_slots.push_back(inner.symbols.DeclareParameter(name));
    if (name == U"caller") explicit_caller = true;
    if (name == U"kwargs") explicit_kwargs = true;
    if (name == U"varargs") explicit_varargs = true;
  }
  SymbolVisitor visitor(inner.symbols);
  for (const ExpressionPtr& value : macro.defaults) visitor.Use(value);
  visitor.Visit(macro.body);
  UndeclaredNames undeclared({U"caller", U"kwargs", U"varargs"});
  undeclared.Visit(macro.body);
  if (undeclared.Has(U"caller")) {
    if (explicit_caller) {
      const size_t first_default = macro.parameters.size() - macro.defaults.size();
      for (size_t i = 0; i < first_default; ++i) {
        if (macro.parameters[i]->text == U"caller") {
          Refuse(line, "the special \"caller\" argument must be omitted or be given a default.");
        }
      }
    } else {
      macro.caller_slot = inner.symbols.DeclareParameter(U"caller");
    }
    macro.accesses_caller = true;
  }
  if (undeclared.Has(U"kwargs") && !explicit_kwargs) {
    macro.kwargs_slot = inner.symbols.DeclareParameter(U"kwargs");
  }
  if (undeclared.Has(U"varargs") && !explicit_varargs) {
    macro.varargs_slot = inner.symbols.DeclareParameter(U"varargs");
  }
  macro.loads = inner.symbols.Loads();
  for (const ExpressionPtr& value : macro.defaults) Visit(value, inner);
  Visit(macro.body, inner);
}

void Resolver::VisitSetBlock(SetBlockStatement& node, Frame& frame) {
  Frame inner = frame.Inner();
  SymbolVisitor(inner.symbols).Visit(node.body);
  // The filter's arguments are read in the inner frame, which Jinja forgets to analyze: a name that
  // is used nowhere else is refused there.
  if (node.filter != nullptr) SymbolVisitor(inner.symbols).Use(node.filter);
  node.loads = inner.symbols.Loads();
  Visit(node.body, inner);
  Visit(node.filter, inner);
  Visit(node.target, frame);
  if (frame.toplevel) AddExports(*node.target, frame, node.exports);
}

void Resolver::VisitMacro(MacroStatement& node, Frame& frame) {
  VisitMacroBody(node.macro, frame, node.line);
  node.variable = frame.symbols.Reference(node.name, frame.symbols.scope());
  if (frame.toplevel) node.exports.push_back({node.name, node.variable});
}

void Resolver::VisitCallBlock(CallBlockStatement& node, Frame& frame) {
  VisitMacroBody(node.caller, frame, node.line);
  Visit(node.call, frame);
}

void Resolver::VisitFilterBlock(FilterBlockStatement& node, Frame& frame) {
  Frame inner = frame.Inner();
  SymbolVisitor visitor(inner.symbols);
  visitor.Visit(node.body);
  visitor.Use(node.filter);
  node.loads = inner.symbols.Loads();
  Visit(node.body, inner);
  Visit(node.filter, inner);
}

void Resolver::VisitWith(WithStatement& node, Frame& frame) {
  for (const ExpressionPtr& value : node.values) Visit(value, frame);
  Frame inner = frame.Inner();
  SymbolVisitor visitor(inner.symbols);
  for (const ExpressionPtr& target : node.targets) visitor.Store(*target, true);
  visitor.Visit(node.body);
  node.loads = inner.symbols.Loads();
  for (const ExpressionPtr& target : node.targets) Visit(target, inner);
  Visit(node.body, inner);
}

void Resolver::VisitAutoescape(AutoescapeStatement& node, Frame& frame) {
  Frame inner = frame.Inner();
  SymbolVisitor visitor(inner.symbols);
  visitor.Use(node.enabled);
  visitor.Visit(node.body);
  node.loads = inner.symbols.Loads();
  Visit(node.enabled, inner);
  Visit(node.body, inner);
}

void Resolver::VisitBlockUse(BlockStatement& node, Frame& frame) {
  if (!node.scoped) return;
  for (const Text& name : frame.symbols.StoredNames()) {
    node.visible.push_back({name, frame.symbols.Reference(name, frame.symbols.scope())});
  }
}

void Resolver::ResolveBlock(BlockStatement& node) {
  ScopeBuilder function{&node.function, nullptr, {}};
  Frame frame{Symbols(nullptr, &function, 0), false, false, false};
  UndeclaredNames undeclared({U"self", U"super"});
  undeclared.Visit(node.body);
  if (undeclared.Has(U"self")) node.self_slot = frame.symbols.DeclareParameter(U"self");
  if (undeclared.Has(U"super")) node.super_slot = frame.symbols.DeclareParameter(U"super");
  SymbolVisitor(frame.symbols).Visit(node.body);
  node.loads = frame.symbols.Loads();
  Visit(node.body, frame);
}

void Resolver::Visit(Statement& statement, Frame& frame) {
  switch (statement.kind) {
    case StatementKind::kOutput:
      for (const auto& item : static_cast<OutputStatement&>(statement).items) {
        Visit(item.expression, frame);
      }
      return;
    case StatementKind::kFor:
      return VisitFor(static_cast<ForStatement&>(statement), frame);
    case StatementKind::kIf:
      return VisitIf(static_cast<IfStatement&>(statement), frame);
    case StatementKind::kSet: {
      auto& node = static_cast<SetStatement&>(statement);
      Visit(node.target, frame);
      Visit(node.value, frame);
      if (frame.toplevel) AddExports(*node.target, frame, node.exports);
      return;
    }
    case StatementKind::kSetBlock:
      return VisitSetBlock(static_cast<SetBlockStatement&>(statement), frame);
    case StatementKind::kMacro:
      return VisitMacro(static_cast<MacroStatement&>(statement), frame);
    case StatementKind::kCallBlock:
      return VisitCallBlock(static_cast<CallBlockStatement&>(statement), frame);
    case StatementKind::kFilterBlock:
      return VisitFilterBlock(static_cast<FilterBlockStatement&>(statement), frame);
    case StatementKind::kWith:
      return VisitWith(static_cast<WithStatement&>(statement), frame);
    case StatementKind::kAutoescape:
      return VisitAutoescape(static_cast<AutoescapeStatement&>(statement), frame);
    case StatementKind::kBlock:
      return VisitBlockUse(static_cast<BlockStatement&>(statement), frame);
    case StatementKind::kBreak:
    case StatementKind::kContinue:
      if (!frame.in_loop) {
        Refuse(statement.line, statement.kind == StatementKind::kBreak
                                   ? "'break' outside loop"
                                   : "'continue' not properly in loop");
      }
      return;
    case StatementKind::kUnavailable:
      return;
  }
}

void Resolver::ResolveAll(TemplateTree& tree) {
  scoped_blocks_ = std::any_of(tree.blocks.begin(), tree.blocks.end(),
                               [](const BlockStatement* block) { return block->scoped; });
  ScopeBuilder function{&tree.function, nullptr, {}};
  Frame frame{Symbols(nullptr, &function, 0), true, false, false};
  if (Reads(tree.body, U"self")) tree.self_slot = frame.symbols.DeclareParameter(U"self");
  SymbolVisitor(frame.symbols).Visit(tree.body);
  tree.loads = frame.symbols.Loads();
  Visit(tree.body, frame);
  for (BlockStatement* block : tree.blocks) ResolveBlock(*block);
}

}  // namespace

void ResolveTemplate(TemplateTree& tree) { Resolver().ResolveAll(tree); }

}  // namespace fathom::jinja
