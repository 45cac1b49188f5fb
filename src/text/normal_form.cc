#include "text/normal_form.h"

#include <algorithm>
#include <cstring>
#include <unordered_map>
#include <vector>

#include "base/utf8.h"
#include "text/unicode.h"
#include "text/unicode_tables.h"

namespace fathom {
namespace {

using namespace unicode_tables;  // NOLINT: the generated names are long enough

// Hangul syllables are computed: UAX 15, section "Hangul Decomposition".
constexpr char32_t kSBase = 0xAC00, kLBase = 0x1100, kVBase = 0x1161, kTBase = 0x11A7;
constexpr char32_t kLCount = 19, kVCount = 21, kTCount = 28;
constexpr char32_t kNCount = kVCount * kTCount, kSCount = kLCount * kNCount;

struct Unit {
  char32_t code_point;
  uint8_t combining_class;
  uint8_t mark;
};

struct Expansion {
  const uint32_t* begin = nullptr;
  const uint32_t* end = nullptr;
};

Expansion Find(const uint32_t* keys, size_t count, const uint16_t* offsets, const uint32_t* data,
               char32_t c) {
  const uint32_t* key = std::lower_bound(keys, keys + count, static_cast<uint32_t>(c));
  if (key == keys + count || *key != c) return {};
  const size_t i = static_cast<size_t>(key - keys);
  return {data + offsets[i], data + offsets[i + 1]};
}

void PushUnit(char32_t c, uint8_t mark, std::vector<Unit>& out) {
  out.push_back({c, Unicode().combining_classes[c], mark});
}

// The tables hold full decompositions, so one step is enough.
void Decompose(char32_t c, uint8_t mark, bool compatible, std::vector<Unit>& out) {
  if (c < 0x80) {
    out.push_back({c, 0, mark});
    return;
  }
  if (c >= kSBase && c < kSBase + kSCount) {
    const char32_t s = c - kSBase;
    out.push_back({kLBase + s / kNCount, 0, mark});
    out.push_back({kVBase + s % kNCount / kTCount, 0, mark});
    if (s % kTCount != 0) out.push_back({kTBase + s % kTCount, 0, mark});
    return;
  }
  Expansion found;
  if (compatible) {
    found = Find(kCompatibleKeys, kCompatibleKeysCount, kCompatibleOffsets, kCompatibleData, c);
  }
  if (found.begin == found.end) {
    found = Find(kCanonicalKeys, kCanonicalKeysCount, kCanonicalOffsets, kCanonicalData, c);
  }
  if (found.begin == found.end) return PushUnit(c, mark, out);
  for (const uint32_t* p = found.begin; p != found.end; ++p) PushUnit(*p, mark, out);
}

// Canonical ordering: each run of marks is sorted by class, equal classes keep their order.
void Reorder(std::vector<Unit>& units) {
  for (size_t i = 0; i < units.size();) {
    if (units[i].combining_class == 0) {
      ++i;
      continue;
    }
    size_t end = i;
    while (end < units.size() && units[end].combining_class != 0) ++end;
    std::stable_sort(
        units.begin() + static_cast<ptrdiff_t>(i), units.begin() + static_cast<ptrdiff_t>(end),
        [](const Unit& a, const Unit& b) { return a.combining_class < b.combining_class; });
    i = end;
  }
}

const std::unordered_map<uint64_t, char32_t>& CompositionPairs() {
  static const auto pairs = [] {
    std::unordered_map<uint64_t, char32_t> map;
    for (size_t i = 0; i < kCompositionCount; i += 3) {
      map.emplace(uint64_t{kComposition[i]} << 32 | kComposition[i + 1], kComposition[i + 2]);
    }
    return map;
  }();
  return pairs;
}

// The composite of two code points, or 0.
char32_t ComposePair(char32_t a, char32_t b) {
  if (a - kLBase < kLCount && b - kVBase < kVCount) {
    return kSBase + ((a - kLBase) * kVCount + (b - kVBase)) * kTCount;
  }
  if (a - kSBase < kSCount && (a - kSBase) % kTCount == 0 && b > kTBase && b < kTBase + kTCount) {
    return a + (b - kTBase);
  }
  const auto found = CompositionPairs().find(uint64_t{a} << 32 | b);
  return found == CompositionPairs().end() ? 0 : found->second;
}

// UAX 15, "Canonical Composition Algorithm", in place.
void Compose(std::vector<Unit>& units) {
  size_t out = 0;
  size_t starter = SIZE_MAX;  // index in the output
  int last_class = -1;        // of the last unit kept after the starter; -1: none stands between
  for (size_t i = 0; i < units.size(); ++i) {
    const Unit unit = units[i];
    if (starter != SIZE_MAX && last_class < unit.combining_class) {
      const char32_t composite = ComposePair(units[starter].code_point, unit.code_point);
      if (composite != 0) {
        units[starter].code_point = composite;
        units[starter].mark &= unit.mark;
        continue;
      }
    }
    if (unit.combining_class == 0) {
      starter = out;
      last_class = -1;
    } else {
      last_class = unit.combining_class;
    }
    units[out++] = unit;
  }
  units.resize(out);
}

}  // namespace

bool IsSurelyNfc(std::string_view text) {
  const auto& records = Unicode().records;
  const auto* p = reinterpret_cast<const uint8_t*>(text.data());
  const uint8_t* end = p + text.size();
  while (p < end) {
    // Nothing below U+0300 changes under NFC: lead bytes up to 0xCB.
    if (*p < 0xCC) {
      ++p;
      for (uint64_t word; end - p >= 8; p += 8) {
        std::memcpy(&word, p, 8);
        if ((word & 0x8080808080808080u) != 0) break;
      }
      continue;
    }
    const ValidCodePoint found = DecodeValidUtf8(p);
    if ((records[found.code_point] >> 5 & kNeedsNfc) != 0) return false;
    p += found.size_bytes;
  }
  return true;
}

namespace {

// The text as one piece.
void NormalizeWhole(NormalForm form, MarkedText& text) {
  const bool compatible = form == NormalForm::kNfkc || form == NormalForm::kNfkd;
  std::vector<Unit> units;
  units.reserve(text.text.size());
  for (size_t i = 0; i < text.text.size();) {
    const DecodedCodePoint decoded = DecodeUtf8(text.text, i);
    Decompose(decoded.code_point, text.mark(i), compatible, units);
    i += static_cast<size_t>(decoded.size_bytes);
  }
  Reorder(units);
  if (form == NormalForm::kNfc || form == NormalForm::kNfkc) Compose(units);
  const bool marked = text.marked();
  MarkedText result;
  result.text.reserve(text.text.size());
  for (const Unit& unit : units) {
    AppendUtf8(unit.code_point, result.text);
    if (marked) result.MarkUpTo(result.text.size(), unit.mark);
  }
  text = std::move(result);
}

// NFC touches only the neighbourhood of the code points that need it: from the one before (which it
// may be joined to) up to the next one that needs nothing. Every combining mark needs it, so both
// ends are starters, across which nothing is put in order or joined.
void NormalizeNfcInParts(MarkedText& text) {
  const auto& records = Unicode().records;
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.text.data());
  const auto needs = [&](size_t at) {
    if (bytes[at] < 0xCC) return false;  // below U+0300
    return (records[DecodeValidUtf8(bytes + at).code_point] >> 5 & kNeedsNfc) != 0;
  };
  const auto after = [&](size_t at) { return at + DecodeValidUtf8(bytes + at).size_bytes; };
  const size_t size = text.text.size();
  MarkedText result;
  result.text.reserve(size);
  size_t done = 0, previous = 0;
  const auto copy_up_to = [&](size_t end) {
    result.text.append(text.text, done, end - done);
    if (text.marked()) {
      result.marks.insert(result.marks.end(), text.marks.begin() + static_cast<ptrdiff_t>(done),
                          text.marks.begin() + static_cast<ptrdiff_t>(end));
    }
    done = end;
  };
  for (size_t at = 0; at < size;) {
    if (!needs(at)) {
      for (uint64_t word; size - at >= 8; at += 7) {  // ASCII, up to the last of it
        std::memcpy(&word, bytes + at, 8);
        if ((word & 0x8080808080808080u) != 0) break;
      }
      previous = at;
      at = after(at);
      continue;
    }
    copy_up_to(std::max(done, previous));
    while (at < size && needs(at)) at = after(at);
    MarkedText part;
    part.text.assign(text.text, done, at - done);
    if (text.marked()) {
      part.marks.assign(text.marks.begin() + static_cast<ptrdiff_t>(done),
                        text.marks.begin() + static_cast<ptrdiff_t>(at));
    }
    NormalizeWhole(NormalForm::kNfc, part);
    result.text += part.text;
    result.marks.insert(result.marks.end(), part.marks.begin(), part.marks.end());
    done = previous = at;
  }
  copy_up_to(size);
  text = std::move(result);
}

}  // namespace

void Normalize(NormalForm form, MarkedText& text) {
  if (form != NormalForm::kNfc) return NormalizeWhole(form, text);
  if (!IsSurelyNfc(text.text)) NormalizeNfcInParts(text);
}

}  // namespace fathom
