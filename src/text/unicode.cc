#include "text/unicode.h"

#include <algorithm>

#include "base/utf8.h"
#include "text/unicode_tables.h"

namespace fathom {
namespace {

using namespace unicode_tables;  // NOLINT: the generated names are long enough

// Calls set(page_number, values) for each page of a function given by its runs.
template <typename Value, typename FromRun, typename SetPage>
void ExpandRuns(const uint32_t* runs, size_t count, FromRun from_run, SetPage set_page) {
  size_t next = 0;
  Value current = {};
  std::array<Value, 256> page;
  for (uint32_t c = 0; c < 0x110000; ++c) {
    while (next < count && runs[next] >> 8 == c) current = from_run(runs[next++] & 0xFF);
    page[c & 0xFF] = current;
    if ((c & 0xFF) == 0xFF) set_page(c >> 8, page);
  }
}

ScanClass ScanClassOf(uint16_t record) {
  const auto category = static_cast<GeneralCategory>(record & 31);
  if (category >= GeneralCategory::kLu && category <= GeneralCategory::kLo) return kScanLetter;
  if (category >= GeneralCategory::kNd && category <= GeneralCategory::kNo) return kScanNumber;
  return (record >> 5 & kRegexSpace) != 0 ? kScanSpace : kScanOther;
}

UnicodeData Build() {
  UnicodeData data;
  ExpandRuns<uint16_t>(
      kRecordRuns, kRecordRunsCount, [](uint32_t index) { return kRecords[index]; },
      [&](uint32_t number, const std::array<uint16_t, 256>& page) {
        data.records.SetPage(number, page);
        std::array<uint8_t, 256> classes;
        std::transform(page.begin(), page.end(), classes.begin(), ScanClassOf);
        data.scan_classes.SetPage(number, classes);
      });
  ExpandRuns<uint8_t>(
      kCombiningRuns, kCombiningRunsCount, [](uint32_t k) { return static_cast<uint8_t>(k); },
      [&](uint32_t number, const std::array<uint8_t, 256>& page) {
        data.combining_classes.SetPage(number, page);
      });
  return data;
}

}  // namespace

template <typename Value>
void CodePointTable<Value>::SetPage(uint32_t page_number, const std::array<Value, 256>& page) {
  // Most pages equal the one before (unassigned planes, Han), or are unlike any other: looking at
  // the last few stored ones keeps the tables near their smallest.
  const size_t stored = pages_.size() / 256;
  const size_t first = stored > 8 ? stored - 8 : 0;
  for (size_t i = first; i < stored; ++i) {
    if (std::equal(page.begin(), page.end(), pages_.begin() + static_cast<ptrdiff_t>(i * 256))) {
      index_[page_number] = static_cast<uint16_t>(i);
      return;
    }
  }
  index_[page_number] = static_cast<uint16_t>(stored);
  pages_.insert(pages_.end(), page.begin(), page.end());
}

std::string_view GeneralCategoryName(GeneralCategory category) {
  static constexpr std::string_view kNames =
      "CnLuLlLtLmLoMnMcMeNdNlNoPcPdPsPePiPfPoSmScSkSoZsZlZpCcCfCo";
  return kNames.substr(static_cast<size_t>(category) * 2, 2);
}

const UnicodeData& Unicode() {
  static const UnicodeData data = Build();
  return data;
}

void ForEachRecordRun(const std::function<void(uint32_t, uint32_t, uint16_t)>& visit) {
  for (size_t i = 0; i < kRecordRunsCount; ++i) {
    const uint32_t end = i + 1 < kRecordRunsCount ? kRecordRuns[i + 1] >> 8 : 0x110000;
    visit(kRecordRuns[i] >> 8, end, kRecords[kRecordRuns[i] & 0xFF]);
  }
}

void AppendLowercase(char32_t c, std::string& out) {
  const uint32_t* end = kLowerKeys + kLowerKeysCount;
  const uint32_t* key = std::lower_bound(kLowerKeys, end, static_cast<uint32_t>(c));
  if (key == end || *key != c) {
    AppendUtf8(c, out);
    return;
  }
  const size_t i = static_cast<size_t>(key - kLowerKeys);
  for (size_t k = kLowerOffsets[i]; k < kLowerOffsets[i + 1]; ++k) AppendUtf8(kLowerData[k], out);
}

}  // namespace fathom
