#!/usr/bin/env python3
"""Makes src/text/unicode_tables.cc and tests/goldens/tokenizers/unicode.json.

What Hugging Face tokenizers does decides, over all of Unicode: its regex classes (Oniguruma and
Rust's regex), Rust's char predicates and its normal forms each follow their own Unicode version. So
every fact here is asked of the library itself, code point by code point; unicodedata only proposes
representatives of the combining classes. The goldens are hashes of the library's answers, not of
the tables.

    python tools/make_unicode_tables.py        (needs tokenizers 0.23)
"""
import json
import os
import unicodedata

import tokenizers
from tokenizers import Regex, normalizers, pre_tokenizers

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
ALL = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
CHUNK = 8192
CATEGORIES = ("Cn Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf "
              "Co").split()
HANGUL = range(0xAC00, 0xAC00 + 11172)


def chunks(items):
    for i in range(0, len(items), CHUNK):
        yield items[i:i + CHUNK]


def removed_by(pre_tokenizer):
    """The code points that a pre-tokenizer with behavior `removed` takes out of a text."""
    out = set()
    for part in chunks(ALL):
        kept = set()
        for piece, _ in pre_tokenizer.pre_tokenize_str("".join(map(chr, part))):
            kept.update(map(ord, piece))
        out.update(c for c in part if c not in kept)
    return out


def regex_class(pattern):
    return removed_by(pre_tokenizers.Split(Regex(pattern), "removed"))


def map_each(normalizer, texts):
    """The normal form of each text; the texts are joined by newlines, which no form touches."""
    out = []
    for part in chunks(texts):
        back = normalizer.normalize_str("\n".join(part)).split("\n")
        assert len(back) == len(part)
        out.extend(back)
    return out


def form_of_code_points(normalizer):
    plain = [c for c in ALL if c != 10]
    return {c: s for c, s in zip(plain, map_each(normalizer, [chr(c) for c in plain]))}


def combining_classes(nfd):
    """ccc by asking which pairs NFD swaps: a b -> b a exactly where ccc(a) > ccc(b) > 0."""
    norm = normalizers.NFD()
    representatives = {}
    for c in ALL:
        k = unicodedata.combining(chr(c))
        if not k:
            continue
        # 240 is the largest class: what does not move in front of it has none here.
        known = norm.normalize_str("\u0345" + chr(c)) == chr(c) + "\u0345" or k == 240
        if k not in representatives and nfd[c] == chr(c) and known:
            representatives[k] = c
    order = sorted(representatives)
    plain = [c for c in ALL if c != 10 and nfd[c] == chr(c)]

    def swapped_before(c_list, rep):   # ccc(c) > ccc(rep)
        back = map_each(norm, [chr(c) + chr(rep) for c in c_list])
        return {c for c, s in zip(c_list, back) if s == chr(rep) + chr(c) and c != rep}

    def swapped_after(c_list, rep):    # ccc(rep) > ccc(c) > 0
        back = map_each(norm, [chr(rep) + chr(c) for c in c_list])
        return {c for c, s in zip(c_list, back) if s == chr(c) + chr(rep) and c != rep}

    nonzero = swapped_before(plain, representatives[order[0]])
    nonzero |= swapped_after(plain, representatives[order[-1]])
    nonzero |= {representatives[k] for k in order}
    candidates = sorted(nonzero)
    ccc = {}
    above = {k: swapped_before(candidates, representatives[k]) for k in order}
    for c in candidates:
        for k in order:
            if c not in above[k]:
                ccc[c] = k
                break
        else:
            raise SystemExit(f"class of U+{c:04X} lies above every representative")
    return ccc


def canonical_order(cps, ccc):
    out, i = [], 0
    while i < len(cps):
        j = i
        while j < len(cps) and ccc.get(cps[j], 0):
            j += 1
        out += sorted(cps[i:j], key=lambda c: ccc.get(c, 0))
        if j < len(cps):
            out.append(cps[j])
            j += 1
        i = j
    return out


def composition_pairs(nfd, nfc):
    pairs = {}
    norm = normalizers.NFC()
    for c in ALL:
        if c == 10 or c in HANGUL or nfc[c] != chr(c) or nfd[c] == chr(c):
            continue
        full = nfd[c]
        head = norm.normalize_str(full[:-1])
        if len(head) == 1 and norm.normalize_str(full) == chr(c):
            pairs[(ord(head), ord(full[-1]))] = c
    return pairs


