#include "base/json.h"

#include <gtest/gtest.h>

namespace fathom {
namespace {

std::string RoundTrip(std::string_view text) {
  auto value = ParseJson(text, "test");
  return value.ok() ? WriteJson(*value) : "error: " + value.status().message();
}

TEST(Json, RoundTripsValues) {
  EXPECT_EQ(RoundTrip(R"({"a":[1,-2,3.5,true,false,null,"x\n\u00e9"],"b":{}})"),
            "{\"a\":[1,-2,3.5,true,false,null,\"x\\né\"],\"b\":{}}");
  EXPECT_EQ(RoundTrip("18446744073709551615"), "18446744073709551615");
  EXPECT_EQ(RoundTrip("1.0"), "1.0");
  EXPECT_EQ(RoundTrip("0.1"), "0.1");
}

TEST(Json, KeepsTheLastOfRepeatedKeysUnlessTheyAreRefused) {
  EXPECT_EQ(RoundTrip(R"({"a":1,"b":2,"a":3})"), R"({"a":3,"b":2})");
  auto refused = ParseJson(R"({"a":1,"a":3})", "test", {.refuse_duplicate_keys = true});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.status().code(), StatusCode::kBadFile);
}

TEST(Json, RefusesWhatIsNotJson) {
  for (const char* text : {"", "{", "[1,]", "{\"a\"}", "nul", "1e400", "-1e400", "[1] x", "'a'",
                           "\"\xff\"", "\"\\ud800\"", "NaN", "Infinity", "[01]", "\"\t\""}) {
    auto value = ParseJson(text, "test");
    EXPECT_FALSE(value.ok()) << text;
    EXPECT_EQ(value.status().code(), StatusCode::kBadFile) << text;
  }
}

TEST(Json, RefusesNulWhereverItStands) {
  using namespace std::string_view_literals;
  for (const std::string_view text :
       {"{}\0"sv, "{}\0x"sv, "\0"sv, "[1,\0"sv, "[1\0]"sv, "\"\0\""sv}) {
    auto value = ParseJson(text, "test");
    EXPECT_FALSE(value.ok()) << text;
  }
}

TEST(Json, KeepsTheLastOfManyRepeatedKeys) {
  std::string text = "{\"a\":0";
  for (int i = 0; i < 50'000; ++i) text += ",\"a\":" + std::to_string(i);
  for (int i = 0; i < 50'000; ++i) text += ",\"" + std::to_string(i) + "\":1";
  auto value = ParseJson(text + "}", "test");
  ASSERT_TRUE(value.ok());
  ASSERT_EQ(value->as_object().size(), 50'001u);
  EXPECT_EQ(value->as_object()[0].second, JsonValue(49'999));
  EXPECT_EQ(value->as_object()[50'000].first, "49999");
}

TEST(Json, RefusesDepthBeyondTheLimit) {
  EXPECT_TRUE(ParseJson(std::string(64, '[') + std::string(64, ']'), "test").ok());
  EXPECT_FALSE(ParseJson(std::string(65, '[') + std::string(65, ']'), "test").ok());
  EXPECT_FALSE(ParseJson(std::string(1'000'000, '['), "test").ok());
}

}  // namespace
}  // namespace fathom
