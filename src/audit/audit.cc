#include "audit/audit.h"

#include <fmt/format.h>

#include <algorithm>

namespace fathom {
namespace {

constexpr int kMatmulRow = 4;
constexpr int kDtypeRow = 11;

bool IsSixteenBit(const Finding& dtype) {
  return dtype.state == FindingState::kUsed && !dtype.guarded &&
         (dtype.value.find("float16") != std::string::npos ||
          dtype.value.find("half") != std::string::npos);
}

std::string GuardsText(const std::vector<int>& lines) {
  std::string text;
  for (const int line : lines) text += (text.empty() ? "" : ", ") + std::to_string(line);
  return text;
}

DeviceSupport SupportOf(const Finding& finding, std::string_view variant, AuditDevice device,
                        const AuditOptions& options) {
  const Fact* fact = FindFact(finding.row->number, variant, device, options.versions);
  return {fact->support, Text(options.language, fact->reason), std::string(fact->source)};
}

// What the machine at hand adds to its kind of device.
DeviceSupport SupportHere(const Finding& finding, const std::array<DeviceSupport, 3>& devices,
                          const AuditOptions& options) {
  const AuditMachine& machine = options.machine;
  DeviceSupport here = devices[static_cast<size_t>(machine.device)];
  const bool cpu = machine.device == AuditDevice::kCpu;
  if (finding.row->number == kMatmulRow && cpu && machine.knows_cpu && !machine.bf16_matmul &&
      here.support == Support::kAvailable) {
    here.support = Support::kNoEffect;
    here.reason = Text(options.language, "here.4.no_bf16");
  }
  if (finding.row->number == 12 && machine.device == AuditDevice::kCuda && machine.gpus == 1) {
    here.support = Support::kNoEffect;
    here.reason = Text(options.language, "here.12.one_gpu");
  }
  return here;
}

std::string_view RemedyOf(const AuditedRow& row, const AuditOptions& options) {
  const FindingState state = row.finding.state;
  const int number = row.finding.row->number;
  const bool works = row.here.support == Support::kAvailable;
  const bool renamed = options.versions.transformers.version >= Version{5, 0, ""};
  switch (state) {
    case FindingState::kUsed:
      if (row.finding.variant == "load_in_bits" && !works) return "remedy.11.bits";
      if (row.finding.variant == "bettertransformer" && !works) return "remedy.13.better";
      if (row.finding.variant == "use_flash_attention_2" && !works) return "remedy.13.flag";
      if (row.here.support == Support::kNoEffect) return "remedy.drop";
      if (row.here.support == Support::kUnavailable && !row.finding.guarded) return "remedy.guard";
      return "";
    case FindingState::kDisabled:
      return works ? "remedy.enable" : "";
    case FindingState::kNotUsed:
      if (!works) return "";
      if (number == 3) return "remedy.3";
      if (number == kMatmulRow) return "remedy.4";
      if (number == 8) return "remedy.8";
      if (number == 10) return "remedy.10";
      if (number == kDtypeRow) return renamed ? "remedy.11.dtype" : "remedy.11.torch_dtype";
      if (number == 12) return "remedy.12";
      if (number == 13) return "remedy.13";
      return "";
    default:
      return "remedy.unknown";
  }
}

std::string ReasonOf(const AuditedRow& row, const AuditOptions& options) {
  const Language language = options.language;
  const Finding& finding = row.finding;
  const std::string lines = LinesText(finding.lines);
  std::string reason;
  switch (finding.state) {
    case FindingState::kUsed:
      reason = finding.guarded ? Text(language, "state.used_guarded", lines, finding.value,
                                      GuardsText(finding.guard_lines))
                               : Text(language, "state.used", lines, finding.value);
      break;
    case FindingState::kDisabled:
      reason = Text(language, "state.disabled", lines, finding.value);
      break;
    case FindingState::kNotUsed:
      reason = Text(language, "state.not_used");
      break;
    case FindingState::kUnknown:
      reason = Text(language, "state.unknown", lines, finding.expression);
      break;
  }
  if (!finding.option.empty()) {
    reason += Gap(language) + Text(language, "state.option", finding.option);
  }
  return reason + Gap(language) + row.here.reason;
}

AuditedRow Complete(Finding finding, bool sixteen_bit, const AuditOptions& options) {
  AuditedRow row;
  std::string_view variant = finding.variant;
  const int number = finding.row->number;
  if (finding.state == FindingState::kNotUsed || finding.state == FindingState::kUnknown) {
    variant = finding.row->variant;
  }
  if (number == kMatmulRow && sixteen_bit) variant = "sixteen_bit";
  for (size_t i = 0; i < row.devices.size(); ++i) {
    row.devices[i] = SupportOf(finding, variant, kAuditDevices[i], options);
  }
  row.here = SupportHere(finding, row.devices, options);
  row.finding = std::move(finding);
  row.reason = ReasonOf(row, options);
  const std::string_view remedy = RemedyOf(row, options);
  if (!remedy.empty()) row.remedy = Text(options.language, remedy, row.finding.row->name);
  const std::string quoted = fmt::format("quoted.{}", number);
  if (HasText(quoted)) row.quoted = Text(options.language, quoted);
  const auto measured = options.measured.find(row.finding.row->id);
  if (measured != options.measured.end()) row.measured = measured->second;
  return row;
}

std::vector<AuditedRow> CompleteAll(std::vector<Finding> findings, const AuditOptions& options) {
  const bool sixteen_bit = IsSixteenBit(findings[kDtypeRow - 1]);
  std::vector<AuditedRow> rows;
  for (Finding& finding : findings) {
    rows.push_back(Complete(std::move(finding), sixteen_bit, options));
  }
  return rows;
}

std::string_view ReachName(Reach reach) {
  switch (reach) {
    case Reach::kAll:
      return "all_devices";
    case Reach::kSome:
      return "two_devices";
    case Reach::kOne:
      return "one_device";
    default:
      return "no_device";
  }
}

void CountRows(ScriptAudit* audit) {
  std::vector<std::pair<std::string, int>> counts = {{"total", 0}};
  const auto add = [&](const std::string& name, bool yes) {
    const auto found = std::find_if(counts.begin(), counts.end(),
                                    [&](const auto& count) { return count.first == name; });
    if (found == counts.end()) {
      counts.emplace_back(name, yes ? 1 : 0);
    } else if (yes) {
      ++found->second;
    }
  };
  for (const AuditedRow& row : audit->rows) {
    add("total", true);
    for (const FindingState state : {FindingState::kUsed, FindingState::kDisabled,
                                     FindingState::kNotUsed, FindingState::kUnknown}) {
      add(std::string(FindingStateName(state)), row.finding.state == state);
    }
    add("guarded", row.finding.guarded);
    const bool used = row.finding.state == FindingState::kUsed;
    const bool unknown = row.finding.state == FindingState::kUnknown;
    for (const Reach reach : {Reach::kAll, Reach::kSome, Reach::kOne, Reach::kNone}) {
      const bool here = ReachOf(row) == reach;
      const std::string name(ReachName(reach));
      add(name, here);
      add(name + "_used", here && used);
      add(name + "_not_used", here && !used && !unknown);
      add(name + "_unknown", here && unknown);
    }
    for (const Support support : {Support::kAvailable, Support::kNoEffect, Support::kUnavailable}) {
      const bool fits = row.here.support == support;
      const std::string name = "here_" + std::string(SupportName(support));
      add(name, fits);
      add(name + "_used", fits && used);
      add(name + "_not_used", fits && !used && !unknown);
      add(name + "_unknown", fits && unknown);
    }
  }
  audit->counts = std::move(counts);
}

// The rows whose absence is worth a word on a device, in the order of what they usually give.
constexpr int kAdvised[] = {11, 10, 13, 4, 12};

void Advise(const AuditOptions& options, ScriptAudit* audit) {
  const Language language = options.language;
  for (size_t i = 0; i < audit->advice.size(); ++i) {
    const std::string device(AuditDeviceName(kAuditDevices[i]));
    std::vector<std::string>& advice = audit->advice[i];
    for (const AuditedRow& row : audit->rows) {
      const Finding& finding = row.finding;
      if (finding.ignored) continue;
      const std::string lines = LinesText(finding.lines);
      const Support support = row.devices[i].support;
      if (finding.state == FindingState::kUsed && support == Support::kUnavailable) {
        const std::string_view key = finding.guarded ? "advice.guarded" : "advice.unavailable";
        advice.push_back(Text(language, key, finding.row->name, lines, row.devices[i].reason));
      } else if (finding.state == FindingState::kUsed && support == Support::kNoEffect) {
        advice.push_back(
            Text(language, "advice.inert", finding.row->name, lines, row.devices[i].reason));
      } else if (finding.state == FindingState::kDisabled && support == Support::kAvailable) {
        advice.push_back(
            Text(language, "advice.disabled", finding.row->name, lines, finding.value));
      } else if (finding.state == FindingState::kUnknown && !finding.lines.empty()) {
        advice.push_back(
            Text(language, "advice.unknown", finding.row->name, lines, finding.expression));
      }
    }
    for (const int number : kAdvised) {
      const AuditedRow& row = audit->rows[static_cast<size_t>(number) - 1];
      if (row.finding.state != FindingState::kNotUsed || row.finding.ignored ||
          row.devices[i].support != Support::kAvailable) {
        continue;
      }
      advice.push_back(Text(language, fmt::format("advice.{}.{}", number, device)));
    }
    if (advice.empty()) advice.push_back(Text(language, "advice.none"));
  }
}

void Conclude(const AuditOptions& options, ScriptAudit* audit) {
  const Language language = options.language;
  if (!audit->error.empty()) {
    audit->conclusion = Text(language, "conclusion.error", audit->error_text);
    return;
  }
  const std::string device =
      Text(language, fmt::format("device.{}", AuditDeviceName(options.machine.device)));
  audit->conclusion =
      Text(language, "conclusion.counts", audit->Count("used"), audit->Count("total"),
           audit->Count("disabled"), audit->Count("not_used"), audit->Count("unknown"));
  audit->conclusion += Gap(language);
  audit->conclusion +=
      Text(language, "conclusion.here", device, audit->Count("here_available_used"),
           audit->Count("here_no_effect_used"), audit->Count("here_unavailable_used"),
           audit->Count("here_available_not_used"));
  if (audit->Count("here_no_effect_used") > 0 || audit->Count("here_available_not_used") > 0) {
    audit->conclusion += Gap(language) + Text(language, "conclusion.measure");
  }
}

}  // namespace

Reach ReachOf(const AuditedRow& row) {
  int available = 0;
  for (const DeviceSupport& device : row.devices) {
    available += device.support == Support::kAvailable ? 1 : 0;
  }
  if (available == 3) return Reach::kAll;
  if (available == 2) return Reach::kSome;
  return available == 1 ? Reach::kOne : Reach::kNone;
}

int ScriptAudit::Count(std::string_view name) const {
  for (const auto& [known, count] : counts) {
    if (known == name) return count;
  }
  return 0;
}

ScriptAudit AuditScript(const PythonSource& source, const std::string& name,
                        const AuditOptions& options) {
  ScriptAudit audit;
  audit.script = name;
  std::vector<Finding> findings = FindRows(source);
  if (source.error()) {
    audit.error_line = source.error()->line;
    audit.error =
        fmt::format("syntax error at line {}: {}", source.error()->line, source.error()->reason);
    audit.error_text =
        Text(options.language, "error.syntax", source.error()->line, source.error()->reason);
    audit.tolerant = CompleteAll(findings, options);
    for (Finding& finding : findings) {
      Finding unknown;
      unknown.row = finding.row;
      unknown.state = FindingState::kUnknown;
      unknown.expression = audit.error_text;
      finding = std::move(unknown);
    }
  }
  audit.rows = CompleteAll(std::move(findings), options);
  if (source.error()) {
    for (AuditedRow& row : audit.rows) {
      row.reason = Text(options.language, "state.syntax", audit.error_text);
      row.remedy = Text(options.language, "remedy.syntax");
    }
  }
  CountRows(&audit);
  Advise(options, &audit);
  Conclude(options, &audit);
  return audit;
}

ScriptAudit UnreadableScript(const std::string& name, const std::string& why,
                             const AuditOptions& options) {
  ScriptAudit audit;
  audit.script = name;
  audit.error = audit.error_text = why;
  std::vector<Finding> findings;
  for (const Row* row : AllRows()) {
    Finding& finding = findings.emplace_back();
    finding.row = row;
    finding.state = FindingState::kUnknown;
    finding.expression = why;
  }
  audit.rows = CompleteAll(std::move(findings), options);
  CountRows(&audit);
  Advise(options, &audit);
  Conclude(options, &audit);
  return audit;
}

std::vector<std::string> Failures(const ScriptAudit& audit, FailOn fail_on) {
  std::vector<std::string> names;
  for (const AuditedRow& row : audit.rows) {
    const Finding& finding = row.finding;
    if (finding.ignored) continue;
    const bool used = finding.state == FindingState::kUsed;
    const bool unused =
        finding.state == FindingState::kNotUsed || finding.state == FindingState::kDisabled;
    bool fails = false;
    switch (fail_on) {
      case FailOn::kUnused:
        fails = unused && row.here.support == Support::kAvailable;
        break;
      case FailOn::kInert:
        fails = used && row.here.support != Support::kAvailable && !finding.guarded;
        fails = fails || (used && row.here.support == Support::kNoEffect);
        break;
      case FailOn::kUnguarded:
        // Fails on one of the devices, and nothing keeps it from running there.
        fails = used && !finding.guarded &&
                std::any_of(row.devices.begin(), row.devices.end(), [](const DeviceSupport& d) {
                  return d.support == Support::kUnavailable;
                });
        break;
    }
    if (fails) names.emplace_back(finding.row->name);
  }
  return names;
}

Result<AuditMachine> FindAuditMachine(const std::string& name) {
  AuditMachine found;
  Machine machine;
  if (name.empty()) {
    machine = DetectMachine();
    found.name = machine.cpu.model;
  } else {
    FATHOM_ASSIGN(machine, DescribedMachine(name));
    found.name = name;
    found.described = true;
  }
  found.knows_cpu = true;
  found.bf16_matmul = machine.cpu.features.HasAll(
      {CpuFeature::kAvx512bw, CpuFeature::kAvx512vl, CpuFeature::kAvx512dq});
  for (const GpuInfo& gpu : machine.gpus) {
    found.device = gpu.kind == "cuda" ? AuditDevice::kCuda : AuditDevice::kMps;
    if (gpu.kind == "cuda") ++found.gpus;
    if (name.empty() && !gpu.name.empty()) found.name = gpu.name;
  }
  return found;
}

}  // namespace fathom
