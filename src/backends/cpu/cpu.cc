// The cpu backend: weights packed into panels (planned arm) or used where they are mapped (eager
// arm), kernels for one instruction set level out of one binary.
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "backends/backend.h"
#include "backends/common/host_stores.h"
#include "backends/common/weight_import.h"
#include "backends/cpu/executable.h"
#include "backends/cpu/tuner.h"
#include "base/check.h"
#include "base/thread_pool.h"

namespace fathom {
namespace {

// Raised where a kernel's speed changes: what was timed before counts no more.
constexpr int kTuningVersion = 5;
// Panels that a worker packs at a time.
constexpr size_t kPackPanels = 4;

class CpuBackend final : public Backend {
 public:
  CpuBackend(BackendInfo info, CpuFeatures features, std::shared_ptr<ThreadPool> pool,
             std::shared_ptr<Tuner> tuner)
      : info_(std::move(info)),
        features_(features),
        pool_(std::move(pool)),
        tuner_(std::move(tuner)) {}

  const BackendInfo& info() const override { return info_; }
  TuningSummary tuning() const override {
    return tuner_ == nullptr ? TuningSummary{} : tuner_->summary();
  }

  WeightPlan ChooseWeight(const WeightRecipe& recipe, DType dtype, bool compiled) const override {
    if (recipe.role == WeightRole::kVector) return {WeightFormat::kDense, DType::kF32};
    const bool supported = dtype == DType::kF32 || dtype == DType::kF16 || dtype == DType::kBF16;
    return {compiled ? WeightFormat::kPanel16 : WeightFormat::kDense,
            supported ? dtype : DType::kF32};
  }

  bool HoldsQuantized() const override { return true; }
  bool HasBf16Products() const override { return features_.Has(CpuFeature::kAvx512Bf16); }

  std::unique_ptr<WeightStore> CreateWeights(int count) override {
    return std::make_unique<HostWeights>(count);
  }

  Status Upload(WeightStore& store, int index, const WeightRecipe& recipe, const WeightPlan& plan,
                std::span<const WeightSource> sources, bool in_place) override;

  bool AdoptsWeights() const override { return true; }
  void Adopt(WeightStore& store, int index, const Weight& weight) override {
    HeldWeight held;
    held.weight = weight;
    static_cast<HostWeights&>(store).Set(index, std::move(held));
  }

  Result<std::unique_ptr<CacheStore>> CreateCaches(const Plan& plan) override {
    return HostCaches::Create(plan);
  }

  Result<std::unique_ptr<Executable>> Compile(Plan plan, std::shared_ptr<const WeightStore> weights,
                                              std::shared_ptr<CacheStore> caches) override {
    return CpuExecutable::Create(std::move(plan), std::move(weights), std::move(caches), pool_,
                                 features_, tuner_);
  }

 private:
  Result<HeldWeight> Pack(HostWeights& store, const WeightRecipe& recipe, const WeightPlan& plan,
                          std::span<const WeightSource> sources);

