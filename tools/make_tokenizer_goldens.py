#!/usr/bin/env python3
"""Makes tests/goldens/tokenizers/: small tokenizers shaped like the published ones, and their ids.

No hub is needed: vocabularies are trained here on the text below, with the normalizer, pre-tokenizer,
post-processor, decoder and added tokens of the published GPT-2, Llama 3 and Qwen 2.5 files. The ids are
those of Hugging Face tokenizers and transformers.

    python tools/make_tokenizer_goldens.py [FOLDER_OF_DEMO_MODEL]
        (needs tokenizers 0.23, transformers 5.23)
"""
import copy
import json
import os
import shutil
import sys
import tempfile

os.environ["HF_HUB_OFFLINE"] = "1"
import tokenizers
import transformers
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from tokenizers import processors, trainers
from transformers import AutoTokenizer

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
OUT = os.path.join(ROOT, "tests/goldens/tokenizers")
VERSIONS = {"tokenizers": tokenizers.__version__, "transformers": transformers.__version__,
            "made_by": "tools/make_tokenizer_goldens.py"}
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
          r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
O200K = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
         r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+"
         r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}|"
         r" ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")

ENGLISH = """The lamp on the pier was lit before the boats came home. Nobody knew who had lit it; the keeper
was asleep, and the keeper's daughter said she'd been reading all evening. "It's the wind," they'd
say, but the wind doesn't strike matches. We're told that there were 3 boats, 14 men and 1592 herrings.
She'll tell you that the harbour wasn't always here: where the market stands today, the sea stood
then. I've seen the old maps; I'm sure of it. You'd laugh if you had seen them, wouldn't you?
The baker, the tailor and the blacksmith went out together to look for the light that nobody lit.
"""
CODE = """def fibonacci(n: int) -> int:
    if n < 2:
        return n
    return fibonacci(n - 1) + fibonacci(n - 2)

int main(void) {\r
\tfor (int i = 0; i < 10; ++i) {\r
\t\tprintf("%d\\n", i * 0xFF);  // 0b1010
\t}
    return 0;
}
<html><body class="main">&nbsp;</body></html>
{"key": [1, 2.5, -3e10, null, true], "other": {}}
"""
OTHER = """北京的冬天很冷，但是湖上的冰很厚，孩子们都去滑冰。今天的天气不错，我们去公园吧！他说：“好的。”
東京の夜は明るいです。カタカナとひらがなと漢字が混ざっています。
오늘은 날씨가 좋습니다. 우리는 공원에 갑니다.
Привет, мир! Сегодня хорошая погода, и мы идём гулять.
مرحبا بالعالم، كيف حالك اليوم؟ الطقس جميل.
Γειά σου κόσμε! שלום עולם! नमस्ते दुनिया। สวัสดีชาวโลก
Zürich, naïve café, El Niño, Ångström, façade, Đà Nẵng, İstanbul, Straße
"""

