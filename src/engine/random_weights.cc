#include "engine/random_weights.h"

#include <array>
#include <cmath>
#include <random>

#include "base/arena.h"
#include "tensor/convert.h"

namespace fathom {
namespace {

constexpr int kTableBits = 12;

// Normal values in bfloat16, drawn from by index: drawing each anew would take minutes for 8 B.
class NormalTable {
 public:
  NormalTable(double mean, double deviation) {
    std::mt19937 random(20261122);
    std::normal_distribution<double> normal(mean, deviation);
    for (uint16_t& value : values_) value = FloatToBF16(static_cast<float>(normal(random)));
  }

  void Fill(uint64_t seed, int64_t count, uint16_t* out) const {
    uint64_t state = seed * 0x9E3779B97F4A7C15 + 1;
    constexpr uint64_t kMask = (1 << kTableBits) - 1;
    for (int64_t i = 0; i < count; ++i) {
      // xorshift64*: Vigna, "An experimental exploration of Marsaglia's xorshift generators".
      state ^= state >> 12;
      state ^= state << 25;
      state ^= state >> 27;
      out[i] = values_[(state * 0x2545F4914F6CDD1D) >> (64 - kTableBits) & kMask];
    }
  }

 private:
  std::array<uint16_t, 1 << kTableBits> values_{};
};

int64_t ElementsOf(const WeightRecipe& recipe) {
  return recipe.role == WeightRole::kVector ? recipe.rows : recipe.rows * recipe.cols;
}

}  // namespace

void FillRandomWeight(const WeightRecipe& recipe, uint64_t seed, uint16_t* out) {
  const NormalTable table = recipe.role == WeightRole::kVector
                                ? NormalTable(1, 0.1)
                                : NormalTable(0, 1 / std::sqrt(static_cast<double>(recipe.cols)));
  table.Fill(seed, ElementsOf(recipe), out);
}

Result<std::shared_ptr<const WeightStore>> LoadRandomWeights(Backend& backend, const Graph& graph,
                                                             std::span<const WeightPlan> plans,
                                                             uint64_t seed) {
  std::unique_ptr<WeightStore> store =
      backend.CreateWeights(static_cast<int>(graph.weights.size()));
  for (size_t i = 0; i < graph.weights.size(); ++i) {
    WeightRecipe recipe = graph.weights[i];
    const bool vector = recipe.role == WeightRole::kVector;
    FATHOM_ASSIGN(AlignedBuffer buffer,
                  AlignedBuffer::AllocateArray(ElementsOf(recipe), sizeof(uint16_t)));
    FillRandomWeight(recipe, seed + i, buffer.as<uint16_t>());
    // One source of the logical shape, whatever the checkpoint's files would have held.
    recipe.sources.resize(1);
    recipe.source_rows.clear();
    recipe.source_first_row.clear();
    recipe.transpose = false;
    const WeightSource source = {.dtype = DType::kBF16,
                                 .data = buffer.data(),
                                 .rows = vector ? 1 : recipe.rows,
                                 .cols = vector ? recipe.rows : recipe.cols};
    FATHOM_TRY(backend.Upload(*store, static_cast<int>(i), recipe, plans[i], {&source, 1}, false));
  }
  return std::shared_ptr<const WeightStore>(std::move(store));
}

}  // namespace fathom
