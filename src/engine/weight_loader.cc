#include "engine/weight_loader.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <numeric>

#include "base/arena.h"
#include "tensor/convert.h"
#include "tensor/weight.h"

namespace fathom {

namespace {

// Elements whose exponent is all ones are NaN or infinite.
template <typename Bits>
bool AnyExponentFull(const void* data, int64_t count, Bits exponent) {
  constexpr int64_t kChunk = 4096;
  Bits chunk[kChunk];
  const auto* bytes = static_cast<const std::byte*>(data);
  for (int64_t begin = 0; begin < count; begin += kChunk) {
    const int64_t size = std::min(kChunk, count - begin);
    std::memcpy(chunk, bytes + begin * static_cast<int64_t>(sizeof(Bits)), size * sizeof(Bits));
    Bits found = 0;
    for (int64_t i = 0; i < size; ++i) found |= (chunk[i] & exponent) == exponent;
    if (found != 0) return true;
  }
  return false;
}

bool UsedInPlace(const WeightRecipe& recipe, const WeightPlan& plan, const LocatedWeight& located) {
  return recipe.role != WeightRole::kVector && plan.format == WeightFormat::kDense &&
         located.sources.size() == 1 && !recipe.transpose && located.sources[0].dtype == plan.dtype;
}

bool LiesIn(const void* data, const CheckpointTensor& tensor) {
  const auto* begin = static_cast<const std::byte*>(data);
  return begin >= tensor.data && begin < tensor.data + tensor.size_bytes;
}

class Loader {
 public:
  Loader(Backend& backend, const Checkpoint& checkpoint, const Graph& graph,
         std::span<const WeightPlan> plans, std::span<const LocatedWeight> located, DType dtype,
         NoticeSink* notices)
      : backend_(backend),
        checkpoint_(checkpoint),
        graph_(graph),
        plans_(plans),
        located_(located),
        dtype_(dtype),
        notices_(notices),
        store_(backend.CreateWeights(static_cast<int>(graph.weights.size()))) {}

  Status LoadOneByOne() {
    std::vector<size_t> order(located_.size());
    std::iota(order.begin(), order.end(), 0);
    std::ranges::stable_sort(order, std::greater<>(),
                             [&](size_t i) { return located_[i].source_bytes; });
    for (const size_t i : order) {
      for (const CheckpointTensor* tensor : located_[i].tensors) checkpoint_.WillNeed(*tensor);
      FATHOM_TRY(UploadMapped(i));
    }
    return Status::Ok();
  }

  // The off-arm: the whole file in memory before anything is converted, as torch.load did.
  Status LoadAllThenCopy() {
    std::vector<AlignedBuffer> buffers;
    std::vector<std::vector<WeightSource>> copies;
    for (const LocatedWeight& located : located_) {
      copies.push_back(located.sources);
      if (plans_[copies.size() - 1].mapped) continue;
      for (size_t i = 0; i < located.sources.size(); ++i) {
        const CheckpointTensor& tensor = *located.tensors[i];
        FATHOM_ASSIGN(AlignedBuffer buffer, AlignedBuffer::Allocate(tensor.size_bytes));
        if (tensor.size_bytes > 0) std::memcpy(buffer.data(), tensor.data, tensor.size_bytes);
        copies.back()[i].data = buffer.data();
        checkpoint_.Drop(tensor);
        buffers.push_back(std::move(buffer));
      }
    }
    for (size_t i = 0; i < located_.size(); ++i) {
      if (plans_[i].mapped) {
        FATHOM_TRY(UploadMapped(i));
        continue;
      }
      if (!std::ranges::all_of(copies[i], IsFinite)) WarnOf(i);
      FATHOM_TRY(Upload(i, copies[i], false));
    }
    return Status::Ok();
  }

  std::shared_ptr<const WeightStore> TakeStore() { return std::move(store_); }

 private:
  // Checks and lets go of each piece as soon as the backend has read it, while it is in the caches.
  Status UploadMapped(size_t i) {
    const LocatedWeight& located = located_[i];
    std::vector<WeightSource> sources = located.sources;
    std::vector<std::atomic<uint64_t>> consumed(sources.size());
    std::atomic<bool> finite = true;
    for (size_t k = 0; k < sources.size(); ++k) {
      const CheckpointTensor* tensor = located.tensors[k];
      sources[k].consumed = [this, tensor, &finite, &sum = consumed[k]](const void* bytes,
                                                                        size_t size) {
        const auto count = static_cast<int64_t>(size) / BytesOf(tensor->dtype);
        if (HasNonFinite(tensor->dtype, bytes, count)) finite = false;
        const auto offset = static_cast<const std::byte*>(bytes) - tensor->data;
        checkpoint_.Drop(*tensor, static_cast<uint64_t>(offset), size);
        sum += size;
      };
    }
    FATHOM_TRY(Upload(i, sources, true));
    const void* held = store_->Get(static_cast<int>(i)).data;
    for (size_t k = 0; k < sources.size(); ++k) {
      const CheckpointTensor& tensor = *located.tensors[k];
      if (consumed[k] < tensor.size_bytes) finite = finite && IsFinite(sources[k]);
      if (!LiesIn(held, tensor) || plans_[i].mapped) checkpoint_.Drop(tensor);
    }
    if (!finite) WarnOf(i);
    return Status::Ok();
  }

