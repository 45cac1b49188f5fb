// One file of packed weights:
//
//   header, 64 bytes | key | padding | table: sum and flags of each weight | padding | weights
//
//   header   "fathompw", sum of all up to the end of the table (this field 0), version, number of
//            weights, bytes of the key, bytes of the file; 1 where a weight that is not in the
//            file, for it lies in the checkpoint as it runs, holds NaN or infinity; the rest zero
//   key      as in WeightCacheLayout: what the weights were made from and how
//   table    a weight: Checksum of its bytes; 1 where it holds NaN or infinity
//   weights  where the layout puts them, at multiples of 64 bytes
//
// It is written in pieces of 2 MB at multiples of 2 MB, and as long as a multiple of that: Linux
// then keeps it, where the file system can, in pages of that size, which a mapping takes over as
// they are
// - to map all of a model is a matter of microseconds, and no kernel waits for small pages.
//
// A reader computes where the weights are and holds the size of the file against it, so that no
// offset of the file is ever followed.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/arena.h"
#include "base/mapped_file.h"
#include "engine/weight_cache_layout.h"
#include "fathom/status.h"

namespace fathom {

class WeightCacheFile {
 public:
  // kBadFile where it is not there, or not whole, or of another key: the message says which.
  static Result<WeightCacheFile> Open(const std::string& path, const WeightCacheLayout& layout);

  const MappedFile& file() const { return file_; }
  MappedFile TakeFile() && { return std::move(file_); }
  // Entry i of the layout, its data in the mapping.
  Weight At(size_t i) const;
  bool finite(size_t i) const { return table_[2 * i + 1] == 0; }
  bool others_finite() const { return others_finite_; }

  // Brings the file in, on `threads` threads.
  void Map(int threads) const;
  // The same, and computes all sums: kBadFile where one differs.
  Status Check(int threads) const;

 private:
  const WeightCacheLayout* layout_ = nullptr;
  MappedFile file_;
  std::vector<uint64_t> table_;
  bool others_finite_ = true;
};

// Writes one beside its place; it appears there whole (Finish) or not at all.
class WeightCacheWriter {
 public:
  // kRunTime where the folder cannot be written, the disk has no room, or another process is
  // writing the same file.
  static Result<std::unique_ptr<WeightCacheWriter>> Create(const std::string& path,
                                                           const WeightCacheLayout& layout);
  ~WeightCacheWriter();
  WeightCacheWriter(const WeightCacheWriter&) = delete;
  WeightCacheWriter& operator=(const WeightCacheWriter&) = delete;

  // Writes entry i, all in their order, and returns it as it lies in the file's mapping: to be read
  // when the file is finished.
  Result<Weight> Put(size_t i, const Weight& held, bool finite);
  // Every entry is in: the file takes its place. Returns the mapping, which the weights of Put use.
  Result<MappedFile> Finish(bool others_finite);

 private:
  WeightCacheWriter(std::string path, const WeightCacheLayout& layout);
  Status Append(uint64_t offset, const std::byte* data, size_t size);
  Status WritePiece(uint64_t offset, const AlignedBuffer& piece) const;

  const WeightCacheLayout& layout_;
  std::string path_;
  std::string temporary_;
  int fd_ = -1;
  bool mine_ = false;  // the temporary file is this writer's to remove
  MappedFile mapping_;
  std::vector<uint64_t> table_;
  AlignedBuffer first_;  // the piece with the header, which comes last
  AlignedBuffer piece_;  // what lies at piece_offset_, as far as it is filled
  uint64_t piece_offset_ = 0;
};

}  // namespace fathom
