#include "report/charts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "optimizations/row_tools.h"
#include "report/html.h"

namespace fathom {

namespace {

constexpr double kWidth = 360;

std::string Open(std::string_view title, double height) {
  return fmt::format(
      "<figure class=\"chart\"><svg viewBox=\"0 0 {:.0f} {:.0f}\" role=\"img\" "
      "aria-label=\"{}\">\n<title>{}</title>\n",
      kWidth, height, EscapeHtml(title), EscapeHtml(title));
}

std::string Close(std::string_view title) {
  return fmt::format("</svg><figcaption>{}</figcaption></figure>\n", EscapeHtml(title));
}

std::string Line(double x1, double y1, double x2, double y2, std::string_view style) {
  return fmt::format(
      "<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" class=\"{}\"/>\n", x1, y1, x2,
      y2, style);
}

// `anchor`: start, middle, end.
std::string Text(double x, double y, std::string_view anchor, std::string_view style,
                 std::string_view text) {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\" class=\"{}\">{}</text>\n",
                     x, y, anchor, style, EscapeHtml(text));
}

std::string Linked(std::string_view link, std::string content) {
  if (link.empty()) return content;
  return fmt::format("<a href=\"{}\">{}</a>", EscapeHtml(link), content);
}

// A logarithmic axis from value to position.
struct LogAxis {
  double low = 1, high = 10;     // values
  double from = 0, to = kWidth;  // positions

  double At(double value) const {
    const double share = std::log(std::clamp(value, low, high) / low) / std::log(high / low);
    return from + share * (to - from);
  }
};

std::string FormatFactor(double value) {
  if (value >= 10) return fmt::format("{:.0f}", value);
  if (value >= 1) return fmt::format("{:.2f}", value);
  return fmt::format("{:.2g}", value);
}

// 1, 2 and 5 of each decade between low and high; only the 1 of each where that gives many.
std::vector<double> Ticks(double low, double high) {
  const bool wide = high / low > 200;
  std::vector<double> ticks;
  for (double decade = std::pow(10, std::floor(std::log10(low))); decade <= high; decade *= 10) {
    for (const double step : {1.0, 2.0, 5.0}) {
      if (wide && step != 1.0) continue;
      const double tick = decade * step;
      if (tick >= low * 0.999 && tick <= high * 1.001) ticks.push_back(tick);
    }
  }
  return ticks;
}

LogAxis UpliftAxis(std::span<const UpliftBar> bars) {
  LogAxis axis{.low = 0.8, .high = 1.25, .from = 8, .to = kWidth - 8};
  for (const UpliftBar& bar : bars) {
    for (const double value : {bar.median, bar.low, bar.high}) {
      if (!(value > 0) || !std::isfinite(value)) continue;
      axis.low = std::min(axis.low, value / 1.05);
      axis.high = std::max(axis.high, value * 1.05);
    }
  }
  return axis;
}

std::string DrawUplift(const UpliftBar& bar, const LogAxis& axis, double y) {
  const bool has_low = bar.low > 0, has_high = bar.high > 0 && std::isfinite(bar.high);
  const std::string figures = fmt::format(
      "{}\u00d7 [{}, {}]{}{}", FormatFactor(bar.median), has_low ? FormatFactor(bar.low) : "\u2026",
      has_high ? FormatFactor(bar.high) : "\u2026", bar.note.empty() ? "" : " \u00b7 ", bar.note);
  std::string out = Text(8, y, "start", "label", bar.label);
  out += Linked(bar.link, Text(kWidth - 8, y, "end", "figure " + bar.tone, figures));
  const double low = axis.At(has_low ? bar.low : axis.low);
  const double high = axis.At(has_high ? bar.high : axis.high);
  const double middle = axis.At(bar.median), one = axis.At(1), line = y + 9;
  out += fmt::format(
      "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"7\" class=\"bar {}\"/>\n",
      std::min(one, middle), line - 3.5, std::abs(middle - one), bar.tone);
  out += Line(low, line, high, line, "whisker");
  if (has_low) out += Line(low, line - 4, low, line + 4, "whisker");
  if (has_high) out += Line(high, line - 4, high, line + 4, "whisker");
  return out + fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"2.6\" class=\"dot\"/>\n",
                           middle, line);
}

// What the roofline must show.
struct RooflineAxes {
  LogAxis x, y;
};