TEXTS = [
    "", " ", "  ", "   ", "\n", "\r\n", "\t", " \n", "\n ", "a", " a", "a ", "  a", "a  ", "\u3000",
    "Hello, world!", "hello world", " hello world ", "Hello  world", "HELLO WORLD",
    "The keeper's daughter said she'd been reading.", "I'm, you're, we've, they'll, he'd, it's, don't",
    "I'M YOU'RE WE'VE THEY'LL HE'D IT'S DON'T", "'S 'T 'RE 'VE 'M 'LL 'D 's't're've'm'll'd",
    "it'\u017f 'lL 'Ll 'rE 'Ve 'x '' ''s ' s 'sa 'ta 'rea", "o'clock rock'n'roll 'tis",
    "1", "12", "123", "1234", "12345", "1234567890", " 1 12 123 1234", "3.14159 1,000,000 -42 1e10 0xFF",
    "\u0661\u0662\u0663 \u00bd \u2167 \u0967\u0968 \U0001d7d8\U0001d7d9 \u4e00\u4e8c", "x2y3z44", "a1b22c333d4444",
    "foo_bar __init__ snake_case camelCase PascalCase kebab-case", "...", "!!! ??? ...", "-----", "a...b",
    "== != <= >= -> => :: // /* */ #!", "(a)[b]{c}<d>", "$100 50% #tag @name & ^ ~ ` | \\",
    "line one\nline two\n\nline four\n\n\n\nend", "a\r\nb\r\n\r\nc\rd", "a \n b \n\n c", "trailing  \n  leading",
    "\n\n  x", "   \n", "   \n   x", "!\n\n\nx", "! \n x", "\t\tindented\n\t\tmore", "    four spaces\n        eight",
    "mixed \t \t tabs  and   spaces", "\u00a0nbsp\u00a0\u00a0x \u2003em\u2003 \u2028line\u2029para\u0085nel",
    "\x0b\x0c vertical \x1c\x1d\x1e\x1f sep", "\u180e\u200b\u200c\u200d\u2060\ufeff invisible", "\x00 nul \x01\x02",
    "北京的冬天很冷，但是湖上的冰很厚。", "今天 天气，不错！ 我们（去）公园吧？", "東京の夜は明るいです。カタカナ", "오늘은 날씨가 좋습니다.",
    "Привет, мир! ПРИВЕТ", "مرحبا بالعالم، كيف حالك؟", "שלום עולם", "नमस्ते दुनिया।", "สวัสดีชาวโลก", "Γειά σου κόσμε",
    "Zürich naïve café", "Zu\u0308rich nai\u0308ve cafe\u0301", "e\u0301\u0323 e\u0323\u0301 \u1e69 s\u0323\u0307 s\u0307\u0323",
    "\u0301 a\u0301\u0301\u0301 \u0300\u0301\u0302 x\u0338", "A\u030a \u212b \u00c5 \u2126 \u03a9", "\u1100\u1161\u11a8 \uac01 \uac00\u11a8",
    "\u0958 \u0915\u093c \u2adc \u1fef \u0374 \u037e", "\ufb01 \ufb02 \u00b2 \u2460 \uff21 \u3392 \u1e9b\u0323", "\u0344 \u0308\u0301 \u0f73",
    "😀", "😀😀", "👨‍👩‍👧‍👦 family", "👍🏽 thumbs", "🇨🇳🇺🇸 flags", "❤️ heart", "1️⃣ keycap", "a😀b 😀 c", "🏳️‍🌈", "\U0001f9d1\u200d\U0001f680",
    "\U00010400\U0001d400\U00020000\U0010fffd", "\ud7ff\ue000\ufffd\uffff", "\u01c5 \u02b0 \u00aa \u2170 \u3007 \u0bf0 \u2cfd",
    "<|endoftext|>", "a<|endoftext|>b", " <|endoftext|> ", "<|endoftext|><|endoftext|>", "<|endoftext", "<<|endoftext|>>",
    "<|im_start|>system\nYou are helpful.<|im_end|>\n<|im_start|>user\nHi<|im_end|>", "<|im_start|", "<|im_start|>im_start",
    "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nHello<|eot_id|>", "<|begin_of_text|", "<|eot_id|>  <|eot_id|>",
    "<tool_call>\n{\"name\": \"f\"}\n</tool_call>", "<tool_call", "<|fim_prefix|>x<|fim_suffix|>", "text <|reserved_special_token_1|> text",
    "def f(x):\n    return x + 1\n", "int main(void) {\r\n\treturn 0;\r\n}", "{\"key\": [1, 2.5, null]}", "<html>&nbsp;</html>",
    "https://example.org/path?q=1&r=%20#frag", "user@example.org", "C:\\Users\\name\\file.txt", "2026-11-22T18:07:00Z",
    "The quick brown fox jumps over the lazy dog. " * 4, "lamp keeper harbour herrings blacksmith lightning",
    "antidisestablishmentarianism pneumonoultramicroscopicsilicovolcanoconiosis", "Zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "abababababababababababababababababababab",
    "thethethethethethethethethethethethethethethethethethethethethethethethethethethe", "^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^",
    " " * 50, " " * 50 + "x", "\n" * 20, "\n" * 20 + "x", "\u0300" * 40, "中" * 60, "👨‍👩‍👧" * 20, "ab " * 30, ". " * 30,
]

FRAGMENTS = [
    "the", " the", "The", " keeper", "'s", "'S", "'ll", "'\u017f", "'", "\"", " ", "  ", "    ", "\n", "\r\n", "\t", "\r", "\u00a0",
    "\u3000", "\u2028", "\u0085", "1", "12", "345", "6789", "\u00bd", "\u0663", ".", ",", "!", "?", "...", "-", "_", "(", ")", "{", "}",
    "//", "/", "==", "<", ">", "<|", "|>", "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|begin_of_text|>", "<|eot_id|>",
    "<tool_call>", "</tool_call>", "a", "b", "Z", "lit", "harbour", "boats", "wind", "北京", "的", "，", "。", "東京の", "ひらがな", "한국",
    "\uac00", "\u11a8", "\u1161", "Привет", "мир", "مرحبا", "، ", "שלום", "नमस्ते", "क", "\u093c", "é", "e\u0301", "\u0301", "\u0323", "\u0345",
    "\u030a", "A", "ß", "İ", "Σ", "σς", "ǅ", "😀", "👨‍👩‍👧‍👦", "\u200d", "\ufe0f", "🏽", "🇨🇳", "\u212b", "\u2126", "ﬁ", "x", "return", "def ", "int ",
    "0x", "\x00", "\x0b", "\x1c", "\ufeff", "\u180e", "\ufffd", "\U00020000", "\U0001d400", "\U0010ffff", "tion", "ing", "ed ", "ly", "'t",
    "n't", "I'm", "we're", "You'd", "ſ", "K", "\u0130\u0131",
]


