#include "text/template/parser.h"

#include <algorithm>

#include "text/template/expression_parser.h"

namespace fathom::jinja {
namespace {

using Ends = std::initializer_list<TextView>;

class Parser final : public ExpressionParser {
 public:
  explicit Parser(TextView source) : ExpressionParser(source) {}

  TemplateTree ParseAll() {
    TemplateTree tree;
    tree.body = ParseBody({});
    tree.blocks = std::move(blocks_);
    tree.constants = TakeConstants();
    return tree;
  }

 private:
  // Statements up to a tag of `ends` (whose name is then the current token) or the end.
  Body ParseBody(Ends ends) {
    const Nesting nesting(*this);
    Body body;
    OutputStatement* output = nullptr;
    const auto out = [&]() -> OutputStatement& {
      if (output == nullptr) {
        auto statement = std::make_unique<OutputStatement>(current().line);
        output = statement.get();
        body.push_back(std::move(statement));
      }
      return *output;
    };
    while (current().type != TokenType::kEnd) {
      if (current().type == TokenType::kData) {
        out().items.push_back({Take().text, nullptr});
      } else if (current().type == TokenType::kVariableBegin) {
        Take();
        out().items.push_back({{}, ParseTuple({})});
        Expect(TokenType::kVariableEnd, "end of print statement");
      } else {
        Expect(TokenType::kBlockBegin, "begin of statement block");
        output = nullptr;
        if (AtOneOf(ends)) return body;
        body.push_back(ParseStatement());
        Expect(TokenType::kBlockEnd, "end of statement block");
      }
    }
    return body;
  }

  bool AtOneOf(Ends ends) const {
    return std::any_of(ends.begin(), ends.end(),
                       [&](TextView end) { return current().IsName(end); });
  }

  // The body of a tag: after its head, up to one of `ends`.
  Body ParseTagBody(TextView tag, Ends ends) {
    if (current().type == TokenType::kColon) Take();
    Expect(TokenType::kBlockEnd, "end of statement block");
    Body body = ParseBody(ends);
    if (current().type == TokenType::kEnd) {
      Fail("Unexpected end of template. The innermost block that needs to be closed is '" +
           ToUtf8(tag) + "'.");
    }
    return body;
  }
  Body ParseClosedBody(TextView tag, TextView end) {
    Body body = ParseTagBody(tag, {end});
    Take();
    return body;
  }

  std::unique_ptr<Statement> ParseStatement() {
    if (current().type != TokenType::kName) Fail("tag name expected");
    const Text tag = current().text;
    const int line = current().line;
    if (tag == U"for") return ParseFor();
    if (tag == U"if") return ParseIf();
    if (tag == U"set") return ParseSet();
    if (tag == U"macro") return ParseMacro();
    if (tag == U"call") return ParseCallBlock();
    if (tag == U"filter") return ParseFilterBlock();
    if (tag == U"generation") return ParseGeneration();
    if (tag == U"print") return ParsePrint();
    if (tag == U"with") return ParseWith();
    if (tag == U"autoescape") return ParseAutoescape();
    if (tag == U"block") return ParseBlock();
    if (tag == U"break" || tag == U"continue") {
      Take();
      return std::make_unique<SimpleStatement>(
          tag == U"break" ? StatementKind::kBreak : StatementKind::kContinue, line);
    }
    if (tag == U"include" || tag == U"import" || tag == U"from" || tag == U"extends") {
      return ParseUnavailable();
    }
    Fail("Encountered unknown tag '" + ToUtf8(tag) + "'.");
  }

  std::unique_ptr<Statement> ParseFor() {
    auto node = std::make_unique<ForStatement>(Take().line);
    node->target = ParseTarget({});
    ExpectName(U"in");
    node->iterable = ParseTuple({.conditional = false});
    if (SkipName(U"if")) node->test = ParseExpression();
    if (node->test != nullptr) node->test_target = CopyTarget(*node->target);
    node->recursive = SkipName(U"recursive");
    node->body = ParseTagBody(U"for", {U"endfor", U"else"});
    if (Take().text != U"endfor") {
      node->else_body = ParseClosedBody(U"for", U"endfor");
      node->has_else = !node->else_body.empty();
    }
    return node;
  }

  std::unique_ptr<Statement> ParseIf() {
    auto node = std::make_unique<IfStatement>(Take().line);
    for (;;) {
      IfStatement::Branch branch;
      branch.test = ParseTuple({.conditional = false});
      branch.body = ParseTagBody(U"if", {U"elif", U"else", U"endif"});
      node->branches.push_back(std::move(branch));
      const Text next = Take().text;
      if (next == U"elif") continue;
      if (next == U"else") {
        node->branches.push_back({nullptr, ParseClosedBody(U"if", U"endif")});
      }
      return node;
    }
  }

  std::unique_ptr<Statement> ParseSet() {
    const int line = Take().line;
    ExpressionPtr target = ParseTarget({.namespace_targets = true});
    if (current().type == TokenType::kAssign) {
      Take();
      auto node = std::make_unique<SetStatement>(line);
      node->target = std::move(target);
      node->value = ParseTuple({});
      return node;
    }
    auto node = std::make_unique<SetBlockStatement>(line);
    node->target = std::move(target);
    while (current().type == TokenType::kPipe) {
      Take();
      node->filter = ParseOneFilter(std::move(node->filter));
    }
    node->body = ParseClosedBody(U"set", U"endset");
    return node;
  }

