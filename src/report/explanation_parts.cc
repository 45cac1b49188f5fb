#include "report/explanation_parts.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>

#include "base/units.h"
#include "base/utf8.h"
#include "measure/slower.h"
#include "optimizations/row_tools.h"

namespace fathom {

namespace {

// "AVX-512 BF16 VNNI": the level and what it has beyond it.
std::string IsaText(CpuFeatures features) {
  using enum CpuFeature;
  std::string text;
  switch (BestIsa(features)) {
    case Isa::kAmx:
      text = "AVX-512, AMX";
      break;
    case Isa::kAvx512:
      text = "AVX-512";
      break;
    case Isa::kAvx2:
      return "AVX2";
    case Isa::kNeon:
      return features.Has(kBf16) ? "NEON BF16" : "NEON";
    case Isa::kBaseline:
      return "SSE2";
  }
  if (features.Has(kAvx512Bf16)) text += " BF16";
  if (features.Has(kAvx512Vnni)) text += " VNNI";
  return text;
}

// In single quotes where a shell would take it apart.
std::string ShellQuoted(const std::string& text) {
  const bool plain = std::ranges::all_of(text, [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) ||
           std::string_view("_-./+,:=@%").find(c) != std::string_view::npos ||
           static_cast<unsigned char>(c) >= 0x80;
  });
  if (plain && !text.empty()) return text;
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

std::string Command(const Explanation& explanation, std::string_view command) {
  if (explanation.model_argument.empty()) return fmt::format("fathom {}", command);
  return fmt::format("fathom {} {}", command, ShellQuoted(explanation.model_argument));
}

// Rows whose measurement would say something and that have none.
int UnmeasuredRows(const Explanation& explanation) {
  int count = 0;
  for (const OptimizationReport& report : explanation.rows) {
    const bool can = report.outcome.state != RowState::kUnavailable;
    count += can && MeasuredText(explanation, report).empty();
  }
  return count;
}

// The measurement of the arm that runs here, all else as here; null: none.
const MeasuredRow* LeaveOneOut(const Explanation& explanation, const OptimizationReport& report) {
  if (!explanation.measured) return nullptr;
  for (const MeasuredRow* row : explanation.measured->RowsOf(report.optimization->id)) {
    const bool runs = row->arm_on == report.outcome.value;
    if (row->mode == MeasureMode::kLeaveOneOut && runs) return row;
  }
  return nullptr;
}

// The row whose on-arm was measured slower though it is on.
const OptimizationReport* FirstThatHurts(const Explanation& explanation) {
  for (const OptimizationReport& report : explanation.rows) {
    const MeasuredRow* row = LeaveOneOut(explanation, report);
    if (report.outcome.state == RowState::kOn && row != nullptr &&
        row->verdict == Verdict::kHurts) {
      return &report;
    }
  }
  return nullptr;
}

// "1-3, 5".
std::string NumberRanges(const std::vector<int>& numbers) {
  std::string text;
  for (size_t i = 0; i < numbers.size();) {
    size_t last = i;
    while (last + 1 < numbers.size() && numbers[last + 1] == numbers[last] + 1) ++last;
    if (!text.empty()) text += ", ";
    text +=
        last == i ? fmt::format("{}", numbers[i]) : fmt::format("{}-{}", numbers[i], numbers[last]);
    i = last + 1;
  }
  return text;
}

Tone ToneOf(RowState state) {
  switch (state) {
    case RowState::kOn:
      return Tone::kGood;
    case RowState::kNoEffect:
      return Tone::kMuted;
    case RowState::kOff:
    case RowState::kUnavailable:
      break;
  }
  return Tone::kWarning;
}

std::string StateWord(RowState state, Language language) {
  switch (state) {
    case RowState::kOn:
      return Say(language, "on", "开");
    case RowState::kOff:
      return Say(language, "off", "关");
    case RowState::kNoEffect:
      return Say(language, "no effect", "无效果");
    case RowState::kUnavailable:
      break;
  }
  return Say(language, "unavailable", "不可用");
}

std::string DeviceStateWord(DeviceState state, Language language) {
  if (state == DeviceState::kAvailable) return Say(language, "available", "可用");
  return StateWord(state == DeviceState::kNoEffect ? RowState::kNoEffect : RowState::kUnavailable,
                   language);
}

}  // namespace

std::string ModelTitle(const Explanation& explanation) {
  const std::filesystem::path path(explanation.model.path);
  const std::string name =
      path.filename().empty() ? path.parent_path().filename().string() : path.filename().string();
  if (name.empty() || name == "." || name == "..") return EscapeForTerminal(path.string());
  return EscapeForTerminal(name);
}

std::string ModelLine(const Explanation& explanation) {
  const ModelFacts& model = explanation.model;
  return Say(explanation.language, "{}, {} parameters, {}, {}", "{}，{} 参数，{}，{}",
             model.architecture, CountText(model.parameters), model.checkpoint_dtype,
             BytesText(model.weights_bytes));
}

std::string MachineLine(const Explanation& explanation) {
  const Machine& machine = explanation.machine;
  const double gib = static_cast<double>(machine.memory.total_bytes) / (1 << 30);
  std::string text =
      Say(explanation.language, "{}, {} core{}, {}, {:.0f} GiB", "{}，{} 核{}，{}，{:.0f} GiB",
          EscapeForTerminal(machine.cpu.model), machine.cpu.cores,
          machine.cpu.cores == 1 || explanation.language == Language::kChinese ? "" : "s",
          IsaText(machine.cpu.features), gib);
  for (const GpuInfo& gpu : machine.gpus) {
    text +=
        Say(explanation.language, ", {} ({})", "，{}（{}）", EscapeForTerminal(gpu.name), gpu.kind);
  }
  if (machine.source != "detected") {
    text += Say(explanation.language, "; described by {}", "；由 {} 描述",
                EscapeForTerminal(machine.source));
  }
  return text;
}

TableCell StateCell(const Explanation& explanation, const OptimizationReport& report) {
  const RowInput input{explanation.machine, &explanation.model, explanation.options,
                       explanation.language};
  const RowOutcome& outcome = report.outcome;
  const bool several = report.optimization->arms(input, "cpu").size() > 2;
  if (several && outcome.state == RowState::kOn) return {outcome.value, Tone::kGood};
  return {StateWord(outcome.state, explanation.language), ToneOf(outcome.state)};
}

std::string MeasuredText(const Explanation& explanation, const OptimizationReport& report) {
  if (!explanation.measured) return "";
  return DescribeRows(*explanation.measured, report.optimization->id, explanation.language);
}

Table OptimizationTable(const Explanation& explanation) {
  const Language language = explanation.language;
  Table table{.columns = {{.title = "#", .right = true},
                          {.title = Say(language, "optimization", "优化项")},
                          {.title = Say(language, "here", "本机")},
                          {.title = Say(language, "because", "原因"), .wraps = true},
                          {.title = Say(language, "measured here", "本机实测"), .wraps = true}}};
  for (const OptimizationReport& report : explanation.rows) {
    std::string measured = MeasuredText(explanation, report);
    Tone tone = measured.empty() ? Tone::kMuted : Tone::kPlain;
    const MeasuredRow* row = LeaveOneOut(explanation, report);
    if (row != nullptr && row->verdict == Verdict::kHurts) {
      measured = Say(language, "hurts: {}", "有害：{}", measured);
      tone = Tone::kBad;
    }
    if (measured.empty()) measured = "-";
    table.rows.push_back({{fmt::format("{}", report.optimization->number)},
                          {std::string(report.optimization->id)},
                          StateCell(explanation, report),
                          {report.outcome.reason},
                          {std::move(measured), tone}});
  }
  return table;
}

Table OtherDevicesTable(const Explanation& explanation) {
  const Language language = explanation.language;
  Table table{.columns = {{.title = Say(language, "device", "设备")},
                          {.title = Say(language, "rows", "行")},
                          {.title = Say(language, "there", "状态")},
                          {.title = Say(language, "because", "原因"), .wraps = true}}};
  for (const std::string_view device : {"mps", "cuda"}) {
    std::vector<std::pair<const DeviceStatus*, std::vector<int>>> groups;
    for (const OptimizationReport& report : explanation.rows) {
      const DeviceStatus& status = report.detection.Of(device);
      const auto same = std::ranges::find_if(groups, [&](const auto& group) {
        return group.first->state == status.state && group.first->reason == status.reason;
      });
      if (same == groups.end()) {
        groups.push_back({&status, {report.optimization->number}});
      } else {
        same->second.push_back(report.optimization->number);
      }
    }
    for (const auto& [status, numbers] : groups) {
      const Tone tone = status->state == DeviceState::kAvailable ? Tone::kGood : Tone::kWarning;
      table.rows.push_back({{std::string(device)},
                            {NumberRanges(numbers)},
                            {DeviceStateWord(status->state, language), tone},
                            {status->reason}});
    }
  }
  return table;
}

std::vector<std::pair<std::string, std::string>> Remedies(const Explanation& explanation) {
  std::vector<std::pair<std::string, std::vector<int>>> groups;
  for (const OptimizationReport& report : explanation.rows) {
    const std::string& remedy = report.detection.remedy;
    if (remedy.empty()) continue;
    const auto same =
        std::ranges::find_if(groups, [&](const auto& group) { return group.first == remedy; });
    if (same == groups.end()) {
      groups.push_back({remedy, {report.optimization->number}});
    } else {
      same->second.push_back(report.optimization->number);
    }
  }
  std::vector<std::pair<std::string, std::string>> remedies;
  for (const auto& [remedy, numbers] : groups) {
    remedies.emplace_back(NumberRanges(numbers), remedy);
  }
  return remedies;
}

std::vector<std::string> SlowerLines(const Explanation& explanation) {
  std::vector<std::string> lines;
  if (!explanation.measured) return lines;
  for (const SlowerSetting& slower : SlowerSettings(*explanation.measured)) {
    lines.push_back(SlowerText(slower, explanation.language));
  }
  return lines;
}

std::string EstimateText(const Explanation& explanation, const OptimizationReport& report) {
  const Language language = explanation.language;
  const Estimate& estimate = report.estimate;
  std::vector<std::string> parts;
  if (estimate.bytes_saved > 0) parts.push_back(BytesText(estimate.bytes_saved));
  if (estimate.flops_saved > 0) {
    const auto flops = static_cast<double>(estimate.flops_saved);
    const bool small = flops < 1e9;
    parts.push_back(Say(language, "{:.1f} {}FLOP a token at the whole context",
                        "满上下文时每个 token {:.1f} {}FLOP", flops / (small ? 1e6 : 1e9),
                        small ? "M" : "G"));
  }
  if (estimate.launches_saved > 0) {
    parts.push_back(
        Say(language, "{} operations a step", "每步 {} 个运算", estimate.launches_saved));
  }
  return fmt::format("{}", fmt::join(parts, ", "));
}

std::string NextStep(const Explanation& explanation) {
  const Language language = explanation.language;
  if (explanation.machine.source != "detected") {
    return Say(language, "`{}` on that machine itself says what it finds there.",
               "在那台机器上运行 `{}` 可得到实际结果。", Command(explanation, "explain"));
  }
  if (const int rows = UnmeasuredRows(explanation); rows > 0) {
    const std::string command = Command(explanation, "measure");
    return rows == 1 ? Say(language, "`{}` measures the row still marked \"-\".",
                           "`{}` 会实测仍标为 “-” 的一行。", command)
                     : Say(language, "`{}` measures the {} rows still marked \"-\".",
                           "`{}` 会实测仍标为 “-” 的 {} 行。", command, rows);
  }
  if (const OptimizationReport* report = FirstThatHurts(explanation)) {
    return Say(language, "`{} --disable {}` runs without what was measured to hurt here.",
               "`{} --disable {}` 可关闭在本机实测有害的一项。", Command(explanation, "run"),
               report->optimization->id);
  }
  return Say(language, "`{}` runs the model as the table says.", "`{}` 按上表运行模型。",
             Command(explanation, "run"));
}

}  // namespace fathom
