#include "measure/verdict.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace fathom {
namespace {

std::string WithInterval(std::string_view name, const RatioInterval& ratio) {
  return fmt::format("{} {}x [{}, {}]", name, FormatRatio(ratio.median), FormatRatio(ratio.low),
                     FormatRatio(ratio.high));
}

std::string Join(const std::vector<std::string>& parts) {
  return fmt::format("{}", fmt::join(parts, ", "));
}

// How wide the widest interval is: what could not have been seen.
std::string ResolutionText(const MeasuredRow& row, Language language) {
  double widest = 1;
  for (const auto& [name, ratio] : JudgedSpeeds(row)) {
    // Load has one figure where it is dear.
    if (!ratio->measured() || (ratio == &row.load && !ratio->bounded())) continue;
    if (!ratio->bounded()) {
      return Say(language, "too few rounds ({}) for an interval", "轮数太少（{}），得不出区间",
                 ratio->rounds);
    }
    widest = std::max({widest, ratio->high, 1 / ratio->low});
  }
  if (widest > 1.15) {
    return Say(language, "no effect could be told from this machine's noise (up to {}x)",
               "在这台机器的噪声中分辨不出效果（可达 {}x）", FormatRatio(widest));
  }
  return Say(language, "every interval spans 1", "所有区间都包含 1");
}

}  // namespace

Judgement Judge(const MeasuredRow& row, Language language) {
  Judgement judgement;
  if (row.same_plan) return judgement;
  for (const auto& [name, ratio] : JudgedSpeeds(row)) {
    if (ratio->SpansOne()) continue;
    (ratio->low > 1 ? judgement.gains : judgement.prices)
        .push_back(WithInterval(name.In(language), *ratio));
  }
  const double memory = row.peak_memory_ratio();
  if (memory > 0 && memory < 1 / kMemoryPrice) {
    judgement.gains.push_back(Say(language, "memory {}x", "内存 {}x", FormatRatio(memory)));
  } else if (memory > kMemoryPrice) {
    judgement.prices.push_back(Say(language, "memory {}x", "内存 {}x", FormatRatio(memory)));
  }
  if (row.accuracy_on.tokens > 0 && row.accuracy_off.tokens > 0) {
    const double on = row.accuracy_on.kl_divergence, off = row.accuracy_off.kl_divergence;
    if (on > off + kKlThreshold) {
      judgement.prices.push_back(fmt::format("KL {}", FormatKl(on)));
    } else if (off > on + kKlThreshold) {
      judgement.gains.push_back(fmt::format("KL {} -> {}", FormatKl(off), FormatKl(on)));
    }
  }
  const bool gains = !judgement.gains.empty(), prices = !judgement.prices.empty();
  judgement.verdict = gains && prices ? Verdict::kTrade
                      : gains         ? Verdict::kHelps
                      : prices        ? Verdict::kHurts
                                      : Verdict::kNoEffect;
  return judgement;
}

std::string ReasonOf(const MeasuredRow& row, Language language) {
  const Judgement judgement = Judge(row, language);
  switch (row.verdict) {
    case Verdict::kHelps:
      return Join(judgement.gains);
    case Verdict::kHurts:
      return Join(judgement.prices);
    case Verdict::kTrade:
      return Say(language, "{}; its price: {}", "{}；代价：{}", Join(judgement.gains),
                 Join(judgement.prices));
    case Verdict::kNoEffect:
      if (row.decode.measured() && !row.same_plan) return ResolutionText(row, language);
      [[fallthrough]];
    default:
      return language == Language::kChinese && !row.reason_zh.empty() ? row.reason_zh : row.reason;
  }
}

std::string_view VerdictWord(Verdict verdict, Language language) {
  static constexpr Words kWords[] = {{"helps", "有益"},         {"hurts", "有害"},
                                     {"no effect", "无效果"},   {"trade", "取舍"},
                                     {"unavailable", "不可用"}, {"failed", "失败"}};
  return kWords[static_cast<size_t>(verdict)].In(language);
}

void JudgeInto(MeasuredRow& row) {
  row.verdict = Judge(row).verdict;
  if (row.same_plan) return;
  row.reason = ReasonOf(row, Language::kEnglish);
}

}  // namespace fathom
