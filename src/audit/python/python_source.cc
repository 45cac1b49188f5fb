#include "audit/python/python_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "audit/python/notebook.h"
#include "audit/python/source_text.h"
#include "audit/python/syntax_check.h"
#include "base/mapped_file.h"
#include "base/utf8.h"

extern "C" const TSLanguage* tree_sitter_python(void);

namespace fathom {

struct PythonSource::State {
  std::string name;
  std::string raw;
  SourceText source;
  std::vector<uint32_t> line_starts;  // of source.text
  std::unique_ptr<TSTree, void (*)(TSTree*)> tree = {nullptr, ts_tree_delete};
  std::optional<SyntaxError> error;
  std::vector<Comment> comments;
  bool notebook = false;
  std::vector<NotebookLine> cell_lines;  // of a notebook: one a line of source.text

  Status ReadScript();
  Status ReadCells();
  size_t LineIndex(uint32_t byte) const {
    return static_cast<size_t>(std::upper_bound(line_starts.begin(), line_starts.end(), byte) -
                               line_starts.begin() - 1);
  }
};

namespace {

// A guard alone: what Python takes is parsed in time that grows with its size.
constexpr uint64_t kParseLimitMicros = 30'000'000;
// For all of a text that Python refuses.
constexpr uint64_t kRecoveryLimitMicros = 800'000;

// The tolerant tree of a text, or of its beginning (kRecoveryBytes); null where even that takes too
// long.
TSTree* ParseTree(TSParser* parser, std::string_view text, bool refused) {
  const bool bounded = refused && text.size() > kRecoveryBytes;
  ts_parser_set_timeout_micros(parser, bounded ? kRecoveryLimitMicros : kParseLimitMicros);
  TSTree* tree =
      ts_parser_parse_string(parser, nullptr, text.data(), static_cast<uint32_t>(text.size()));
  if (tree != nullptr || !bounded) return tree;
  ts_parser_reset(parser);
  ts_parser_set_timeout_micros(parser, kParseLimitMicros);
  // Nothing of it where the first line alone is longer.
  const size_t size = text.rfind('\n', kRecoveryBytes - 1) + 1;
  return ts_parser_parse_string(parser, nullptr, text.data(), static_cast<uint32_t>(size));
}

Status Unreadable(const std::string& name, std::string what, std::string limit = {}) {
  return Status(StatusCode::kRunTime,
                {.file = name, .value = std::move(what), .limit = std::move(limit)});
}

bool IsNotebookName(const std::string& name) { return name.ends_with(".ipynb"); }

Status CheckSize(size_t size, const std::string& name) {
  const size_t limit = IsNotebookName(name) ? kMaxNotebookBytes : kMaxPythonSourceBytes;
  if (size <= limit) return {};
  return Unreadable(name, fmt::format("{} bytes", size), fmt::format("(at most {})", limit));
}

std::vector<uint32_t> LineStarts(std::string_view text) {
  std::vector<uint32_t> starts = {0};
  for (size_t at = text.find('\n'); at != std::string_view::npos; at = text.find('\n', at + 1)) {
    starts.push_back(static_cast<uint32_t>(at + 1));
  }
  return starts;
}

// The comments of a tree, which may be deep: a cursor, no recursion.
std::vector<PythonSource::Comment> FindComments(TSNode root) {
  std::vector<PythonSource::Comment> comments;
  TSTreeCursor cursor = ts_tree_cursor_new(root);
  for (bool more = true; more;) {
    const TSNode node = ts_tree_cursor_current_node(&cursor);
    if (std::string_view(ts_node_type(node)) == "comment") {
      comments.push_back({ts_node_start_byte(node), ts_node_end_byte(node)});
    }
    if (ts_tree_cursor_goto_first_child(&cursor)) continue;
    while (!ts_tree_cursor_goto_next_sibling(&cursor)) {
      more = ts_tree_cursor_goto_parent(&cursor);
      if (!more) break;
    }
  }
  ts_tree_cursor_delete(&cursor);
  return comments;
}

}  // namespace

PythonSource::PythonSource(std::unique_ptr<State> state) : state_(std::move(state)) {}
PythonSource::PythonSource(PythonSource&&) noexcept = default;
PythonSource& PythonSource::operator=(PythonSource&&) noexcept = default;
PythonSource::~PythonSource() = default;

Result<PythonSource> PythonSource::Open(const std::string& path) {
  auto file = MappedFile::Open(path);
  if (!file.ok()) {
    StatusDetail detail = file.status().detail();
    return Status(StatusCode::kRunTime, std::move(detail));
  }
  FATHOM_TRY(CheckSize(file->size(), path));
  return FromBytes(std::string(file->text()), path);
}

Status PythonSource::State::ReadScript() {
  FATHOM_ASSIGN(source, DecodePythonSource(raw, name));
  error = CheckPythonSyntax(source.text);
  if (!IsValidUtf8(source.text)) source = RepairSource(source);
  return {};
}

// The cells one after the other; each is checked alone, as it is run.
Status PythonSource::State::ReadCells() {
  FATHOM_ASSIGN(std::vector<NotebookCell> cells, ReadNotebook(raw, name));
  for (const NotebookCell& cell : cells) {
    source.text += cell.text;
    if (source.text.size() > kMaxPythonSourceBytes) {
      return Unreadable(
          name, fmt::format("the code cells hold more than {} bytes", kMaxPythonSourceBytes));
    }
    cell_lines.insert(cell_lines.end(), cell.lines.begin(), cell.lines.end());
    if (error.has_value()) continue;
    error = CheckPythonSyntax(cell.text);
    if (!error.has_value()) continue;
    const auto line = static_cast<size_t>(std::max(error->line, 1) - 1);
    error->line = cell.lines[std::min(line, cell.lines.size() - 1)].raw_line;
  }
  return {};
}

Result<PythonSource> PythonSource::FromBytes(std::string bytes, std::string name) {
  FATHOM_TRY(CheckSize(bytes.size(), name));
  auto state = std::make_unique<State>();
  state->name = std::move(name);
  state->raw = std::move(bytes);
  state->notebook = IsNotebookName(state->name);
  FATHOM_TRY(state->notebook ? state->ReadCells() : state->ReadScript());
  const std::string& text = state->source.text;
  state->line_starts = LineStarts(text);
  const std::unique_ptr<TSParser, void (*)(TSParser*)> parser = {ts_parser_new(), ts_parser_delete};
  if (!ts_parser_set_language(parser.get(), tree_sitter_python())) {
    return Unreadable(state->name, "the Python grammar is of another version than its library");
  }
  state->tree.reset(ParseTree(parser.get(), text, state->error.has_value()));
  if (state->tree == nullptr) {
    return Unreadable(state->name, "the text is not parsed within 30 seconds");
  }
  state->comments = FindComments(ts_tree_root_node(state->tree.get()));
  return PythonSource(std::move(state));
}

const std::string& PythonSource::name() const { return state_->name; }
std::string_view PythonSource::text() const { return state_->source.text; }
std::string_view PythonSource::raw() const { return state_->raw; }
bool PythonSource::is_notebook() const { return state_->notebook; }
TSNode PythonSource::root() const { return ts_tree_root_node(state_->tree.get()); }

std::string_view PythonSource::Text(TSNode node) const {
  const uint32_t begin = ts_node_start_byte(node);
  return text().substr(begin, ts_node_end_byte(node) - begin);
}

int PythonSource::Line(uint32_t byte) const {
  const size_t line = state_->LineIndex(byte);
  if (!state_->notebook) return static_cast<int>(line) + 1;
  if (state_->cell_lines.empty()) return 1;
  return state_->cell_lines[std::min(line, state_->cell_lines.size() - 1)].raw_line;
}

std::optional<CellLines> PythonSource::Cell(uint32_t begin, uint32_t end) const {
  const std::vector<NotebookLine>& lines = state_->cell_lines;
  if (!state_->notebook || lines.empty()) return std::nullopt;
  const NotebookLine& first = lines[std::min(state_->LineIndex(begin), lines.size() - 1)];
  const uint32_t last_byte = end > begin ? end - 1 : begin;
  const NotebookLine& last = lines[std::min(state_->LineIndex(last_byte), lines.size() - 1)];
  return CellLines{.cell = first.cell,
                   .first = first.cell_line,
                   .last = last.cell == first.cell ? last.cell_line : first.cell_line};
}

const std::optional<SyntaxError>& PythonSource::error() const { return state_->error; }
const std::vector<PythonSource::Comment>& PythonSource::comments() const {
  return state_->comments;
}
size_t PythonSource::RawOffset(uint32_t byte) const { return state_->source.map.Raw(byte); }

}  // namespace fathom