def fnv(items):
    h = 0xCBF29CE484222325
    for data in items:
        for b in data:
            h = ((h ^ b) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return f"{h:016x}"


def class_hash(cps):
    return fnv(c.to_bytes(4, "little") for c in sorted(cps))


class Lcg:
    """The generator that tests/text/unicode_test.cc repeats."""

    def __init__(self, seed):
        self.state = seed

    def below(self, n):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) & (2**64 - 1)
        return (self.state >> 33) % n


def random_texts(pool, count):
    rng = Lcg(12345)
    return ["".join(chr(pool[rng.below(len(pool))]) for _ in range(1 + rng.below(8)))
            for _ in range(count)]


def interesting(ccc, nfd, nfkd, pairs):
    pool = {c for c in ccc} | {c for c in nfd if nfd[c] != chr(c) and c not in HANGUL}
    pool |= {x for p in pairs for x in p}
    pool |= {c for c in nfkd if nfkd[c] != chr(c) and c not in HANGUL}
    pool |= set(range(0x1100, 0x1200)) | {0xAC00, 0xAC01, 0xD7A3, 0xAC1C} | set(range(0x41, 0x5B))
    return sorted(c for c in pool if c != 10)


def form_hash(normalizer, pool):
    plain = [chr(c) for c in ALL if c != 10]
    out = {"each": fnv((s + "\n").encode() for s in map_each(normalizer, plain))}
    out["acute"] = fnv((s + "\n").encode()
                       for s in map_each(normalizer, [c + "\u0301" for c in plain]))
    out["random"] = fnv((s + "\n").encode()
                        for s in map_each(normalizer, random_texts(pool, 20000)))
    return out


def numbers(values, out, per_line=None):
    line = "   "
    for v in values:
        item = f" 0x{v:x}," if v > 9 else f" {v},"
        if len(line) + len(item) > 100:
            out.append(line)
            line = "   "
        line += item
    if line.strip():
        out.append(line)


def table(kind, name, values, out):
    out.append(f"const {kind} {name}[] = {{")
    numbers(values, out)
    out.append("};")
    out.append(f"const size_t {name}Count = {len(values)};")
    out.append("")


def expansions(mapping):
    """Sorted code points, and for each the offset of its expansion in one array of code points."""
    keys, offsets, data = [], [], []
    for c in sorted(mapping):
        keys.append(c)
        offsets.append(len(data))
        data.extend(map(ord, mapping[c]))
    offsets.append(len(data))
    return keys, offsets, data


