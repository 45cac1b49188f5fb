#include "audit/fix/advised_edits.h"

#include <fmt/format.h>

#include <algorithm>

#include "audit/analysis/syntax_node.h"

namespace fathom {
namespace {

using Kind = SyntaxKind;
using Field = SyntaxField;

// Byte ranges of PythonSource::text() and what takes their place.
struct TextEdit {
  size_t begin = 0, end = 0;
  std::string text;
};

const SyntaxNode* NodeAt(const SyntaxTree& tree, const Finding::Place& place) {
  for (const SyntaxNode& node : tree.nodes()) {
    if (node.Is(Kind::kBlock) || node.parent == nullptr)
      continue;  // of one statement: the same place
    if (node.begin == place.begin && node.end == place.end) return &node;
  }
  return nullptr;
}

bool IsBlank(char c) { return c == ' ' || c == '\t'; }

// An argument or a dictionary's entry with its comma; with its line where it has one to itself.
TextEdit DeleteElement(std::string_view text, const SyntaxNode& node) {
  size_t begin = node.begin, end = node.end;
  size_t after = end;
  while (after < text.size() && IsBlank(text[after])) ++after;
  const bool comma = after < text.size() && text[after] == ',';
  if (comma) end = after + 1;
  size_t line = begin;
  while (line > 0 && IsBlank(text[line - 1])) --line;
  size_t rest = end;
  while (rest < text.size() && IsBlank(text[rest])) ++rest;
  const bool starts_line = line == 0 || text[line - 1] == '\n';
  if (starts_line && rest < text.size() && text[rest] == '\n') return {line, rest + 1, ""};
  if (comma) return {begin, starts_line ? end : rest, ""};
  // The last one: with the comma before it.
  size_t before = begin;
  while (before > 0 && (IsBlank(text[before - 1]) || text[before - 1] == '\n')) --before;
  if (before > 0 && text[before - 1] == ',') begin = before - 1;
  return {begin, end, ""};
}

// Whether asking changes anything: a call that is no mere question, `:=`, await.
bool HasEffects(const SyntaxNode* node) {
  static constexpr std::string_view kQuestions =
      " hasattr getattr isinstance len str int bool any all tuple startswith endswith lower get "
      "getenv device_count system machine parse Version find_spec split get_device_capability ";
  if (node->Is(Kind::kNamedExpression) || node->Is(Kind::kAwait)) return true;
  if (node->Is(Kind::kCall)) {
    const SyntaxNode* callee = Unwrap(node->Child(Field::kFunction));
    const SyntaxNode* attribute = callee == nullptr ? nullptr : callee->Child(Field::kAttribute);
    const SyntaxNode* name = attribute != nullptr ? attribute : callee;
    const bool asks = name != nullptr &&
                      (name->text.starts_with("is_") ||
                       kQuestions.find(" " + std::string(name->text) + " ") != kQuestions.npos);
    if (!asks) return true;
  }
  return std::any_of(node->children.begin(), node->children.end(),
                     [](const SyntaxNode* child) { return HasEffects(child); });
}

// A statement with its line; a block that would be empty keeps a `pass`, an `if` around nothing
// goes too where its condition only asks.
std::optional<TextEdit> DeleteStatement(std::string_view text, const SyntaxNode& inner) {
  const SyntaxNode* statement = inner.parent;
  if (statement == nullptr || !statement->Is(Kind::kExpressionStatement)) return std::nullopt;
  const SyntaxNode* block = statement->parent;
  while (block->Is(Kind::kBlock) && block->children.size() == 1) {
    const SyntaxNode* owner = block->parent;
    const SyntaxNode* condition = owner->Child(Field::kCondition);
    const bool bare_if = owner->Is(Kind::kIf) && owner->parent != nullptr &&
                         owner->Child(Field::kAlternative) == nullptr && condition != nullptr &&
                         !HasEffects(condition);
    if (!bare_if) return TextEdit{statement->begin, statement->end, "pass"};
    statement = owner;
    block = owner->parent;
  }
  size_t begin = statement->begin, end = statement->end;
  while (begin > 0 && IsBlank(text[begin - 1])) --begin;
  while (end < text.size() && IsBlank(text[end])) ++end;
  const bool whole =
      (begin == 0 || text[begin - 1] == '\n') && (end == text.size() || text[end] == '\n');
  if (!whole) return TextEdit{statement->begin, statement->end, "pass"};
  return TextEdit{begin, std::min(text.size(), end + 1), ""};
}

bool HasComment(const PythonSource& source, const TextEdit& edit) {
  const auto& comments = source.comments();
  return std::any_of(comments.begin(), comments.end(), [&](const PythonSource::Comment& comment) {
    return comment.begin >= edit.begin && comment.begin < edit.end;
  });
}

bool Idle(const AuditedRow& row) {
  return row.finding.state == FindingState::kUsed && ReachOf(row) == Reach::kNone &&
         std::all_of(row.devices.begin(), row.devices.end(), [](const DeviceSupport& device) {
           return device.support == Support::kNoEffect;
         });
}

// The name that `import torch` gave the module; empty where there is none at the top level.
std::string TorchName(const SyntaxTree& tree) {
  for (const SyntaxNode* statement : tree.root()->children) {
    if (!statement->Is(Kind::kImport)) continue;
    for (const SyntaxNode* name : statement->All(Field::kName)) {
      if (name->text == "torch") return "torch";
      const SyntaxNode* real = name->Child(Field::kName);
      const SyntaxNode* alias = name->Child(Field::kAlias);
      if (real != nullptr && alias != nullptr && real->text == "torch") {
        return std::string(alias->text);
      }
    }
  }
  return {};
}

void FixIdle(const PythonSource& source, const SyntaxTree& tree, const Finding& finding,
             std::vector<TextEdit>* edits) {
  for (const Finding::Place& place : finding.sites) {
    const SyntaxNode* node = NodeAt(tree, place);
    if (node == nullptr) continue;
    if (node->Is(Kind::kKeywordArgument) || node->Is(Kind::kPair)) {
      const SyntaxNode* value = node->Child(Field::kValue);
      if (value != nullptr && !HasEffects(value)) {
        edits->push_back(DeleteElement(source.text(), *node));
      }
      continue;
    }
    if (node->Is(Kind::kExpressionStatement) && !node->children.empty()) node = node->children[0];
    const SyntaxNode* left = node->Child(Field::kLeft);
    const SyntaxNode* right = node->Child(Field::kRight);
    const bool alone = node->Is(Kind::kAssignment) && left != nullptr && right != nullptr &&
                       left->Is(Kind::kAttribute) && !right->Is(Kind::kAssignment) &&
                       !HasEffects(right);
    if (!alone) continue;  // it writes something else too
    std::optional<TextEdit> edit = DeleteStatement(source.text(), *node);
    if (!edit || HasComment(source, *edit)) continue;  // somebody's words would go with it
    edits->push_back(std::move(*edit));
  }
}

void FixCache(const SyntaxTree& tree, const Finding& finding, std::vector<TextEdit>* edits) {
  for (const Finding::Place& place : finding.sites) {
    const SyntaxNode* node = NodeAt(tree, place);
    if (node == nullptr) continue;
    const SyntaxNode* value =
        node->Child(node->Is(Kind::kAssignment) ? Field::kRight : Field::kValue);
    if (value != nullptr && value->Is(Kind::kFalse)) {
      edits->push_back({value->begin, value->end, "True"});
    }
  }
}

void FixAttention(const PythonSource& source, const SyntaxTree& tree, const AuditedRow& row,
                  std::vector<TextEdit>* edits) {
  const std::string torch = TorchName(tree);
  const std::string guarded =
      fmt::format("\"flash_attention_2\" if {}.cuda.is_available() else \"sdpa\"", torch);
  for (const Finding::Place& place : row.finding.sites) {
    const SyntaxNode* node = NodeAt(tree, place);
    if (node == nullptr) continue;
    if (place.variant == "bettertransformer" && ReachOf(row) == Reach::kNone) {
      const SyntaxNode* callee = node->Child(Field::kFunction);
      const SyntaxNode* object = callee == nullptr ? nullptr : callee->Child(Field::kObject);
      if (object != nullptr && source.Text(source.root()).size() >= node->end &&
          callee->text.ends_with("to_bettertransformer")) {
        edits->push_back({object->end, node->end, ""});
      }
      continue;
    }
    const bool element = node->Is(Kind::kKeywordArgument);
    const SyntaxNode* value = node->Child(Field::kValue);
    if (!element || value == nullptr || torch.empty() || row.finding.guarded) continue;
    if (place.variant == "use_flash_attention_2" && value->Is(Kind::kTrue)) {
      edits->push_back({node->begin, node->end, "attn_implementation=" + guarded});
    } else if (StringLiteral(value) == std::string("flash_attention_2")) {
      edits->push_back({value->begin, value->end, guarded});
    }
  }
}

}  // namespace

std::vector<Edit> AdvisedEdits(const PythonSource& source, const ScriptAudit& audit) {
  std::vector<Edit> edits;
  if (source.is_notebook() || source.error()) return edits;
  const SyntaxTree tree(source);
  std::vector<TextEdit> found;
  for (const AuditedRow& row : audit.rows) {
    if (row.finding.ignored) continue;
    const int number = row.finding.row->number;
    if ((number == 1 || number == 2 || number == 9) && Idle(row)) {
      FixIdle(source, tree, row.finding, &found);
    }
    if (number == 5 && row.finding.state == FindingState::kDisabled && !row.finding.guarded &&
        row.finding.option.empty()) {
      FixCache(tree, row.finding, &found);
    }
    if (number == 13 && row.finding.state == FindingState::kUsed) {
      FixAttention(source, tree, row, &found);
    }
  }
  std::sort(found.begin(), found.end(),
            [](const TextEdit& a, const TextEdit& b) { return a.begin < b.begin; });
  size_t last = 0;
  for (TextEdit& edit : found) {
    if (!edits.empty() && edit.begin < last) continue;
    last = edit.end;
    edits.push_back({source.RawOffset(static_cast<uint32_t>(edit.begin)),
                     source.RawOffset(static_cast<uint32_t>(edit.end)), std::move(edit.text)});
  }
  return edits;
}

}  // namespace fathom