  static bool IsFinite(const WeightSource& source) {
    return !HasNonFinite(source.dtype, source.data, source.rows * source.cols);
  }

  void WarnOf(size_t i) {
    if (notices_ == nullptr) return;
    notices_->Warn(fmt::format("the weight {} holds NaN or infinity: answers will fail",
                               located_[i].tensors[0]->name));
  }

  Status Upload(size_t i, std::span<const WeightSource> sources, bool in_place) {
    const WeightRecipe& recipe = graph_.weights[i];
    const bool narrower = BytesOf(dtype_) < BytesOf(DType::kF32);
    if (recipe.role != WeightRole::kVector || !narrower) {
      return backend_.Upload(*store_, static_cast<int>(i), recipe, plans_[i], sources, in_place);
    }
    std::vector<std::vector<uint16_t>> rounded(sources.size());
    std::vector<WeightSource> narrow(sources.begin(), sources.end());
    for (size_t k = 0; k < sources.size(); ++k) {
      std::vector<float> wide(static_cast<size_t>(sources[k].cols));
      rounded[k].resize(wide.size());
      ConvertToFloat(sources[k].dtype, sources[k].data, sources[k].cols, wide.data());
      ConvertFromFloat(dtype_, wide.data(), sources[k].cols, rounded[k].data());
      narrow[k].dtype = dtype_;
      narrow[k].data = rounded[k].data();
      narrow[k].consumed = {};
    }
    return backend_.Upload(*store_, static_cast<int>(i), recipe, plans_[i], narrow, false);
  }

  Backend& backend_;
  const Checkpoint& checkpoint_;
  const Graph& graph_;
  std::span<const WeightPlan> plans_;
  std::span<const LocatedWeight> located_;
  DType dtype_;
  NoticeSink* notices_;
  std::unique_ptr<WeightStore> store_;
};

}  // namespace

bool HasNonFinite(DType dtype, const void* data, int64_t count) {
  switch (dtype) {
    case DType::kBF16:
      return AnyExponentFull<uint16_t>(data, count, 0x7F80);
    case DType::kF16:
      return AnyExponentFull<uint16_t>(data, count, 0x7C00);
    case DType::kF32:
      return AnyExponentFull<uint32_t>(data, count, 0x7F800000);
    case DType::kF64:
      return AnyExponentFull<uint64_t>(data, count, 0x7FF0000000000000);
    default:
      return false;
  }
}

WeightForecast ForecastWeights(const Graph& graph, std::span<const WeightPlan> plans,
                               std::span<const LocatedWeight> located) {
  WeightForecast forecast;
  for (size_t i = 0; i < located.size(); ++i) {
    const WeightRecipe& recipe = graph.weights[i];
    const auto source_bytes = static_cast<int64_t>(located[i].source_bytes);
    forecast.largest_source_bytes = std::max(forecast.largest_source_bytes, source_bytes);
    if (recipe.role == WeightRole::kVector) {
      forecast.owned_bytes += recipe.rows * BytesOf(DType::kF32);
    } else if (UsedInPlace(recipe, plans[i], located[i])) {
      forecast.mapped_bytes += source_bytes;
    } else if (plans[i].format == WeightFormat::kPanel16) {
      forecast.owned_bytes += PlanPanel16(plans[i].dtype, recipe.rows, recipe.cols).size_bytes;
    } else {
      forecast.owned_bytes += recipe.rows * recipe.cols * BytesOf(plans[i].dtype);
    }
  }
  return forecast;
}

Result<std::shared_ptr<const WeightStore>> LoadWeights(
    Backend& backend, const Checkpoint& checkpoint, const Graph& graph,
    std::span<const WeightPlan> plans, std::span<const LocatedWeight> located, DType dtype,
    bool low_memory, NoticeSink* notices) {
  Loader loader(backend, checkpoint, graph, plans, located, dtype, notices);
  FATHOM_TRY(low_memory ? loader.LoadOneByOne() : loader.LoadAllThenCopy());
  return loader.TakeStore();
}

}  // namespace fathom
