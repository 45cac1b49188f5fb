// `fathom machine`: what this machine is, and its measured roofs.
#include <fmt/format.h>

#include <memory>

#include "base/json.h"
#include "base/log.h"
#include "base/thread_pool.h"
#include "base/units.h"
#include "cli/command.h"
#include "cli/model_options.h"
#include "cli/terminal.h"
#include "fathom/machine.h"
#include "machine/roofs.h"
#include "measure/roof_cache.h"

namespace fathom {
namespace {

struct MachineArguments {
  std::string format = "text";
  std::string isa;
  int threads = 0;
  double seconds = 2.5;
  bool no_probe = false;
  bool quiet = false;
};

std::string DescribeRoofs(const Roofs& roofs) {
  std::string text = fmt::format("roofs, {} threads, {}\n", roofs.threads, roofs.isa);
  text += fmt::format("  read stream  {:>8.1f} GB/s     {}\n", roofs.read_stream_gb_per_s,
                      roofs.read_stream_variant);
  for (const auto& [threads, rate] : roofs.read_stream_by_threads) {
    text +=
        fmt::format("    {} thread{}  {:>8.1f} GB/s\n", threads, threads == 1 ? " " : "s", rate);
  }
  const auto peak = [&](std::string_view name, double value, std::string_view unit,
                        const std::string& code) {
    if (value > 0) {
      text += fmt::format("  {}   {:>8.3f} {}  {}\n", name, value, unit, code);
    } else {
      text += fmt::format("  {}          -           no unit for it\n", name);
    }
  };
  peak("fp32 peak", roofs.fp32_peak_tflops, "TFLOP/s", roofs.fp32_unit);
  peak("bf16 peak", roofs.bf16_peak_tflops, "TFLOP/s", roofs.bf16_unit);
  peak("int8 peak", roofs.int8_peak_tops, "TOP/s  ", roofs.int8_unit);
  return text;
}

std::string Describe(const Machine& machine, bool with_evidence) {
  std::string text = fmt::format("{}\n", machine.cpu.model);
  text +=
      fmt::format("cores     {} usable of {} CPUs\n", machine.cpu.cores, machine.cpu.logical_cpus);
  text += fmt::format("isa       {} ({})\n", IsaName(BestIsa(machine.cpu.features)),
                      machine.cpu.features.ToString());
  for (const CacheInfo& cache : machine.cpu.caches) {
    text += fmt::format("cache     L{} {} {}\n", cache.level, cache.type,
                        BytesText(static_cast<int64_t>(cache.size_bytes)));
  }
  text += fmt::format("memory    {} usable of {}\n",
                      BytesText(static_cast<int64_t>(machine.memory.usable_bytes)),
                      BytesText(static_cast<int64_t>(machine.memory.total_bytes)));
  if (machine.gpus.empty()) {
    text += fmt::format("gpus      {}\n", machine.EvidenceOf("gpus.cuda"));
  }
  for (const GpuInfo& gpu : machine.gpus) {
    text += fmt::format("gpu       {} {} {}\n", gpu.kind, gpu.name,
                        BytesText(static_cast<int64_t>(gpu.total_bytes)));
  }
  if (machine.roofs.threads > 0) text += DescribeRoofs(machine.roofs);
  if (with_evidence) {
    text += "evidence\n";
    for (const auto& [fact, how] : machine.evidence) text += fmt::format("  {}: {}\n", fact, how);
  }
  return text;
}

Status Measure(const MachineArguments& arguments, Machine& machine) {
  Isa isa = BestIsa(machine.cpu.features);
  if (!arguments.isa.empty()) {
    FATHOM_ASSIGN(isa, ParseIsa(arguments.isa));
  }
  const int threads = arguments.threads > 0 ? arguments.threads : machine.cpu.cores;
  ThreadPool pool(threads, machine.cpu.pin_order);
  NoticeList notices;
  FATHOM_ASSIGN(machine.roofs, MeasureRoofs(pool, machine, isa, notices, 1000 * arguments.seconds));
  PrintNotices(notices, arguments.quiet);
  RememberReadStream(machine, std::string(IsaName(isa)), threads,
                     machine.roofs.read_stream_gb_per_s);
  return Status::Ok();
}

CommandAction Setup(CLI::App& app) {
  auto arguments = std::make_shared<MachineArguments>();
  auto evidence = std::make_shared<bool>(false);
  app.add_option("--format", arguments->format, "text or json")
      ->check(CLI::IsMember({"text", "json"}));
  app.add_option("--isa", arguments->isa, "measure with no more than amx, avx512, avx2, baseline");
  app.add_option("--threads", arguments->threads, "threads (default: the cores usable)")
      ->check(CLI::Range(1, 1024));
  app.add_option("--seconds", arguments->seconds, "time for the probes")
      ->check(CLI::Range(0.1, 600.0));
  app.add_flag("--no-probe", arguments->no_probe, "tell what it is without measuring");
  app.add_flag("--evidence", *evidence, "how each fact is known");
  app.add_flag("--quiet", arguments->quiet, "nothing on stderr");
  return [arguments, evidence] {
    Machine machine = DetectMachine();
    if (!arguments->no_probe) FATHOM_TRY(Measure(*arguments, machine));
    if (arguments->format == "text") return WriteOut(Describe(machine, *evidence));
    FATHOM_ASSIGN(const JsonValue json, ParseJson(MachineToJson(machine), "machine"));
    return WriteOut(WriteJson(json) + "\n");
  };
}

}  // namespace

const Command& command_machine() {
  static const Command command = {"machine", "what this machine is, and its measured roofs", 60,
                                  Setup};
  return command;
}

}  // namespace fathom
