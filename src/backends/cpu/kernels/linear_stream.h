// Linear kernels of a few rows walk their panels in the order of memory, one after the other: a
// core reads one sequential stream, which the caches' own prefetchers follow best (docs/kernels.md,
// "One stream a core").
#pragma once

#include <cstddef>

#include "backends/cpu/kernels/linear_call.h"

namespace fathom {

// How many bytes before they are read lines are asked for into L2: the settings of the kernels
// (OpCall::tuning), the fixed one first. 0: left to the prefetchers of the caches.
inline constexpr size_t kStreamAheads[] = {4096, 2048, 1024, 0};
inline constexpr int kStreamTunings = 4;

// Where a worker is in its stream: in the panel that ends at `end`, `next` behind it.
struct PanelStream {
  const std::byte* end = nullptr;
  const std::byte* next = nullptr;
  size_t ahead = 0;

  // The line that is read `ahead` bytes after the one at `at`.
  const std::byte* Ahead(const std::byte* at) const {
    const std::byte* line = at + ahead;
    return line < end ? line : next + (line - end);
  }
};

// Unit by unit through a job, cheaply: inside a weight only pointers move.
class UnitWalk {
 public:
  UnitWalk(const LinearJob& job, size_t unit) : job_(job) { Start(unit); }

  const LinearTile& tile() const { return tile_; }
  size_t panel_bytes() const { return panel_bytes_; }
  // The first panel of the next unit; of this one where none follows.
  const std::byte* next() const {
    if (left_ > 1) return tile_.panels[0].data + panel_bytes_;
    return unit_ + 1 < job_.units ? MakeLinearTile(job_, unit_ + 1, 1).panels[0].data
                                  : tile_.panels[0].data;
  }
  void Advance() {
    if (--left_ == 0) {
      if (unit_ + 1 < job_.units) Start(unit_ + 1);
      return;
    }
    ++unit_;
    for (size_t p = 0; p < tile_.panel_count; ++p) {
      LinearPanel& panel = tile_.panels[p];
      panel.data += panel_bytes_;
      panel.y += kPanelRows;
      if (panel.bias != nullptr) panel.bias += kPanelRows;
      if (left_ == 1) panel.rows = last_rows_;
    }
  }

 private:
  void Start(size_t unit) {
    unit_ = unit;
    tile_ = MakeLinearTile(job_, unit, 1);
    const LinearPanel& panel = tile_.panels[0];
    const Weight& weight = *panel.weight;
    panel_bytes_ = static_cast<size_t>(weight.stride * BytesOf(weight.dtype));
    const auto behind =
        static_cast<size_t>(panel.data - static_cast<const std::byte*>(weight.data));
    const auto panels = static_cast<size_t>(weight.panels());
    left_ = panels - behind / panel_bytes_;
    last_rows_ = static_cast<size_t>(weight.rows) - (panels - 1) * kPanelRows;
  }

  const LinearJob& job_;
  LinearTile tile_;
  size_t unit_ = 0, panel_bytes_ = 0;
  size_t left_ = 0;       // panels of the weight, this one included
  size_t last_rows_ = 0;  // of its last panel
};

// For every unit: sum(panel, its stream, sums of the panel, floats from row to row) for its panels,
// then store(tile, sums, floats from row to row). `sums`: rows * 2 panels * 16 floats. Both are
// called once a panel and need not be inlined: this function is compiled for the plain CPU.
template <class Sum, class Store>
void StreamUnits(const LinearJob& job, Range units, size_t ahead, float* sums, const Sum& sum,
                 const Store& store) {
  if (units.empty()) return;
  UnitWalk walk(job, units.begin);
  for (size_t unit = units.begin; unit < units.end; ++unit, walk.Advance()) {
    const LinearTile& tile = walk.tile();
    const size_t stride = tile.panel_count * kPanelRows;
    for (size_t p = 0; p < tile.panel_count; ++p) {
      const LinearPanel& panel = tile.panels[p];
      const bool last = p + 1 == tile.panel_count;
      const PanelStream stream{.end = panel.data + walk.panel_bytes(),
                               .next = last ? walk.next() : tile.panels[p + 1].data,
                               .ahead = ahead};
      sum(panel, stream, sums + p * kPanelRows, stride);
    }
    store(tile, sums, stride);
  }
}

}  // namespace fathom
