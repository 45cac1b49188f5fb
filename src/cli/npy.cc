#include "cli/npy.h"

#include <fmt/format.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <string_view>

#include "base/mapped_file.h"
#include "tensor/convert.h"

namespace fathom {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";

Status CannotWrite(const std::string& path) {
  return Status::RunTime(fmt::format("{}: cannot be written: {}", path, std::strerror(errno)));
}

// The text after `'key':` in the header's dictionary.
std::string_view FieldOf(std::string_view header, std::string_view key) {
  const size_t at = header.find(fmt::format("'{}':", key));
  if (at == std::string_view::npos) return {};
  std::string_view rest = header.substr(at + key.size() + 3);
  while (!rest.empty() && rest[0] == ' ') rest.remove_prefix(1);
  return rest;
}

// "(3, 4)" -> {3, 4}; empty where it is no such tuple.
std::vector<int64_t> ParseTuple(std::string_view text) {
  std::vector<int64_t> sizes;
  const char* at = text.data() + 1;
  const char* end = text.data() + text.size();
  while (at < end && *at != ')') {
    int64_t size = 0;
    const auto [next, error] = std::from_chars(at, end, size);
    if (error != std::errc() || size < 0) return {};
    sizes.push_back(size);
    at = next;
    while (at < end && (*at == ',' || *at == ' ')) ++at;
  }
  return sizes;
}

struct Header {
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;
  size_t data_offset = 0;
};

Result<Header> ParseHeader(const MappedFile& file) {
  const std::string_view text = file.text();
  const auto bad = [&](std::string what) { return Status::BadFile(file.path(), "header", what); };
  if (text.size() < 10 || !text.starts_with(kMagic)) return bad("is not that of a .npy file");
  const auto byte = [&](size_t i) {
    return static_cast<size_t>(static_cast<unsigned char>(text[i]));
  };
  const bool wide = byte(6) >= 2;
  if (wide && text.size() < 12) return bad("is cut short");
  const size_t start = wide ? 12 : 10;
  const size_t length =
      wide ? byte(8) | byte(9) << 8 | byte(10) << 16 | byte(11) << 24 : byte(8) | byte(9) << 8;
  if (length > text.size() - start) return bad("is cut short");
  const std::string_view header = text.substr(start, length);
  Header result;
  result.data_offset = start + length;
  const std::string_view descr = FieldOf(header, "descr");
  if (descr.starts_with("'<f8'")) {
    result.dtype = DType::kF64;
  } else if (!descr.starts_with("'<f4'")) {
    return bad(fmt::format("type {} is not float32 or float64", descr.substr(0, 8)));
  }
  if (!FieldOf(header, "fortran_order").starts_with("False")) return bad("is in Fortran order");
  const std::string_view shape = FieldOf(header, "shape");
  if (!shape.starts_with("(")) return bad("has no shape");
  result.shape = ParseTuple(shape);
  if (result.shape.size() == 1) result.shape.insert(result.shape.begin(), 1);
  if (result.shape.size() != 2) return bad("has not one or two axes");
  return result;
}

}  // namespace

std::string NpyHeader(std::span<const int64_t> shape) {
  std::string sizes;
  for (const int64_t size : shape) sizes += fmt::format("{}, ", size);
  if (shape.size() > 1) sizes.resize(sizes.size() - 2);
  if (shape.size() == 1) sizes.pop_back();
  std::string header =
      fmt::format("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}), }}", sizes);
  // The data begins at a multiple of 64.
  while ((10 + header.size() + 1) % 64 != 0) header += ' ';
  header += '\n';
  std::string start(kMagic);
  start += '\x01';
  start += '\x00';
  start += static_cast<char>(header.size() & 0xFF);
  start += static_cast<char>(header.size() >> 8);
  return start + header;
}

NpyWriter::~NpyWriter() {
  if (file_ != nullptr) std::fclose(file_);
}

Status NpyWriter::Open(const std::string& path, int64_t rows, int64_t columns) {
  path_ = path;
  file_ = std::fopen(path.c_str(), "wb");
  if (file_ == nullptr) return CannotWrite(path);
  const int64_t shape[] = {rows, columns};
  const std::string start = NpyHeader(shape);
  if (std::fwrite(start.data(), 1, start.size(), file_) != start.size()) return CannotWrite(path_);
  return Status::Ok();
}

Status NpyWriter::Append(std::span<const float> values) {
  const size_t written = std::fwrite(values.data(), sizeof(float), values.size(), file_);
  return written == values.size() ? Status::Ok() : CannotWrite(path_);
}

Status NpyWriter::Close() {
  std::FILE* file = file_;
  file_ = nullptr;
  return std::fclose(file) == 0 ? Status::Ok() : CannotWrite(path_);
}

Result<NpyMatrix> ReadNpy(const std::string& path) {
  FATHOM_ASSIGN(const MappedFile file, MappedFile::Open(path));
  FATHOM_ASSIGN(const Header header, ParseHeader(file));
  NpyMatrix matrix{.rows = header.shape[0], .columns = header.shape[1]};
  const uint64_t have = file.size() - header.data_offset;
  uint64_t elements = 0;
  uint64_t bytes = 0;
  if (__builtin_mul_overflow(static_cast<uint64_t>(matrix.rows),
                             static_cast<uint64_t>(matrix.columns), &elements) ||
      __builtin_mul_overflow(elements, static_cast<uint64_t>(BytesOf(header.dtype)), &bytes) ||
      bytes != have) {
    return Status::BadFile(path, "shape", fmt::format("[{}, {}]", matrix.rows, matrix.columns),
                           fmt::format("does not fit the {} bytes of data", have));
  }
  matrix.values.resize(elements);
  ConvertToFloat(header.dtype, file.data() + header.data_offset, static_cast<int64_t>(elements),
                 matrix.values.data());
  return matrix;
}

}  // namespace fathom
