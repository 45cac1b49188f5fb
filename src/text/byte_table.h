// The bytes that each id writes, end to end in one array: decoding whole texts with the byte-level
// decoder is then a copy an id. Made when it is first asked for, for a generation that streams its
// text never needs it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fathom {

class ByteTable {
 public:
  // Ids are given in ascending order; those left out write nothing.
  void Add(int32_t id, std::string_view bytes, bool special);
  void Finish();

  // The joined bytes of the ids, as they are.
  std::string Join(std::span<const int32_t> ids, bool skip_special) const;

 private:
  static constexpr size_t kCopied = 16;  // bytes that are copied at once, needed or not
  struct Entry {
    uint32_t offset = 0;
    uint32_t size : 31 = 0;
    uint32_t special : 1 = 0;
  };
  std::vector<Entry> entries_;
  std::string bytes_;
};

}  // namespace fathom
