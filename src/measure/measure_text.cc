#include "measure/measure_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/text_width.h"
#include "base/utf8.h"
#include "measure/slower.h"
#include "measure/verdict.h"

namespace fathom {
namespace {

constexpr Words kOptimization = {"optimization", "优化项"};
constexpr Words kDecode = {"decode", "生成"};
constexpr Words kPrefill = {"prefill", "预填充"};
constexpr Words kMemory = {"memory", "内存"};
constexpr Words kAccuracy = {"accuracy", "精度"};
constexpr Words kVerdict = {"verdict", "结论"};

std::string RatioCell(const RatioInterval& ratio) {
  if (!ratio.measured()) return "-";
  if (!ratio.bounded()) return fmt::format("{}x [?]", FormatRatio(ratio.median));
  return fmt::format("{}x [{}, {}]", FormatRatio(ratio.median), FormatRatio(ratio.low),
                     FormatRatio(ratio.high));
}

std::string MemoryCell(const MeasuredRow& row) {
  const double memory = row.peak_memory_ratio();
  return memory > 0 ? FormatRatio(memory) + "x" : "-";
}

std::string AccuracyCell(const MeasuredRow& row, Language language) {
  const ArmAccuracy& on = row.accuracy_on;
  if (on.tokens == 0) return "-";
  if (on.max_abs_logit_difference == 0) return Say(language, "identical", "完全一致");
  return "KL " + FormatKl(on.kl_divergence);
}

// "dtype int8"; a row of one arm by its id alone.
std::string NameCell(const Measurement& measurement, const MeasuredRow& row) {
  int arms = 0;
  for (const MeasuredRow& other : measurement.rows) {
    arms += other.id == row.id && other.mode == row.mode;
  }
  return arms > 1 ? fmt::format("{} {}", row.id, row.arm_on) : row.id;
}

// The ends of a column's axis; at least 0.9 .. 1.1, that noise does not fill it.
struct Axis {
  double low = 0.9, high = 1.1;
  void Add(const RatioInterval& ratio) {
    if (!ratio.measured()) return;
    low = std::min(low, ratio.bounded() ? ratio.low : ratio.median);
    high = std::max(high, ratio.bounded() ? ratio.high : ratio.median);
  }
};

bool Measured(const MeasuredRow& row) {
  return row.verdict != Verdict::kUnavailable && row.verdict != Verdict::kFailed &&
         row.decode.measured();
}

// What decided though no column shows it, or why there are no figures.
std::string Remark(const MeasuredRow& row, Language language) {
  if (!Measured(row) || row.same_plan) return ReasonOf(row, language);
  if (row.verdict == Verdict::kNoEffect) {
    const std::string reason = ReasonOf(row, language);
    const bool plain = row.decode.bounded() && row.prefill.bounded() &&
                       std::max({row.decode.high, 1 / row.decode.low, row.prefill.high,
                                 1 / row.prefill.low}) <= 1.15;
    return plain ? "" : reason;
  }
  const auto unseen = [&](const JudgedSpeed& speed) {
    return speed.ratio != &row.decode && speed.ratio != &row.prefill && !speed.ratio->SpansOne();
  };
  const bool other = std::ranges::any_of(JudgedSpeeds(row), unseen);
  return other || row.verdict == Verdict::kTrade ? ReasonOf(row, language) : "";
}

std::string Coloured(std::string text, Verdict verdict, bool colour) {
  if (!colour) return text;
  const char* code = verdict == Verdict::kHelps                                  ? "32"
                     : verdict == Verdict::kHurts || verdict == Verdict::kFailed ? "31"
                     : verdict == Verdict::kTrade                                ? "33"
                                                                                 : "2";
  return fmt::format("\x1b[{}m{}\x1b[0m", code, text);
}

std::string ModeTitle(MeasureMode mode, Language language) {
  if (mode == MeasureMode::kOneAlone) {
    return Say(language,
               "One alone: everything plain (float32, eager, fixed kernels), one row switched on",
               "单独开启：其余全部为朴素设置（float32、eager、固定内核），只开一项");
  }
  return Say(language, "Leave one out: everything as `run` has it here, one row on against off",
             "逐项比较：其余与 `run` 在此机器上相同，只切换一项的开与关");
}

std::string Head(const Measurement& measurement, Language language, int width) {
  const MeasuredBaseline& base = measurement.baseline;
  const MeasuredWorkload& work = measurement.workload;
  std::string text =
      Say(language,
          "baseline   prefill {:.0f} tok/s   decode {:.0f} tok/s   load {:.0f} ms   peak {:.0f} MB",
          "基线   预填充 {:.0f} tok/s   生成 {:.0f} tok/s   加载 {:.0f} ms   内存峰值 {:.0f} MB",
          base.prefill_tokens_per_s, base.decode_tokens_per_s, base.load_ms,
          static_cast<double>(base.peak_resident_bytes) / 1e6);
  if (base.roof_share > 0) {
    text += Say(language, "   {:.0f} % of {:.1f} GB/s{}", "   {1:.1f} GB/s 的 {0:.0f} %{2}",
                100 * base.roof_share, base.roof_gb_per_s,
                base.roof_share > 1 ? Say(language, " (from its caches)", "（来自缓存）") : "");
  }
  text += "\n";
  std::vector<std::string> rows;
  for (const auto& [id, value] : measurement.baseline_rows) {
    rows.push_back(fmt::format("{}={}", id, value));
  }
  const std::string joined = fmt::format("{}", fmt::join(rows, " "));
  for (const std::string& line : WrapToWidth(joined, std::max(width - 12, 30))) {
    if (!line.empty()) text += "           " + line + "\n";
  }
  text += Say(language, "work       {} + {} tokens a round; accuracy over {} tokens; seed {}\n",
              "负载       每轮 {} + {} 个 token；精度按 {} 个 token 计算；种子 {}\n",
              work.prompt_tokens, work.decode_tokens, work.accuracy_tokens, work.seed);
  return text;
}

std::string Foot(const Measurement& measurement, Language language) {
  const MeasuredWorkload& work = measurement.workload;
  std::string text =
      Say(language,
          "Ratios are on / off in speed; above 1 is faster with the row on. Each interval holds at "
          "{:.4g} %\nand includes 1 where the median differs from it by less than decode {:.2f}x, "
          "prefill {:.2f}x,\nwhat identical arms may differ by in such a run. {:.0f} s.\n",
          "比值为 开 / 关 的速度之比，大于 1 表示开启更快。每个区间按 {:.4g} % 成立；\n"
          "中位数与 1 相差不到 生成 {:.2f}x、预填充 {:.2f}x（相同设置之间可能的差异）时，"
          "区间包含 1。用时 {:.0f} 秒。\n",
          100 * work.interval_level, work.noise_decode, work.noise_prefill, work.seconds);
  for (const SlowerSetting& slower : SlowerSettings(measurement)) {
    text += Say(language, "Slower: {}\n", "更慢：{}\n", SlowerText(slower, language));
  }
  if (measurement.interrupted) {
    text += Say(language, "Interrupted: the rows that are missing were not measured.\n",
                "已中断：缺少的行没有测量。\n");
  }
  return text;
}

class Table {
 public:
  Table(const Measurement& measurement, const MeasureTextOptions& options)
      : measurement_(measurement), options_(options), language_(options.language) {
    for (const MeasuredRow& row : measurement.rows) {
      name_width_ = std::max(name_width_, DisplayWidth(NameCell(measurement, row)));
      ratio_width_ = std::max({ratio_width_, DisplayWidth(RatioCell(row.decode)),
                               DisplayWidth(RatioCell(row.prefill))});
      decode_.Add(row.decode);
      prefill_.Add(row.prefill);
    }
    // Names, two ratios with their drawings, memory, accuracy, verdict, and two between columns.
    const int fixed = 1 + name_width_ + 2 * ratio_width_ + 7 + 10 + 11 + 7 * 2;
    drawing_width_ = std::clamp((options.width - fixed) / 2, 0, 17);
    if (drawing_width_ < 5) drawing_width_ = 0;
  }

