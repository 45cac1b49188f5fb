#include "lab.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "base/json.h"

namespace fathom {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kReadProbeMs = 40;
constexpr double kPeakProbeMs = 30;

struct RoofText {
  const char* name;
  const char* unit;
  double scale;
};
RoofText TextOf(LabRoof roof) {
  switch (roof) {
    case LabRoof::kReadStream:
      return {"read stream", "GB/s", 1e9};
    case LabRoof::kFp32Peak:
      return {"fp32 peak", "TFLOP/s", 1e12};
    case LabRoof::kBf16Peak:
      return {"bf16 peak", "TFLOP/s", 1e12};
    case LabRoof::kInt8Peak:
      return {"int8 peak", "TOP/s", 1e12};
  }
  return {"", "", 1};
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

double Seconds(const LabTask& task, ThreadPool& pool) {
  const auto start = Clock::now();
  pool.Run([&](const Worker& worker) { task.run(worker); });
  return std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace

Lab::Lab(LabOptions options, RoofProbe probe, Machine machine)
    : options_(std::move(options)), probe_(std::move(probe)), machine_(std::move(machine)) {
  if (options_.threads.empty()) options_.threads = {machine_.cpu.cores};
  for (const int threads : options_.threads) {
    pools_.push_back(std::make_unique<ThreadPool>(threads, machine_.cpu.pin_order));
  }
}

Result<Lab> Lab::Create(LabOptions options) {
  NoticeList notices;
  FATHOM_ASSIGN(
      RoofProbe probe,
      RoofProbe::Create({.features = HostCpuFeatures(), .read_bytes = uint64_t{1} << 29}, notices));
  return Lab(std::move(options), std::move(probe), DetectMachine({.gpus = false}));
}

bool Lab::Wants(std::string_view op, std::string_view kernel, CpuFeatures features) const {
  return HostCpuFeatures().HasAll(features) && (options_.op.empty() || op == options_.op) &&
         kernel.find(options_.kernel) != std::string_view::npos &&
         (options_.isa.empty() || kernel.ends_with("_" + options_.isa));
}

bool Lab::WantsShape(std::string_view shape) const {
  return options_.shape.empty() || options_.shape == shape;
}

std::vector<int64_t> Lab::RowsOr(std::vector<int64_t> otherwise) const {
  return options_.rows.empty() ? otherwise : options_.rows;
}

int Lab::max_threads() const {
  return *std::max_element(options_.threads.begin(), options_.threads.end());
}

ProbeRate Lab::Probe(LabRoof roof, ThreadPool& pool) {
  switch (roof) {
    case LabRoof::kReadStream:
      return probe_.ReadStream(pool, kReadProbeMs);
    case LabRoof::kFp32Peak:
      return probe_.Fp32Peak(pool, kPeakProbeMs);
    case LabRoof::kBf16Peak:
      return probe_.Bf16Peak(pool, kPeakProbeMs);
    case LabRoof::kInt8Peak:
      return probe_.Int8Peak(pool, kPeakProbeMs);
  }
  return {};
}

// The ratio of a round is to the better of the probes on both sides: a disturbance only lowers one.
Lab::Row Lab::MeasureOn(const LabTask& task, ThreadPool& pool) {
  Row row{.task = task, .threads = pool.count()};
  Seconds(task, pool);
  const double scale = TextOf(task.roof).scale;
  std::vector<double> rates, roofs, ratios;
  ProbeRate before = Probe(task.roof, pool);
  for (int round = 0; round < options_.rounds; ++round) {
    const double rate = task.work / Seconds(task, pool) / scale;
    const ProbeRate after = Probe(task.roof, pool);
    rates.push_back(rate);
    roofs.push_back(std::max(before.median, after.median));
    ratios.push_back(rate / roofs.back());
    row.probe = after.unit;
    before = after;
  }
  row.rate = Median(rates);
  row.roof = Median(roofs);
  row.ratio = Median(ratios);
  row.low = *std::min_element(ratios.begin(), ratios.end());
  row.high = *std::max_element(ratios.begin(), ratios.end());
  row.task.run = nullptr;
  return row;
}

void Lab::Measure(const LabTask& task) {
  for (const auto& pool : pools_) {
    const Row row = MeasureOn(task, *pool);
    const RoofText text = TextOf(task.roof);
    std::string kernel = task.kernel;
    if (task.tuning != 0) kernel += fmt::format(" setting {}", task.tuning);
    fmt::print(
        "{:<46} {:<5} M={:<4} {:>2} thr {:>7.2f} {:<7} {:.3f} ({:.3f} - {:.3f}) of {} {:.2f}\n",
        kernel, task.shape, task.rows, row.threads, row.rate, text.unit, row.ratio, row.low,
        row.high, text.name, row.roof);
    std::fflush(stdout);
    rows_.push_back(row);
  }
}

Status Lab::WriteJson() const {
  if (options_.json.empty()) return Status::Ok();
  JsonArray list;
  for (const Row& row : rows_) {
    const RoofText text = TextOf(row.task.roof);
    list.push_back(JsonObject{{"family", row.task.family},
                              {"kernel", row.task.kernel},
                              {"setting", int64_t{row.task.tuning}},
                              {"shape", row.task.shape},
                              {"rows", row.task.rows},
                              {"threads", int64_t{row.threads}},
                              {"rate", row.rate},
                              {"unit", text.unit},
                              {"roof", text.name},
                              {"roof_value", row.roof},
                              {"roof_probe", row.probe},
                              {"ratio", row.ratio},
                              {"ratio_low", row.low},
                              {"ratio_high", row.high}});
  }
  JsonValue document;
  document.Set("cpu", machine_.cpu.model);
  document.Set("rounds", int64_t{options_.rounds});
  document.Set("rows", std::move(list));
  std::FILE* file = std::fopen(options_.json.c_str(), "w");
  if (file == nullptr) return Status::Usage("--json", options_.json + " cannot be written");
  const std::string text = fathom::WriteJson(document) + "\n";
  const bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
  if (std::fclose(file) != 0 || !written) {
    return Status::RunTime(options_.json + " was not written whole");
  }
  return Status::Ok();
}

}  // namespace fathom