class Lcg:
    """The generator that tests/text/golden_test.cc repeats."""

    def __init__(self, seed):
        self.state = seed

    def below(self, n):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) & (2**64 - 1)
        return (self.state >> 33) % n


def random_text(rng):
    parts = []
    for _ in range(1 + rng.below(12)):
        kind = rng.below(10)
        if kind < 7:
            parts.append(FRAGMENTS[rng.below(len(FRAGMENTS))])
        elif kind == 7:
            parts.append(chr(0x20 + rng.below(0x5F)))
        elif kind == 8:
            parts.append(chr(rng.below(0x3000)))
        else:
            c = rng.below(0x110000)
            parts.append(chr(0xFFFD if 0xD800 <= c < 0xE000 else c))
    return "".join(parts)


def fnv(data, h=0xCBF29CE484222325):
    for b in data:
        h = ((h ^ b) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return h


def ids_bytes(ids):
    return b"".join(i.to_bytes(4, "little") for i in ids) + b"\xff\xff\xff\xff"


RANDOM_TEXTS, CHUNK = 3000, 100


def random_hashes(encode, seed=7):
    rng, out = Lcg(seed), []
    for _ in range(RANDOM_TEXTS // CHUNK):
        h = 0xCBF29CE484222325
        for _ in range(CHUNK):
            h = fnv(ids_bytes(encode(random_text(rng))), h)
        out.append(f"{h:016x}")
    return out


def decode_hashes(decode, id_limit, seed=9):
    rng, out = Lcg(seed), []
    for _ in range(20):
        h = 0xCBF29CE484222325
        for _ in range(25):
            ids = [rng.below(id_limit) for _ in range(1 + rng.below(20))]
            for skip in (False, True):
                h = fnv(decode(ids, skip).encode() + b"\n", h)
        out.append(f"{h:016x}")
    return out


def golden_of(tok, texts):
    """Ids of a tokenizers.Tokenizer in both ways of treating special tokens' text."""
    def encode(text, parse, add=True):
        tok.encode_special_tokens = not parse
        return tok.encode(text, add_special_tokens=add).ids

    def decode(ids, skip):
        return tok.decode(ids, skip_special_tokens=skip)

    cases = []
    for text in texts:
        parsed, plain = encode(text, True), encode(text, False)
        case = {"ids": plain}
        if parsed != plain:
            case["parsed"] = parsed
        if encode(text, False, False) != plain:
            case["bare"] = encode(text, False, False)
        try:
            decoded = decode(parsed, True)
        except BaseException as e:  # tokenizers panics (BPEDecoder, Strip) on some short inputs
            if type(e).__name__ != "PanicException":
                raise
            decoded = None
        if decoded != text:
            case["decoded"] = decoded
        cases.append(case)
    vocab = tok.get_vocab(with_added_tokens=True)
    limit = max(vocab.values()) + 1
    try:
        random_decoded = decode_hashes(decode, limit)
    except BaseException as e:
        if type(e).__name__ != "PanicException":
            raise
        random_decoded = []
    return {
        "vocab_size": tok.get_vocab_size(with_added_tokens=True), "id_limit": limit, "cases": cases,
        "random_plain": random_hashes(lambda t: encode(t, False)),
        "random_parsed": random_hashes(lambda t: encode(t, True)),
        "random_decoded": random_decoded,
    }


def write(path, value, compact=True):
    full = os.path.join(OUT, path)
    os.makedirs(os.path.dirname(full), exist_ok=True)
    with open(full, "w", encoding="utf-8") as f:
        if compact and isinstance(value, dict):
            f.write("{\n" + ",\n".join(
                f"{json.dumps(k)}: {json.dumps(v, ensure_ascii=True, separators=(',', ':'))}"
                for k, v in value.items()) + "\n}\n")
        else:
            json.dump(value, f, ensure_ascii=True, separators=(",", ":"))
            f.write("\n")


def trained(pre_tokenizer, normalizer, vocab_size):
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer, tok.normalizer = pre_tokenizer, normalizer
    tok.train_from_iterator((ENGLISH + CODE + OTHER).split("\n\n") + [ENGLISH, CODE, OTHER],
                            trainers.BpeTrainer(vocab_size=vocab_size, show_progress=False,
                                                initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    return json.loads(tok.to_str())["model"]


def token(content, id, special=True, **flags):
    base = {"id": id, "content": content, "single_word": False, "lstrip": False, "rstrip": False,
            "normalized": False, "special": special}
    return {**base, **flags}


def skeleton(model, added, normalizer, pre_tokenizer, post_processor, decoder):
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added,
            "normalizer": normalizer, "pre_tokenizer": pre_tokenizer, "post_processor": post_processor,
            "decoder": decoder, "model": model}


def byte_level(add_prefix_space=False, trim_offsets=True, use_regex=True):
    return {"type": "ByteLevel", "add_prefix_space": add_prefix_space, "trim_offsets": trim_offsets,
            "use_regex": use_regex}


def split_sequence(pattern):
    return {"type": "Sequence", "pretokenizers": [
        {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False},
        byte_level(False, True, False)]}


def template(token_text, id):
    piece = [{"SpecialToken": {"id": token_text, "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]
    pair = piece + [{"SpecialToken": {"id": token_text, "type_id": 1}},
                    {"Sequence": {"id": "B", "type_id": 1}}]
    return {"type": "TemplateProcessing", "single": piece, "pair": pair,
            "special_tokens": {token_text: {"id": token_text, "ids": [id], "tokens": [token_text]}}}


def decoder_entry(tokens):
    return {str(t["id"]): {k: v for k, v in t.items() if k != "id"} for t in tokens}


def gpt2_files():
    model = trained(pre_tokenizers.ByteLevel(add_prefix_space=False), None, 900)
    model["merges"] = [" ".join(m) for m in model["merges"]]  # the published file's spelling
    model.update({"dropout": None, "unk_token": None, "continuing_subword_prefix": "",
                  "end_of_word_suffix": "", "fuse_unk": False})
    end = len(model["vocab"])
    model["vocab"]["<|endoftext|>"] = end
    added = [token("<|endoftext|>", end)]
    json_ = skeleton(model, added, None, byte_level(), byte_level(True, False), byte_level(True))
    config = {"tokenizer_class": "GPT2Tokenizer", "add_prefix_space": False, "model_max_length": 1024,
              "bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>",
              "add_bos_token": False, "clean_up_tokenization_spaces": True,
              "added_tokens_decoder": decoder_entry(added)}
    return json_, config, {"model_type": "gpt2"}


def llama3_files():
    model = trained(pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(LLAMA3), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]), None, 900)
    model.update({"dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                  "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False,
                  "ignore_merges": True})
    # Tokens that no merge makes: only ignore_merges finds them, as in the published vocabulary.
    for extra in ("\u0120zzyzx", "qqq", "\u0120\u0120\u0120x"):
        model["vocab"][extra] = len(model["vocab"])
    base = len(model["vocab"])
    names = ["begin_of_text", "end_of_text", "reserved_special_token_0", "reserved_special_token_1",
             "finetune_right_pad_id", "reserved_special_token_2", "start_header_id", "end_header_id",
             "eom_id", "eot_id", "python_tag"]
    added = [token(f"<|{n}|>", base + i) for i, n in enumerate(names)]
    added += [token(f"<|reserved_special_token_{i - 8}|>", base + i) for i in range(11, 40)]
    bos = "<|begin_of_text|>"
    post = {"type": "Sequence", "processors": [byte_level(True, False), template(bos, base)]}
    json_ = skeleton(model, added, None, split_sequence(LLAMA3), post, byte_level(True))
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": bos, "eos_token": "<|eot_id|>",
              "clean_up_tokenization_spaces": True, "model_max_length": 131072,
              "model_input_names": ["input_ids", "attention_mask"],
              "added_tokens_decoder": decoder_entry(added)}
    return json_, config, {"model_type": "llama"}


def qwen2_files():
    model = trained(pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(QWEN2), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]), normalizers.NFC(), 900)
    model.update({"dropout": None, "unk_token": None, "continuing_subword_prefix": "",
                  "end_of_word_suffix": "", "fuse_unk": False, "byte_fallback": False,
                  "ignore_merges": False})
    model["merges"] = [" ".join(m) for m in model["merges"]]
    base = len(model["vocab"])
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>",
               "<|object_ref_end|>", "<|box_start|>", "<|box_end|>", "<|quad_start|>", "<|quad_end|>",
               "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>"]
    plain = ["<tool_call>", "</tool_call>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>",
             "<|fim_pad|>", "<|repo_name|>", "<|file_sep|>"]
    added = [token(t, base + i) for i, t in enumerate(special)]
    added += [token(t, base + len(special) + i, special=False) for i, t in enumerate(plain)]
    json_ = skeleton(model, added, {"type": "NFC"}, split_sequence(QWEN2),
                     byte_level(False, False, False), byte_level(False, False, False))
    config = {"tokenizer_class": "Qwen2Tokenizer", "add_bos_token": False, "add_prefix_space": False,
              "additional_special_tokens": special[1:], "bos_token": None,
              "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>", "unk_token": None,
              "errors": "replace", "split_special_tokens": False, "model_max_length": 131072,
              "clean_up_tokenization_spaces": False, "added_tokens_decoder": decoder_entry(added)}
    return json_, config, {"model_type": "qwen2"}


