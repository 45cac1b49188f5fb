// TuneAll: the candidates of every stage of every node, timed shape by shape on the executable's
// own weights and buffers.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "backends/cpu/executable.h"

namespace fathom {
namespace {

// Work of one timed run: a step of many rows is timed over fewer, a small one over several layers.
constexpr double kRunFlops = 4e7;
constexpr double kGemmRunFlops = 4e8;
constexpr size_t kMaxNodes = 16;
constexpr int64_t kMinGemmRows = 32;
// Keys that attention is timed over.
constexpr int64_t kTimedKeys = 256;

std::string DescribeShape(const Shape& shape) {
  std::string text;
  for (int i = 0; i < shape.rank; ++i) text += fmt::format("{}{}", i == 0 ? "" : "x", shape[i]);
  return text;
}

// Everything that a kernel's speed depends on, at the sizes of the binding.
std::string DescribeCall(const OpRecord& op, const OpCall& call) {
  std::string text(op.name);
  for (const Operand& operand : call.inputs) {
    if (!operand.present()) continue;
    if (operand.weight != nullptr) {
      text += fmt::format(" {} {} {}x{}", FormatName(operand.weight->format),
                          SafetensorsName(operand.weight->dtype), operand.weight->rows,
                          operand.weight->cols);
    } else if (operand.tensor.shape.rank == 4) {  // a cache: how many blocks is no matter
      text += fmt::format(" {} {}x{}", SafetensorsName(operand.tensor.dtype),
                          operand.tensor.shape[1], operand.tensor.shape[3]);
    } else {
      text += " " + DescribeShape(operand.tensor.shape);
    }
  }
  return text;
}

}  // namespace

// One shape: nodes that are alike, and the stage of them that is timed.
class StageTiming {
 public:
  StageTiming(CpuExecutable& executable, size_t node, size_t stage)
      : executable_(executable), first_(node), stage_(stage) {}

  // Sizes that the stage is timed at, set in the binding. False where it cannot be.
  bool Bind() {
    const OpNode& node = graph().nodes[first_];
    const StepSizes& capacity = executable_.capacity();
    if (executable_.binding_.IsMapped(first_)) return false;  // the disk would be timed
    const auto rows_at = [&](const StepSizes& sizes) {
      const auto& dims = graph().values[node.inputs[0]].dims;
      return dims.empty() ? 0 : sizes.Evaluate(dims[0]);
    };
    int64_t rows = std::min(executable_.nodes_[first_].stages[stage_].max_rows, rows_at(capacity));
    const double flops_a_row =
        FlopsOf() / static_cast<double>(std::max<int64_t>(1, rows_at(capacity)));
    const bool gemm = rows > kMinGemmRows;
    const auto affordable =
        static_cast<int64_t>((gemm ? kGemmRunFlops : kRunFlops) / std::max(1.0, flops_a_row));
    rows = std::min(rows, std::max(affordable, kMinGemmRows));
    if (node.op->name == "attention" && rows > 1) return false;
    sizes_ = {.num_tokens = std::min(rows, capacity.num_tokens),
              .num_sequences = 1,
              .num_logit_rows = std::min(rows, capacity.num_logit_rows),
              .max_blocks = std::min<int64_t>(capacity.max_blocks, kTimedKeys / kCacheBlockSize)};
    if (rows <= 0 || sizes_.max_blocks < 1 || !executable_.binding_.Bind(sizes_).ok()) return false;
    FillInputs(node);
    flops_ = flops_a_row * static_cast<double>(rows);
    shape_ = DescribeCall(*node.op, executable_.binding_.call(first_));
    return true;
  }

  const std::string& shape() const { return shape_; }

  // The fixed choice and what differs from it and from each other at these sizes.
  std::vector<KernelStage> Distinct(const std::vector<KernelStage>& stages) const {
    std::vector<KernelStage> distinct;
    for (const KernelStage& stage : stages) {
      const auto same = [&](const KernelStage& other) {
        return other.kernel == stage.kernel && other.tuning == stage.tuning &&
               IsForOneWorker(other) == IsForOneWorker(stage);
      };
      if (std::none_of(distinct.begin(), distinct.end(), same)) distinct.push_back(stage);
    }
    return distinct;
  }

