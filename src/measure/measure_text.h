// A measurement as people read it: a table with the intervals drawn, or Markdown.
#pragma once

#include <string>

#include "base/language.h"
#include "measure/measurement.h"

namespace fathom {

struct MeasureTextOptions {
  Language language = Language::kEnglish;
  int width = 120;  // columns of the terminal; drawings take what the figures leave
  bool colour = false;
};

// The intervals on one axis of logarithms per column, from the least low to the greatest high:
// ├──●┤ an interval that does not span 1, ·●· one that does, ┆ where 1 is.
std::string MeasurementToText(const Measurement& measurement, const MeasureTextOptions& options);
std::string MeasurementToMarkdown(const Measurement& measurement, Language language);

// Both stacks side by side: decode, prefill, memory and verdict of each row. `other` is the one
// that another program ran (its `stack`).
std::string StacksToText(const Measurement& ours, const Measurement& other,
                         const MeasureTextOptions& options);
std::string StacksToMarkdown(const Measurement& ours, const Measurement& other, Language language);

// The drawing alone: `width` cells over [log(axis_low), log(axis_high)], which hold 1.
std::string DrawInterval(const RatioInterval& ratio, double axis_low, double axis_high, int width);

}  // namespace fathom