RooflineAxes AxesOf(double bytes_per_s, std::span<const RooflineRoof> roofs,
                    std::span<const RooflinePoint> points) {
  double top = 0, low_x = 0.5, high_x = 100, low_y = 1e30;
  for (const RooflineRoof& roof : roofs) {
    top = std::max(top, roof.tflops);
    high_x = std::max(high_x, roof.tflops * 1e12 / bytes_per_s * 4);
  }
  for (const RooflinePoint& point : points) {
    low_x = std::min(low_x, point.flops_per_byte / 2);
    high_x = std::max(high_x, point.flops_per_byte * 2);
    low_y = std::min(low_y, point.tflops / 2);
    top = std::max(top, point.tflops);
  }
  low_y = std::min(low_y, low_x * bytes_per_s / 1e12);
  return {.x = {.low = low_x, .high = high_x, .from = 44, .to = kWidth - 8},
          .y = {.low = low_y, .high = top * 1.6, .from = 206, .to = 18}};
}

std::string DrawAxes(const RooflineAxes& axes, std::string_view x_label, std::string_view y_label) {
  std::string out;
  for (const double tick : Ticks(axes.x.low, axes.x.high)) {
    out += Line(axes.x.At(tick), axes.y.to, axes.x.At(tick), axes.y.from, "grid");
    out += Text(axes.x.At(tick), axes.y.from + 12, "middle", "tick", fmt::format("{:g}", tick));
  }
  for (const double tick : Ticks(axes.y.low, axes.y.high)) {
    out += Line(axes.x.from, axes.y.At(tick), axes.x.to, axes.y.At(tick), "grid");
    out += Text(axes.x.from - 4, axes.y.At(tick) + 3, "end", "tick", fmt::format("{:g}", tick));
  }
  out += Text((axes.x.from + axes.x.to) / 2, axes.y.from + 26, "middle", "tick", x_label);
  return out + Text(4, 10, "start", "tick", y_label);
}

}  // namespace

std::string UpliftChart(std::string_view title, std::span<const UpliftBar> bars) {
  if (bars.empty()) return "";
  constexpr double kRow = 27, kTop = 16, kFoot = 18;
  const double bottom = kTop + kRow * static_cast<double>(bars.size());
  const LogAxis axis = UpliftAxis(bars);
  std::string out = Open(title, bottom + kFoot);
  for (const double tick : Ticks(axis.low, axis.high)) {
    if (tick == 1.0) continue;
    out += Line(axis.At(tick), 4, axis.At(tick), bottom, "grid");
    out += Text(axis.At(tick), bottom + 12, "middle", "tick", fmt::format("{:g}\u00d7", tick));
  }
  out += Line(axis.At(1), 4, axis.At(1), bottom, "one");
  out += Text(axis.At(1), bottom + 12, "middle", "tick", "1\u00d7");
  for (size_t i = 0; i < bars.size(); ++i) {
    out += DrawUplift(bars[i], axis, kTop + kRow * static_cast<double>(i));
  }
  return out + Close(title);
}

std::string MemoryWaterfall(std::string_view title, std::span<const WaterfallStep> steps,
                            double limit_bytes, std::string_view limit_label) {
  if (steps.empty()) return "";
  double sum = 0, top = 0;
  for (const WaterfallStep& step : steps) {
    sum = step.total ? step.bytes : sum + step.bytes;
    top = std::max(top, sum);
  }
  // A limit far above all steps would flatten them: then it is written, not drawn.
  const bool draws_limit = limit_bytes > 0 && limit_bytes < top * 3;
  const double scale = 1.08 * (draws_limit ? std::max(top, limit_bytes) : top);
  if (!(scale > 0)) return "";
  constexpr double kRow = 30, kTop = 14;
  const double left = 8, right = kWidth - 8;
  const double bottom = kTop + kRow * static_cast<double>(steps.size());
  const auto at = [&](double bytes) { return left + bytes / scale * (right - left); };
  std::string out = Open(title, bottom + 16);
  sum = 0;
  for (size_t i = 0; i < steps.size(); ++i) {
    const WaterfallStep& step = steps[i];
    const double y = kTop + kRow * static_cast<double>(i);
    const double begin = step.total ? 0 : sum;
    sum = begin + step.bytes;
    out += Text(left, y, "start", "label", step.label);
    out += Linked(step.link, Text(right, y, "end", "figure", BytesText(std::llround(step.bytes))));
    out += fmt::format(
        "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"9\" class=\"bar {}\"/>\n",
        at(std::min(begin, sum)), y + 4, std::max(1.0, std::abs(at(sum) - at(begin))),
        step.total ? "good" : "muted");
    if (i + 1 < steps.size()) out += Line(at(sum), y + 13, at(sum), y + kRow + 4, "grid");
  }
  if (draws_limit) out += Line(at(limit_bytes), 4, at(limit_bytes), bottom, "one");
  if (limit_bytes > 0) {
    const double x = draws_limit ? at(limit_bytes) : right;
    out += Text(std::min(x, right), bottom + 11, "end", "tick",
                fmt::format("{} {}", limit_label, BytesText(std::llround(limit_bytes))));
  }
  return out + Close(title);
}

