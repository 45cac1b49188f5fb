// Linear kernels of a few rows walk their panels in the order of memory, one after the other: a
// core reads one sequential stream, which the caches' own prefetchers follow best (docs/kernels.md,
// "One stream a core").
//
// Those prefetchers end with each page of 4 KB. So what a kernel asks for itself is the beginning
// of the page that comes next, or of what is read after a jump, while it reads the page at hand;
// asking for every line ahead of its use works against them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "backends/cpu/kernels/linear_call.h"

namespace fathom {

// What a kernel asks for ahead of its use: the settings of the kernels (OpCall::tuning), the fixed
// one first.
enum class StreamAsk : uint8_t {
  kPageHeads,  // the first quarter of the next page
  kEveryLine,  // 4 KB ahead
  kNothing,
};
inline constexpr int kStreamTunings = 3;

// Where a worker is in its stream: in a run of panels that lie one behind the other.
struct PanelStream {
  static constexpr size_t kPage = 4096;
  static constexpr size_t kAskBytes = 256;  // that one line of the next page is asked for

  const std::byte* end = nullptr;   // of the run
  const std::byte* next = nullptr;  // where the run behind it begins
  StreamAsk ask = StreamAsk::kPageHeads;

  // Asks for what belongs to [at, at + bytes), once for each such piece. Inlined by force: GCC 12
  // drops calls of a function that does nothing but prefetch.
  [[gnu::always_inline]] void Ask(const std::byte* at, size_t bytes) const {
    if (ask == StreamAsk::kPageHeads) {
      const size_t in_page = reinterpret_cast<uintptr_t>(at) % kPage;
      const std::byte* page = at - in_page + kPage;
      const std::byte* head = (page < end ? page : next) + in_page / 4;
      for (size_t i = 0; i < bytes; i += kAskBytes) __builtin_prefetch(head + i / 4, 0, 2);
    } else if (ask == StreamAsk::kEveryLine) {
      const std::byte* line = at + kPage;
      if (line >= end) line = next + (line - end);
      for (size_t i = 0; i < bytes; i += 64) __builtin_prefetch(line + i, 0, 2);
    }
  }
};

// Panels [first, last) of one part, one after the other.
class PanelRun {
 public:
  PanelRun(const LinearJob& job, size_t part, size_t first, size_t last)
      : panel_(PanelOf(job, part, first)),
        bytes_(static_cast<size_t>(panel_.weight->stride * BytesOf(panel_.weight->dtype))),
        left_(last - first),
        rows_behind_(static_cast<size_t>(panel_.weight->rows) - first * kPanelRows) {}

  const LinearPanel& panel() const { return panel_; }
  size_t left() const { return left_; }
  const std::byte* begin() const { return panel_.data; }
  const std::byte* end() const { return panel_.data + left_ * bytes_; }
  void Advance() {
    --left_;
    rows_behind_ -= std::min(kPanelRows, rows_behind_);
    panel_.data += bytes_;
    panel_.y += kPanelRows;
    if (panel_.bias != nullptr) panel_.bias += kPanelRows;
    panel_.rows = std::min(kPanelRows, rows_behind_);
  }

 private:
  LinearPanel panel_;
  size_t bytes_;
  size_t left_;
  size_t rows_behind_;  // of the weight, from this panel on
};

// Floats that StreamUnits needs for sums.
inline constexpr size_t kStreamRows = 16;
inline constexpr size_t kStreamSums = kStreamRows * 2 * kPanelRows;

// Gated: gate panels of some units, then their up panels, so that the stream jumps seldom.
template <class Sum, class Store>
void StreamGatedUnits(const LinearJob& job, Range units, StreamAsk ask, float* sums, const Sum& sum,
                      const Store& store) {
  const size_t stride = 2 * kPanelRows;
  const size_t most = std::max<size_t>(1, kStreamRows / job.rows);
  for (size_t unit = units.begin; unit < units.end; unit += most) {
    const size_t last = std::min(unit + most, units.end);
    PanelRun gate(job, 0, unit, last), up(job, 1, unit, last);
    LinearTile tile = {.gated = true, .activation = job.activation, .panel_count = 2};
    tile.panels = {gate.panel(), up.panel()};
    const PanelStream gates = {.end = gate.end(), .next = up.begin(), .ask = ask};
    const std::byte* behind = last < units.end ? gate.end() : up.begin();
    const PanelStream ups = {.end = up.end(), .next = behind, .ask = ask};
    PanelRun walk = gate;
    for (float* to = sums; walk.left() > 0; walk.Advance(), to += job.rows * stride) {
      sum(walk.panel(), gates, to, stride);
    }
    walk = up;
    for (float* to = sums; walk.left() > 0; walk.Advance(), to += job.rows * stride) {
      sum(walk.panel(), ups, to + kPanelRows, stride);
    }
    for (const float* from = sums; gate.left() > 0; from += job.rows * stride) {
      tile.panels[0] = gate.panel();
      tile.panels[1] = up.panel();
      store(tile, from, stride);
      gate.Advance();
      up.Advance();
    }
  }
}

// For every unit: sum(panel, its stream, sums of the panel, floats from row to row) for its panels,
// then store(tile, sums, floats from row to row). `sums`: kStreamSums floats; the job has at most
// kStreamRows rows. Both are called once a panel and need not be inlined: this function is compiled
// for the plain CPU.
template <class Sum, class Store>
void StreamUnits(const LinearJob& job, Range units, StreamAsk ask, float* sums, const Sum& sum,
                 const Store& store) {
  if (job.gated) return StreamGatedUnits(job, units, ask, sums, sum, store);
  LinearTile tile = {.panel_count = 1};
  size_t before = 0;  // units of the parts before
  for (size_t part = 0; part < job.part_count && before < units.end; ++part) {
    const auto panels = static_cast<size_t>(job.parts[part].weight->panels());
    const size_t first = std::max(units.begin, before) - before;
    const size_t last = std::min(units.end - before, panels);
    before += panels;
    if (first >= last) continue;
    PanelRun run(job, part, first, last);
    PanelStream stream = {.end = run.end(), .next = run.begin(), .ask = ask};
    if (units.end > before && part + 1 < job.part_count) {
      stream.next = static_cast<const std::byte*>(job.parts[part + 1].weight->data);
    }
    for (; run.left() > 0; run.Advance()) {
      tile.panels[0] = run.panel();
      sum(run.panel(), stream, sums, kPanelRows);
      store(tile, sums, kPanelRows);
    }
  }
}

}  // namespace fathom
