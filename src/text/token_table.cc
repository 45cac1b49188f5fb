#include "text/token_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>

namespace fathom {
namespace {

uint64_t Mix(uint64_t a, uint64_t b) {
  const auto product = static_cast<unsigned __int128>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

constexpr int64_t kMaxId = INT32_MAX - 1;

}  // namespace

uint64_t HashBytes(const char* data, size_t size) {
  constexpr uint64_t kA = 0x9E3779B97F4A7C15, kB = 0xD6E8FEB86659FD93;
  uint64_t hash = size * kA;
  while (size >= 8) {
    uint64_t word;
    std::memcpy(&word, data, 8);
    hash = Mix(hash ^ word, kB);
    data += 8;
    size -= 8;
  }
  uint64_t word = 0;
  std::memcpy(&word, data, size);
  return Mix(hash ^ word, kA);
}

uint32_t TokenTable::Lookup(std::string_view token, uint64_t hash) const {
  const size_t mask = slots_.size() - 1;
  for (size_t i = hash & mask;; i = (i + 1) & mask) {
    const Slot& slot = slots_[i];
    if (slot.entry == kNone) return kNone;
    if (slot.hash == hash >> 32 && pool_.Get(entries_[slot.entry].text) == token) return slot.entry;
  }
}

int32_t TokenTable::FindJoined(std::string_view left, std::string_view right, Hint& hint) const {
  if (hint.next < entries_.size()) {
    const std::string_view next = token(hint.next);
    if (next.size() == left.size() + right.size() && next.starts_with(left) &&
        next.ends_with(right)) {
      return entries_[hint.next++].id;
    }
  }
  hint.joined.assign(left);
  hint.joined += right;
  const uint32_t entry = Lookup(hint.joined, HashBytes(hint.joined.data(), hint.joined.size()));
  if (entry == kNone) return -1;
  hint.next = entry + 1;
  return entries_[entry].id;
}

Result<TokenTable> TokenTable::Make(
    StringPool pool, const std::vector<std::pair<StringPool::Ref, int64_t>>& entries) {
  TokenTable table;
  table.pool_ = std::move(pool);
  table.entries_.reserve(entries.size());
  table.slots_.resize(std::bit_ceil(entries.size() * 2 + 2));
  table.filter_.resize(std::max<size_t>(table.slots_.size() * 4 / 64, 1));
  const size_t mask = table.slots_.size() - 1;
  for (const auto& [text, id] : entries) {
    const std::string_view token = table.pool_.Get(text);
    if (id < 0 || id > kMaxId) {
      return Status::BadFile("", fmt::format("model.vocab[\"{}\"]", token), fmt::format("{}", id),
                             fmt::format("is outside 0..{}", kMaxId));
    }
    table.max_token_bytes_ = std::max(table.max_token_bytes_, token.size());
    const uint64_t hash = HashBytes(token.data(), token.size());
    const uint32_t known = table.Lookup(token, hash);
    if (known != kNone) {
      table.entries_[known].id = static_cast<int32_t>(id);
      continue;
    }
    size_t i = hash & mask;
    while (table.slots_[i].entry != kNone) i = (i + 1) & mask;
    const uint64_t bit = table.FilterBit(hash);
    table.filter_[bit / 64] |= uint64_t{1} << (bit % 64);
    table.slots_[i] = {static_cast<uint32_t>(table.entries_.size()),
                       static_cast<uint32_t>(hash >> 32)};
    table.entries_.push_back({text, static_cast<int32_t>(id)});
  }
  FATHOM_TRY(table.IndexIds());
  return table;
}

Status TokenTable::IndexIds() {
  // Ids far beyond the number of tokens are kept apart: a hostile id costs no memory.
  const auto dense = static_cast<int64_t>(entries_.size() * 4 + 65536);
  for (const Entry& entry : entries_) {
    max_id_ = std::max(max_id_, entry.id);
  }
  by_id_.assign(static_cast<size_t>(std::min<int64_t>(dense, int64_t{max_id_} + 1)), kNone);
  for (uint32_t i = 0; i < entries_.size(); ++i) {
    const int32_t id = entries_[i].id;
    bool fresh;
    if (static_cast<size_t>(id) < by_id_.size()) {
      uint32_t& place = by_id_[static_cast<size_t>(id)];
      fresh = place == kNone;
      place = i;
    } else {
      fresh = by_far_id_.emplace(id, i).second;
    }
    if (!fresh) {
      return Status::BadFile("", fmt::format("model.vocab[\"{}\"]", token(i)),
                             fmt::format("{}", id), "is the id of another token too");
    }
  }
  return Status::Ok();
}

std::optional<std::string_view> TokenTable::TokenOf(int32_t id) const {
  if (id < 0) return std::nullopt;
  if (static_cast<size_t>(id) < by_id_.size()) {
    const uint32_t entry = by_id_[static_cast<size_t>(id)];
    if (entry == kNone) return std::nullopt;
    return token(entry);
  }
  const auto found = by_far_id_.find(id);
  if (found == by_far_id_.end()) return std::nullopt;
  return token(found->second);
}

}  // namespace fathom