# Small tokenizers that each show one component, or one rule that the published files do not reach.

def char_model(**fields):
    """Characters and a few merges, not byte level."""
    chars = sorted(set("abcdefghijklmnopqrstuvwxyzABCDEH .,!'0123456789-_▁é北京\n"))
    vocab = {c: i for i, c in enumerate(["<unk>", *chars])}
    merges = []
    for a, b in (("t", "h"), ("th", "e"), ("l", "l"), ("h", "e"), ("he", "ll"), ("hell", "o"),
                 ("1", "2"), ("▁", "the"), (" ", "the"), ("a", "b"), ("ab", "ab"), ("i", "n")):
        merges.append([a, b])
        vocab.setdefault(a + b, len(vocab))
    return {"type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": None,
            "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False,
            "ignore_merges": False, "vocab": vocab, "merges": merges, **fields}


def with_byte_tokens(model, skip=()):
    for b in range(256):
        if b not in skip:
            model["vocab"].setdefault(f"<0x{b:02X}>", len(model["vocab"]))
    return model


def component_tokenizers():
    out = {}

    def add(name, normalizer=None, pre_tokenizer=None, post_processor=None, decoder=None, model=None,
            added=()):
        model = model or char_model()
        tokens = [token(content=t["content"], id=0, **{k: v for k, v in t.items() if k != "content"})
                  for t in added]
        out[name] = skeleton(model, tokens, normalizer, pre_tokenizer, post_processor, decoder)

    for form in ("NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Nmt"):
        add("normalizer " + form, normalizer={"type": form})
    add("normalizer Strip left", normalizer={"type": "Strip", "strip_left": True, "strip_right": False})
    add("normalizer Strip both", normalizer={"type": "Strip", "strip_left": True, "strip_right": True})
    add("normalizer Prepend Replace", normalizer={"type": "Sequence", "normalizers": [
        {"type": "Prepend", "prepend": "▁"},
        {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]})
    add("normalizer Replace regex", normalizer={
        "type": "Replace", "pattern": {"Regex": r"\s+|[0-9]{2}"}, "content": "_"})
    add("normalizer ByteLevel", normalizer={"type": "ByteLevel"})
    add("normalizer NFD StripAccents Lowercase", normalizer={"type": "Sequence", "normalizers": [
        {"type": "NFD"}, {"type": "StripAccents"}, {"type": "Lowercase"}]})
    for behavior in ("Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"):
        for invert in (False, True):
            for kind, pattern in (("Regex", r"\s|\p{P}"), ("String", "l")):
                add(f"Split {kind} {behavior} {invert}", pre_tokenizer={
                    "type": "Split", "pattern": {kind: pattern}, "behavior": behavior,
                    "invert": invert})
    add("Split empty matches", pre_tokenizer={"type": "Split", "pattern": {"Regex": r"x*"},
                                              "behavior": "Isolated", "invert": False})
    add("Split lookahead", pre_tokenizer={"type": "Split", "pattern": {"Regex": r"(?=[A-Z])|\d(?!\d)"},
                                          "behavior": "MergedWithNext", "invert": False})
    for kind in ("Whitespace", "WhitespaceSplit", "BertPreTokenizer"):
        add("pre " + kind, pre_tokenizer={"type": kind})
    for individual in (False, True):
        add(f"pre Digits {individual}", pre_tokenizer={"type": "Digits", "individual_digits": individual})
    for behavior in ("Isolated", "Contiguous", "MergedWithPrevious"):
        add("pre Punctuation " + behavior, pre_tokenizer={"type": "Punctuation", "behavior": behavior})
    add("pre CharDelimiterSplit", pre_tokenizer={"type": "CharDelimiterSplit", "delimiter": "l"})
    add("pre FixedLength", pre_tokenizer={"type": "FixedLength", "length": 3})
    add("pre Sequence", pre_tokenizer={"type": "Sequence", "pretokenizers": [
        {"type": "WhitespaceSplit"}, {"type": "Digits", "individual_digits": True},
        {"type": "Punctuation", "behavior": "Isolated"}]})
    add("no unk", model=char_model(unk_token=None))
    add("fuse_unk", model=char_model(fuse_unk=True))
    add("byte_fallback", model=with_byte_tokens(char_model(byte_fallback=True, fuse_unk=True)),
        decoder={"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"},
            {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]})
    add("byte_fallback holes", model=with_byte_tokens(char_model(byte_fallback=True),
                                                      skip=range(0xE0, 0xF0)),
        decoder={"type": "ByteFallback"})
    add("ignore_merges", model=char_model(ignore_merges=True), pre_tokenizer={"type": "WhitespaceSplit"})
    prefixed = char_model(continuing_subword_prefix="##")
    for c in "abcdefghijklmnopqrstuvwxyz":
        prefixed["vocab"].setdefault("##" + c, len(prefixed["vocab"]))
    for pair in (["h", "##e"], ["##l", "##l"], ["he", "##ll"], ["t", "##h"], ["th", "##e"]):
        prefixed["merges"].append(pair)
        prefixed["vocab"].setdefault(pair[0] + pair[1][2:], len(prefixed["vocab"]))
    prefixed["merges"] = prefixed["merges"][-5:]
    add("continuing_subword_prefix", model=prefixed, pre_tokenizer={"type": "Whitespace"})
    suffixed = char_model(end_of_word_suffix="</w>")
    for c in "abcdefghijklmnopqrstuvwxyz":
        suffixed["vocab"].setdefault(c + "</w>", len(suffixed["vocab"]))
    suffixed["merges"] += [["l", "o</w>"], ["he", "l"], ["hel", "lo</w>"]]
    for name in ("lo</w>", "hel", "hello</w>"):
        suffixed["vocab"].setdefault(name, len(suffixed["vocab"]))
    add("end_of_word_suffix", model=suffixed, pre_tokenizer={"type": "Whitespace"},
        decoder={"type": "BPEDecoder", "suffix": "</w>"})
    tricky = [{"content": "<a>", "lstrip": True}, {"content": "<b>", "rstrip": True},
              {"content": "<c>", "single_word": True, "special": False},
              {"content": "the", "single_word": True, "special": False},
              {"content": "<ab", "special": False}, {"content": "<abc>"}, {"content": "<lr>",
               "lstrip": True, "rstrip": True}, {"content": " ", "special": False}]
    add("added flags", added=tricky)
    add("added flags without space", added=tricky[:-1], pre_tokenizer={"type": "WhitespaceSplit"})
    add("added normalized", normalizer={"type": "Lowercase"}, added=[
        {"content": "HELLO", "normalized": True, "special": False},
        {"content": "<S>", "normalized": True}, {"content": "<P>"},
        {"content": "ABAB", "normalized": True, "special": False, "single_word": True}])
    add("added over a vocabulary token", added=[{"content": "the", "special": True},
                                                {"content": "new one", "special": False}])
    add("decoder Strip stop", decoder={"type": "Strip", "content": "l", "start": 1, "stop": 0})
    add("decoder Fuse Strip", decoder={"type": "Sequence", "decoders": [
        {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 2, "stop": 3}]})
    add("decoder Replace regex", decoder={"type": "Replace", "pattern": {"Regex": "l+|o"},
                                          "content": "0"})
    add("post Bert", post_processor={"type": "BertProcessing", "sep": ["a", 20], "cls": ["b", 21]})
    add("post Roberta", post_processor={"type": "RobertaProcessing", "sep": ["a", 20],
                                        "cls": ["b", 21], "trim_offsets": True,
                                        "add_prefix_space": True})
    two = template("a", 20)
    two["single"] = two["single"] + [{"SpecialToken": {"id": "a", "type_id": 0}},
                                     {"Sequence": {"id": "A", "type_id": 0}}]
    add("post template twice", post_processor=two)
    return out