  BackendInfo info_;
  CpuFeatures features_;
  std::shared_ptr<ThreadPool> pool_;
  std::shared_ptr<Tuner> tuner_;  // null: fixed choices
};

Result<HeldWeight> CpuBackend::Pack(HostWeights& store, const WeightRecipe& recipe,
                                    const WeightPlan& plan, std::span<const WeightSource> sources) {
  FATHOM_ASSIGN(const SourceRows rows, SourceRows::Create(recipe, sources));
  HeldWeight held;
  held.weight = PlanPacked(plan.format, plan.dtype, rows.rows(), rows.cols());
  FATHOM_ASSIGN(held.room, store.Room(static_cast<size_t>(held.weight.size_bytes)));
  held.weight.data = held.room.data();
  int64_t source_stride = 0;
  // Rows that lie as they are packed need no copy between.
  const void* in_place = rows.InPlace(1, &source_stride);
  // Other formats than plain panels are made from the file's own values.
  const DType copied = plan.format == WeightFormat::kPanel16 ? plan.dtype : DType::kF32;
  const DType dtype = in_place != nullptr ? rows.dtype() : copied;
  const int64_t row_bytes = rows.cols() * BytesOf(dtype);
  const size_t grain = 16 * kPackPanels;
  pool_->Run([&](const Worker& worker) {
    std::vector<std::byte> copy(in_place != nullptr ? 0 : grain * row_bytes);
    const Range mine = Split(static_cast<size_t>(rows.rows()), worker, grain);
    for (size_t row = mine.begin; row < mine.end; row += grain) {
      const auto first = static_cast<int64_t>(row);
      const auto count = static_cast<int64_t>(std::min(grain, mine.end - row));
      const void* from = copy.data();
      if (in_place != nullptr) {
        from = static_cast<const std::byte*>(in_place) + first * source_stride * BytesOf(dtype);
      } else {
        source_stride = rows.cols();
        rows.Read(first, count, dtype, copy.data(), rows.cols());
      }
      PackWeightRows(held.weight, dtype, from, source_stride, first, count, held.room.data());
      if (in_place != nullptr && sources[0].consumed) {
        sources[0].consumed(from, static_cast<size_t>(count * row_bytes));
      }
    }
  });
  return held;
}

Status CpuBackend::Upload(WeightStore& store, int index, const WeightRecipe& recipe,
                          const WeightPlan& plan, std::span<const WeightSource> sources,
                          bool in_place) {
  auto& weights = static_cast<HostWeights&>(store);
  if (recipe.role != WeightRole::kVector && plan.format != WeightFormat::kDense) {
    FATHOM_ASSIGN(HeldWeight held, Pack(weights, recipe, plan, sources));
    weights.Set(index, std::move(held));
    return Status::Ok();
  }
  // Our dense kernels read at any byte; a vector is read as floats by everyone.
  const int64_t alignment = recipe.role == WeightRole::kVector ? alignof(float) : 1;
  FATHOM_ASSIGN(HeldWeight held, ImportWeight(recipe, plan, sources, in_place, alignment));
  weights.Set(index, std::move(held));
  return Status::Ok();
}

std::shared_ptr<Tuner> MakeTuner(const Machine& machine, std::string_view isa, int threads,
                                 const std::string& folder) {
  TunerOptions options{.folder = folder};
  options.machine = fmt::format("{} | {} | {} threads", machine.cpu.model, isa, threads);
  for (const CpuKernel& kernel : CpuKernels()) {
    options.build += fmt::format("{}:{} ", kernel.name, kernel.tunings);
  }
  // Short: what it is made of is the table and the code behind it.
  options.build =
      fmt::format("{:016x} {}", std::hash<std::string>{}(options.build), kTuningVersion);
  return std::make_shared<Tuner>(std::move(options));
}

Result<std::unique_ptr<Backend>> CreateCpu(const Machine& machine, const BackendOptions& options) {
  const CpuFeatures host = HostCpuFeatures();
  Isa isa = BestIsa(host);
  if (!options.isa.empty()) {
    FATHOM_ASSIGN(isa, ParseIsa(options.isa));
  }
  FATHOM_ASSIGN(const CpuFeatures allowed, FeaturesAllowed(host, isa));
  if (options.threads < 0) return Status::Usage("--threads", "must not be negative");
  const int threads = options.threads > 0 ? options.threads : std::max(1, machine.cpu.cores);
  auto pool = std::make_shared<ThreadPool>(threads, machine.cpu.pin_order);
  BackendInfo info{.name = "cpu", .device = "cpu", .threads = pool->count()};
  info.isa = IsaName(isa);
  for (const std::string_view name : allowed.Names()) info.instruction_sets.emplace_back(name);
  std::shared_ptr<Tuner> tuner;
  if (options.tune) tuner = MakeTuner(machine, info.isa, info.threads, options.cache_folder);
  return std::unique_ptr<Backend>(
      std::make_unique<CpuBackend>(std::move(info), allowed, std::move(pool), std::move(tuner)));
}

TuningSummary Remembered(const Machine& machine, const BackendOptions& options) {
  const int threads = options.threads > 0 ? options.threads : std::max(1, machine.cpu.cores);
  const std::string best(IsaName(BestIsa(machine.cpu.features)));
  return MakeTuner(machine, options.isa.empty() ? best : options.isa, threads, options.cache_folder)
      ->remembered();
}

}  // namespace

const BackendRecord& backend_cpu() {
  static const BackendRecord record{
      .name = "cpu",
      .description = "packed weights and kernels for AMX, AVX-512, AVX2, NEON or any CPU",
      .create = CreateCpu,
      .remembered = Remembered,
  };
  return record;
}

}  // namespace fathom
