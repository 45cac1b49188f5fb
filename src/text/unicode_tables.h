// The generated tables behind text/unicode.h and text/normal_form.h (tools/make_unicode_tables.py).
//
//   kRecordRuns      code point << 8 | index into kRecords, from that code point to the next run
//   kRecords         general category (5 bits) | flags << 5, in the order of text/unicode.h
//   kCombiningRuns   code point << 8 | canonical combining class
//   k...Keys         the code points that have an expansion, ascending; key i expands to
//                    k...Data[k...Offsets[i] .. k...Offsets[i + 1])
//   kComposition     triples (first, second, composite), ascending
#pragma once

#include <cstddef>
#include <cstdint>

namespace fathom::unicode_tables {

extern const uint32_t kRecordRuns[];
extern const size_t kRecordRunsCount;
extern const uint16_t kRecords[];
extern const size_t kRecordsCount;
extern const uint32_t kCombiningRuns[];
extern const size_t kCombiningRunsCount;
extern const uint32_t kCanonicalKeys[];
extern const size_t kCanonicalKeysCount;
extern const uint16_t kCanonicalOffsets[];
extern const uint32_t kCanonicalData[];
extern const uint32_t kCompatibleKeys[];
extern const size_t kCompatibleKeysCount;
extern const uint16_t kCompatibleOffsets[];
extern const uint32_t kCompatibleData[];
extern const uint32_t kLowerKeys[];
extern const size_t kLowerKeysCount;
extern const uint16_t kLowerOffsets[];
extern const uint32_t kLowerData[];
extern const uint32_t kComposition[];
extern const size_t kCompositionCount;

}  // namespace fathom::unicode_tables
