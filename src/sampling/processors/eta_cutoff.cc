#include <algorithm>
#include <cmath>

#include "sampling/cutoff.h"
#include "sampling/processor.h"

namespace fathom {

namespace {

// EtaLogitsWarper (Hewitt et al. 2022).
float Cutoff(const RowContext& context, ScoreRow& row) {
  const double entropy = row.Entropy(row.LogSumExp());
  const auto epsilon = static_cast<float>(context.params.eta_cutoff);
  return std::min(epsilon, std::sqrt(epsilon) * std::exp(-static_cast<float>(entropy)));
}

void Reference(const RowContext& context, ScoreRow& row) {
  row.KeepDense(ChooseAboveCutoff(Cutoff(context, row), row));
}
void Partial(const RowContext& context, ScoreRow& row) {
  KeepAboveCutoff(Cutoff(context, row), row);
}

}  // namespace

const LogitsProcessor& processor_eta_cutoff() {
  static const LogitsProcessor record{
      .name = "eta_cutoff",
      .formula = "-inf where p < min(eta, sqrt(eta) * exp(-entropy)), the best and its ties spared",
      .order = processor_order::kEtaCutoff,
      .only_sampling = true,
      .applies =
          [](const SamplingParams& params) {
            return params.eta_cutoff > 0 && params.eta_cutoff < 1;
          },
      .reference = Reference,
      .partial = Partial,
  };
  return record;
}

}  // namespace fathom
