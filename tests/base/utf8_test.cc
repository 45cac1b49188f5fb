#include "base/utf8.h"

#include <gtest/gtest.h>

#include <vector>

namespace fathom {
namespace {

using namespace std::string_view_literals;

TEST(Utf8, EveryCodePointRoundTrips) {
  for (char32_t c = 0; c <= 0x10FFFF; ++c) {
    if (c >= 0xD800 && c <= 0xDFFF) continue;
    std::string text;
    AppendUtf8(c, text);
    ASSERT_EQ(text.size(), c < 0x80 ? 1u : c < 0x800 ? 2u : c < 0x10000 ? 3u : 4u);
    const DecodedCodePoint decoded = DecodeUtf8(text, 0);
    ASSERT_TRUE(decoded.valid) << static_cast<uint32_t>(c);
    ASSERT_EQ(decoded.code_point, c);
    ASSERT_EQ(decoded.size_bytes, static_cast<int>(text.size()));
    ASSERT_TRUE(IsValidUtf8(text));
  }
}

TEST(Utf8, RefusesWhatTheStandardRefuses) {
  for (const std::string_view text :
       {"\x80"sv, "\xBF"sv, "\xC0\x80"sv, "\xC1\xBF"sv, "\xE0\x80\x80"sv, "\xE0\x9F\xBF"sv,
        "\xED\xA0\x80"sv, "\xED\xBF\xBF"sv, "\xF0\x80\x80\x80"sv, "\xF0\x8F\xBF\xBF"sv,
        "\xF4\x90\x80\x80"sv, "\xF5\x80\x80\x80"sv, "\xFF"sv, "\xFE"sv, "\xC3"sv, "\xE2\x82"sv,
        "\xF0\x9F\x98"sv, "\xC3("sv}) {
    EXPECT_FALSE(IsValidUtf8(text));
    EXPECT_EQ(FindInvalidUtf8("ab" + std::string(text)), 2u);
    EXPECT_FALSE(DecodeUtf8(text, 0).valid);
    EXPECT_EQ(DecodeUtf8(text, 0).size_bytes, 1);
  }
  EXPECT_EQ(DecodeUtf8("", 0).size_bytes, 0);
}

TEST(Utf8, RepairsAsPythonDoes) {
  // bytes.decode("utf-8", "replace") of each.
  const struct {
    std::string_view bytes, repaired;
  } cases[] = {
      {"plain \xC3\xA9", "plain \xC3\xA9"},
      {"\xFF", "\xEF\xBF\xBD"},
      {"\xE2\x82", "\xEF\xBF\xBD"},
      {"\xE2\x82(", "\xEF\xBF\xBD("},
      {"\xE2(\xA1", "\xEF\xBF\xBD(\xEF\xBF\xBD"},
      {"\xF0\x9F\x98\xF0\x9F\x98\x80", "\xEF\xBF\xBD\xF0\x9F\x98\x80"},
      {"\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
      {"\xC0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD"},
      {"\xF5\x80", "\xEF\xBF\xBD\xEF\xBF\xBD"},
  };
  for (const auto& c : cases) EXPECT_EQ(RepairUtf8(c.bytes), c.repaired);
}

TEST(Utf8, TellsTheBytesThatBeginACodePoint) {
  const std::string_view text = "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80";
  const std::vector<size_t> open = {0, 0, 1, 0, 1, 2, 0, 1, 2, 3, 0};
  for (size_t i = 0; i <= text.size(); ++i) {
    EXPECT_EQ(IncompleteUtf8Suffix(text.substr(0, i)), open[i]) << i;
  }
  // What can never become one is not waited for.
  for (const std::string_view bad :
       {"\xFF"sv, "\x80"sv, "\xC0"sv, "\xE0\x80"sv, "\xC3\xA9\xA9"sv}) {
    EXPECT_EQ(IncompleteUtf8Suffix(bad), 0u);
  }
}

TEST(Utf8, EscapesWhatATerminalWouldObey) {
  EXPECT_EQ(EscapeForTerminal("caf\xC3\xA9\n"), "caf\xC3\xA9\\n");
  EXPECT_EQ(EscapeForTerminal("\x1B[31m\x07"), "\\x1b[31m\\x07");
  EXPECT_EQ(EscapeForTerminal("\xC2\x9B"
                              "31m"),
            "\\x9b31m");  // CSI as one C1 control
  EXPECT_EQ(EscapeForTerminal("\x7F\xFF"), "\\x7f\\xff");
  EXPECT_EQ(EscapeForTerminal(std::string_view("\0", 1)), "\\x00");
}

}  // namespace
}  // namespace fathom
