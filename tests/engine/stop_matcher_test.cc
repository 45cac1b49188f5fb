#include "engine/stop_matcher.h"

#include <gtest/gtest.h>

#include <random>

namespace fathom {
namespace {

TEST(StopMatcher, EndsBeforeTheFirstStopStringHoweverTheTextIsCut) {
  std::mt19937 random(5);
  for (int round = 0; round < 4000; ++round) {
    std::string text;
    for (int i = 0; i < 12; ++i) text += "ab\n"[random() % 3];
    std::vector<std::string> stops(random() % 3);
    for (std::string& stop : stops) {
      for (size_t size = 1 + random() % 4; size > 0; --size) stop += "ab\n"[random() % 3];
    }
    size_t first = std::string::npos;
    // A match ends as early as its last byte arrives: of two, the one that is complete first.
    for (size_t end = 1; end <= text.size() && first == std::string::npos; ++end) {
      for (const std::string& stop : stops) {
        if (text.substr(0, end).ends_with(stop)) first = std::min(first, end - stop.size());
      }
    }
    StopMatcher matcher(stops);
    std::string shown;
    for (size_t at = 0; at < text.size(); ++at) shown += matcher.Push(text.substr(at, 1));
    shown += matcher.Finish();
    EXPECT_EQ(matcher.matched(), first != std::string::npos);
    EXPECT_EQ(shown, text.substr(0, first)) << "round " << round;
  }
}

TEST(StopMatcher, ShowsWhatIsCertainAtOnce) {
  StopMatcher matcher({"\nUser:", "END"});
  EXPECT_EQ(matcher.Push("Hello"), "Hello");
  EXPECT_EQ(matcher.Push(" E"), " ");
  EXPECT_EQ(matcher.Push("N"), "");
  EXPECT_EQ(matcher.Push("T\n"), "ENT");
  EXPECT_EQ(matcher.Push("Use"), "");
  EXPECT_FALSE(matcher.matched());
  EXPECT_EQ(matcher.Push("r: hi"), "");
  EXPECT_TRUE(matcher.matched());
  EXPECT_EQ(matcher.matched_string(), "\nUser:");
  EXPECT_EQ(matcher.Push("more"), "");
  EXPECT_EQ(matcher.Finish(), "");
}

TEST(StopMatcher, WithoutStopStringsPassesEverything) {
  StopMatcher matcher({"", ""});
  EXPECT_EQ(matcher.Push("abc"), "abc");
  EXPECT_EQ(matcher.Finish(), "");
}

}  // namespace
}  // namespace fathom
