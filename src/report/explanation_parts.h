// The pieces of an explanation that its renderings share, in its language.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "report/explanation.h"
#include "report/table.h"

namespace fathom {

// "fathom-tales", "llama, 9.5 M parameters, bfloat16, 19 MB", "AMD EPYC (Zen 3), 2 cores ...".
std::string ModelTitle(const Explanation& explanation);
std::string ModelLine(const Explanation& explanation);
std::string MachineLine(const Explanation& explanation);

// #, optimization, here, because, measured here.
Table OptimizationTable(const Explanation& explanation);

// The devices that nothing runs on here: device, rows, state, because; rows of one state and reason
// together.
Table OtherDevicesTable(const Explanation& explanation);

// The state as the table has it: "on", or the value of a row that has several ("bfloat16").
TableCell StateCell(const Explanation& explanation, const OptimizationReport& report);
// "decode 1.31x [1.28, 1.34]"; empty: not measured.
std::string MeasuredText(const Explanation& explanation, const OptimizationReport& report);

// Numbers of rows ("1-3, 5") -> what would provide what they lack.
std::vector<std::pair<std::string, std::string>> Remedies(const Explanation& explanation);

// A line for each setting that was measured slower here than another one.
std::vector<std::string> SlowerLines(const Explanation& explanation);

// What the row saves by the shapes: "4.6 MB", "13 operations a step"; empty where nothing.
std::string EstimateText(const Explanation& explanation, const OptimizationReport& report);

// What to do next: a sentence with a command between ` `.
std::string NextStep(const Explanation& explanation);

}  // namespace fathom
