// What was measured, for a report: charts, the table behind them, and what follows from it.
#include <fmt/format.h>

#include <algorithm>

#include "base/units.h"
#include "measure/verdict.h"
#include "report/charts.h"
#include "report/explanation_parts.h"
#include "report/report_parts.h"

namespace fathom {

namespace {

constexpr const char* kMeasureLink = "#how-measure";

std::string ToneClass(const RatioInterval& ratio) {
  if (!ratio.bounded() || ratio.SpansOne()) return "muted";
  return ratio.low > 1 ? "good" : "bad";
}

std::string ArmName(const MeasuredRow& row) { return fmt::format("{} {}", row.id, row.arm_on); }

std::string RatioText(const RatioInterval& ratio) {
  if (!ratio.measured()) return "-";
  if (!ratio.bounded()) return fmt::format("{}\u00d7", FormatRatio(ratio.median));
  return fmt::format("{}\u00d7 [{}, {}]", FormatRatio(ratio.median), FormatRatio(ratio.low),
                     FormatRatio(ratio.high));
}

// Entries of the mode that has most, so that a chart never mixes two baselines.
std::vector<const MeasuredRow*> RowsOfMode(const Measurement& measured, MeasureMode mode) {
  std::vector<const MeasuredRow*> rows;
  for (const MeasuredRow& row : measured.rows) {
    if (row.mode == mode) rows.push_back(&row);
  }
  return rows;
}

Chart Uplift(std::span<const MeasuredRow* const> rows, RatioInterval MeasuredRow::*ratio,
             const std::string& title) {
  std::vector<UpliftBar> bars;
  for (const MeasuredRow* row : rows) {
    const RatioInterval& interval = row->*ratio;
    if (!interval.measured()) continue;
    bars.push_back({.label = ArmName(*row),
                    .median = interval.median,
                    .low = interval.bounded() ? interval.low : 0,
                    .high = interval.bounded() ? interval.high : 0,
                    .tone = ToneClass(interval),
                    .note = "",
                    .link = kMeasureLink});
  }
  return {UpliftChart(title, bars)};
}

Table MeasuredTable(std::span<const MeasuredRow* const> rows, Language language) {
  Table table{.columns = {{.title = Say(language, "row", "优化项")},
                          {.title = Say(language, "against", "对照")},
                          {.title = Say(language, "decode", "解码")},
                          {.title = Say(language, "prefill", "预填充")},
                          {.title = Say(language, "load", "加载")},
                          {.title = Say(language, "memory", "内存")},
                          {.title = Say(language, "verdict", "结论")},
                          {.title = Say(language, "because", "原因"), .wraps = true}}};
  for (const MeasuredRow* row : rows) {
    const double memory = row->peak_memory_ratio();
    const Tone tone = row->verdict == Verdict::kHelps   ? Tone::kGood
                      : row->verdict == Verdict::kHurts ? Tone::kBad
                      : row->verdict == Verdict::kTrade ? Tone::kWarning
                                                        : Tone::kMuted;
    table.rows.push_back({{ArmName(*row)},
                          {row->arm_off},
                          {RatioText(row->decode), Tone::kPlain, kMeasureLink},
                          {RatioText(row->prefill), Tone::kPlain, kMeasureLink},
                          {RatioText(row->load), Tone::kPlain, kMeasureLink},
                          {memory > 0 ? fmt::format("{}\u00d7", FormatRatio(memory)) : "-",
                           Tone::kPlain, "#how-memory"},
                          {std::string(VerdictWord(row->verdict, language)), tone},
                          {ReasonOf(*row, language)}});
  }
  return table;
}

// Where the peak of the process goes.
Chart Waterfall(const Explanation& explanation, const Measurement& measured, Language language) {
  const auto peak = static_cast<double>(measured.baseline.peak_resident_bytes);
  if (!(peak > 0)) return {};
  const auto weights = static_cast<double>(explanation.model.weights_bytes);
  const double tokens =
      static_cast<double>(measured.workload.prompt_tokens + measured.workload.decode_tokens);
  const double cache = tokens * static_cast<double>(explanation.model.cache_bytes_per_token);
  std::vector<WaterfallStep> steps;
  steps.push_back(
      {Say(language, "weights of the checkpoint", "检查点权重"), weights, false, "#how-shapes"});
  steps.push_back(
      {Say(language, "keys and values of {:.0f} tokens", "{:.0f} 个 token 的键值", tokens), cache,
       false, "#how-shapes"});
  steps.push_back({peak < weights + cache
                       ? Say(language, "of these not resident", "其中未驻留内存")
                       : Say(language, "program, activations, tokenizer", "程序、激活、分词器"),
                   peak - weights - cache, false, "#how-memory"});
  steps.push_back({Say(language, "peak of the process", "进程峰值"), peak, true, "#how-memory"});
  return {MemoryWaterfall(Say(language, "Memory", "内存"), steps,
                          static_cast<double>(explanation.machine.memory.usable_bytes),
                          Say(language, "usable here:", "本机可用："))};
}

// FLOPs of one token by the shapes: linear layers, attention over `keys` keys; the head where
// logits are made.
double FlopsPerToken(const ModelFacts& model, double keys, bool with_head) {
  const double embedding = static_cast<double>(model.vocab_size * model.hidden_size);
  const double outside = model.head_bytes > 0 ? 2 * embedding : embedding;
  const double linear =
      static_cast<double>(model.parameters) - outside + (with_head ? embedding : 0);
  const double attention =
      4 * keys *
      static_cast<double>(model.num_attention_heads * model.head_dim * model.num_hidden_layers);
  return 2 * linear + attention;
}

Chart Roofline(const Explanation& explanation, const Measurement& measured, Language language) {
  const Roofs& roofs = explanation.machine.roofs;
  std::vector<RooflineRoof> ceilings;
  if (roofs.fp32_peak_tflops > 0) ceilings.push_back({"fp32", roofs.fp32_peak_tflops});
  if (roofs.bf16_peak_tflops > roofs.fp32_peak_tflops * 1.02) {
    ceilings.push_back({"bf16", roofs.bf16_peak_tflops});
  }
  const ModelFacts& model = explanation.model;
  const MeasuredBaseline& baseline = measured.baseline;
  const double prompt = static_cast<double>(measured.workload.prompt_tokens);
  std::vector<RooflinePoint> points;
  if (baseline.decode_tokens_per_s > 0 && baseline.decode_bytes_per_token > 0) {
    const double flops = FlopsPerToken(model, prompt, true);
    points.push_back(
        {Say(language, "decode, {:.0f} tok/s", "解码 {:.0f} tok/s", baseline.decode_tokens_per_s),
         flops / baseline.decode_bytes_per_token, flops * baseline.decode_tokens_per_s / 1e12,
         kMeasureLink});
  }
  if (baseline.prefill_tokens_per_s > 0 && prompt > 0 && model.weights_bytes > 0) {
    const double flops = FlopsPerToken(model, prompt / 2, false);
    points.push_back({Say(language, "prefill, {:.0f} tok/s", "预填充 {:.0f} tok/s",
                          baseline.prefill_tokens_per_s),
                      flops * prompt / static_cast<double>(model.weights_bytes),
                      flops * baseline.prefill_tokens_per_s / 1e12, kMeasureLink});
  }
  return {RooflineChart(Say(language, "Roofline of this machine", "本机屋顶线"),
                        roofs.read_stream_gb_per_s, ceilings, points,
                        Say(language, "FLOP per byte read", "每读取字节的 FLOP"),
                        Say(language, "TFLOP/s", "TFLOP/s"))};
}

}  // namespace

void AddMeasured(const Report& report, Document& document) {
  const Language language = report.language;
  const Explanation& explanation = report.explanation;
  document.Add(Heading{2, Say(language, "What it buys here", "在本机的实际收益"), "measured"});
  if (!explanation.measured) {
    document.Add(Paragraph{Say(language,
                               "Nothing was measured for this model on this machine; "
                               "`fathom measure` does it.",
                               "尚未在本机实测此模型；运行 `fathom measure` 即可实测。")});
    return;
  }
  const Measurement& measured = *explanation.measured;
  const MeasuredBaseline& baseline = measured.baseline;
  document.Add(Paragraph{
      Say(language,
          "As `fathom run` does it here: prefill {:.0f} tok/s, decode {:.0f} tok/s, peak {}, "
          "loaded in {:.0f} ms.",
          "按 `fathom run` 的默认方式：预填充 {:.0f} tok/s，解码 {:.0f} tok/s，内存峰值 {}，加载 "
          "{:.0f} ms。",
          baseline.prefill_tokens_per_s, baseline.decode_tokens_per_s,
          BytesText(baseline.peak_resident_bytes), baseline.load_ms)});
  const struct {
    MeasureMode mode;
    std::string title;
  } modes[] = {
      {MeasureMode::kLeaveOneOut,
       Say(language, "One row switched, all else as run", "其余默认，只切换一项")},
      {MeasureMode::kOneAlone, Say(language, "One row on, all else plain", "其余全关，只开一项")}};
  for (const auto& [mode, title] : modes) {
    const auto rows = RowsOfMode(measured, mode);
    if (rows.empty()) continue;
    document.Add(Heading{3, title, ""});
    document.Add(Uplift(rows, &MeasuredRow::decode, Say(language, "Decode", "解码")));
    document.Add(Uplift(rows, &MeasuredRow::prefill, Say(language, "Prefill", "预填充")));
    document.Add(MeasuredTable(rows, language));
  }
  const auto slower = SlowerLines(explanation);
  if (!slower.empty()) {
    document.Add(Heading{3, Say(language, "Measured slower here", "本机实测更慢的设置"), ""});
  }
  for (const std::string& line : slower) document.Add(Paragraph{line});
  document.Add(Waterfall(explanation, measured, language));
  document.Add(Roofline(explanation, measured, language));
}

}  // namespace fathom
