// The audit of a script: each row's finding, what the versions and the machine make of it, counts,
// advice and conclusion, in one language.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "audit/facts/facts.h"
#include "audit/finding.h"
#include "audit/messages.h"
#include "fathom/machine.h"
#include "fathom/status.h"

namespace fathom {

// The machine that the report is about.
struct AuditMachine {
  std::string name;                        // as shown: the CPU's name, "mac-mps", a file
  AuditDevice device = AuditDevice::kCpu;  // what a script would run on there
  bool described = false;                  // by --machine, not the one at hand
  int gpus = 0;                            // 0: none or not known
  bool knows_cpu = false;
  bool bf16_matmul = false;  // oneDNN's bf16 path: AVX-512 BW, VL and DQ
};

// --machine: "" is the one at hand, "mac-mps", "cuda", or a file that `fathom machine` wrote.
Result<AuditMachine> FindAuditMachine(const std::string& name);

struct AuditOptions {
  Versions versions;
  AuditMachine machine;
  Language language = Language::kEnglish;
  // Rows by id: what was last measured of them on this machine, in the language; may be empty.
  std::map<std::string, std::string, std::less<>> measured;
};

struct DeviceSupport {
  Support support = Support::kAvailable;
  std::string reason;
  std::string source;
};

struct AuditedRow {
  Finding finding;
  std::array<DeviceSupport, 3> devices;  // as kAuditDevices
  DeviceSupport here;
  std::string reason;
  std::string remedy;    // empty: there is nothing to do
  std::string quoted;    // a gain that somebody measured, and who; empty: none
  std::string measured;  // a gain that was measured here; empty: none
};

// How many devices a row works on.
enum class Reach : uint8_t { kAll, kSome, kOne, kNone };
Reach ReachOf(const AuditedRow& row);

struct ScriptAudit {
  std::string script;
  std::string error;       // "syntax error at line 3: ..."; empty: none
  std::string error_text;  // the same in the report's language
  int error_line = 0;
  std::vector<AuditedRow> rows;      // the thirteen
  std::vector<AuditedRow> tolerant;  // what could be read in spite of the error
  std::vector<std::pair<std::string, int>> counts;
  std::array<std::vector<std::string>, 3> advice;
  std::string conclusion;

  int Count(std::string_view name) const;
};

ScriptAudit AuditScript(const PythonSource& source, const std::string& name,
                        const AuditOptions& options);
// A file that cannot be read as a script, among several.
ScriptAudit UnreadableScript(const std::string& name, const std::string& why,
                             const AuditOptions& options);

// What --fail-on asks for.
enum class FailOn : uint8_t { kUnused, kInert, kUnguarded };
// The names of the rows that meet it; empty: none.
std::vector<std::string> Failures(const ScriptAudit& audit, FailOn fail_on);

}  // namespace fathom