  std::string Of(MeasureMode mode) const {
    std::string text;
    for (const MeasuredRow& row : measurement_.rows) {
      if (row.mode != mode) continue;
      if (text.empty()) text = "\n" + ModeTitle(mode, language_) + "\n\n" + HeadLine();
      text += Line(row);
    }
    return text;
  }

 private:
  std::string Drawing(const std::string& drawn) const {
    return drawing_width_ > 0 ? "  " + PadToWidth(drawn, drawing_width_) : "";
  }
  std::string HeadLine() const {
    return " " + PadToWidth(std::string(kOptimization.In(language_)), name_width_) + "  " +
           PadToWidth(std::string(kDecode.In(language_)), ratio_width_) + Drawing("") + "  " +
           PadToWidth(std::string(kPrefill.In(language_)), ratio_width_) + Drawing("") + "  " +
           PadToWidth(std::string(kMemory.In(language_)), 7) + "  " +
           PadToWidth(std::string(kAccuracy.In(language_)), 10) + "  " +
           std::string(kVerdict.In(language_)) + "\n";
  }
  std::string Line(const MeasuredRow& row) const {
    const auto ratio = [&](const RatioInterval& value, const Axis& axis) {
      return PadToWidth(RatioCell(value), ratio_width_) +
             Drawing(DrawInterval(value, axis.low, axis.high, drawing_width_));
    };
    std::string text =
        " " + PadToWidth(NameCell(measurement_, row), name_width_) + "  " +
        ratio(row.decode, decode_) + "  " + ratio(row.prefill, prefill_) + "  " +
        PadToWidth(MemoryCell(row), 7) + "  " + PadToWidth(AccuracyCell(row, language_), 10) +
        "  " +
        Coloured(std::string(VerdictWord(row.verdict, language_)), row.verdict, options_.colour) +
        "\n";
    const std::string remark = Remark(row, language_);
    if (!remark.empty()) text += "     " + EscapeForTerminal(remark) + "\n";
    return text;
  }

