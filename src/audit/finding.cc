#include "audit/finding.h"

#include <algorithm>
#include <map>
#include <set>

#include "audit/analysis/evaluator.h"
#include "audit/fix/ignore_comments.h"

namespace fathom {
namespace {

using Kind = SyntaxKind;
using Field = SyntaxField;

constexpr size_t kMaxLines = 200;
constexpr size_t kMaxSnippetBytes = 400;

bool AnyCounts(const Guards& guards) {
  return std::any_of(guards.begin(), guards.end(), [](const Guard& guard) { return guard.counts; });
}

uint32_t BeginOf(const Site& site) { return site.end != 0 ? site.begin : site.node->begin; }
uint32_t EndOf(const Site& site) { return site.end != 0 ? site.end : site.node->end; }

// A write that always happens makes those before it to the same slot void, where it says otherwise.
std::vector<const Site*> Standing(const Sites& sites) {
  std::map<std::string, const Site*> last;
  for (const Site& site : sites) {
    if (!site.slot.empty() && site.guards.empty()) last[site.slot] = &site;
  }
  const auto voids = [&](const std::string& slot, const Site& site) {
    const auto write = last.find(slot);
    return write != last.end() && BeginOf(site) < BeginOf(*write->second) &&
           site.effect != write->second->effect;
  };
  std::vector<const Site*> standing;
  for (const Site& site : sites) {
    // .half() and .float() on the model stand above how it was loaded.
    if (!voids(site.slot.empty() ? "dtype" : site.slot, site)) standing.push_back(&site);
  }
  return standing;
}

const SyntaxNode* StatementOf(const SyntaxNode* node) {
  while (node->parent != nullptr && !node->parent->Is(Kind::kBlock) &&
         !node->parent->Is(Kind::kModule)) {
    node = node->parent;
  }
  return node;
}

// The line of the if, elif, else, try or except right above the site: nothing between them but
// comments. 0 where there is none.
int GuardLineAbove(const Script& script, const Site& site) {
  const SyntaxNode* statement = StatementOf(site.node);
  const SyntaxNode* block = statement->parent;
  if (block == nullptr || !block->Is(Kind::kBlock) || block->children.empty()) return 0;
  if (block->children.front() != statement) return 0;
  if (script.LineOf(BeginOf(site)) != script.FirstLine(statement)) return 0;
  const SyntaxNode* clause = block->parent;
  if (clause == nullptr) return 0;
  for (const Guard& guard : site.guards) {
    if (guard.counts && guard.at == clause) return script.FirstLine(clause);
  }
  return 0;
}

LineRange LinesOf(const Script& script, const Site& site, bool with_guard) {
  LineRange range{script.LineOf(BeginOf(site)), script.LineOf(EndOf(site) - 1)};
  const int guard = with_guard ? GuardLineAbove(script, site) : 0;
  if (guard > 0) range.first = std::min(range.first, guard);
  return range;
}

std::string SnippetOf(const PythonSource& source, uint32_t begin, uint32_t end) {
  const std::string_view text = source.text();
  const size_t newline = text.rfind('\n', begin == 0 ? 0 : begin - 1);
  size_t first = newline == std::string_view::npos || begin == 0 ? 0 : newline + 1;
  if (first > begin) first = begin;
  size_t last = text.find('\n', end);
  if (last == std::string_view::npos) last = text.size();
  std::string snippet(text.substr(first, last - first));
  if (snippet.size() > kMaxSnippetBytes) {
    size_t cut = kMaxSnippetBytes;
    while (cut > 0 && (static_cast<unsigned char>(snippet[cut]) & 0xC0) == 0x80) --cut;
    snippet.resize(cut);
    snippet += " ...";
  }
  return snippet;
}

// One place that every branch of the guard's owner leads to: a dictionary spread in each of them.
bool ReachedByAllBranches(const std::vector<const Site*>& deciding, const Site& site,
                          const Guard& guard) {
  std::set<int> branches;
  for (const Site* other : deciding) {
    if (other->node != site.node) continue;
    for (const Guard& known : other->guards) {
      if (known.owner == guard.owner) branches.insert(known.branch);
    }
  }
  return guard.branches > 1 && static_cast<int>(branches.size()) == guard.branches;
}

void FillGuards(const Script& script, const std::vector<const Site*>& deciding, Finding* finding) {
  std::vector<const Guards*> guards;
  bool free = false;
  for (const Site* site : deciding) {
    guards.push_back(&site->guards);
    free = free || !AnyCounts(site->guards);
  }
  finding->guarded = !deciding.empty() && !free && !CoversAll(guards);
  if (!finding->guarded) return;
  for (const Site* site : deciding) {
    for (const Guard& guard : site->guards) {
      if (guard.counts && !ReachedByAllBranches(deciding, *site, guard)) {
        finding->guard_lines.push_back(script.FirstLine(guard.at));
      }
    }
  }
  std::sort(finding->guard_lines.begin(), finding->guard_lines.end());
  finding->guard_lines.erase(std::unique(finding->guard_lines.begin(), finding->guard_lines.end()),
                             finding->guard_lines.end());
}

void FillLines(const Script& script, const Site& main, const std::vector<const Site*>& deciding,
               const Sites& sites, Finding* finding) {
  const auto add = [&](const Site& site, bool with_guard) {
    const LineRange range = LinesOf(script, site, with_guard);
    const bool inside =
        std::any_of(finding->lines.begin(), finding->lines.end(), [&](const LineRange& known) {
          return known.first <= range.first && range.last <= known.last;
        });
    if (!inside && finding->lines.size() < kMaxLines) finding->lines.push_back(range);
  };
  add(main, finding->guarded);
  for (const Site* site : deciding) add(*site, finding->guarded);
  for (const Site& site : sites) add(site, false);
  std::sort(finding->lines.begin() + 1, finding->lines.end(),
            [](const LineRange& a, const LineRange& b) { return a.first < b.first; });
}

Finding Judge(const Row& row, const Script& script, Sites sites) {
  Finding finding;
  finding.row = &row;
  std::erase_if(sites, [](const Site& site) { return site.effect == Effect::kNone; });
  if (sites.empty()) return finding;
  std::stable_sort(sites.begin(), sites.end(),
                   [](const Site& a, const Site& b) { return BeginOf(a) < BeginOf(b); });
  const std::vector<const Site*> standing = Standing(sites);
  std::vector<const Site*> deciding;
  const std::pair<Effect, FindingState> order[] = {{Effect::kOn, FindingState::kUsed},
                                                   {Effect::kUnknown, FindingState::kUnknown},
                                                   {Effect::kOff, FindingState::kDisabled}};
  for (const auto& [effect, state] : order) {
    for (const Site* site : standing) {
      if (site->effect == effect) deciding.push_back(site);
    }
    if (deciding.empty()) continue;
    finding.state = state;
    break;
  }
  if (deciding.empty()) return finding;
  const Site* main =
      *std::min_element(deciding.begin(), deciding.end(),
                        [](const Site* a, const Site* b) { return a->rank < b->rank; });
  // Beside torch.compile, say, a static cache does not change what the guard of the first is.
  std::vector<const Site*> same_rank;
  for (const Site* site : deciding) {
    if (site->rank == main->rank) same_rank.push_back(site);
  }
  FillGuards(script, same_rank, &finding);
  FillLines(script, *main, deciding, sites, &finding);
  finding.value = main->value;
  finding.option = main->option;
  finding.variant = main->variant;
  if (finding.state == FindingState::kUnknown) {
    finding.expression = main->value.empty() ? std::string(main->node->text) : main->value;
  }
  for (const Site* site : deciding) {
    finding.sites.push_back({BeginOf(*site), EndOf(*site), site->value, site->variant});
  }
  finding.begin = BeginOf(*main);
  finding.end = EndOf(*main);
  finding.snippet = SnippetOf(script.source(), finding.begin, finding.end);
  finding.cell = script.source().Cell(finding.begin, finding.end);
  return finding;
}

// --- # fathom: ignore[FTH010, FTH011] -----------------------------------------------------

struct Ignore {
  int line = 0;
  bool alone = false;              // nothing but the comment on its line
  std::vector<std::string> codes;  // none: every row
};

std::vector<Ignore> ReadIgnores(const PythonSource& source) {
  std::vector<Ignore> ignores;
  const std::string_view text = source.text();
  for (const PythonSource::Comment& comment : source.comments()) {
    const std::string_view words = text.substr(comment.begin, comment.end - comment.begin);
    const std::optional<std::vector<std::string>> codes = ParseIgnoreComment(words);
    if (!codes) continue;
    Ignore ignore;
    ignore.line = source.Line(comment.begin);
    const size_t newline =
        comment.begin == 0 ? std::string_view::npos : text.rfind('\n', comment.begin - 1);
    const size_t start = newline == std::string_view::npos ? 0 : newline + 1;
    ignore.alone = text.substr(start, comment.begin - start).find_first_not_of(" \t") ==
                   std::string_view::npos;
    ignore.codes = *codes;
    ignores.push_back(std::move(ignore));
  }
  return ignores;
}

bool Ignores(const Ignore& ignore, const Finding& finding) {
  const bool named = ignore.codes.empty() || std::find(ignore.codes.begin(), ignore.codes.end(),
                                                       finding.row->code) != ignore.codes.end();
  if (!named) return false;
  if (finding.lines.empty()) return ignore.alone;  // what is nowhere is ignored for the file
  return std::any_of(finding.lines.begin(), finding.lines.end(), [&](const LineRange& range) {
    const int last = ignore.alone ? range.last - 1 : range.last;
    const int first = ignore.alone ? range.first - 1 : range.first;
    return ignore.line >= first && ignore.line <= std::max(first, last);
  });
}

}  // namespace

std::string_view FindingStateName(FindingState state) {
  switch (state) {
    case FindingState::kUsed:
      return "used";
    case FindingState::kDisabled:
      return "disabled";
    case FindingState::kNotUsed:
      return "not_used";
    default:
      return "unknown";
  }
}

std::vector<Finding> FindRows(const PythonSource& source) {
  const Script script(source);
  Evaluator evaluator(script);
  SiteFinder finder(evaluator);
  const std::vector<Ignore> ignores = ReadIgnores(source);
  std::vector<Finding> findings;
  for (const Row* row : AllRows()) {
    Sites sites;
    row->find(finder, &sites);
    Finding finding = Judge(*row, script, std::move(sites));
    finding.ignored = std::any_of(ignores.begin(), ignores.end(),
                                  [&](const Ignore& ignore) { return Ignores(ignore, finding); });
    findings.push_back(std::move(finding));
  }
  return findings;
}

const Row* FindRowByCode(std::string_view code) {
  for (const Row* row : AllRows()) {
    if (row->code == code) return row;
  }
  return nullptr;
}

}  // namespace fathom
