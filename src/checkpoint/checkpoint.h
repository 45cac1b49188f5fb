// Checkpoint: the weights of a model, opened: named tensors over mapped files. It reads no config:
// model_config.h does.
//
// Accepted: a folder with model.safetensors, or with model.safetensors.index.json and its shards
// (the single file wins where both are there, as in transformers' _get_resolved_checkpoint_files);
// or the path of one .safetensors file. Pickles (.bin, .pt ...) are refused unopened.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/mapped_file.h"
#include "checkpoint/safetensors.h"
#include "fathom/status.h"
#include "tensor/tensor.h"

namespace fathom {

class Checkpoint {
 public:
  // kBadFile, naming the file at fault, where nothing usable is there or a rule of the format, of
  // the index or between shards is broken.
  static Result<Checkpoint> Open(const std::string& path);

  // The path that was opened, and whether it is a folder.
  const std::string& path() const { return path_; }
  bool is_folder() const { return is_folder_; }

  // In file order: shards sorted by name, inside a file the header's order.
  const std::vector<CheckpointTensor>& tensors() const { return tensors_; }
  // Null where there is none (binary search).
  const CheckpointTensor* Find(std::string_view name) const;

  int file_count() const { return static_cast<int>(files_.size()); }
  const MappedFile& file(int index) const { return files_[index]; }
  const std::string& FilePath(const CheckpointTensor& tensor) const {
    return files_[tensor.file_index].path();
  }
  uint64_t total_bytes() const { return total_bytes_; }  // of all tensors

  // The tensor's pages are wanted soon / may leave this process's memory (they come back from the
  // file when touched again). Pages that it shares with a neighbour stay.
  void WillNeed(const CheckpointTensor& tensor) const;
  void Drop(const CheckpointTensor& tensor) const;
  // The same for bytes [offset, offset + size) of the tensor.
  void Drop(const CheckpointTensor& tensor, uint64_t offset, uint64_t size) const;

 private:
  Status AddFile(const std::string& path);
  Status AddShards(const std::string& folder, const std::string& index_path);
  Status Finish();

  std::string path_;
  bool is_folder_ = false;
  std::vector<MappedFile> files_;
  std::vector<CheckpointTensor> tensors_;
  std::vector<uint32_t> by_name_;  // indices of tensors_, sorted by name
  uint64_t total_bytes_ = 0;
};

// The tensor of this name and shape. kBadFile, naming file and tensor, where it is missing or has
// another shape: a checkpoint that contradicts its config.
Result<const CheckpointTensor*> ExpectTensor(const Checkpoint& checkpoint, std::string_view name,
                                             const Shape& shape);

}  // namespace fathom