std::string RooflineChart(std::string_view title, double read_stream_gb_per_s,
                          std::span<const RooflineRoof> roofs,
                          std::span<const RooflinePoint> points, std::string_view x_label,
                          std::string_view y_label) {
  if (!(read_stream_gb_per_s > 0) || roofs.empty()) return "";
  const double bytes_per_s = read_stream_gb_per_s * 1e9;
  const RooflineAxes axes = AxesOf(bytes_per_s, roofs, points);
  std::string out = Open(title, 240) + DrawAxes(axes, x_label, y_label);
  double highest = 0;
  for (const RooflineRoof& roof : roofs) {
    highest = std::max(highest, roof.tflops);
    const double knee = roof.tflops * 1e12 / bytes_per_s;
    out += Line(axes.x.At(knee), axes.y.At(roof.tflops), axes.x.to, axes.y.At(roof.tflops), "roof");
    out += Text(axes.x.to, axes.y.At(roof.tflops) - 3, "end", "tick",
                fmt::format("{} {:.3g} T", roof.label, roof.tflops));
  }
  const double knee = highest * 1e12 / bytes_per_s;
  const double low = axes.x.low;
  out += Line(axes.x.At(low), axes.y.At(low * bytes_per_s / 1e12), axes.x.At(knee),
              axes.y.At(highest), "roof");
  out += Text(axes.x.At(low) + 4, axes.y.At(low * bytes_per_s / 1e12) - 12, "start", "tick",
              fmt::format("{:.3g} GB/s", read_stream_gb_per_s));
  for (const RooflinePoint& point : points) {
    const double x = axes.x.At(point.flops_per_byte), y = axes.y.At(point.tflops);
    const bool at_right = x > kWidth * 0.6;
    out += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"4\" class=\"dot\"/>\n", x, y);
    out += Linked(point.link, Text(at_right ? x - 7 : x + 7, y + 12, at_right ? "end" : "start",
                                   "label", point.label));
  }
  return out + Close(title);
}

std::string_view ChartStyle() {
  return R"(
figure.chart { margin: 1rem 0; max-width: 44rem; break-inside: avoid; }
figure.chart svg { width: 100%; height: auto; display: block; }
figure.chart figcaption { color: var(--muted); font-size: .85rem; }
.chart text { fill: var(--ink); font: 10px system-ui, "Noto Sans", "Noto Sans CJK SC", sans-serif; }
.chart text.tick { fill: var(--muted); font-size: 8.5px; }
.chart text.figure { font-variant-numeric: tabular-nums; }
.chart text.good { fill: var(--good); } .chart text.bad { fill: var(--bad); }
.chart text.warning { fill: var(--warning); } .chart text.muted { fill: var(--muted); }
.chart a text { text-decoration: underline; text-decoration-thickness: .5px; }
.chart .grid { stroke: var(--line); stroke-width: .6; }
.chart .one { stroke: var(--ink); stroke-width: .8; stroke-dasharray: 3 2; }
.chart .whisker { stroke: var(--ink); stroke-width: 1; }
.chart .roof { stroke: var(--ink); stroke-width: 1.4; }
.chart .dot { fill: var(--ink); }
.chart .bar { fill: var(--muted); opacity: .45; } .chart .bar.good { fill: var(--good); }
.chart .bar.bad { fill: var(--bad); } .chart .bar.warning { fill: var(--warning); }
)";
}

}  // namespace fathom
