// The sections of a report, each added to a document.
#pragma once

#include <string>
#include <vector>

#include "report/report.h"

namespace fathom {

void AddMachine(const Report& report, Document& document);
void AddAudit(const Report& report, Document& document);
void AddExplanation(const Report& report, Document& document);
void AddMeasured(const Report& report, Document& document);
// What links in the document point to.
std::vector<SourceNote> SourcesOf(const Report& report);

}  // namespace fathom