  // As long as the work of one run is small, further nodes of the shape: their weights are not in
  // the caches either when a step comes to them.
  void FindNodes() {
    const size_t wanted =
        std::clamp<size_t>(static_cast<size_t>(kRunFlops / std::max(1.0, flops_)), 1, kMaxNodes);
    for (size_t i = first_; i < graph().nodes.size() && nodes_.size() < wanted; ++i) {
      const auto& mine = executable_.nodes_[i];
      if (executable_.binding_.IsMapped(i) || mine.stages.size() <= stage_ ||
          mine.stages[stage_].kernel != executable_.nodes_[first_].stages[stage_].kernel) {
        continue;
      }
      if (DescribeCall(*graph().nodes[i].op, executable_.binding_.call(i)) == shape_) {
        nodes_.push_back(i);
      }
    }
  }

  void Run(const KernelStage& stage) {
    const bool one = IsForOneWorker(stage);
    for (const size_t node : nodes_) executable_.binding_.SetTuning(node, stage.tuning);
    executable_.pool_->Run([&](const Worker& worker) {
      for (const size_t node : nodes_) {
        const OpCall& call = executable_.binding_.call(node);
        if (one) {
          worker.BarrierThen([&] { stage.kernel->run(call, Worker{}); });
        } else {
          stage.kernel->run(call, worker);
          worker.Barrier();
        }
      }
    });
  }

 private:
  bool IsForOneWorker(const KernelStage& stage) const {
    return executable_.IsForOneWorker(stage, first_, sizes_.num_tokens);
  }
  const Graph& graph() const { return executable_.binding_.graph(); }

  // Of the call at the plan's largest sizes, which the binding has then.
  double FlopsOf() {
    const OpNode& node = graph().nodes[first_];
    std::vector<Shape> inputs, outputs;
    for (const ValueId id : node.inputs) {
      inputs.push_back(id == kAbsent ? Shape{} : executable_.binding_.CapacityShape(id));
    }
    for (const ValueId id : node.outputs) outputs.push_back(executable_.binding_.CapacityShape(id));
    return node.op->cost(node.attributes, inputs, outputs).flops;
  }

  // A step that attention can read: one token behind the keys of the first blocks.
  void FillInputs(const OpNode& node) {
    if (node.op->name != "attention") return;
    StepBinding& binding = executable_.binding_;
    const std::span<int32_t> table = binding.Input(graph().values[node.inputs[3]].name);
    const std::span<int32_t> start = binding.Input(graph().values[node.inputs[4]].name);
    const std::span<int32_t> offset = binding.Input(graph().values[node.inputs[5]].name);
    const int64_t blocks = binding.call(first_).inputs[1].tensor.shape[0];
    for (int64_t i = 0; i < sizes_.max_blocks; ++i) table[i] = static_cast<int32_t>(i % blocks);
    start[0] = 0;
    start[1] = 1;
    offset[0] = static_cast<int32_t>(sizes_.max_blocks * kCacheBlockSize - 1);
  }

  CpuExecutable& executable_;
  size_t first_;
  size_t stage_;
  StepSizes sizes_;
  double flops_ = 0;
  std::string shape_;
  std::vector<size_t> nodes_;
};

Status CpuExecutable::TuneAll(CpuFeatures features, Tuner& tuner) {
  const Graph& graph = binding_.graph();
  for (size_t i = 0; i < nodes_.size(); ++i) {
    for (const KernelStage& stage : nodes_[i].stages) {
      nodes_[i].candidates.push_back(StageCandidates(CpuKernels(), features, *graph.nodes[i].op,
                                                     binding_.call(i), stage, pool_->count()));
    }
  }
  FATHOM_TRY(AllocateScratch());
  std::map<std::string, size_t> chosen;  // by shape and fixed kernel
  for (size_t i = 0; i < nodes_.size(); ++i) {
    for (size_t s = 0; s < nodes_[i].stages.size(); ++s) {
      StageTiming timing(*this, i, s);
      if (nodes_[i].candidates[s].size() < 2 || !timing.Bind()) continue;
      const std::vector<KernelStage> stages = timing.Distinct(nodes_[i].candidates[s]);
      if (stages.size() < 2) continue;
      const std::string key = timing.shape() + " | " + stages[0].kernel->name;
      auto found = chosen.find(key);
      if (found == chosen.end()) {
        timing.FindNodes();
        std::vector<TuningCandidate> candidates;
        for (const KernelStage& stage : stages) {
          candidates.push_back({fmt::format("{} {}", stage.kernel->name, DescribeTuning(stage)),
                                [&timing, &stage] { timing.Run(stage); }});
        }
        found = chosen.emplace(key, tuner.Choose(key, candidates)).first;
      }
      if (found->second < stages.size()) nodes_[i].stages[s] = stages[found->second];
    }
  }
  for (Node& node : nodes_) node.candidates = {};
  tuner.Save();
  FATHOM_TRY(binding_.Bind(binding_.capacity()));
  return AllocateScratch();
}

}  // namespace fathom
