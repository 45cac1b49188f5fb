// Reading of scripts: encodings, line ends, offsets, and what there is to look at afterwards.
#include "audit/python/python_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace fathom {
namespace {

PythonSource Read(std::string bytes, std::string name = "a.py") {
  auto source = PythonSource::FromBytes(std::move(bytes), std::move(name));
  EXPECT_TRUE(source.ok()) << source.status().message();
  return *std::move(source);
}

TEST(PythonSource, TreeAndLines) {
  const PythonSource source = Read("import torch\n\nx = 1  # one\n");
  EXPECT_EQ(std::string(ts_node_type(source.root())), "module");
  EXPECT_EQ(ts_node_named_child_count(source.root()), 3u);
  const TSNode second = ts_node_named_child(source.root(), 1);
  EXPECT_EQ(source.Text(second), "x = 1");
  EXPECT_EQ(source.Line(ts_node_start_byte(second)), 3);
  ASSERT_EQ(source.comments().size(), 1u);
  EXPECT_EQ(source.text().substr(source.comments()[0].begin), "# one\n");
  EXPECT_FALSE(source.error().has_value());
}

TEST(PythonSource, MarkAndLineEndsKeepRawOffsets) {
  const std::string raw = "\xEF\xBB\xBFx = 1\r\ny = 2\rz = 3\n";
  const PythonSource source = Read(raw);
  EXPECT_EQ(source.text(), "x = 1\ny = 2\nz = 3\n");
  for (const char name : {'x', 'y', 'z'}) {
    EXPECT_EQ(source.RawOffset(static_cast<uint32_t>(source.text().find(name))), raw.find(name));
  }
  EXPECT_EQ(source.RawOffset(static_cast<uint32_t>(source.text().size())), raw.size());
  EXPECT_EQ(source.Line(static_cast<uint32_t>(source.text().find('z'))), 3);
}

TEST(PythonSource, CodingCookie) {
  const std::string raw = "# -*- coding: latin-1 -*-\r\nname = '\xE9\xE8'\r\nx = 1\r\n";
  const PythonSource source = Read(raw);
  EXPECT_NE(source.text().find("'\xC3\xA9\xC3\xA8'\n"), std::string_view::npos);
  EXPECT_EQ(source.RawOffset(static_cast<uint32_t>(source.text().find("x = 1"))),
            raw.find("x = 1"));
}

}  // namespace
}  // namespace fathom