  void ParseSignature(MacroBody& macro) {
    Expect(TokenType::kLeftParen, "(");
    while (current().type != TokenType::kRightParen) {
      if (!macro.parameters.empty()) Expect(TokenType::kComma, ",");
      macro.parameters.push_back(ParseNameTarget());
      if (current().type == TokenType::kAssign) {
        Take();
        macro.defaults.push_back(ParseExpression());
      } else if (!macro.defaults.empty()) {
        Fail("non-default argument follows default argument");
      }
    }
    Take();
  }

  std::unique_ptr<Statement> ParseMacro() {
    auto node = std::make_unique<MacroStatement>(Take().line);
    node->name = ParseNameTarget()->text;
    ParseSignature(node->macro);
    node->macro.body = ParseClosedBody(U"macro", U"endmacro");
    return node;
  }

  std::unique_ptr<Statement> ParseCallBlock() {
    auto node = std::make_unique<CallBlockStatement>(Take().line);
    if (current().type == TokenType::kLeftParen) ParseSignature(node->caller);
    node->call = ParseExpression();
    if (node->call->kind != ExpressionKind::kCall) Fail("expected call");
    node->caller.body = ParseClosedBody(U"call", U"endcall");
    return node;
  }

  // transformers' AssistantTracker: a call block without a call.
  std::unique_ptr<Statement> ParseGeneration() {
    auto node = std::make_unique<CallBlockStatement>(Take().line);
    node->caller.body = ParseClosedBody(U"generation", U"endgeneration");
    return node;
  }

  std::unique_ptr<Statement> ParseFilterBlock() {
    auto node = std::make_unique<FilterBlockStatement>(Take().line);
    node->filter = ParseOneFilter(nullptr);
    while (current().type == TokenType::kPipe) {
      Take();
      node->filter = ParseOneFilter(std::move(node->filter));
    }
    node->body = ParseClosedBody(U"filter", U"endfilter");
    return node;
  }

  std::unique_ptr<Statement> ParsePrint() {
    auto node = std::make_unique<OutputStatement>(Take().line);
    while (current().type != TokenType::kBlockEnd) {
      if (!node->items.empty()) Expect(TokenType::kComma, ",");
      node->items.push_back({{}, ParseExpression()});
    }
    return node;
  }

  std::unique_ptr<Statement> ParseWith() {
    auto node = std::make_unique<WithStatement>(Take().line);
    while (current().type != TokenType::kBlockEnd) {
      if (!node->targets.empty()) Expect(TokenType::kComma, ",");
      node->targets.push_back(ParseTarget({}));
      Expect(TokenType::kAssign, "=");
      node->values.push_back(ParseExpression());
    }
    node->body = ParseClosedBody(U"with", U"endwith");
    return node;
  }

  std::unique_ptr<Statement> ParseAutoescape() {
    auto node = std::make_unique<AutoescapeStatement>(Take().line);
    node->enabled = ParseExpression();
    node->body = ParseClosedBody(U"autoescape", U"endautoescape");
    return node;
  }

  std::unique_ptr<Statement> ParseBlock() {
    auto node = std::make_unique<BlockStatement>(Take().line);
    if (current().type != TokenType::kName) Fail("expected token 'name'");
    node->name = Take().text;
    node->scoped = SkipName(U"scoped");
    node->required = SkipName(U"required");
    if (current().type == TokenType::kSub) {
      Fail("Block names in Jinja have to be valid Python identifiers and may not contain hyphens");
    }
    for (const BlockStatement* other : blocks_) {
      if (other->name == node->name) Fail("block '" + ToUtf8(node->name) + "' defined twice");
    }
    blocks_.push_back(node.get());
    node->body = ParseClosedBody(U"block", U"endblock");
    if (node->required && !IsBlank(node->body)) {
      Fail("Required blocks can only contain comments or whitespace");
    }
    SkipName(node->name);
    return node;
  }

  static bool IsBlank(const Body& body) {
    return std::all_of(body.begin(), body.end(), [](const auto& statement) {
      if (statement->kind != StatementKind::kOutput) return false;
      const auto& items = static_cast<const OutputStatement&>(*statement).items;
      return std::all_of(items.begin(), items.end(), [](const OutputStatement::Item& item) {
        return item.expression == nullptr && !item.data.empty() &&
               std::all_of(item.data.begin(), item.data.end(), IsSpace);
      });
    });
  }

  // A tag that reaches for another template: read to its end, refused when it is executed.
  std::unique_ptr<Statement> ParseUnavailable() {
    const Token tag = Take();
    auto node = std::make_unique<SimpleStatement>(StatementKind::kUnavailable, tag.line);
    node->tag = ToUtf8(tag.text);
    ParseExpression();
    while (current().type == TokenType::kName || current().type == TokenType::kComma) Take();
    return node;
  }

  std::vector<BlockStatement*> blocks_;
};

}  // namespace

TemplateTree ParseTemplate(TextView source) { return Parser(source).ParseAll(); }

}  // namespace fathom::jinja
