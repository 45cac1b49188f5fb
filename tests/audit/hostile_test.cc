// Input that is no script, too much of one, or made to break what reads it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "audit/python/python_source.h"

namespace fathom {
namespace {

std::string Repeat(std::string_view piece, size_t times) {
  std::string text;
  for (size_t i = 0; i < times; ++i) text += piece;
  return text;
}

TEST(HostileSource, NoText) {
  for (const std::string& bytes :
       {std::string("\x7F"
                    "ELF\0\0",
                    6),
        std::string("\xFF\xFEx\0", 4), std::string("\xFE\xFF\0x", 4), std::string("x = 1\0", 6),
        std::string("# coding: nonsense\nx = 1\n"), std::string("# coding: ascii\nx = '\xE9'\n")}) {
    const auto source = PythonSource::FromBytes(bytes, "bad.py");
    ASSERT_FALSE(source.ok());
    EXPECT_EQ(source.status().code(), StatusCode::kRunTime);
    EXPECT_THAT(source.status().message(), testing::StartsWith("bad.py: "));
  }
  EXPECT_EQ(PythonSource::Open("/nonexistent/a.py").status().code(), StatusCode::kRunTime);
  EXPECT_EQ(PythonSource::Open("/").status().code(), StatusCode::kRunTime);
}

TEST(HostileSource, Size) {
  EXPECT_TRUE(PythonSource::FromBytes("", "empty.py").ok());
  const auto large = PythonSource::FromBytes(std::string(kMaxPythonSourceBytes + 1, '\n'), "a.py");
  ASSERT_FALSE(large.ok());
  EXPECT_THAT(large.status().message(), testing::HasSubstr("4194304"));
  EXPECT_TRUE(PythonSource::FromBytes(std::string(kMaxPythonSourceBytes, '\n'), "a.py").ok());
  EXPECT_FALSE(PythonSource::FromBytes(std::string(kMaxNotebookBytes + 1, ' '), "a.ipynb").ok());
}

// 65,536 children of one node were too many for an older tree-sitter.
TEST(HostileSource, Depth) {
  for (const char* piece : {"(",      "[",   "{",  "f(",           "-",   "not ",   "lambda: ",
                            "await ", "a**", "x=", "x if y else ", "{1:", "f'{",    "\"\"\"a ",
                            "async ", "@",   "* ", "if x:\n ",     "#\n", "match ", "try:"}) {
    SCOPED_TRACE(piece);
    const auto source = PythonSource::FromBytes(Repeat(piece, 100000), "deep.py");
    ASSERT_TRUE(source.ok()) << source.status().message();
    EXPECT_EQ(source->error().has_value(), std::string_view(piece) != "#\n");
    EXPECT_LE(ts_node_end_byte(source->root()), source->text().size());
  }
  std::string indented;
  for (size_t i = 0; i < 1500; ++i) indented += std::string(i, ' ') + "if x:\n";
  const auto source = PythonSource::FromBytes(indented, "deep.py");
  ASSERT_TRUE(source.ok() && source->error().has_value());
  EXPECT_EQ(source->error()->line, 101);
  EXPECT_FALSE(PythonSource::FromBytes("{\"cells\":" + Repeat("[", 100000), "deep.ipynb").ok());
}

TEST(HostileSource, WhatIsRefusedIsStillThereToRead) {
  const auto source = PythonSource::FromBytes(
      "import torch\nprint 'x'\ntorch.backends.cudnn.benchmark = True\n", "a.py");
  ASSERT_TRUE(source.ok() && source->error().has_value());
  EXPECT_EQ(source->error()->line, 2);
  const TSNode last =
      ts_node_named_child(source->root(), ts_node_named_child_count(source->root()) - 1);
  EXPECT_EQ(source->Text(last), "torch.backends.cudnn.benchmark = True");
  EXPECT_EQ(source->Line(ts_node_start_byte(last)), 3);
  // Where recovery takes too long, the tree is of the beginning.
  const auto much = PythonSource::FromBytes(Repeat("x y\n", 500000), "a.py");
  ASSERT_TRUE(much.ok() && much->error().has_value());
  EXPECT_GE(ts_node_end_byte(much->root()), kRecoveryBytes / 2);
}

}  // namespace
}  // namespace fathom
