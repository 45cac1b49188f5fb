// The four Unicode normal forms as tokenizers' NFC, NFD, NFKC and NFKD normalizers produce them
// (crate unicode-normalization-alignments: an older Unicode than the regex classes').
//
// Source of the algorithm: Unicode Standard Annex 15, "Unicode Normalization Forms".
#pragma once

#include <cstdint>
#include <string_view>

#include "text/marked_text.h"

namespace fathom {

enum class NormalForm { kNfc, kNfd, kNfkc, kNfkd };

// Replaces the text by its normal form, in time linear in its length up to the sorting of runs of
// combining marks. A byte of the result is trusted where every code point it comes from is.
void Normalize(NormalForm form, MarkedText& text);

// True where NFC leaves the text as it is for sure; false asks for the full algorithm.
bool IsSurelyNfc(std::string_view text);

}  // namespace fathom
