// Any bytes as a script, or (first byte N) a notebook: read, every offset and line asked, audited,
// rendered in every form, and the advised change made.
#include <cstddef>
#include <cstdint>
#include <string>

#include "audit/audit.h"
#include "audit/fix/advised_edits.h"
#include "audit/fix/edit.h"
#include "audit/python/python_source.h"
#include "audit/report/report.h"
#include "audit/report/sarif.h"
#include "base/check.h"
#include "base/utf8.h"

namespace fathom {
namespace {

void AskEveryPlace(const PythonSource& python, bool notebook) {
  const auto end = static_cast<uint32_t>(python.text().size());
  FATHOM_CHECK(IsValidUtf8(python.text()));
  int line = 1;
  size_t raw = 0;
  for (uint32_t byte = 0; byte <= end; ++byte) {
    const int here = python.Line(byte);
    FATHOM_CHECK(here >= 1 && (notebook || here >= line));
    line = here;
    const auto cell = python.Cell(byte, end);
    FATHOM_CHECK(notebook || !cell.has_value());
    FATHOM_CHECK(!cell.has_value() || (cell->first >= 1 && cell->last >= cell->first));
    if (notebook) continue;
    FATHOM_CHECK(python.RawOffset(byte) >= raw && python.RawOffset(byte) <= python.raw().size());
    raw = python.RawOffset(byte);
  }
  for (const PythonSource::Comment& comment : python.comments()) {
    FATHOM_CHECK(comment.begin < comment.end && comment.end <= end);
    FATHOM_CHECK(python.text()[comment.begin] == '#');
  }
  const auto& error = python.error();
  FATHOM_CHECK(!error.has_value() || (error->line >= 1 && !error->reason.empty()));
  FATHOM_CHECK(python.Text(python.root()).size() <= end);
}

AuditOptions MakeOptions(Language language) {
  AuditOptions options;
  options.versions = *FindVersions("2.15", "5.23");
  options.machine = *FindAuditMachine("cuda");
  options.language = language;
  return options;
}

void CheckAudit(const ScriptAudit& audit) {
  FATHOM_CHECK(audit.rows.size() == 13);
  FATHOM_CHECK(audit.Count("total") == 13);
  FATHOM_CHECK(audit.Count("used") + audit.Count("disabled") + audit.Count("not_used") +
                   audit.Count("unknown") ==
               13);
  for (const AuditedRow& row : audit.rows) {
    const bool none = row.finding.state == FindingState::kNotUsed || !audit.error.empty();
    FATHOM_CHECK(row.finding.lines.empty() == none);
    FATHOM_CHECK(row.finding.guarded == !row.finding.guard_lines.empty());
    for (const LineRange& range : row.finding.lines) {
      FATHOM_CHECK(range.first >= 1 && range.last >= range.first);
    }
  }
}

void Audit(const PythonSource& python) {
  static const AuditOptions options = MakeOptions(Language::kEnglish);
  static const AuditOptions chinese = MakeOptions(Language::kChinese);
  const ScriptAudit audit = AuditScript(python, "a", options);
  CheckAudit(audit);
  FATHOM_CHECK(IsValidUtf8(WriteJson(AuditToJson(audit, options))));
  FATHOM_CHECK(IsValidUtf8(WriteJson(AuditsToSarif({audit}, options, "0"))));
  FATHOM_CHECK(IsValidUtf8(AuditsToHtml({AuditScript(python, "a", chinese)}, chinese)));
  FATHOM_CHECK(IsValidUtf8(AuditToText(audit, options)));
  FATHOM_CHECK(IsValidUtf8(AuditToMarkdown(audit, options)));
  const std::vector<Edit> edits = AdvisedEdits(python, audit);
  if (edits.empty()) return;
  FATHOM_CHECK(!python.error().has_value());
  FATHOM_CHECK(UnifiedDiff(python.raw(), edits, "a").ok());
  const Result<std::string> fixed = ApplyEdits(python.raw(), edits);
  FATHOM_CHECK(fixed.ok());
  const Result<PythonSource> again = PythonSource::FromBytes(*fixed, "a.py");
  FATHOM_CHECK(again.ok() && !again->error().has_value());
}

}  // namespace
}  // namespace fathom

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace fathom;
  std::string bytes(reinterpret_cast<const char*>(data), size);
  const bool notebook = !bytes.empty() && bytes[0] == 'N';
  if (notebook) bytes.erase(0, 1);
  const auto source = PythonSource::FromBytes(std::move(bytes), notebook ? "a.ipynb" : "a.py");
  if (!source.ok()) {
    FATHOM_CHECK(source.status().code() == StatusCode::kRunTime);
    FATHOM_CHECK(!source.status().message().empty());
    return 0;
  }
  AskEveryPlace(*source, notebook);
  Audit(*source);
  return 0;
}
