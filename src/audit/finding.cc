#include "audit/finding.h"

#include <fmt/format.h>

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

// The if, elif, else, try or except right above the site: nothing between them but comments. Where
// there is none, the site itself.
uint32_t GuardByteAbove(const Script& script, const Site& site) {
  const SyntaxNode* statement = StatementOf(site.node);
  const SyntaxNode* block = statement->parent;
  if (block == nullptr || !block->Is(Kind::kBlock) || block->children.empty()) return BeginOf(site);
  if (block->children.front() != statement) return BeginOf(site);
  if (script.LineOf(BeginOf(site)) != script.FirstLine(statement)) return BeginOf(site);
  for (const Guard& guard : site.guards) {
    if (guard.counts && guard.at == block->parent) return guard.at->begin;
  }
  return BeginOf(site);
}

LineRange LinesOf(const Script& script, const Site& site, bool with_guard) {
  const uint32_t begin = with_guard ? GuardByteAbove(script, site) : BeginOf(site);
  return {script.LineOf(begin), script.LineOf(EndOf(site) - 1)};
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

// The branches that a site lies in, those of one owner left out.
std::set<std::pair<const SyntaxNode*, int>> OtherBranches(const Site& site, const Guard& without) {
  std::set<std::pair<const SyntaxNode*, int>> branches;
  for (const Guard& guard : site.guards) {
    if (guard.owner != without.owner) branches.emplace(guard.owner, guard.branch);
  }
  return branches;
}

// One place (all of whose sites are `here`) that every branch of the guard's owner leads to in the
// same way: a dictionary spread in each of them.
bool ReachedByAllBranches(const std::vector<const Site*>& here, const Site& site,
                          const Guard& guard) {
  if (guard.branches <= 1 || here.size() < static_cast<size_t>(guard.branches)) return false;
  const auto others = OtherBranches(site, guard);
  std::set<int> branches;
  for (const Site* other : here) {
    if (OtherBranches(*other, guard) != others) continue;
    for (const Guard& known : other->guards) {
      if (known.owner == guard.owner) branches.insert(known.branch);
    }
  }
  return static_cast<int>(branches.size()) == guard.branches;
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
  std::map<const SyntaxNode*, std::vector<const Site*>> places;
  for (const Site* site : deciding) places[site->node].push_back(site);
  for (const Site* site : deciding) {
    for (const Guard& guard : site->guards) {
      if (guard.counts && !ReachedByAllBranches(places[site->node], *site, guard)) {
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

// Of several values at one place, the one of the branch that is written first comes first.
bool WrittenBefore(const Site& a, const Site& b) {
  if (BeginOf(a) != BeginOf(b)) return BeginOf(a) < BeginOf(b);
  for (size_t i = 0; i < std::min(a.guards.size(), b.guards.size()); ++i) {
    const Guard& left = a.guards[i];
    const Guard& right = b.guards[i];
    if (left.owner != right.owner) return left.owner->begin < right.owner->begin;
    if (left.branch != right.branch) return left.branch < right.branch;
  }
  return a.origin < b.origin;
}

Finding Judge(const Row& row, const Script& script, Sites sites) {
  Finding finding;
  finding.row = &row;
  std::erase_if(sites, [](const Site& site) { return site.effect == Effect::kNone; });
  if (sites.empty()) return finding;
  std::stable_sort(sites.begin(), sites.end(), WrittenBefore);
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
  std::vector<const Site*> guarding;
  for (const Site* site : deciding) {
    if (!site->aside || main->aside) guarding.push_back(site);
  }
  FillGuards(script, guarding, &finding);
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
  finding.cell = script.source().Cell(
      finding.guarded ? GuardByteAbove(script, *main) : finding.begin, finding.end);
  return finding;
}

bool IsIgnored(const IgnoreComments& comments, const Finding& finding) {
  const std::string_view code = finding.row->code;
  if (finding.lines.empty()) return comments.IgnoresFile(code);  // it is nowhere
  return std::any_of(finding.lines.begin(), finding.lines.end(), [&](const LineRange& range) {
    return comments.Ignores(code, range.first, range.last);
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

std::string LinesText(const std::vector<LineRange>& lines) {
  std::string text;
  for (const LineRange& range : lines) {
    if (!text.empty()) text += ", ";
    text += range.first == range.last ? fmt::format("{}", range.first)
                                      : fmt::format("{}-{}", range.first, range.last);
  }
  return text;
}

std::vector<Finding> FindRows(const PythonSource& source) {
  const Script script(source);
  Evaluator evaluator(script);
  SiteFinder finder(evaluator);
  const IgnoreComments comments(source);
  std::vector<Finding> findings;
  for (const Row* row : AllRows()) {
    Sites sites;
    row->find(finder, &sites);
    Finding finding = Judge(*row, script, std::move(sites));
    finding.ignored = IsIgnored(comments, finding);
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
