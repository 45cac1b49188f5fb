#include "report/report.h"

#include <fmt/format.h>

#include "audit/report/report.h"
#include "report/explanation_parts.h"
#include "report/report_parts.h"

namespace fathom {

namespace {

void AddRow(Table& table, std::string fact, std::string value, std::string link) {
  table.rows.push_back({{std::move(fact)}, {std::move(value), Tone::kPlain, std::move(link)}});
}

// A link for every fact that the machine has evidence for.
constexpr const char* kDetectLink = "#how-machine";
constexpr const char* kRoofLink = "#how-roofs";

std::string Gigabytes(uint64_t bytes) {
  return fmt::format("{:.1f} GiB", static_cast<double>(bytes) / (1 << 30));
}

SourceNote RoofSource(const Report& report) {
  const Roofs& roofs = report.explanation.machine.roofs;
  const Language language = report.language;
  if (!(roofs.read_stream_gb_per_s > 0)) {
    return {"how-roofs", Say(language, "Roofs were not measured for this report (`--no-probe`).",
                             "本报告未测量硬件上限（`--no-probe`）。")};
  }
  return {
      "how-roofs",
      Say(language,
          "Roofs: measured for this report by the probes of `fathom machine` with {} threads: "
          "memory read once in order ({}), multiply-adds from registers ({}).",
          "硬件上限：由 `fathom machine` 的探针在本报告生成时用 {} 个线程实测：顺序读内存（{}），"
          "寄存器乘加（{}）。",
          roofs.threads, roofs.read_stream_variant, roofs.fp32_unit)};
}

SourceNote MeasureSource(const Report& report) {
  const Language language = report.language;
  const auto& measured = report.explanation.measured;
  if (!measured) {
    return {"how-measure", Say(language, "Nothing was measured.", "未做任何实测。")};
  }
  const MeasuredWorkload& work = measured->workload;
  return {
      "how-measure",
      Say(language,
          "Speeds: `fathom measure` on {}: {} tokens of prompt, {} tokens decoded, seed {}; arms "
          "interleaved, medians of ratios of neighbouring rounds with intervals that hold at "
          "{:.4g} % each and include 1 where the median is nearer to it than what "
          "identical arms may differ by (decode {:.2f}×, prefill {:.2f}×).",
          "速度：`fathom measure`，{}：提示 {} 个 token，解码 {} 个 token，种子 "
          "{}；各分支交替运行，"
          "取相邻轮次比值的中位数，每个区间按 {:.4g}% 成立；中位数与 1 "
          "的差小于相同分支之间可能的差异（解码 {:.2f}×，预填充 {:.2f}×）时，区间包含 1。",
          measured->when, work.prompt_tokens, work.decode_tokens, work.seed,
          100 * work.interval_level, work.noise_decode, work.noise_prefill)};
}

}  // namespace

void AddMachine(const Report& report, Document& document) {
  const Language language = report.language;
  const Machine& machine = report.explanation.machine;
  document.Add(Heading{2, Say(language, "The machine", "机器"), "machine"});
  Table table{.columns = {{.title = Say(language, "fact", "项目")},
                          {.title = Say(language, "value", "数值"), .wraps = true}}};
  AddRow(table, Say(language, "CPU", "处理器"), machine.cpu.model, kDetectLink);
  AddRow(table, Say(language, "cores usable", "可用核数"), fmt::format("{}", machine.cpu.cores),
         kDetectLink);
  AddRow(table, Say(language, "instruction sets", "指令集"), machine.cpu.features.ToString(),
         kDetectLink);
  AddRow(table, Say(language, "memory usable", "可用内存"),
         fmt::format("{} / {}", Gigabytes(machine.memory.usable_bytes),
                     Gigabytes(machine.memory.total_bytes)),
         kDetectLink);
  std::string gpus;
  for (const GpuInfo& gpu : machine.gpus) gpus += (gpus.empty() ? "" : ", ") + gpu.name;
  if (gpus.empty()) gpus = Say(language, "none", "无");
  AddRow(table, Say(language, "GPUs", "GPU"), gpus, kDetectLink);
  const Roofs& roofs = machine.roofs;
  if (roofs.read_stream_gb_per_s > 0) {
    AddRow(table, Say(language, "read stream", "内存读带宽"),
           fmt::format("{:.1f} GB/s", roofs.read_stream_gb_per_s), kRoofLink);
    AddRow(table, Say(language, "fp32 peak", "fp32 峰值"),
           fmt::format("{:.3f} TFLOP/s", roofs.fp32_peak_tflops), kRoofLink);
    AddRow(table, Say(language, "bf16 peak", "bf16 峰值"),
           fmt::format("{:.3f} TFLOP/s", roofs.bf16_peak_tflops), kRoofLink);
    AddRow(table, Say(language, "int8 peak", "int8 峰值"),
           fmt::format("{:.3f} TOP/s", roofs.int8_peak_tops), kRoofLink);
  }
  document.Add(std::move(table));
}

void AddExplanation(const Report& report, Document& document) {
  const Language language = report.language;
  const Explanation& explanation = report.explanation;
  document.Add(Heading{
      2,
      Say(language, "{} in Fathom on this machine", "{} 在本机 Fathom 中", ModelTitle(explanation)),
      "explain"});
  document.Add(Paragraph{ModelLine(explanation)});
  Table table = OptimizationTable(explanation);
  for (auto& row : table.rows) {
    row[3].link = "#how-explain";
    if (row[4].text != "-") row[4].link = "#how-measure";
  }
  document.Add(std::move(table));
  document.Add(OtherDevicesTable(explanation));
}

std::vector<SourceNote> SourcesOf(const Report& report) {
  const Language language = report.language;
  return {
      {"how-machine",
       Say(language,
           "Machine: asked of the processor (cpuid), the system (affinity, cgroups, "
           "/proc/meminfo) and the GPU drivers; `fathom machine --format json` lists the evidence "
           "of each fact.",
           "机器：取自处理器（cpuid）、系统（亲和性、cgroup、/proc/meminfo）与 GPU 驱动；"
           "`fathom machine --format json` 列出每项依据。")},
      RoofSource(report),
      {"how-audit",
       Say(language,
           "Lines and counts: read off the script's syntax tree, which is never run, with what is "
           "true for the versions named; `fathom audit` prints the same.",
           "行号与计数：由脚本语法树得出，脚本从未运行；结论按所列版本判断；`fathom audit` "
           "输出相同内容。")},
      {"how-explain",
       Say(language,
           "States and reasons: each row's own detection on this machine for this model; "
           "`fathom explain --evidence` lists the facts.",
           "状态与原因：每一项在本机针对此模型的检测结果；`fathom explain --evidence` 列出依据。")},
      MeasureSource(report),
      {"how-memory",
       Say(language,
           "Memory: the largest resident size (VmHWM) of a fresh process for each arm, which "
           "loads, "
           "takes in the prompt and decodes.",
           "内存：每个分支各用一个新进程完成加载、预填充与解码时的最大驻留内存（VmHWM）。")},
      {"how-shapes",
       Say(language,
           "Bytes of weights and cache, FLOP a token: computed from config.json and the headers of "
           "the checkpoint; 2 FLOP a weight of the linear layers, attention over half the prompt.",
           "权重与缓存字节数、每 token FLOP：由 config.json 与检查点头部计算；线性层每权重 2 FLOP，"
           "注意力按提示长度的一半计。")}};
}

Document ReportDocument(const Report& report) {
  const Language language = report.language;
  Document document{.language = language};
  const std::string model = ModelTitle(report.explanation);
  document.Add(Heading{1,
                       Say(language, "Optimizations of {} with {}", "{} 配合 {} 的优化报告",
                           report.audit.script, model),
                       ""});
  document.Add(Paragraph{MachineLine(report.explanation)});
  AddAudit(report, document);
  AddMachine(report, document);
  AddExplanation(report, document);
  AddMeasured(report, document);
  document.Add(Heading{2, Say(language, "How each number was obtained", "每个数字的来源"), "how"});
  for (SourceNote& note : SourcesOf(report)) document.Add(std::move(note));
  document.Add(Paragraph{Say(language, "Made by `{}`.", "由 `{}` 生成。", report.command)});
  return document;
}

JsonValue ReportToJson(const Report& report) {
  JsonValue document;
  const Explanation& explanation = report.explanation;
  auto machine = ParseJson(MachineToJson(explanation.machine), "machine");
  document.Set("machine", machine.ok() ? *std::move(machine) : JsonValue());
  document.Set("audit", AuditToJson(report.audit, report.audit_options));
  document.Set("explain", ExplanationToJson(explanation));
  document.Set("measure",
               explanation.measured ? MeasurementToJson(*explanation.measured) : JsonValue());
  JsonArray sources;
  for (const SourceNote& note : SourcesOf(report)) {
    sources.push_back(JsonObject{{"id", note.id}, {"text", note.text}});
  }
  document.Set("sources", std::move(sources));
  return document;
}

}  // namespace fathom
