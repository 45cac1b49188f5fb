// Any bytes as a script, or (first byte N) a notebook: read, parsed, every offset and line asked.
#include <cstddef>
#include <cstdint>
#include <string>

#include "audit/python/python_source.h"
#include "base/check.h"
#include "base/utf8.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace fathom;
  std::string bytes(reinterpret_cast<const char*>(data), size);
  const bool notebook = !bytes.empty() && bytes[0] == 'N';
  if (notebook) bytes.erase(0, 1);
  const auto source = PythonSource::FromBytes(std::move(bytes), notebook ? "a.ipynb" : "a.py");
  if (!source.ok()) {
    FATHOM_CHECK(source.status().code() == StatusCode::kRunTime);
    FATHOM_CHECK(!source.status().message().empty());
    return 0;
  }
  const PythonSource& python = *source;
  const auto end = static_cast<uint32_t>(python.text().size());
  FATHOM_CHECK(IsValidUtf8(python.text()));
  int line = 1;
  size_t raw = 0;
  for (uint32_t byte = 0; byte <= end; ++byte) {
    const int here = python.Line(byte);
    FATHOM_CHECK(here >= 1 && (notebook || here >= line));
    line = here;
    const auto cell = python.Cell(byte, end);
    FATHOM_CHECK(notebook || !cell.has_value());
    FATHOM_CHECK(!cell.has_value() || (cell->first >= 1 && cell->last >= cell->first));
    if (notebook) continue;
    FATHOM_CHECK(python.RawOffset(byte) >= raw && python.RawOffset(byte) <= python.raw().size());
    raw = python.RawOffset(byte);
  }
  for (const PythonSource::Comment& comment : python.comments()) {
    FATHOM_CHECK(comment.begin < comment.end && comment.end <= end);
    FATHOM_CHECK(python.text()[comment.begin] == '#');
  }
  const auto& error = python.error();
  FATHOM_CHECK(!error.has_value() || (error->line >= 1 && !error->reason.empty()));
  FATHOM_CHECK(python.Text(python.root()).size() <= end);
  return 0;
}
