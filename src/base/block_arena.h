// Memory for many small blocks that live as long as each other.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "base/arena.h"
#include "fathom/status.h"

namespace fathom {

// Many blocks in a few large mappings, so that small ones lie on huge pages too, each behind the
// one before. A block is zeros, aligned to kBufferAlignment, and stays until the arena goes.
class BlockArena {
 public:
  // kRunTime where the system has no such memory.
  Result<std::span<std::byte>> Allocate(size_t size);
  // The whole pages of a block go back to the system.
  void Discard(std::span<std::byte> block);

 private:
  struct Chunk {
    AlignedBuffer buffer;
    size_t used = 0;
  };
  std::vector<Chunk> chunks_;
};

}  // namespace fathom
