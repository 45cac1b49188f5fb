#include "cli/npz.h"

#include <array>
#include <cerrno>
#include <cstring>

#include <fmt/format.h>

#include "base/check.h"
#include "cli/npy.h"

namespace fathom {
namespace {

constexpr uint64_t kLimit32 = 0xFFFFFFFF;
constexpr uint64_t kLimit16 = 0xFFFF;
constexpr int kZip64Version = 45;
constexpr int kDate = (1 << 5) | 1;  // 1980-01-01: two runs give the same file

// CRC-32 four bytes at a time.
using CrcTables = std::array<std::array<uint32_t, 256>, 4>;

CrcTables MakeCrcTables() {
  CrcTables tables;
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = value >> 1 ^ ((value & 1) != 0 ? 0xEDB88320u : 0);
    tables[0][i] = value;
  }
  for (uint32_t i = 0; i < 256; ++i) {
    for (size_t k = 1; k < 4; ++k) {
      tables[k][i] = tables[k - 1][i] >> 8 ^ tables[0][tables[k - 1][i] & 0xFF];
    }
  }
  return tables;
}

// Little endian, whatever the machine.
class Bytes {
 public:
  Bytes& Put(uint64_t value, int size) {
    for (int i = 0; i < size; ++i) text_ += static_cast<char>(value >> (8 * i) & 0xFF);
    return *this;
  }
  Bytes& Put(std::string_view text) {
    text_ += text;
    return *this;
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

}  // namespace

uint32_t Crc32(uint32_t crc, std::span<const unsigned char> data) {
  static const CrcTables tables = MakeCrcTables();
  uint32_t state = ~crc;
  size_t i = 0;
  for (; i + 4 <= data.size(); i += 4) {
    state ^= static_cast<uint32_t>(data[i]) | static_cast<uint32_t>(data[i + 1]) << 8 |
             static_cast<uint32_t>(data[i + 2]) << 16 | static_cast<uint32_t>(data[i + 3]) << 24;
    state = tables[3][state & 0xFF] ^ tables[2][state >> 8 & 0xFF] ^ tables[1][state >> 16 & 0xFF] ^
            tables[0][state >> 24];
  }
  for (; i < data.size(); ++i) state = state >> 8 ^ tables[0][(state ^ data[i]) & 0xFF];
  return ~state;
}

NpzWriter::~NpzWriter() {
  if (file_ != nullptr) std::fclose(file_);
}

Status NpzWriter::Write(std::string_view bytes) {
  offset_ += bytes.size();
  if (std::fwrite(bytes.data(), 1, bytes.size(), file_) == bytes.size()) return Status::Ok();
  return Status::RunTime(fmt::format("{}: cannot be written: {}", path_, std::strerror(errno)));
}

Status NpzWriter::Open(const std::string& path) {
  path_ = path;
  file_ = std::fopen(path.c_str(), "wb");
  if (file_ != nullptr) return Status::Ok();
  return Status::RunTime(fmt::format("{}: cannot be written: {}", path, std::strerror(errno)));
}

Status NpzWriter::Add(const std::string& name, std::span<const int64_t> shape,
                      std::span<const float> values) {
  uint64_t count = 1;
  for (const int64_t size : shape) count *= static_cast<uint64_t>(size);
  FATHOM_CHECK(file_ != nullptr && count == values.size());
  const std::string header = NpyHeader(shape);
  const std::string_view data(reinterpret_cast<const char*>(values.data()), values.size_bytes());
  const auto bytes = [](std::string_view text) {
    return std::span(reinterpret_cast<const unsigned char*>(text.data()), text.size());
  };
  Member& member = members_.emplace_back();
  member.name = name + ".npy";
  member.offset = offset_;
  member.size = header.size() + data.size();
  member.crc = Crc32(Crc32(0, bytes(header)), bytes(data));
  const bool large = member.size >= kLimit32;
  Bytes local;
  local.Put(0x04034B50, 4).Put(large ? kZip64Version : 20, 2).Put(0, 2).Put(0, 2).Put(0, 2);
  local.Put(kDate, 2).Put(member.crc, 4);
  for (int i = 0; i < 2; ++i) local.Put(large ? kLimit32 : member.size, 4);
  local.Put(member.name.size(), 2).Put(large ? 20 : 0, 2).Put(member.name);
  if (large) local.Put(1, 2).Put(16, 2).Put(member.size, 8).Put(member.size, 8);
  FATHOM_TRY(Write(local.text()));
  FATHOM_TRY(Write(header));
  return Write(data);
}

Status NpzWriter::Close() {
  const uint64_t directory = offset_;
  for (const Member& member : members_) {
    const bool large = member.size >= kLimit32 || member.offset >= kLimit32;
    Bytes entry;
    entry.Put(0x02014B50, 4).Put(kZip64Version, 2).Put(large ? kZip64Version : 20, 2).Put(0, 2);
    entry.Put(0, 2).Put(0, 2).Put(kDate, 2).Put(member.crc, 4);
    for (int i = 0; i < 2; ++i) entry.Put(large ? kLimit32 : member.size, 4);
    entry.Put(member.name.size(), 2).Put(large ? 28 : 0, 2).Put(0, 2).Put(0, 2).Put(0, 2);
    entry.Put(0, 4).Put(large ? kLimit32 : member.offset, 4).Put(member.name);
    if (large) {
      entry.Put(1, 2).Put(24, 2).Put(member.size, 8).Put(member.size, 8).Put(member.offset, 8);
    }
    FATHOM_TRY(Write(entry.text()));
  }
  const uint64_t end = offset_;
  const uint64_t size = end - directory;
  const uint64_t count = members_.size();
  Bytes tail;
  const bool large = count >= kLimit16 || size >= kLimit32 || directory >= kLimit32;
  if (large) {
    tail.Put(0x06064B50, 4).Put(44, 8).Put(kZip64Version, 2).Put(kZip64Version, 2).Put(0, 8);
    tail.Put(count, 8).Put(count, 8).Put(size, 8).Put(directory, 8);
    tail.Put(0x07064B50, 4).Put(0, 4).Put(end, 8).Put(1, 4);
  }
  tail.Put(0x06054B50, 4).Put(0, 4);
  for (int i = 0; i < 2; ++i) tail.Put(large ? kLimit16 : count, 2);
  tail.Put(large ? kLimit32 : size, 4).Put(large ? kLimit32 : directory, 4).Put(0, 2);
  FATHOM_TRY(Write(tail.text()));
  std::FILE* file = file_;
  file_ = nullptr;
  if (std::fclose(file) == 0) return Status::Ok();
  return Status::RunTime(fmt::format("{}: cannot be written: {}", path_, std::strerror(errno)));
}

}  // namespace fathom
