#include "engine/weight_cache_layout.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "base/checksum.h"
#include "engine/weight_loader.h"

namespace fathom {
namespace {

constexpr uint64_t kPage = 4096;
// From this size on a weight begins at a page.
constexpr uint64_t kPagedFrom = uint64_t{64} << 10;
constexpr size_t kSampleBytes = 4096;
constexpr size_t kSamples = 32;
constexpr size_t kHeadBytes = size_t{64} << 10;
// Of one model's folder name in a file name.
constexpr size_t kLongestName = 40;

uint64_t RoundUp(uint64_t value, uint64_t unit) { return (value + unit - 1) / unit * unit; }

Weight AsHeld(const WeightRecipe& recipe, const WeightPlan& plan) {
  const bool vector = recipe.role == WeightRole::kVector;
  if (!vector && plan.format != WeightFormat::kDense) {
    return PlanPacked(plan.format, plan.dtype, recipe.rows, recipe.cols);
  }
  Weight weight{.dtype = vector ? DType::kF32 : plan.dtype,
                .rows = vector ? 1 : recipe.rows,
                .cols = vector ? recipe.rows : recipe.cols};
  weight.stride = weight.cols;
  weight.size_bytes = weight.payload_bytes();
  return weight;
}

// The first bytes of a file (its header, or the beginning of it) and samples of the rest.
uint64_t Fingerprint(const MappedFile& file) {
  uint64_t sum = Checksum(file.data(), std::min(file.size(), kHeadBytes));
  for (size_t i = 1; i <= kSamples && file.size() > kSampleBytes; ++i) {
    const size_t offset = (file.size() - kSampleBytes) * i / kSamples;
    sum = Checksum(file.data() + offset, kSampleBytes, sum);
  }
  file.Drop(0, file.size());
  return sum;
}

std::string DescribeFiles(const Checkpoint& checkpoint) {
  std::string text;
  for (int i = 0; i < checkpoint.file_count(); ++i) {
    const MappedFile& file = checkpoint.file(i);
    // The second time shows values that were changed in place and the first time put back.
    text += fmt::format("file {} size {} modified {} changed {} samples {:016x}\n",
                        std::filesystem::path(file.path()).filename().string(), file.size(),
                        file.identity().modified_ns, file.identity().changed_ns, Fingerprint(file));
  }
  return text;
}

uint64_t HashOf(std::string_view text) { return Checksum(text.data(), text.size()); }

// What packing makes of a small matrix in each format that the plan has: another code that packs
// otherwise has another key, also where nobody thought of kPackedLayoutVersion.
uint64_t ProbeFormats(std::span<const CachedWeight> weights) {
  constexpr int64_t kRows = 24, kCols = 96;
  std::vector<float> values(kRows * kCols);
  uint32_t state = 1;
  for (float& value : values) {
    state = state * 1664525 + 1013904223;
    value = static_cast<float>(static_cast<int32_t>(state)) * 0x1p-32f;
  }
  std::set<std::pair<WeightFormat, DType>> formats;
  for (const CachedWeight& entry : weights) {
    if (entry.weight.format == WeightFormat::kDense) continue;
    formats.emplace(entry.weight.format, entry.weight.dtype);
  }
  uint64_t sum = 0;
  for (const auto& [format, dtype] : formats) {
    const Weight weight = PlanPacked(format, dtype, kRows, kCols);
    std::vector<std::byte> packed(static_cast<size_t>(weight.size_bytes));
    PackWeightRows(weight, DType::kF32, values.data(), kCols, 0, kRows, packed.data());
    sum = Checksum(packed.data(), packed.size(), sum);
  }
  return sum;
}

std::string DescribeWeights(const Graph& graph, std::span<const LocatedWeight> located,
                            std::span<const CachedWeight> weights) {
  std::string text;
  for (const CachedWeight& entry : weights) {
    const auto index = static_cast<size_t>(entry.index);
    const WeightRecipe& recipe = graph.weights[index];
    const Weight& weight = entry.weight;
    text += fmt::format("{} {} {} {} {} {} {} {} {} {} {}", entry.index, recipe.name,
                        static_cast<int>(recipe.role), recipe.transpose,
                        static_cast<int>(weight.format), static_cast<int>(weight.dtype),
                        weight.rows, weight.cols, weight.stride, weight.group, weight.size_bytes);
    for (size_t k = 0; k < located[index].tensors.size(); ++k) {
      const CheckpointTensor& tensor = *located[index].tensors[k];
      text += fmt::format(" {} {} {} {} {} {}", tensor.name, SafetensorsName(tensor.dtype),
                          tensor.ShapeToString(), tensor.file_index,
                          k < recipe.source_rows.size() ? recipe.source_rows[k] : -1,
                          k < recipe.source_first_row.size() ? recipe.source_first_row[k] : -1);
    }
    text += '\n';
  }
  return text;
}

std::string ReadableName(const std::string& path) {
  std::string name = std::filesystem::path(path).filename().string().substr(0, kLongestName);
  for (char& c : name) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!plain && c != '.' && c != '_') c = '_';
  }
  return name;
}