  const Measurement& measurement_;
  const MeasureTextOptions& options_;
  Language language_;
  int name_width_ = 12, ratio_width_ = 8, drawing_width_ = 0;
  Axis decode_, prefill_;
};

// A row in both stacks; either may be missing.
struct SideBySide {
  std::string name;
  const MeasuredRow* ours = nullptr;
  const MeasuredRow* other = nullptr;
};

// The entries of one row that say most: with all else as it is by default, where there are any.
std::vector<const MeasuredRow*> MainRowsOf(const Measurement& measurement, std::string_view id) {
  std::vector<const MeasuredRow*> rows = measurement.RowsOf(id);
  const auto alone = [](const MeasuredRow* row) { return row->mode == MeasureMode::kOneAlone; };
  if (!std::all_of(rows.begin(), rows.end(), alone)) std::erase_if(rows, alone);
  return rows;
}

// Arms of the same value beside each other; where each stack has one, these two.
std::vector<SideBySide> PairStacks(const Measurement& ours, const Measurement& other) {
  std::vector<std::string> ids;
  for (const Measurement* measurement : {&ours, &other}) {
    for (const MeasuredRow& row : measurement->rows) {
      if (std::find(ids.begin(), ids.end(), row.id) == ids.end()) ids.push_back(row.id);
    }
  }
  std::vector<SideBySide> pairs;
  for (const std::string& id : ids) {
    const auto left = MainRowsOf(ours, id);
    auto right = MainRowsOf(other, id);
    const bool single = left.size() <= 1 && right.size() <= 1;
    for (const MeasuredRow* row : left) {
      SideBySide pair = {single ? id : fmt::format("{} {}", id, row->arm_on), row, nullptr};
      const auto same = std::find_if(right.begin(), right.end(), [&](const MeasuredRow* candidate) {
        return single || candidate->arm_on == row->arm_on;
      });
      if (same != right.end()) {
        pair.other = *same;
        right.erase(same);
      }
      pairs.push_back(std::move(pair));
    }
    for (const MeasuredRow* row : right) {
      pairs.push_back({single ? id : fmt::format("{} {}", id, row->arm_on), nullptr, row});
    }
  }
  return pairs;
}

std::vector<std::string> StackCells(const SideBySide& pair, Language language) {
  std::vector<std::string> cells = {pair.name};
  const auto each = [&](auto cell) {
    for (const MeasuredRow* row : {pair.ours, pair.other}) {
      cells.push_back(row == nullptr ? "-" : cell(*row));
    }
  };
  each([](const MeasuredRow& row) { return RatioCell(row.decode); });
  each([](const MeasuredRow& row) { return RatioCell(row.prefill); });
  each([](const MeasuredRow& row) { return MemoryCell(row); });
  each([&](const MeasuredRow& row) { return AccuracyCell(row, language); });
  each([&](const MeasuredRow& row) { return std::string(VerdictWord(row.verdict, language)); });
  return cells;
}

std::vector<std::string> StackHead(Language language) {
  std::vector<std::string> cells = {std::string(kOptimization.In(language))};
  for (const Words& words : {kDecode, kPrefill, kMemory, kAccuracy, kVerdict}) {
    cells.push_back(fmt::format("{} F", words.In(language)));
    cells.push_back(fmt::format("{} T", words.In(language)));
  }
  return cells;
}

std::string StackLine(const Measurement& measurement, std::string_view letter, Language language) {
  const MeasuredBaseline& base = measurement.baseline;
  std::string text =
      Say(language, "{} = {} {}: prefill {:.0f} tok/s, decode {:.0f} tok/s, load {:.0f} ms",
          "{} = {} {}：预填充 {:.0f} tok/s，生成 {:.0f} tok/s，加载 {:.0f} ms", letter,
          measurement.stack, measurement.stack_version, base.prefill_tokens_per_s,
          base.decode_tokens_per_s, base.load_ms);
  if (base.peak_resident_bytes > 0) {
    text += Say(language, ", peak {:.0f} MB", "，内存峰值 {:.0f} MB",
                static_cast<double>(base.peak_resident_bytes) / 1e6);
  }
  return text + "\n";
}

// What has no figures in a stack, and why.
std::string StackRemarks(const Measurement& measurement, std::string_view letter,
                         Language language) {
  std::string text;
  for (const MeasuredRow& row : measurement.rows) {
    if (Measured(row)) continue;
    text += fmt::format("{} {} {}: {}\n", letter, row.id, row.arm_on,
                        EscapeForTerminal(ReasonOf(row, language)));
  }
  return text;
}

std::string Cell(std::string text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '|') escaped += '\\';
    escaped += c == '\n' ? ' ' : c;
  }
  return escaped;
}

