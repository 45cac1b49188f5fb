#include "backends/common/weight_import.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "tensor/convert.h"

namespace fathom {
namespace {

// Logical rows that a transposing read takes at once: their open output lines fit the first cache.
constexpr int64_t kTransposeRows = 64;

const std::byte* At(const WeightSource& source, int64_t element) {
  return static_cast<const std::byte*>(source.data) + element * BytesOf(source.dtype);
}

// count elements of `from` at any byte -> type `to`. `wide` holds count floats.
void ConvertRow(DType from, const void* source, int64_t count, DType to, void* out, float* wide) {
  if (from == to) {
    std::memcpy(out, source, static_cast<size_t>(count * BytesOf(to)));
  } else if (to == DType::kF32) {
    ConvertToFloat(from, source, count, static_cast<float*>(out));
  } else {
    ConvertToFloat(from, source, count, wide);
    ConvertFromFloat(to, wide, count, out);
  }
}

Status Misfit(const WeightRecipe& recipe, std::string found, std::string wanted) {
  const std::string source = recipe.sources.empty() ? recipe.name : recipe.sources.front();
  return Status::BadFile("", source, std::move(found), std::move(wanted));
}

}  // namespace

Result<SourceRows> SourceRows::Create(const WeightRecipe& recipe,
                                      std::span<const WeightSource> sources) {
  SourceRows result;
  const bool vector = recipe.role == WeightRole::kVector;
  result.vector_ = vector;
  result.transpose_ = recipe.transpose && !vector;
  result.rows_ = vector ? 1 : recipe.rows;
  result.cols_ = vector ? recipe.rows : recipe.cols;
  if (sources.empty()) return Misfit(recipe, "no tensor given", "at least one");
  result.dtype_ = sources[0].dtype;
  int64_t sum = 0;
  for (size_t i = 0; i < sources.size(); ++i) {
    Piece piece{.source = sources[i]};
    const WeightSource& source = sources[i];
    if (!ConvertsToFloat(source.dtype)) {
      return Misfit(recipe, fmt::format("type {}", SafetensorsName(source.dtype)),
                    "a type of whole-byte numbers");
    }
    if (source.dtype != result.dtype_) result.dtype_ = DType::kF32;
    const int64_t available = vector              ? source.rows * source.cols
                              : result.transpose_ ? source.cols
                                                  : source.rows;
    const int64_t across = result.transpose_ ? source.rows : source.cols;
    piece.first = i < recipe.source_first_row.size() ? recipe.source_first_row[i] : 0;
    piece.rows = i < recipe.source_rows.size() ? recipe.source_rows[i] : available - piece.first;
    if (piece.first < 0 || piece.rows < 0 || piece.first > available ||
        piece.rows > available - piece.first || (!vector && across != recipe.cols)) {
      return Misfit(recipe, fmt::format("shape [{}, {}]", source.rows, source.cols),
                    fmt::format("{} rows of {} elements from row {} on", piece.rows,
                                vector ? 1 : recipe.cols, piece.first));
    }
    sum += piece.rows;
    result.pieces_.push_back(piece);
  }
  if (sum != recipe.rows) {
    return Misfit(recipe, fmt::format("{} rows", sum), fmt::format("{} rows", recipe.rows));
  }
  return result;
}

const void* SourceRows::InPlace(int64_t alignment, int64_t* stride) const {
  if (pieces_.size() != 1 || transpose_) return nullptr;
  const Piece& piece = pieces_[0];
  const std::byte* data = At(piece.source, piece.first * (vector_ ? 1 : piece.source.cols));
  if (reinterpret_cast<uintptr_t>(data) % alignment != 0) return nullptr;
  *stride = cols_;
  return data;
}

void SourceRows::ReadPiece(const Piece& piece, int64_t first, int64_t count, DType dtype, void* out,
                           int64_t stride) const {
  const int64_t size = BytesOf(dtype);
  auto* bytes = static_cast<std::byte*>(out);
  const WeightSource& source = piece.source;
  if (!transpose_) {
    std::vector<float> wide(source.dtype == dtype ? 0 : cols_);
    for (int64_t r = 0; r < count; ++r) {
      ConvertRow(source.dtype, At(source, (piece.first + first + r) * source.cols), cols_, dtype,
                 bytes + r * stride * size, wide.data());
    }
    return;
  }
  std::vector<float> wide(kTransposeRows);
  std::vector<std::byte> column(kTransposeRows * size);
  for (int64_t begin = 0; begin < count; begin += kTransposeRows) {
    const int64_t rows = std::min(kTransposeRows, count - begin);
    for (int64_t c = 0; c < source.rows; ++c) {
      ConvertRow(source.dtype, At(source, c * source.cols + piece.first + first + begin), rows,
                 dtype, column.data(), wide.data());
      for (int64_t r = 0; r < rows; ++r) {
        std::memcpy(bytes + ((begin + r) * stride + c) * size, column.data() + r * size, size);
      }
    }
  }
}

void SourceRows::Read(int64_t first, int64_t count, DType dtype, void* out, int64_t stride) const {
  const int64_t size = BytesOf(dtype);
  auto* bytes = static_cast<std::byte*>(out);
  if (vector_) {
    // Flat pieces stand one behind the other.
    for (const Piece& piece : pieces_) {
      std::vector<float> wide(piece.rows);
      ConvertRow(piece.source.dtype, At(piece.source, piece.first), piece.rows, dtype, bytes,
                 wide.data());
      bytes += piece.rows * size;
    }
    return;
  }
  int64_t piece_begin = 0;
  for (const Piece& piece : pieces_) {
    const int64_t begin = std::max(first, piece_begin);
    const int64_t end = std::min(first + count, piece_begin + piece.rows);
    if (begin < end) {
      ReadPiece(piece, begin - piece_begin, end - begin, dtype,
                bytes + (begin - first) * stride * size, stride);
    }
    piece_begin += piece.rows;
  }
}

Result<HeldWeight> ImportWeight(const WeightRecipe& recipe, const WeightPlan& plan,
                                std::span<const WeightSource> sources, bool in_place,
                                int64_t alignment) {
  FATHOM_ASSIGN(const SourceRows rows, SourceRows::Create(recipe, sources));
  const bool vector = recipe.role == WeightRole::kVector;
  const DType dtype = vector ? DType::kF32 : plan.dtype;
  const WeightFormat format = vector ? WeightFormat::kDense : plan.format;
  HeldWeight held;
  Weight& weight = held.weight;
  if (format != WeightFormat::kDense) {
    weight = PlanPacked(format, dtype, rows.rows(), rows.cols());
    FATHOM_ASSIGN(held.buffer, AlignedBuffer::Allocate(static_cast<size_t>(weight.size_bytes)));
    weight.data = held.buffer.data();
    // Other formats than plain panels are made from the file's own values.
    const DType read = format == WeightFormat::kPanel16 ? dtype : DType::kF32;
    std::vector<std::byte> panel(16 * rows.cols() * BytesOf(read));
    for (int64_t first = 0; first < rows.rows(); first += 16) {
      const int64_t count = std::min<int64_t>(16, rows.rows() - first);
      rows.Read(first, count, read, panel.data(), rows.cols());
      PackWeightRows(weight, read, panel.data(), rows.cols(), first, count, held.buffer.data());
    }
    return held;
  }
  weight = {.format = format, .dtype = dtype, .rows = rows.rows(), .cols = rows.cols()};
  weight.stride = rows.cols();
  weight.size_bytes = weight.payload_bytes();
  if (in_place && rows.dtype() == dtype) {
    weight.data = rows.InPlace(alignment, &weight.stride);
    weight.in_file = weight.data != nullptr;
    if (weight.in_file) return held;
  }
  FATHOM_ASSIGN(held.buffer, AlignedBuffer::AllocateArray(static_cast<size_t>(weight.rows),
                                                          weight.cols * BytesOf(dtype)));
  rows.Read(0, weight.rows, dtype, held.buffer.data(), weight.stride);
  weight.data = held.buffer.data();
  return held;
}

}  // namespace fathom