COMPONENT_TEXTS = [
    "", " ", "hello the 12 cab", "Hello THE world!", "  hello  ", "the,the;the the1 1the", "ababab abab ABAB",
    "a<a>b <b>  c  <c> d<c>d the<c>", "<lr> <abc> <abc <ab <ab> x", "  <a>  <lr>  <b>  ", "<S> <s> HELLO hello <P> <p>",
    "é e\u0301 北京 \ufb01 \u00b2 x\u0301", "日本 😀 <unk> zz", "l ll lll llll", "a-b_c.d,e!f'g", "1 12 123 12.5 x12y",
    "\n\nnew one\n the\tend ", "ẞ İ Σ \u3000 \u00a0x", "helloworldthe in inin", "<0x41> <0xE4>",
]


def o200k_tokenizer(llama3):
    json_ = copy.deepcopy(llama3)
    json_["pre_tokenizer"] = split_sequence(O200K)
    json_["added_tokens"] = json_["added_tokens"][:2]
    return json_


def folder_cases(bases):
    """AutoTokenizer over variations of the folder's small files."""
    no_decoder = {k: {a: b for a, b in v[1].items() if a != "added_tokens_decoder"}
                  for k, v in bases.items()}
    llama_decoder = bases["llama3"][1]["added_tokens_decoder"]
    first = next(iter(llama_decoder))
    changed = {**llama_decoder, first: {**llama_decoder[first], "lstrip": True}}
    far = {**llama_decoder, "5000": {k: v for k, v in token("<far>", 0).items() if k != "id"}}
    rows = [
        ("gpt2", {}), ("gpt2 prefix space", {"tokenizer_config": {"add_prefix_space": True}}),
        ("gpt2 own endoftext missing", {"tokenizer_config": {"bos_token": "<s>", "pad_token": "<pad>"}}),
        ("gpt2 no tokenizer_config", {"tokenizer_config": None}),
        ("gpt2 no config", {"config": None}), ("gpt2 nothing", {"config": None, "tokenizer_config": None}),
        ("gpt2 other model type", {"config": {"model_type": "llama"}}),
        ("gpt2 class in config", {"config": {"model_type": "llama", "tokenizer_class": "GPT2Tokenizer"},
                                  "tokenizer_config": None}),
        ("gpt2 as Qwen2", {"tokenizer_config": {"tokenizer_class": "Qwen2Tokenizer"},
                           "config": {"model_type": "qwen2"}}),
        ("gpt2 as granite", {"config": {"model_type": "granite"}}),
        ("llama3", {}), ("llama3 LlamaTokenizer", {"tokenizer_config": {
            "tokenizer_class": "LlamaTokenizer"}}),
        ("llama3 LlamaTokenizerFast, mistral", {"tokenizer_config": {
            "tokenizer_class": "LlamaTokenizerFast"}, "config": {"model_type": "mistral"}}),
        ("llama3 unknown class", {"tokenizer_config": {"tokenizer_class": "NoSuchTokenizer"}}),
        ("llama3 as qwen2", {"config": {"model_type": "qwen2"}}),
        ("llama3 as qwen2, class of Llama", {"config": {"model_type": "qwen2"}, "tokenizer_config": {
            "tokenizer_class": "LlamaTokenizerFast"}}),
        ("llama3 as qwen3", {"config": {"model_type": "qwen3"}}),
        ("llama3 changed flags", {"tokenizer_config": {"added_tokens_decoder": changed}}),
        ("llama3 added far away", {"tokenizer_config": {"added_tokens_decoder": far}}),
        ("llama3 add_bos ignored", {"tokenizer_config": {"add_bos_token": False, "add_eos_token": True}}),
        ("llama3 new specials", {"tokenizer_config": {
            "pad_token": "<pad>", "image_token": "<image>", "boi_token": {
                "__type": "AddedToken", "content": "<boi>", "lstrip": True, "rstrip": False,
                "normalized": False, "single_word": False, "special": True},
            "additional_special_tokens": ["<x>", "<|eot_id|>", "<y>"]}}),
        ("llama3 extra object", {"tokenizer_config": {"extra_special_tokens": {"audio_token": "<aud>"}}}),
        ("llama3 special from vocabulary", {"tokenizer_config": {"unk_token": "the"}}),
        ("llama3 typed bos", {"tokenizer_config": {"bos_token": {
            "__type": "AddedToken", "content": "<|begin_of_text|>", "lstrip": False, "rstrip": False,
            "normalized": True, "single_word": False}}}),
        ("llama3 legacy map", {"tokenizer_config": no_decoder["llama3"], "replace": True,
                               "special_tokens_map": {"bos_token": {
                                   "content": "<|begin_of_text|>", "lstrip": False, "normalized": False,
                                   "rstrip": False, "single_word": False}, "eos_token": "<|eot_id|>",
                                   "pad_token": "<pad2>"}}),
        ("llama3 legacy added_tokens", {"tokenizer_config": no_decoder["llama3"], "replace": True,
                                        "added_tokens": {"<extra>": 2000, "<mask>": 2001},
                                        "special_tokens_map": {"mask_token": "<mask>"}}),
        ("llama3 auto_map", {"tokenizer_config": {"auto_map": {"AutoTokenizer": ["m.T", None]}}}),
        ("qwen2", {}), ("qwen2 PreTrainedTokenizerFast", {"tokenizer_config": {
            "tokenizer_class": "PreTrainedTokenizerFast"}}),
        ("qwen2 as qwen2_moe", {"config": {"model_type": "qwen2_moe"}}),
        ("qwen2 PreTrainedTokenizerFast as qwen2_moe", {"config": {"model_type": "qwen2_moe"},
         "tokenizer_config": {"tokenizer_class": "PreTrainedTokenizerFast"}}),
        ("qwen2 legacy", {"tokenizer_config": no_decoder["qwen2"], "replace": True}),
        ("qwen2 no tokenizer_config", {"tokenizer_config": None}),
        ("qwen2 fewer added", {"tokenizer_config": {"added_tokens_decoder": {
            k: v for k, v in list(bases["qwen2"][1]["added_tokens_decoder"].items())[:3]}}}),
        ("qwen2 prefix space", {"tokenizer_config": {"add_prefix_space": True}}),
    ]
    texts = ["Hello world  12345", " leading", "e\u0301 <|endoftext|>x", "<|im_start|>hi<|im_end|> <tool_call>",
             "<|begin_of_text|> the <|eot_id|><pad><x> <y><image> <boi><aud><far><pad2><extra><mask><s>",
             "qqq zzyzx It'S\n\n  x"]
    out = []
    for name, change in rows:
        base = name.split()[0]
        json_, tokenizer_config, config = copy.deepcopy(bases[base])
        files = {"tokenizer_config": tokenizer_config, "config": config}
        for key in ("tokenizer_config", "config", "special_tokens_map", "added_tokens"):
            if key not in change:
                continue
            if change[key] is None:
                files.pop(key, None)
            elif key == "tokenizer_config" and not change.get("replace"):
                files[key] = {**files[key], **change[key]}
            else:
                files[key] = change[key]
        with tempfile.TemporaryDirectory() as folder:
            with open(folder + "/tokenizer.json", "w") as f:
                json.dump(json_, f)
            for key, value in files.items():
                with open(f"{folder}/{key}.json", "w") as f:
                    json.dump(value, f)
            try:
                tok = AutoTokenizer.from_pretrained(folder)
            except ValueError as e:
                if "trust_remote_code" not in str(e):
                    raise
                continue
        results = []
        for text in texts:
            row = []
            for split in (True, False):
                row.append(tok(text, split_special_tokens=split)["input_ids"])
            results.append(row + [tok.decode(row[1], skip_special_tokens=True)])
        # A file that differs from the base's own is stored; the others are named by the base.
        stored = {k: v for k, v in files.items()
                  if v != {"tokenizer_config": tokenizer_config, "config": config}.get(k)
                  or k not in ("tokenizer_config", "config")}
        absent = [k for k in ("tokenizer_config", "config") if k not in files]
        if "tokenizer_config" in stored:  # only what changed; null removes
            old, new = bases[base][1], stored["tokenizer_config"]
            stored["tokenizer_config"] = {k: v for k, v in new.items() if k not in old or old[k] != v}
            removed = [k for k in old if k not in new]
        else:
            removed = []
        if "added_tokens_decoder" in stored.get("tokenizer_config", {}) and base == "llama3":
            removed = removed
        out.append({"name": name, "base": base, "files": stored, "absent": absent, "removed": removed,
                    "class": type(tok).__name__, "vocab_size": len(tok),
                    "bos_id": tok.bos_token_id, "eos_id": tok.eos_token_id, "pad_id": tok.pad_token_id,
                    "special": {k: str(v) for k, v in tok._special_tokens_map.items() if v is not None},
                    "results": results})
    return {"texts": texts, "cases": out}


