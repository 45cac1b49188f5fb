#include "audit/fix.h"

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
    if (node.begin == place.begin && node.end == place.end && node.parent != nullptr) return &node;
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

// A statement with its line; a block that would be empty keeps a `pass`, an `if` around nothing
// goes too.
std::optional<TextEdit> DeleteStatement(std::string_view text, const SyntaxNode& inner) {
  const SyntaxNode* statement = inner.parent;
  if (statement == nullptr || !statement->Is(Kind::kExpressionStatement)) return std::nullopt;
  const SyntaxNode* block = statement->parent;
  while (block->Is(Kind::kBlock) && block->children.size() == 1) {
    const SyntaxNode* owner = block->parent;
    const bool bare_if =
        owner->Is(Kind::kIf) && owner->Child(Field::kAlternative) == nullptr && owner->parent;
    if (!bare_if) return TextEdit{statement->begin, statement->end, "pass"};
    statement = owner;
    block = owner->parent;
  }
  size_t begin = statement->begin, end = statement->end;
  while (begin > 0 && IsBlank(text[begin - 1])) --begin;
  while (end < text.size() && IsBlank(text[end])) ++end;
  const bool whole = (begin == 0 || text[begin - 1] == '\n') &&
                     (end == text.size() || text[end] == '\n');
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
      edits->push_back(DeleteElement(source.text(), *node));
      continue;
    }
    if (node->Is(Kind::kExpressionStatement) && !node->children.empty()) node = node->children[0];
    if (!node->Is(Kind::kAssignment)) continue;
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
    edits.push_back({static_cast<uint32_t>(source.RawOffset(static_cast<uint32_t>(edit.begin))),
                     static_cast<uint32_t>(source.RawOffset(static_cast<uint32_t>(edit.end))),
                     std::move(edit.text)});
  }
  return edits;
}

std::string Edited(std::string_view raw, const std::vector<Edit>& edits) {
  std::string text;
  size_t place = 0;
  for (const Edit& edit : edits) {
    text += raw.substr(place, edit.begin - place);
    text += edit.text;
    place = edit.end;
  }
  text += raw.substr(place);
  return text;
}

namespace {

std::vector<std::string_view> SplitLines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    const size_t size = end == std::string_view::npos ? text.size() : end + 1;
    lines.push_back(text.substr(0, size));
    text.remove_prefix(size);
  }
  return lines;
}

// Whole lines of the file that one or several edits touch, and their new text.
struct Change {
  size_t first = 0, count = 0;  // lines of the old file, from 0
  std::string text;
};

std::vector<Change> ChangesOf(std::string_view raw, const std::vector<std::string_view>& lines,
                              const std::vector<Edit>& edits) {
  std::vector<Change> changes;
  size_t line = 0, start = 0;
  for (size_t i = 0; i < edits.size();) {
    while (line < lines.size() && start + lines[line].size() <= edits[i].begin) {
      start += lines[line++].size();
    }
    size_t last = line, end = start;
    size_t j = i;
    // Up to the end of the last line touched, and whatever else touches it.
    while (last < lines.size() && j < edits.size() && (end == start || edits[j].begin < end)) {
      while (last < lines.size() && end < std::max(edits[j].end, edits[j].begin + 1)) {
        end += lines[last++].size();
      }
      ++j;
    }
    if (j == i) break;
    std::vector<Edit> inside(edits.begin() + static_cast<ptrdiff_t>(i),
                             edits.begin() + static_cast<ptrdiff_t>(j));
    for (Edit& edit : inside) {
      edit.begin -= static_cast<uint32_t>(start);
      edit.end -= static_cast<uint32_t>(start);
    }
    changes.push_back({line, last - line, Edited(raw.substr(start, end - start), inside)});
    line = last;
    start = end;
    i = j;
  }
  return changes;
}

void AddLine(char sign, std::string_view line, std::string* text) {
  *text += sign;
  *text += line;
  if (!line.ends_with('\n')) *text += "\n\\ No newline at end of file\n";
}

}  // namespace

std::string UnifiedDiff(std::string_view raw, const std::vector<Edit>& edits,
                        const std::string& name) {
  if (edits.empty()) return {};
  constexpr size_t kContext = 3;
  const std::vector<std::string_view> lines = SplitLines(raw);
  const std::vector<Change> changes = ChangesOf(raw, lines, edits);
  std::string diff = fmt::format("--- a/{0}\n+++ b/{0}\n", name);
  ptrdiff_t shift = 0;
  for (size_t i = 0; i < changes.size();) {
    size_t j = i + 1;
    while (j < changes.size() &&
           changes[j].first - (changes[j - 1].first + changes[j - 1].count) <= 2 * kContext) {
      ++j;
    }
    const size_t first = changes[i].first - std::min(kContext, changes[i].first);
    const size_t last =
        std::min(lines.size(), changes[j - 1].first + changes[j - 1].count + kContext);
    std::string body;
    size_t line = first, added = 0, removed = 0;
    for (size_t k = i; k < j; ++k) {
      for (; line < changes[k].first; ++line) AddLine(' ', lines[line], &body);
      for (; line < changes[k].first + changes[k].count; ++line) AddLine('-', lines[line], &body);
      const std::vector<std::string_view> fresh = SplitLines(changes[k].text);
      for (const std::string_view text : fresh) AddLine('+', text, &body);
      added += fresh.size();
      removed += changes[k].count;
    }
    for (; line < last; ++line) AddLine(' ', lines[line], &body);
    const size_t new_count = last - first - removed + added;
    const ptrdiff_t new_first = static_cast<ptrdiff_t>(first) + shift + (new_count == 0 ? 0 : 1);
    diff += fmt::format("@@ -{},{} +{},{} @@\n", first + 1, last - first, new_first, new_count);
    diff += body;
    shift += static_cast<ptrdiff_t>(added) - static_cast<ptrdiff_t>(removed);
    i = j;
  }
  return diff;
}

}  // namespace fathom
