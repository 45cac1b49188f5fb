#include "sampling/processor.h"

namespace fathom {

namespace {

// TemperatureLogitsWarper.
void Apply(const RowContext& context, ScoreRow& row) {
  row.Divide(static_cast<float>(context.params.temperature));
}

}  // namespace

const LogitsProcessor& processor_temperature() {
  static const LogitsProcessor record{
      .name = "temperature",
      .formula = "score / temperature",
      .order = processor_order::kTemperature,
      .only_sampling = true,
      .applies = [](const SamplingParams& params) { return params.temperature != 1.0; },
      .reference = Apply,
  };
  return record;
}

}  // namespace fathom
