// From what was measured of a row to what is said of it. Pure: no clock, no model.
//
// Speeds are those that the row can act on (JudgedSpeeds).
//
//   gain   a speed whose interval lies above 1; memory below 1 / kMemoryPrice
//   price  a speed whose interval lies below 1; memory above kMemoryPrice; a KL divergence from the
//          fp32 eager arm that is kKlThreshold larger than with the row off
//
//   helps: gains and no price. hurts: prices and no gain. trade: both, so the user decides.
//   no_effect: neither.
//
// Arms that are the same plan by construction have no effect, whatever was measured.
//
// The intervals include 1 where the difference is smaller than what identical arms showed in the
// same run, or than what such a run resolves (statistics.h, pair_sampler.h); loading counts where a
// person would notice. So a claim, of a gain or of a price, is one that repeats.
#pragma once

#include <string>
#include <vector>

#include "base/language.h"
#include "measure/measurement.h"

namespace fathom {

// More memory than this factor is a price: less is what a cache or a second layout of small weights
// costs anybody who gains by it.
inline constexpr double kMemoryPrice = 1.10;

struct Judgement {
  Verdict verdict = Verdict::kNoEffect;
  std::vector<std::string> gains,
      prices;  // "decode 1.31x [1.28, 1.34]", "memory 1.20x", "KL 0.002"
};

// Of a row that was measured.
Judgement Judge(const MeasuredRow& row, Language language = Language::kEnglish);

// The sentence beside the verdict; of a row that was not measured, its reason as it is.
std::string ReasonOf(const MeasuredRow& row, Language language);

// "helps", "no effect"; "有益".
std::string_view VerdictWord(Verdict verdict, Language language);

// Sets verdict and reason (in English, as JSON has it).
void JudgeInto(MeasuredRow& row);

}  // namespace fathom
