// Settings that were measured slower than another one: no setting is silently slower.
#pragma once

#include <string>
#include <vector>

#include "base/language.h"
#include "measure/measurement.h"

namespace fathom {

struct SlowerSetting {
  std::string id;
  std::string setting;  // "float16"
  std::string against;  // "float32": the row's off-arm, or what `run` takes
  Words figure;         // prefill or decode
  RatioInterval ratio;  // of speeds, setting / against; wholly below 1
  bool runs = false;    // `setting` is what `run` takes
};

// On-arms whose prefill or decode is slower than the off-arm's, and arms of a row of several
// (dtype) that are slower than the one that runs: there the interval is the quotient of two, which
// is wider than either. The worst of each setting first as the table lists them.
std::vector<SlowerSetting> SlowerSettings(const Measurement& measurement);

// "dtype float16: prefill 0.31x [0.30, 0.33] of float32's".
std::string SlowerText(const SlowerSetting& slower, Language language);

}  // namespace fathom
