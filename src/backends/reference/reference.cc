// The oracle: every node runs its record's plain reference on one thread, weights are dense
// float32.
#include <fmt/format.h>

#include <utility>

#include "backends/backend.h"
#include "backends/common/host_stores.h"
#include "backends/common/step_binding.h"
#include "backends/common/weight_import.h"
#include "base/check.h"

namespace fathom {
namespace {

// References read weights byte by byte and vectors as floats.
constexpr int64_t kAlignment = alignof(float);

class ReferenceExecutable final : public Executable {
 public:
  ReferenceExecutable(StepBinding binding, std::shared_ptr<const WeightStore> weights,
                      std::shared_ptr<CacheStore> caches)
      : binding_(std::move(binding)), weights_(std::move(weights)), caches_(std::move(caches)) {
    for (const OpNode& node : binding_.graph().nodes) {
      choices_.push_back({.node = node.name,
                          .op = std::string(node.op->name),
                          .kernel = fmt::format("{}_reference", node.op->name),
                          .instruction_sets = "baseline"});
    }
  }

  const StepSizes& capacity() const override { return binding_.capacity(); }
  std::span<int32_t> Input(std::string_view name) override { return binding_.Input(name); }

  Status Launch(const StepSizes& sizes) override {
    FATHOM_TRY(binding_.Bind(sizes));
    const auto& nodes = binding_.graph().nodes;
    for (size_t i = 0; i < nodes.size(); ++i) {
      nodes[i].op->reference(binding_.call(i));
      binding_.DropMapped(i);
    }
    return Status::Ok();
  }

  Status Wait() override { return Status::Ok(); }
  Tensor Logits() override { return binding_.logits(); }
  Tensor Kept(ValueId id) override { return binding_.value(id); }
  std::span<const KernelChoice> kernels() const override { return choices_; }
  int64_t arena_bytes() const override { return binding_.arena_bytes(); }

 private:
  StepBinding binding_;
  std::shared_ptr<const WeightStore> weights_;
  std::shared_ptr<CacheStore> caches_;
  std::vector<KernelChoice> choices_;
};

class ReferenceBackend final : public Backend {
 public:
  const BackendInfo& info() const override { return info_; }

  WeightPlan ChooseWeight(const WeightRecipe&, DType, bool) const override {
    return {.format = WeightFormat::kDense, .dtype = DType::kF32};
  }

  // Read row by row as float32, which is exact.
  bool HoldsQuantized() const override { return true; }

  std::unique_ptr<WeightStore> CreateWeights(int count) override {
    return std::make_unique<HostWeights>(count);
  }

  Status Upload(WeightStore& store, int index, const WeightRecipe& recipe, const WeightPlan& plan,
                std::span<const WeightSource> sources, bool in_place) override {
    FATHOM_ASSIGN(HeldWeight held, ImportWeight(recipe, plan, sources, in_place, kAlignment));
    static_cast<HostWeights&>(store).Set(index, std::move(held));
    return Status::Ok();
  }

  Result<std::unique_ptr<CacheStore>> CreateCaches(const Plan& plan) override {
    return HostCaches::Create(plan);
  }

  Result<std::unique_ptr<Executable>> Compile(Plan plan, std::shared_ptr<const WeightStore> weights,
                                              std::shared_ptr<CacheStore> caches) override {
    FATHOM_CHECK(plan.graph != nullptr && weights != nullptr && caches != nullptr);
    FATHOM_ASSIGN(StepBinding binding, StepBinding::Create(plan, *weights, *caches));
    return std::unique_ptr<Executable>(std::make_unique<ReferenceExecutable>(
        std::move(binding), std::move(weights), std::move(caches)));
  }

 private:
  BackendInfo info_ = {.name = "reference",
                       .device = "cpu",
                       .threads = 1,
                       .isa = "baseline",
                       .instruction_sets = {"baseline"}};
};

Result<std::unique_ptr<Backend>> Create(const Machine&, const BackendOptions& options) {
  if (!options.isa.empty() && options.isa != "baseline") {
    return Status::Usage("--isa", fmt::format("the reference backend has no \"{}\"", options.isa),
                         "leave it out, or choose --backend cpu");
  }
  return std::unique_ptr<Backend>(std::make_unique<ReferenceBackend>());
}

}  // namespace

const BackendRecord& backend_reference() {
  static const BackendRecord record{
      .name = "reference",
      .description = "plain float32 loops on one thread: what the other backends are held against",
      .create = Create,
      .plain = true,
  };
  return record;
}

}  // namespace fathom