std::string MarkdownRow(const std::vector<std::string>& cells) {
  std::string text = "|";
  for (const std::string& cell : cells) text += " " + Cell(cell) + " |";
  return text + "\n";
}

std::string MarkdownRule(size_t columns) {
  std::string text = "|";
  for (size_t i = 0; i < columns; ++i) text += "---|";
  return text + "\n";
}

}  // namespace

std::string DrawInterval(const RatioInterval& ratio, double axis_low, double axis_high, int width) {
  if (width <= 0 || !ratio.measured() || !(axis_high > axis_low) || !(axis_low > 0)) return "";
  std::vector<std::string_view> cells(static_cast<size_t>(width), " ");
  const auto at = [&](double value) {
    const double share =
        (std::log(value) - std::log(axis_low)) / (std::log(axis_high) - std::log(axis_low));
    return std::clamp(static_cast<int>(std::lround(share * (width - 1))), 0, width - 1);
  };
  cells[at(1)] = "┆";
  const int middle = at(ratio.median);
  if (ratio.bounded()) {
    const int low = at(ratio.low), high = at(ratio.high);
    const bool spans = ratio.SpansOne();
    for (int i = low; i <= high; ++i) cells[i] = spans ? "·" : "─";
    if (!spans && low < middle) cells[low] = "├";
    if (!spans && high > middle) cells[high] = "┤";
  }
  cells[middle] = "●";
  std::string text;
  for (const std::string_view cell : cells) text += cell;
  while (text.ends_with(' ')) text.pop_back();
  return text;
}

