#include "report/html.h"

#include <fmt/format.h>

#include "report/charts.h"

namespace fathom {

namespace {

constexpr std::string_view kStyle = R"(
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --line: #d5dae0; --soft: #f3f5f7;
  --muted: #5c6670; --good: #14692f; --warning: #8a5a00; --bad: #ad1f1f; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e7ea; --paper: #15181b; --line: #363c43;
  --soft: #1e2226; --muted: #9aa4ae; --good: #63c881; --warning: #e0b04a; --bad: #f2837c; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 3rem; max-width: 74rem; color: var(--ink);
  background: var(--paper); font: 16px/1.5 system-ui, "Noto Sans", "Noto Sans CJK SC",
  "PingFang SC", "Microsoft YaHei", sans-serif; }
h1 { font-size: 1.5rem; margin: 0 0 .2rem; } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
.lead { color: var(--muted); margin: 0 0 .3rem; }
code { font: .92em/1.4 ui-monospace, "SF Mono", Consolas, monospace; background: var(--soft);
  padding: .1em .3em; border-radius: 3px; overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .4rem .6rem;
  border-bottom: 1px solid var(--line); }
td.wraps { overflow-wrap: anywhere; min-width: 11rem; } td.tight { white-space: nowrap; }
th { color: var(--muted); font-weight: 600; font-size: .9rem; }
th.number, td.number { text-align: right; font-variant-numeric: tabular-nums; }
.good { color: var(--good); } .muted { color: var(--muted); }
.warning { color: var(--warning); } .bad { color: var(--bad); }
a { color: inherit; text-decoration-color: var(--muted); text-underline-offset: .15em; }
details { border-bottom: 1px solid var(--line); padding: .4rem 0; }
summary { cursor: pointer; }
details ul { margin: .3rem 0; padding-left: 1.3rem; }
@media (max-width: 44rem) {
  thead { display: none; } tr { display: block; border-bottom: 1px solid var(--line);
    padding: .5rem 0; }
  td, td.tight { display: block; border: 0; padding: .1rem 0; white-space: normal;
    overflow-wrap: anywhere; }
  td.number { text-align: left; }
  td::before { content: attr(data-title) ": "; color: var(--muted); }
}
@media print { :root { --ink: #000; --paper: #fff; --line: #999; --soft: #fff; --muted: #333;
  --good: #000; --warning: #000; --bad: #000; } body { max-width: none; font-size: 10pt; }
  tr, details { break-inside: avoid; } }
)";

}  // namespace

std::vector<std::string_view> SplitCode(std::string_view text) {
  std::vector<std::string_view> pieces;
  for (size_t at = 0; at <= text.size();) {
    const size_t next = std::min(text.find('`', at), text.size());
    pieces.push_back(text.substr(at, next - at));
    at = next + 1;
  }
  return pieces;
}

std::string EscapeHtmlWithCode(std::string_view text) {
  std::string out;
  const auto pieces = SplitCode(text);
  for (size_t i = 0; i < pieces.size(); ++i) {
    const std::string escaped = EscapeHtml(pieces[i]);
    out += i % 2 == 1 ? fmt::format("<code>{}</code>", escaped) : escaped;
  }
  return out;
}

std::string HtmlPage(std::string_view title, Language language, std::string_view body) {
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"{}\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<title>{}</title>\n<style>{}{}</style>\n</head>\n<body>\n{}</body>\n</html>\n",
      LanguageName(language), EscapeHtml(title), kStyle, ChartStyle(), body);
}

}  // namespace fathom
