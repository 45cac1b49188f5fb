// What Python takes and what it refuses, and on which line: held against ast.parse of CPython 3.11
// (tools/goldens/make_python_syntax.py).
#include <gtest/gtest.h>

#include <string>

#include "audit/python/python_source.h"
#include "base/json.h"

namespace fathom {
namespace {

std::string FromHex(const std::string& hex) {
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

TEST(PythonSyntax, AgreesWithPythonOnEverySnippet) {
  auto golden = ParseJsonFile(std::string(FATHOM_SOURCE_DIR) + "/tests/goldens/python/syntax.json");
  ASSERT_TRUE(golden.ok()) << golden.status().message();
  int accepted = 0, refused = 0, unreadable = 0;
  for (const JsonValue& test : golden->Find("cases")->as_array()) {
    const JsonValue* text = test.Find("source");
    const std::string bytes =
        text != nullptr ? text->as_string() : FromHex(test.Find("hex")->as_string());
    SCOPED_TRACE(WriteJson(bytes.substr(0, 300)));
    const auto source = PythonSource::FromBytes(bytes, "snippet.py");
    const JsonValue* line = test.Find("line");
    if (test.Find("unreadable") != nullptr) {
      EXPECT_FALSE(source.ok());
      ++unreadable;
      continue;
    }
    if (!source.ok()) {
      ADD_FAILURE() << source.status().message();
      continue;
    }
    const auto& error = source->error();
    if (line == nullptr) {
      EXPECT_FALSE(error.has_value()) << error->line << ": " << error->reason;
      ++accepted;
    } else if (!error.has_value()) {
      ADD_FAILURE() << "accepted; Python: " << WriteJson(test);
    } else {
      EXPECT_EQ(error->line, line->as_int()) << error->reason << "; Python: " << WriteJson(test);
      EXPECT_FALSE(error->reason.empty());
      ++refused;
    }
  }
  EXPECT_GT(accepted, 300);
  EXPECT_GT(refused, 400);
  EXPECT_GT(unreadable, 5);
}

}  // namespace
}  // namespace fathom
