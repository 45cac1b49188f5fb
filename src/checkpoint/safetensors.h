// A .safetensors file: named tensors used in place, in a mapping of the file.
//
//   bytes 0..7     u64, little endian: size of the header
//   header         JSON object, padded with spaces:
//                  {"__metadata__": {"format": "pt"},
//                   "norm.weight": {"dtype": "BF16", "shape": [576], "data_offsets": [0, 1152]},
//                   ...}
//   data           offsets count from here; the tensors cover it without gap or overlap
//
// Everything is checked before use (format and rules: github.com/huggingface/safetensors, README
// and safetensors/src/tensor.rs), so that reading a tensor never leaves the mapping. The header is
// read as a stream of events: a hostile one is refused before it can take memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/mapped_file.h"
#include "fathom/status.h"
#include "tensor/tensor.h"

namespace fathom {

inline constexpr uint64_t kMaxSafetensorsHeaderBytes = 100'000'000;  // as the reference has it
inline constexpr size_t kMaxSafetensorsTensors = 200'000;            // of one file
inline constexpr size_t kMaxFileRank = 64;                           // of a tensor in a file

// One tensor of a checkpoint: a view into its file's mapping, valid while the checkpoint lives.
struct CheckpointTensor {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;  // outermost axis first; empty: one element. May exceed kMaxRank.
  const std::byte* data = nullptr;  // at any byte: not aligned to the element
  uint64_t size_bytes = 0;
  uint64_t offset = 0;  // from the start of its file
  int file_index = 0;   // of Checkpoint's files

  int64_t elements() const;
  bool HasShape(const Shape& expected) const;
  std::string ShapeToString() const;  // "[2, 3]"
};

class SafetensorsFile {
 public:
  // kBadFile where the file is missing or breaks a rule of the format.
  static Result<SafetensorsFile> Open(const std::string& path);

  const MappedFile& file() const { return file_; }
  // In the header's order.
  const std::vector<CheckpointTensor>& tensors() const { return tensors_; }
  // The tensors and the mapping that they view, moved out: whoever takes the one keeps the other.
  std::vector<CheckpointTensor> TakeTensors() { return std::move(tensors_); }
  MappedFile TakeFile() && { return std::move(file_); }
  // "__metadata__", in the header's order.
  const std::vector<std::pair<std::string, std::string>>& metadata() const { return metadata_; }

 private:
  MappedFile file_;
  std::vector<CheckpointTensor> tensors_;
  std::vector<std::pair<std::string, std::string>> metadata_;
};

// Indices of `tensors` sorted by name: for look-ups by binary search, which no crafted set of names
// slows down.
std::vector<uint32_t> SortedByName(const std::vector<CheckpointTensor>& tensors);

}  // namespace fathom