bool Place(WeightCacheLayout& layout) {
  const uint64_t table = WeightCacheTableOffset(layout.key.size());
  uint64_t at = RoundUp(table + layout.weights.size() * 2 * sizeof(uint64_t), kPage);
  for (CachedWeight& entry : layout.weights) {
    const auto size = static_cast<uint64_t>(entry.weight.size_bytes);
    if (entry.weight.size_bytes < 0 || size > (uint64_t{1} << 62) - at) return false;
    at = RoundUp(at, size >= kPagedFrom ? kPage : 64);
    entry.offset = at;
    at += size;
  }
  layout.file_bytes = RoundUp(at, kWeightCachePiece);
  return true;
}

}  // namespace

uint64_t WeightCacheTableOffset(uint64_t key_bytes) {
  return RoundUp(kWeightCacheHeaderBytes + key_bytes, 64);
}

WeightCacheLayout LayOutWeightCache(const Checkpoint& checkpoint, const Graph& graph,
                                    std::span<const WeightPlan> plans,
                                    std::span<const LocatedWeight> located, DType dtype,
                                    std::string_view dtype_name, std::string_view backend) {
  WeightCacheLayout layout;
  bool packed = false;
  for (size_t i = 0; i < graph.weights.size(); ++i) {
    const WeightRecipe& recipe = graph.weights[i];
    if (plans[i].mapped || UsedInPlace(recipe, plans[i], located[i])) continue;
    layout.weights.push_back({static_cast<int>(i), AsHeld(recipe, plans[i]), 0});
    packed = packed || layout.weights.back().weight.format != WeightFormat::kDense;
  }
  if (!packed) return {};
  std::error_code error;
  std::filesystem::path path = std::filesystem::canonical(checkpoint.path(), error);
  if (error) path = std::filesystem::absolute(checkpoint.path(), error);
  const std::string files = DescribeFiles(checkpoint);
  layout.key = fmt::format(
      "packed weights of {}\n{}backend {} dtype {} vectors {}\nlayout {} packs {:016x}\n"
      "weights {:016x}\n",
      path.string(), files, backend, dtype_name, SafetensorsName(dtype), kPackedLayoutVersion,
      ProbeFormats(layout.weights), HashOf(DescribeWeights(graph, located, layout.weights)));
  layout.file_name = fmt::format("{}-{}-{:08x}-{:08x}-{:016x}.weights", ReadableName(path.string()),
                                 dtype_name, static_cast<uint32_t>(HashOf(path.string())),
                                 static_cast<uint32_t>(HashOf(files)), HashOf(layout.key));
  if (!Place(layout)) return {};
  return layout;
}

}  // namespace fathom
