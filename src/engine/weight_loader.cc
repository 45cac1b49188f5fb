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

bool LiesIn(const void* data, const CheckpointTensor& tensor) {
  const auto* begin = static_cast<const std::byte*>(data);
  return begin >= tensor.data && begin < tensor.data + tensor.size_bytes;
}

bool IsFinite(const WeightSource& source) {
  return !HasNonFinite(source.dtype, source.data, source.rows * source.cols);
}

}  // namespace

WeightLoader::WeightLoader(const WeightLoadInput& input)
    : input_(input),
      store_(input.backend.CreateWeights(static_cast<int>(input.graph.weights.size()))) {}

Status WeightLoader::LoadOneByOne() {
  const std::span<const LocatedWeight> located = input_.located;
  std::vector<size_t> order(located.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, std::greater<>(),
                           [&](size_t i) { return located[i].source_bytes; });
  for (const size_t i : order) {
    FATHOM_ASSIGN(const bool finite, LoadOne(i, true));
    if (!finite) WarnNotFinite(i);
  }
  return Status::Ok();
}

// The off-arm: the whole file in memory before anything is converted, as torch.load did.
Status WeightLoader::LoadAllThenCopy() {
  std::vector<AlignedBuffer> buffers;
  std::vector<std::vector<WeightSource>> copies;
  for (const LocatedWeight& located : input_.located) {
    copies.push_back(located.sources);
    if (input_.plans[copies.size() - 1].mapped) continue;
    for (size_t i = 0; i < located.sources.size(); ++i) {
      const CheckpointTensor& tensor = *located.tensors[i];
      FATHOM_ASSIGN(AlignedBuffer buffer, AlignedBuffer::Allocate(tensor.size_bytes));
      if (tensor.size_bytes > 0) std::memcpy(buffer.data(), tensor.data, tensor.size_bytes);
      copies.back()[i].data = buffer.data();
      input_.checkpoint.Drop(tensor);
      buffers.push_back(std::move(buffer));
    }
  }
  for (size_t i = 0; i < copies.size(); ++i) {
    bool finite = true;
    if (input_.plans[i].mapped) {
      FATHOM_ASSIGN(finite, LoadOne(i, true));
    } else {
      finite = std::ranges::all_of(copies[i], IsFinite);
      FATHOM_TRY(Upload(i, copies[i], false));
    }
    if (!finite) WarnNotFinite(i);
  }
  return Status::Ok();
}

// Checks and lets go of each piece as soon as the backend has read it, while it is in the caches.
Result<bool> WeightLoader::LoadOne(size_t i, bool look) {
  const LocatedWeight& located = input_.located[i];
  const Checkpoint& checkpoint = input_.checkpoint;
  std::vector<WeightSource> sources = located.sources;
  std::vector<std::atomic<uint64_t>> consumed(sources.size());
  std::atomic<bool> finite = true;
  for (size_t k = 0; k < sources.size(); ++k) {
    const CheckpointTensor* tensor = located.tensors[k];
    if (look) checkpoint.WillNeed(*tensor);
    sources[k].consumed = [&, tensor, &sum = consumed[k]](const void* bytes, size_t size) {
      const auto count = static_cast<int64_t>(size) / BytesOf(tensor->dtype);
      if (look && HasNonFinite(tensor->dtype, bytes, count)) finite = false;
      const auto offset = static_cast<const std::byte*>(bytes) - tensor->data;
      checkpoint.Drop(*tensor, static_cast<uint64_t>(offset), size);
      sum += size;
    };
  }
  FATHOM_TRY(Upload(i, sources, true));
  const void* held = store_->Get(static_cast<int>(i)).data;
  for (size_t k = 0; k < sources.size(); ++k) {
    const CheckpointTensor& tensor = *located.tensors[k];
    if (look && consumed[k] < tensor.size_bytes) finite = finite && IsFinite(sources[k]);
    if (!LiesIn(held, tensor) || input_.plans[i].mapped) checkpoint.Drop(tensor);
  }
  return finite.load();
}

void WeightLoader::WarnNotFinite(size_t i) const {
  if (input_.notices == nullptr) return;
  input_.notices->Warn(fmt::format("the weight {} holds NaN or infinity: answers will fail",
                                   input_.located[i].tensors[0]->name));
}

Status WeightLoader::Upload(size_t i, std::span<const WeightSource> sources, bool in_place) {
  const WeightRecipe& recipe = input_.graph.weights[i];
  const DType dtype = input_.dtype;
  const auto upload = [&](std::span<const WeightSource> given, bool used_in_place) {
    return input_.backend.Upload(*store_, static_cast<int>(i), recipe, input_.plans[i], given,
                                 used_in_place);
  };
  const bool narrower = BytesOf(dtype) < BytesOf(DType::kF32);
  if (recipe.role != WeightRole::kVector || !narrower) return upload(sources, in_place);
  std::vector<std::vector<uint16_t>> rounded(sources.size());
  std::vector<WeightSource> narrow(sources.begin(), sources.end());
  for (size_t k = 0; k < sources.size(); ++k) {
    std::vector<float> wide(static_cast<size_t>(sources[k].cols));
    rounded[k].resize(wide.size());
    ConvertToFloat(sources[k].dtype, sources[k].data, sources[k].cols, wide.data());
    ConvertFromFloat(dtype, wide.data(), sources[k].cols, rounded[k].data());
    narrow[k].dtype = dtype;
    narrow[k].data = rounded[k].data();
    narrow[k].consumed = {};
  }
  return upload(narrow, false);
}

bool UsedInPlace(const WeightRecipe& recipe, const WeightPlan& plan, const LocatedWeight& located) {
  return recipe.role != WeightRole::kVector && plan.format == WeightFormat::kDense &&
         located.sources.size() == 1 && !recipe.transpose && located.sources[0].dtype == plan.dtype;
}

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
    } else if (plans[i].format != WeightFormat::kDense) {
      forecast.owned_bytes +=
          PlanPacked(plans[i].format, plans[i].dtype, recipe.rows, recipe.cols).size_bytes;
    } else {
      forecast.owned_bytes += recipe.rows * recipe.cols * BytesOf(plans[i].dtype);
    }
  }
  return forecast;
}

}  // namespace fathom
