// Notebooks: which lines are Python, and where they stand.
#include "audit/python/notebook.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "audit/python/python_source.h"

namespace fathom {
namespace {

PythonSource Read(std::string json) {
  auto source = PythonSource::FromBytes(std::move(json), "a.ipynb");
  EXPECT_TRUE(source.ok()) << source.status().message();
  return *std::move(source);
}

uint32_t Find(const PythonSource& source, std::string_view what) {
  const size_t at = source.text().find(what);
  EXPECT_NE(at, std::string_view::npos) << what;
  return static_cast<uint32_t>(at);
}

constexpr const char* kNotebook = R"({
 "cells": [
  {"cell_type": "markdown", "source": ["# x = (\n"]},
  {"cell_type": "code", "outputs": [{"data": ["y = 1\n", {"source": "no"}]}],
   "source": [
    "import torch\n",
    "!pip install transformers \\\n",
    "  accelerate\n",
    "x = torch.ones(2)\n",
    "files = !ls\n",
    "x?"
   ]},
  {"cell_type": "raw", "source": "raw"},
  {"cell_type": "code", "source": "a = '\u00e9\ud83d\ude00'\nb = (1,\n   2)\n"},
  {"cell_type": "code", "source": []}
 ],
 "metadata": {"kernelspec": {"language": "python"}}, "nbformat": 4, "nbformat_minor": 5
}
)";

TEST(Notebook, CellsAndLines) {
  const PythonSource source = Read(kNotebook);
  EXPECT_FALSE(source.error().has_value()) << source.error()->reason;
  EXPECT_EQ(source.text(),
            "import torch\npass\n\nx = torch.ones(2)\nfiles = ...\npass\n"
            "a = '\xC3\xA9\xF0\x9F\x98\x80'\nb = (1,\n   2)\n");
  EXPECT_TRUE(source.is_notebook());
  EXPECT_EQ(source.Line(Find(source, "import")), 6);
  EXPECT_EQ(source.Line(Find(source, "x = torch")), 9);
  EXPECT_EQ(source.Line(Find(source, "b = ")), 14);
  const uint32_t b = Find(source, "b = ");
  const auto cell = source.Cell(b, b + 13);
  ASSERT_TRUE(cell.has_value());
  EXPECT_EQ(cell->cell, 3);
  EXPECT_EQ(cell->first, 2);
  EXPECT_EQ(cell->last, 3);
  EXPECT_EQ(source.Cell(Find(source, "import"), Find(source, "import") + 6)->cell, 1);
}

TEST(Notebook, Nbformat3) {
  const PythonSource source = Read(
      "{\"nbformat\": 3, \"worksheets\": [{\"cells\": [\n"
      "{\"cell_type\": \"code\", \"language\": \"python\",\n\"input\": [\"x = 1\\n\",\n\"y = 2\"]}"
      "]}]}");
  EXPECT_EQ(source.text(), "x = 1\ny = 2\n");
  EXPECT_EQ(source.Line(6), 4);
}

TEST(Notebook, ErrorOfACellIsPlacedInTheFile) {
  const PythonSource source = Read(
      "{\"cells\": [\n{\"cell_type\": \"code\", \"source\": [\"x = (1,\\n\", \"2\"]},\n"
      "{\"cell_type\": \"code\", \"source\": [\"y = 1)\"]}]}");
  ASSERT_TRUE(source.error().has_value());
  EXPECT_EQ(source.error()->line, 2);
  EXPECT_EQ(source.error()->reason, "'(' was never closed");
}

TEST(Notebook, RefusesWhatIsNone) {
  for (const char* bytes :
       {"", "[1, 2]", "{}", "{\"cells\": 3}", "{\"cells\": [", "x = 1\n", "{\"cells\": [}",
        "{\"cells\": [], \"metadata\": {\"language_info\": {\"name\": \"R\"}}}"}) {
    const auto source = PythonSource::FromBytes(bytes, "a.ipynb");
    ASSERT_FALSE(source.ok()) << bytes;
    EXPECT_EQ(source.status().code(), StatusCode::kRunTime);
    EXPECT_THAT(source.status().message(), testing::HasSubstr("a.ipynb"));
  }
}

TEST(Notebook, OddCellsAreNoTrouble) {
  const PythonSource source = Read(
      "{\"cells\": [1, null, {}, {\"cell_type\": 3}, {\"cell_type\": \"code\"}, {\"cell_type\": "
      "\"code\", \"source\": 5}, {\"cell_type\": \"code\", \"source\": [1, \"x\", [\"y\"]]}]}");
  EXPECT_EQ(source.text(), "x\n");
  EXPECT_EQ(source.Cell(0, 1)->cell, 6);
  const PythonSource empty = Read("{\"cells\": []}");
  EXPECT_EQ(empty.text(), "");
  EXPECT_EQ(empty.Line(0), 1);
  EXPECT_FALSE(empty.Cell(0, 0).has_value());
}

TEST(Magics, OnlyWhereALineBegins) {
  EXPECT_EQ(BlankMagics("%matplotlib inline\nx = 1\n"), "pass\nx = 1\n");
  EXPECT_EQ(BlankMagics("x = (5\n% 3)\n!ls\n"), "x = (5\n% 3)\npass\n");
  EXPECT_EQ(BlankMagics("x = '''\n!ls\n'''\n!ls\n"), "x = '''\n!ls\n'''\npass\n");
  EXPECT_EQ(BlankMagics("if x:\n    !ls\n"), "if x:\n    pass\n");
  EXPECT_EQ(BlankMagics("a, b = %magic x\n"), "a, b = ...\n");
  EXPECT_EQ(BlankMagics("x = 5 \\\n% 3\n?x\n"), "x = 5 \\\n% 3\npass\n");
  EXPECT_EQ(BlankMagics("# what?\nx ?\n"), "# what?\npass\n");
}

TEST(Magics, OfAWholeCell) {
  EXPECT_EQ(BlankMagics("%%time\nx = 1\n"), "\nx = 1\n");
  EXPECT_EQ(BlankMagics("%%bash\necho = 1\n"), "\n\n");
  EXPECT_EQ(BlankMagics("\n%%writefile a.py\nx = 1\n"), "\n\n\n");
  EXPECT_EQ(BlankMagics("%%unheard_of\nx = 1\n"), "\nx = 1\n");
  EXPECT_EQ(BlankMagics("%%unheard_of\nx 1\n"), "\n\n");
}

}  // namespace
}  // namespace fathom
