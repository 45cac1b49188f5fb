#include "backends/cpu/kernels/linear_call.h"

#include <algorithm>
#include <string>

#include "base/check.h"

namespace fathom {
namespace {

const float* BiasOf(const OpCall& call, size_t input) {
  return input < call.inputs.size() ? call.inputs[input].tensor.as<float>() : nullptr;
}

size_t PanelsOf(const LinearPart& part) { return static_cast<size_t>(part.weight->panels()); }

}  // namespace

LinearPanel PanelOf(const LinearJob& job, size_t part_index, size_t panel) {
  const LinearPart& part = job.parts[part_index];
  const Weight& weight = *part.weight;
  // Both parts of linear_gated make one output.
  const LinearPart& output = job.gated ? job.parts[0] : part;
  const size_t row = panel * kPanelRows;
  return {.data = static_cast<const std::byte*>(weight.data) +
                  static_cast<int64_t>(panel) * weight.stride * BytesOf(weight.dtype),
          .weight = part.weight,
          .bias = part.bias == nullptr ? nullptr : part.bias + row,
          .y = output.y + row,
          .y_stride = static_cast<size_t>(output.weight->rows),
          .rows = std::min(kPanelRows, static_cast<size_t>(weight.rows) - row)};
}

LinearJob MakeLinearJob(LinearOp op, const OpCall& call) {
  LinearJob job;
  const Tensor& x = call.inputs[0].tensor;
  job.x = x.as<float>();
  job.rows = static_cast<size_t>(x.shape[0]);
  job.cols = static_cast<size_t>(x.shape[1]);
  job.gated = op == LinearOp::kGated;
  job.part_count = op == LinearOp::kLinear ? 1 : job.gated ? 2 : call.outputs.size();
  FATHOM_CHECK(job.part_count <= kMaxLinearParts);
  for (size_t i = 0; i < job.part_count; ++i) {
    float* y = i < call.outputs.size() ? call.outputs[i].tensor.as<float>() : nullptr;
    job.parts[i] = {call.inputs[1 + 2 * i].weight, BiasOf(call, 2 + 2 * i), y};
    if (!job.gated || i == 0) job.units += PanelsOf(job.parts[i]);
  }
  if (job.gated) {
    job.activation = GetActivationFunction(call.attributes->String("activation"));
  }
  return job;
}

bool AcceptsLinearParts(const OpCall& call) { return call.outputs.size() <= kMaxLinearParts; }

LinearTile MakeLinearTile(const LinearJob& job, size_t unit, size_t count) {
  LinearTile tile;
  tile.gated = job.gated;
  tile.activation = job.activation;
  if (job.gated) {
    tile.panel_count = 2 * count;
    FATHOM_CHECK(tile.panel_count <= kMaxTilePanels);
    for (size_t i = 0; i < count; ++i) {
      tile.panels[i] = PanelOf(job, 0, unit + i);
      tile.panels[count + i] = PanelOf(job, 1, unit + i);
    }
    return tile;
  }
  FATHOM_CHECK(count <= kMaxTilePanels);
  tile.panel_count = count;
  size_t part = 0;
  for (size_t i = 0; i < count; ++i) {
    size_t panel = unit + i;
    for (part = 0; panel >= PanelsOf(job.parts[part]); ++part) panel -= PanelsOf(job.parts[part]);
    tile.panels[i] = PanelOf(job, part, panel);
  }
  return tile;
}

void AddLinearRows(CpuKernelTable& table, const LinearRow& row) {
  const auto add = [&](const char* op, void (*run)(const OpCall&, const Worker&)) {
    CpuKernel kernel;
    kernel.name = std::string(op) + "_" + row.name + "_" + row.suffix;
    kernel.description = row.description;
    kernel.op = op;
    kernel.variant = row.variant;
    kernel.weight_format = row.format;
    kernel.weight_dtype = row.dtype;
    kernel.features = row.features;
    kernel.max_rows = row.max_rows;
    kernel.accepts = AcceptsLinearParts;
    kernel.scratch_bytes = row.scratch_bytes;
    kernel.compute_epsilon = row.compute_epsilon;
    kernel.tunings = row.tunings;
    kernel.run = run;
    table.Add(kernel);
  };
  add("linear", row.linear);
  add("linear_group", row.group);
  add("linear_gated", row.gated);
}

}  // namespace fathom