def main():
    classes = {"regex_" + k: regex_class(r"\p{%s}" % k) for k in CATEGORIES}
    category = {}
    for i, k in enumerate(CATEGORIES):
        for c in classes["regex_" + k]:
            assert c not in category, hex(c)
            category[c] = i
    assert len(category) == len(ALL), len(category)
    flags = {
        "regex_space": regex_class(r"\s"),
        "regex_word": regex_class(r"\w"),
        "regex_digit": regex_class(r"\d"),
        "regex_han": regex_class(r"\p{Han}"),
        "rust_space": removed_by(pre_tokenizers.WhitespaceSplit()),
        "rust_punctuation": removed_by(pre_tokenizers.Punctuation("removed")),
        "combining_mark": set(),
        "rust_word": set(),
        "rust_regex_space": set(),
        "rust_numeric": set(),
    }
    strip = form_of_code_points(normalizers.StripAccents())
    flags["combining_mark"] = {c for c, s in strip.items() if s == ""}
    whitespace, digits = pre_tokenizers.Whitespace(), pre_tokenizers.Digits(False)
    for c in ALL:
        pieces = whitespace.pre_tokenize_str("a" + chr(c) + "a")
        if len(pieces) == 1:
            flags["rust_word"].add(c)
        elif len(pieces) == 2:
            flags["rust_regex_space"].add(c)
        if len(digits.pre_tokenize_str("a" + chr(c) + "a")) == 3:
            flags["rust_numeric"].add(c)
    assert classes["regex_Lu"] and regex_class(r"\p{L}") == set().union(
        *(classes["regex_" + k] for k in CATEGORIES if k[0] == "L"))
    assert regex_class(r"\p{N}") == set().union(
        *(classes["regex_" + k] for k in CATEGORIES if k[0] == "N"))

    forms = {n: getattr(normalizers, n)() for n in ("NFC", "NFD", "NFKC", "NFKD")}
    each = {n: form_of_code_points(f) for n, f in forms.items()}
    nfd, nfc, nfkd = each["NFD"], each["NFC"], each["NFKD"]
    ccc = combining_classes(nfd)
    pairs = composition_pairs(nfd, nfc)
    lower = {c: s for c, s in form_of_code_points(normalizers.Lowercase()).items() if s != chr(c)}

    # NFC leaves a text alone where each code point is a starter that no composition ends in and
    # that has no other form; the rest needs the full algorithm.
    seconds = {b for _, b in pairs} | set(range(0x1161, 0x1176)) | set(range(0x11A8, 0x11C3))
    needs_nfc = set(ccc) | seconds | {c for c in nfc if nfc[c] != chr(c)}

    flag_names = sorted(flags) + ["needs_nfc"]
    all_flags = {**flags, "needs_nfc": needs_nfc}
    records, record_of, runs = [], {}, []
    previous = None
    for c in range(0x110000):
        if 0xD800 <= c < 0xE000:
            record = (CATEGORIES.index("Cn"), 0)
        else:
            bits = sum(1 << i for i, n in enumerate(flag_names) if c in all_flags[n])
            record = (category[c], bits)
        if record not in record_of:
            record_of[record] = len(records)
            records.append(record)
        if record != previous:
            runs.append(c << 8 | record_of[record])
            previous = record
    assert len(records) <= 256

    ccc_runs, previous = [], 0
    for c in range(0x110000):
        k = ccc.get(c, 0)
        if k != previous:
            ccc_runs.append(c << 8 | k)
            previous = k

    canonical = {c: s for c, s in nfd.items() if s != chr(c) and c not in HANGUL}
    compatible = {c: s for c, s in nfkd.items() if s != chr(c) and s != nfd[c] and c not in HANGUL}
    out = ["// Written by tools/make_unicode_tables.py from the answers of tokenizers "
           f"{tokenizers.__version__}; do not edit.",
           '#include "text/unicode_tables.h"', "", "namespace fathom::unicode_tables {", ""]
    table("uint32_t", "kRecordRuns", runs, out)
    table("uint16_t", "kRecords", [g | b << 5 for g, b in records], out)
    table("uint32_t", "kCombiningRuns", ccc_runs, out)
    expanded = (("kCanonical", canonical), ("kCompatible", compatible), ("kLower", lower))
    for name, mapping in expanded:
        keys, offsets, data = expansions(mapping)
        table("uint32_t", name + "Keys", keys, out)
        table("uint16_t", name + "Offsets", offsets, out)
        table("uint32_t", name + "Data", data, out)
    table("uint32_t", "kComposition", [x for (a, b), c in sorted(pairs.items()) for x in (a, b, c)],
          out)
    out.append("}  // namespace fathom::unicode_tables")
    with open(os.path.join(ROOT, "src/text/unicode_tables.cc"), "w") as f:
        f.write("\n".join(out) + "\n")
    print("flags, low bit first:", flag_names, "records:", len(records), "runs:", len(runs))

    pool = interesting(ccc, nfd, nfkd, pairs)
    golden = {
        "tokenizers": tokenizers.__version__,
        "made_by": "tools/make_unicode_tables.py",
        "hash": "FNV-1a 64 over the members as 4 little-endian bytes; forms: over UTF-8 lines",
        "classes": {n: class_hash(s) for n, s in sorted({**classes, **flags}.items())},
        "forms": {n: form_hash(f, pool)
                  for n, f in {**forms, "Lowercase": normalizers.Lowercase()}.items()},
        "pool_hash": class_hash(pool),
    }
    path = os.path.join(ROOT, "tests/goldens/tokenizers/unicode.json")
    with open(path, "w") as f:
        json.dump(golden, f, indent=1)
        f.write("\n")


if __name__ == "__main__":
    main()
