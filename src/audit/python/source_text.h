// The bytes of a Python file as text: encoding, byte order mark and line ends as Python reads them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "fathom/status.h"

namespace fathom {

// Where offsets of a text stand in the bytes it was made from: a step where the distance changes.
class OffsetMap {
 public:
  // From `text` on, offset t stands at raw + (t - text). Steps come in order.
  void Add(size_t text, size_t raw);
  size_t Raw(size_t text) const;
  // The first offset after `text` at which the distance changes, or the largest size_t.
  size_t StepEnd(size_t text) const;

 private:
  struct Step {
    size_t text;
    size_t raw;
  };
  std::vector<Step> steps_;
};

struct SourceText {
  // Lines end in "\n" (from "\r\n" and "\r"); no byte order mark; UTF-8 but for bytes of a file in
  // UTF-8 that are none, which Python minds in names and strings alone.
  std::string text;
  OffsetMap map;
};

// Decodes the bytes by their byte order mark and coding cookie (PEP 263). Fails (kRunTime) on NUL
// bytes, on an encoding that is unknown or not what the bytes are in.
Result<SourceText> DecodePythonSource(std::string_view bytes, const std::string& name);

// The same text in valid UTF-8 (U+FFFD for what is none), `map` following.
SourceText RepairSource(const SourceText& source);

}  // namespace fathom
