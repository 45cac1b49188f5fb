// Edits, patches, ignore comments and SARIF.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "audit/fix/edit.h"
#include "audit/fix/ignore_comments.h"
#include "audit/report/sarif.h"

namespace fathom {
namespace {

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size() - 1);
    lines.push_back(text.substr(at, end + 1 - at));
    at = end + 1;
  }
  return lines;
}

// Applies a unified diff as strictly as `patch` with no fuzz: every line named must be there.
std::string Patch(const std::string& before, const std::string& diff) {
  const std::vector<std::string> old_lines = Lines(before);
  std::vector<std::string> patch = Lines(diff);
  std::string after;
  size_t at = 0;
  for (size_t i = 2; i < patch.size(); ++i) {
    if (patch[i].starts_with("@@ -")) {
      const size_t from = std::stoul(patch[i].substr(4));
      const size_t comma = patch[i].find_first_of(", ", 4);
      const bool none = patch[i].substr(comma, 3) == ",0 ";
      while (at < from - (none ? 0 : 1)) after += old_lines.at(at++);
      continue;
    }
    std::string line = patch[i].substr(1);
    if (i + 1 < patch.size() && patch[i + 1].starts_with("\\ ")) line.pop_back();
    if (patch[i][0] == '\\') continue;
    if (patch[i][0] != '+') {
      EXPECT_EQ(old_lines.at(at++), line);
    }
    if (patch[i][0] != '-') after += line;
  }
  while (at < old_lines.size()) after += old_lines[at++];
  return after;
}

TEST(Edits, AppliedInAnyOrder) {
  auto after = ApplyEdits("abcdef", {{4, 5, "E"}, {0, 0, ">"}, {1, 3, ""}, {0, 0, ">"}});
  ASSERT_TRUE(after.ok());
  EXPECT_EQ(*after, ">>adEf");
  EXPECT_FALSE(ApplyEdits("abc", {{0, 2, ""}, {1, 3, ""}}).ok());
  EXPECT_FALSE(ApplyEdits("abc", {{0, 4, ""}}).ok());
  EXPECT_FALSE(ApplyEdits("abc", {{2, 1, ""}}).ok());
}

TEST(Edits, DiffOfOneWord) {
  const std::string before = "a\nb\nc\nd\nx = 1\ne\nf\ng\nh\n";
  auto diff = UnifiedDiff(before, {{before.find('1'), before.find('1') + 1, "2"}}, "dir/a.py");
  ASSERT_TRUE(diff.ok());
  EXPECT_EQ(
      *diff,
      "--- a/dir/a.py\n+++ b/dir/a.py\n@@ -2,7 +2,7 @@\n b\n c\n d\n-x = 1\n+x = 2\n e\n f\n g\n");
}

TEST(Edits, DiffOfInsertionsAndEnds) {
  EXPECT_EQ(*UnifiedDiff("", {{0, 0, "x\n"}}, "a"), "--- a/a\n+++ b/a\n@@ -0,0 +1 @@\n+x\n");
  EXPECT_EQ(*UnifiedDiff("x", {{0, 1, "y"}}, "a"),
            "--- a/a\n+++ b/a\n@@ -1 +1 @@\n-x\n\\ No newline at end of file\n+y\n"
            "\\ No newline at end of file\n");
  EXPECT_EQ(*UnifiedDiff("x\r\ny\r\n", {{3, 3, "z\r\n"}}, "a"),
            "--- a/a\n+++ b/a\n@@ -1,2 +1,3 @@\n x\r\n+z\r\n y\r\n");
  EXPECT_EQ(*UnifiedDiff("x\n", {{0, 1, "x"}}, "a"), "");
  EXPECT_EQ(LineEnding("a\r\nb\n"), "\r\n");
  EXPECT_EQ(LineEnding("a"), "\n");
  EXPECT_EQ(LineEnding("a\rb"), "\r");
}

TEST(Edits, EveryPatchGivesWhatTheEditsGive) {
  std::mt19937 random(7);
  for (int round = 0; round < 3000; ++round) {
    const auto text = [&](size_t most) {
      std::string result;
      for (size_t i = random() % (most + 1); i > 0; --i) result += "ab\n\n\r\n"[random() % 6];
      return result;
    };
    const std::string before = text(60);
    std::vector<Edit> edits;
    size_t at = 0;
    for (size_t i = random() % 4; i > 0 && at <= before.size(); --i) {
      const size_t begin = at + random() % (before.size() - at + 1);
      const size_t end = begin + random() % (std::min<size_t>(before.size() - begin, 8) + 1);
      edits.push_back({begin, end, text(6)});
      at = end + 1;
    }
    auto after = ApplyEdits(before, edits);
    auto diff = UnifiedDiff(before, edits, "a.py");
    ASSERT_TRUE(after.ok() && diff.ok());
    EXPECT_EQ(diff->empty(), *after == before);
    EXPECT_EQ(Patch(before, *diff), *after) << *diff;
  }
}

