#include "base/block_arena.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <utility>

namespace fathom {
namespace {

// Of one mapping; what is not used of it is never touched.
constexpr size_t kChunkBytes = size_t{64} << 20;

}  // namespace

Result<std::span<std::byte>> BlockArena::Allocate(size_t size) {
  if (size > SIZE_MAX / 4) {
    return Status::RunTime(fmt::format("cannot allocate {} bytes: beyond the address space", size));
  }
  const size_t rounded = (size + kBufferAlignment - 1) / kBufferAlignment * kBufferAlignment;
  if (chunks_.empty() || chunks_.back().buffer.size() - chunks_.back().used < rounded) {
    Chunk chunk;
    FATHOM_ASSIGN(chunk.buffer, AlignedBuffer::Allocate(std::max(rounded, kChunkBytes)));
    chunks_.push_back(std::move(chunk));
  }
  Chunk& chunk = chunks_.back();
  std::byte* data = chunk.buffer.data() + chunk.used;
  chunk.used += rounded;
  return std::span(data, size);
}

void BlockArena::Discard(std::span<std::byte> block) {
  for (Chunk& chunk : chunks_) {
    std::byte* first = chunk.buffer.data();
    if (block.data() < first || block.data() >= first + chunk.buffer.size()) continue;
    chunk.buffer.Discard(static_cast<size_t>(block.data() - first), block.size());
    return;
  }
}

}  // namespace fathom
