// Charts as inline SVG for a page of report/html.h: no script; ink and colours come from the page's
// style, so that they follow dark mode and paper. 360 units wide, as a phone is: text keeps its
// size there and grows with the page elsewhere. What a colour says is also written.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace fathom {

// One ratio with its interval.
struct UpliftBar {
  std::string label;                     // "use_cache: decode"
  double median = 1, low = 1, high = 1;  // low 0: no lower end, high 0: no upper end
  std::string tone;                      // class of the style: "good", "bad", "muted", "warning"
  std::string note;                      // "helps"
  std::string link;                      // "#how-measure"; empty: none
};

// A row each, on one axis of logarithms, 1 drawn through all of them. Empty where there is no bar.
std::string UpliftChart(std::string_view title, std::span<const UpliftBar> bars);

struct WaterfallStep {
  std::string label;
  double bytes = 0;    // added to what stands before; total: the height itself
  bool total = false;  // stands on the ground
  std::string link;
};

// Steps from left to right, each on top of the sum of those before it; `limit_bytes` (0: none) is a
// line with its own label.
std::string MemoryWaterfall(std::string_view title, std::span<const WaterfallStep> steps,
                            double limit_bytes, std::string_view limit_label);

struct RooflineRoof {
  std::string label;  // "bf16 peak"
  double tflops = 0;
};
struct RooflinePoint {
  std::string label;
  double flops_per_byte = 0;  // arithmetic intensity
  double tflops = 0;          // reached
  std::string link;
};

// Both axes logarithmic: the slope of the read stream, the ceilings, what was reached.
std::string RooflineChart(std::string_view title, double read_stream_gb_per_s,
                          std::span<const RooflineRoof> roofs,
                          std::span<const RooflinePoint> points, std::string_view x_label,
                          std::string_view y_label);

// What the charts need of the page's style.
std::string_view ChartStyle();

}  // namespace fathom