TEST(IgnoreComments, Forms) {
  using testing::ElementsAre;
  EXPECT_THAT(*ParseIgnoreComment("# fathom: ignore[FTH010]"), ElementsAre("FTH010"));
  EXPECT_THAT(*ParseIgnoreComment("#fathom:ignore[ fth010,FTH011 ] slow"),
              ElementsAre("FTH010", "FTH011"));
  EXPECT_THAT(*ParseIgnoreComment("# noqa # fathom: ignore"), ElementsAre());
  EXPECT_THAT(*ParseIgnoreComment("# fathom: ignore, it is known"), ElementsAre());
  for (const char* other : {"# fathom: ignored", "# ignore[FTH010]", "# fathom: ignore[",
                            "# fathom: ignore[]", "# fathoms: ignore", "#", ""}) {
    EXPECT_FALSE(ParseIgnoreComment(other).has_value()) << other;
  }
}

TEST(IgnoreComments, Lines) {
  auto source = PythonSource::FromBytes(
      "x = 1  # fathom: ignore[FTH001]\n"
      "y = '# fathom: ignore'\n"
      "# fathom: ignore[FTH002]\n"
      "z = (1,\n"
      "     2)  # fathom: ignore[FTH003]\n"
      "w = 1  # fathom: ignore\n",
      "a.py");
  ASSERT_TRUE(source.ok());
  const IgnoreComments ignore(*source);
  EXPECT_TRUE(ignore.Ignores("FTH001", 1, 1));
  EXPECT_FALSE(ignore.Ignores("FTH002", 1, 1));
  EXPECT_FALSE(ignore.Ignores("FTH001", 2, 2));
  EXPECT_TRUE(ignore.Ignores("FTH002", 4, 5));
  EXPECT_FALSE(ignore.Ignores("FTH002", 5, 5));
  EXPECT_TRUE(ignore.Ignores("FTH003", 4, 5));
  EXPECT_TRUE(ignore.Ignores("FTH013", 6, 6));
}

TEST(Sarif, RequiredPropertiesAreThere) {
  const std::vector<SarifRule> rules = {{"FTH001", "mmap", "What it is.", ""},
                                        {"FTH002", "fast", "What it is.", "https://x.invalid/2"}};
  const JsonValue log = MakeSarif(rules,
                                  {{"FTH002", SarifLevel::kWarning, "no", "a b/\xC3\xA9.py", 3, 5},
                                   {"FTH009", SarifLevel::kNote, "of the file", "/c.py", 0, 0}},
                                  "1.2");
  EXPECT_EQ(log.Find("version")->as_string(), "2.1.0");
  const JsonArray& runs = log.Find("runs")->as_array();
  ASSERT_EQ(runs.size(), 1u);
  const JsonValue* driver = runs[0].Find("tool")->Find("driver");
  EXPECT_EQ(driver->Find("name")->as_string(), "fathom");
  ASSERT_EQ(driver->Find("rules")->as_array().size(), 2u);
  EXPECT_EQ(driver->Find("rules")->as_array()[0].Find("helpUri"), nullptr);
  const JsonArray& results = runs[0].Find("results")->as_array();
  ASSERT_EQ(results.size(), 2u);
  EXPECT_EQ(results[0].Find("ruleId")->as_string(), "FTH002");
  EXPECT_EQ(results[0].Find("ruleIndex")->as_int(), 1);
  EXPECT_EQ(results[0].Find("level")->as_string(), "warning");
  EXPECT_EQ(results[0].Find("message")->Find("text")->as_string(), "no");
  const JsonValue* place = results[0].Find("locations")->as_array()[0].Find("physicalLocation");
  EXPECT_EQ(place->Find("artifactLocation")->Find("uri")->as_string(), "a%20b/%C3%A9.py");
  EXPECT_EQ(place->Find("region")->Find("startLine")->as_int(), 3);
  EXPECT_EQ(place->Find("region")->Find("endLine")->as_int(), 5);
  EXPECT_EQ(results[1].Find("ruleIndex"), nullptr);
  place = results[1].Find("locations")->as_array()[0].Find("physicalLocation");
  EXPECT_EQ(place->Find("region"), nullptr);
  EXPECT_EQ(place->Find("artifactLocation")->Find("uri")->as_string(), "file:///c.py");
}

}  // namespace
}  // namespace fathom