std::string MeasurementToText(const Measurement& measurement, const MeasureTextOptions& options) {
  const Table table(measurement, options);
  return Head(measurement, options.language, options.width) + table.Of(MeasureMode::kLeaveOneOut) +
         table.Of(MeasureMode::kOneAlone) + "\n" + Foot(measurement, options.language);
}

std::string MeasurementToMarkdown(const Measurement& measurement, Language language) {
  std::string text = "```\n" + Head(measurement, language, 110) + "```\n";
  for (const MeasureMode mode : {MeasureMode::kLeaveOneOut, MeasureMode::kOneAlone}) {
    std::string rows;
    for (const MeasuredRow& row : measurement.rows) {
      if (row.mode != mode) continue;
      rows +=
          MarkdownRow({fmt::format("`{}` {}", row.id, row.arm_on), RatioCell(row.decode),
                       RatioCell(row.prefill), RatioCell(row.load), MemoryCell(row),
                       AccuracyCell(row, language), std::string(VerdictWord(row.verdict, language)),
                       ReasonOf(row, language)});
    }
    if (rows.empty()) continue;
    text += "\n" + ModeTitle(mode, language) + "\n\n";
    text += MarkdownRow({std::string(kOptimization.In(language)), std::string(kDecode.In(language)),
                         std::string(kPrefill.In(language)), Say(language, "load", "加载"),
                         std::string(kMemory.In(language)), std::string(kAccuracy.In(language)),
                         std::string(kVerdict.In(language)), Say(language, "because", "依据")});
    text += MarkdownRule(8) + rows;
  }
  return text + "\n" + Foot(measurement, language);
}

std::string StacksToText(const Measurement& ours, const Measurement& other,
                         const MeasureTextOptions& options) {
  std::vector<std::vector<std::string>> lines = {StackHead(options.language)};
  for (const SideBySide& pair : PairStacks(ours, other)) {
    lines.push_back(StackCells(pair, options.language));
  }
  std::vector<int> widths(lines[0].size());
  for (const auto& cells : lines) {
    for (size_t i = 0; i < cells.size(); ++i) {
      widths[i] = std::max(widths[i], DisplayWidth(cells[i]));
    }
  }
  std::string text =
      StackLine(ours, "F", options.language) + StackLine(other, "T", options.language) + "\n";
  for (const auto& cells : lines) {
    std::string line;
    for (size_t i = 0; i < cells.size(); ++i) line += " " + PadToWidth(cells[i], widths[i] + 1);
    while (line.ends_with(' ')) line.pop_back();
    text += line + "\n";
  }
  return text + "\n" + StackRemarks(other, "T", options.language);
}

std::string StacksToMarkdown(const Measurement& ours, const Measurement& other, Language language) {
  std::string text =
      "```\n" + StackLine(ours, "F", language) + StackLine(other, "T", language) + "```\n\n";
  const std::vector<std::string> head = StackHead(language);
  text += MarkdownRow(head) + MarkdownRule(head.size());
  for (const SideBySide& pair : PairStacks(ours, other)) {
    text += MarkdownRow(StackCells(pair, language));
  }
  const std::string remarks = StackRemarks(other, "T", language);
  return remarks.empty() ? text : text + "\n```\n" + remarks + "```\n";
}

}  // namespace fathom