def main():
    bases = {"gpt2": gpt2_files(), "llama3": llama3_files(), "qwen2": qwen2_files()}
    write("texts.json", {**VERSIONS, "texts": TEXTS, "fragments": FRAGMENTS,
                         "component_texts": COMPONENT_TEXTS})
    for name, (json_, tokenizer_config, config) in bases.items():
        write(f"{name}/tokenizer.json", json_)
        write(f"{name}/tokenizer_config.json", tokenizer_config)
        write(f"{name}/config.json", config)
        write(f"{name}.golden.json", {**VERSIONS, **golden_of(Tokenizer.from_str(json.dumps(json_)), TEXTS)})
    o200k = o200k_tokenizer(bases["llama3"][0])
    write("o200k.golden.json", {**VERSIONS, "pre_tokenizer": o200k["pre_tokenizer"],
                                **golden_of(Tokenizer.from_str(json.dumps(o200k)), TEXTS)})
    components = []
    shared = char_model()
    for name, json_ in component_tokenizers().items():
        tok = Tokenizer.from_str(json.dumps(json_))
        golden = golden_of(tok, COMPONENT_TEXTS)
        for key in ("random_plain", "random_parsed", "random_decoded"):
            golden[key] = f"{fnv(''.join(golden[key]).encode()):016x}" if golden[key] else ""
        stored = dict(json_)
        if stored["model"] == shared:
            stored["model"] = "shared"
        components.append({"name": name, "tokenizer": stored, **golden})
    write("components.json", {**VERSIONS, "shared_model": shared, **{c["name"]: c for c in components}})
    write("folders.json", {**VERSIONS, **folder_cases(bases)})
    if len(sys.argv) > 1:
        tok = Tokenizer.from_file(sys.argv[1] + "/tokenizer.json")
        write("fathom-tales.golden.json", {**VERSIONS, **golden_of(tok, TEXTS)})


if __name__ == "__main__":
    main()
