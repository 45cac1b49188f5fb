#include "text/byte_table.h"

#include <cstring>

namespace fathom {

void ByteTable::Add(int32_t id, std::string_view bytes, bool special) {
  entries_.resize(static_cast<size_t>(id) + 1);
  Entry& entry = entries_.back();
  entry.offset = static_cast<uint32_t>(bytes_.size());
  entry.size = static_cast<uint32_t>(bytes.size());
  entry.special = special ? 1 : 0;
  bytes_ += bytes;
}

void ByteTable::Finish() { bytes_.append(kCopied, '\0'); }

std::string ByteTable::Join(std::span<const int32_t> ids, bool skip_special) const {
  const auto find = [&](int32_t id) {
    const auto place = static_cast<size_t>(static_cast<uint32_t>(id));
    const Entry entry = place < entries_.size() ? entries_[place] : Entry();
    return entry.special && skip_special ? Entry() : entry;
  };
  size_t total = 0;
  for (const int32_t id : ids) total += find(id).size;
  std::string text(total + kCopied, '\0');
  char* out = text.data();
  for (const int32_t id : ids) {
    const Entry entry = find(id);
    const char* from = bytes_.data() + entry.offset;
    if (entry.size <= kCopied) [[likely]] {
      std::memcpy(out, from, kCopied);
    } else {
      std::memcpy(out, from, entry.size);
    }
    out += entry.size;
  }
  text.resize(total);
  return text;
}

}  // namespace fathom
