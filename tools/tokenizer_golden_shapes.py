"""The tokenizers that tools/make_tokenizer_goldens.py makes goldens of: the shapes of the published
files with small vocabularies trained here, and tiny tokenizers that each show one component."""

import copy
import json
import os

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
with open(os.path.join(ROOT, "tools/tokenizer_golden_texts.json")) as inputs_file:
    INPUTS = json.load(inputs_file)
ENGLISH, CODE, OTHER = INPUTS["training"]

LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
    r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
O200K = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+"
    r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}|"
    r" ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def trained(pre_tokenizer, normalizer, vocab_size):
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer, tok.normalizer = pre_tokenizer, normalizer
    tok.train_from_iterator(
        (ENGLISH + CODE + OTHER).split("\n\n") + [ENGLISH, CODE, OTHER],
        trainers.BpeTrainer(
            vocab_size=vocab_size,
            show_progress=False,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        ),
    )
    return json.loads(tok.to_str())["model"]


def token(content, id, special=True, **flags):
    base = {
        "id": id,
        "content": content,
        "single_word": False,
        "lstrip": False,
        "rstrip": False,
        "normalized": False,
        "special": special,
    }
    return {**base, **flags}


def skeleton(model, added, normalizer, pre_tokenizer, post_processor, decoder):
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": normalizer,
        "pre_tokenizer": pre_tokenizer,
        "post_processor": post_processor,
        "decoder": decoder,
        "model": model,
    }


def byte_level(add_prefix_space=False, trim_offsets=True, use_regex=True):
    return {
        "type": "ByteLevel",
        "add_prefix_space": add_prefix_space,
        "trim_offsets": trim_offsets,
        "use_regex": use_regex,
    }


def split_sequence(pattern):
    return {
        "type": "Sequence",
        "pretokenizers": [
            {
                "type": "Split",
                "pattern": {"Regex": pattern},
                "behavior": "Isolated",
                "invert": False,
            },
            byte_level(False, True, False),
        ],
    }


def template(token_text, id):
    piece = [
        {"SpecialToken": {"id": token_text, "type_id": 0}},
        {"Sequence": {"id": "A", "type_id": 0}},
    ]
    pair = piece + [
        {"SpecialToken": {"id": token_text, "type_id": 1}},
        {"Sequence": {"id": "B", "type_id": 1}},
    ]
    return {
        "type": "TemplateProcessing",
        "single": piece,
        "pair": pair,
        "special_tokens": {token_text: {"id": token_text, "ids": [id], "tokens": [token_text]}},
    }


def decoder_entry(tokens):
    return {str(t["id"]): {k: v for k, v in t.items() if k != "id"} for t in tokens}


def gpt2_files():
    model = trained(pre_tokenizers.ByteLevel(add_prefix_space=False), None, 900)
    model["merges"] = [" ".join(m) for m in model["merges"]]  # the published file's spelling
    model.update(
        {
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": "",
            "end_of_word_suffix": "",
            "fuse_unk": False,
        }
    )
    end = len(model["vocab"])
    model["vocab"]["<|endoftext|>"] = end
    added = [token("<|endoftext|>", end)]
    json_ = skeleton(model, added, None, byte_level(), byte_level(True, False), byte_level(True))
    config = {
        "tokenizer_class": "GPT2Tokenizer",
        "add_prefix_space": False,
        "model_max_length": 1024,
        "bos_token": "<|endoftext|>",
        "eos_token": "<|endoftext|>",
        "unk_token": "<|endoftext|>",
        "add_bos_token": False,
        "clean_up_tokenization_spaces": True,
        "added_tokens_decoder": decoder_entry(added),
    }
    return json_, config, {"model_type": "gpt2"}


def llama3_files():
    model = trained(
        pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(LLAMA3), "isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        ),
        None,
        900,
    )
    model.update(
        {
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": True,
        }
    )
    # Tokens that no merge makes: only ignore_merges finds them, as in the published vocabulary.
    for extra in ("\u0120zzyzx", "qqq", "\u0120\u0120\u0120x"):
        model["vocab"][extra] = len(model["vocab"])
    base = len(model["vocab"])
    names = [
        "begin_of_text",
        "end_of_text",
        "reserved_special_token_0",
        "reserved_special_token_1",
        "finetune_right_pad_id",
        "reserved_special_token_2",
        "start_header_id",
        "end_header_id",
        "eom_id",
        "eot_id",
        "python_tag",
    ]
    added = [token(f"<|{n}|>", base + i) for i, n in enumerate(names)]
    added += [token(f"<|reserved_special_token_{i - 8}|>", base + i) for i in range(11, 40)]
    bos = "<|begin_of_text|>"
    post = {"type": "Sequence", "processors": [byte_level(True, False), template(bos, base)]}
    json_ = skeleton(model, added, None, split_sequence(LLAMA3), post, byte_level(True))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": bos,
        "eos_token": "<|eot_id|>",
        "clean_up_tokenization_spaces": True,
        "model_max_length": 131072,
        "model_input_names": ["input_ids", "attention_mask"],
        "added_tokens_decoder": decoder_entry(added),
    }
    return json_, config, {"model_type": "llama"}


def qwen2_files():
    model = trained(
        pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(QWEN2), "isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        ),
        normalizers.NFC(),
        900,
    )
    model.update(
        {
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": "",
            "end_of_word_suffix": "",
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
        }
    )
    model["merges"] = [" ".join(m) for m in model["merges"]]
    base = len(model["vocab"])
    special = [
        "<|endoftext|>",
        "<|im_start|>",
        "<|im_end|>",
        "<|object_ref_start|>",
        "<|object_ref_end|>",
        "<|box_start|>",
        "<|box_end|>",
        "<|quad_start|>",
        "<|quad_end|>",
        "<|vision_start|>",
        "<|vision_end|>",
        "<|vision_pad|>",
        "<|image_pad|>",
        "<|video_pad|>",
    ]
    plain = [
        "<tool_call>",
        "</tool_call>",
        "<|fim_prefix|>",
        "<|fim_middle|>",
        "<|fim_suffix|>",
        "<|fim_pad|>",
        "<|repo_name|>",
        "<|file_sep|>",
    ]
    added = [token(t, base + i) for i, t in enumerate(special)]
    added += [token(t, base + len(special) + i, special=False) for i, t in enumerate(plain)]
    json_ = skeleton(
        model,
        added,
        {"type": "NFC"},
        split_sequence(QWEN2),
        byte_level(False, False, False),
        byte_level(False, False, False),
    )
    config = {
        "tokenizer_class": "Qwen2Tokenizer",
        "add_bos_token": False,
        "add_prefix_space": False,
        "additional_special_tokens": special[1:],
        "bos_token": None,
        "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>",
        "unk_token": None,
        "errors": "replace",
        "split_special_tokens": False,
        "model_max_length": 131072,
        "clean_up_tokenization_spaces": False,
        "added_tokens_decoder": decoder_entry(added),
    }
    return json_, config, {"model_type": "qwen2"}


def char_model(**fields):
    """Characters and a few merges, not byte level."""
    chars = sorted(set("abcdefghijklmnopqrstuvwxyzABCDEH .,!'0123456789-_▁é北京\n"))
    vocab = {c: i for i, c in enumerate(["<unk>", *chars])}
    merges = []
    for a, b in (
        ("t", "h"),
        ("th", "e"),
        ("l", "l"),
        ("h", "e"),
        ("he", "ll"),
        ("hell", "o"),
        ("1", "2"),
        ("▁", "the"),
        (" ", "the"),
        ("a", "b"),
        ("ab", "ab"),
        ("i", "n"),
    ):
        merges.append([a, b])
        vocab.setdefault(a + b, len(vocab))
    return {
        "type": "BPE",
        "dropout": None,
        "unk_token": "<unk>",
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "fuse_unk": False,
        "byte_fallback": False,
        "ignore_merges": False,
        "vocab": vocab,
        "merges": merges,
        **fields,
    }


def with_byte_tokens(model, skip=()):
    for b in range(256):
        if b not in skip:
            model["vocab"].setdefault(f"<0x{b:02X}>", len(model["vocab"]))
    return model


def component_tokenizers():
    out = {}

    def add(
        name,
        normalizer=None,
        pre_tokenizer=None,
        post_processor=None,
        decoder=None,
        model=None,
        added=(),
    ):
        model = model or char_model()
        tokens = [
            token(content=t["content"], id=0, **{k: v for k, v in t.items() if k != "content"})
            for t in added
        ]
        out[name] = skeleton(model, tokens, normalizer, pre_tokenizer, post_processor, decoder)

    for form in ("NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Nmt"):
        add("normalizer " + form, normalizer={"type": form})
    add(
        "normalizer Strip left",
        normalizer={"type": "Strip", "strip_left": True, "strip_right": False},
    )
    add(
        "normalizer Strip both",
        normalizer={"type": "Strip", "strip_left": True, "strip_right": True},
    )
    add(
        "normalizer Prepend Replace",
        normalizer={
            "type": "Sequence",
            "normalizers": [
                {"type": "Prepend", "prepend": "▁"},
                {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
            ],
        },
    )
    add(
        "normalizer Replace regex",
        normalizer={"type": "Replace", "pattern": {"Regex": r"\s+|[0-9]{2}"}, "content": "_"},
    )
    add("normalizer ByteLevel", normalizer={"type": "ByteLevel"})
    add(
        "normalizer NFD StripAccents Lowercase",
        normalizer={
            "type": "Sequence",
            "normalizers": [{"type": "NFD"}, {"type": "StripAccents"}, {"type": "Lowercase"}],
        },
    )
    for behavior in ("Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"):
        for invert in (False, True):
            for kind, pattern in (("Regex", r"\s|\p{P}"), ("String", "l")):
                add(
                    f"Split {kind} {behavior} {invert}",
                    pre_tokenizer={
                        "type": "Split",
                        "pattern": {kind: pattern},
                        "behavior": behavior,
                        "invert": invert,
                    },
                )
    add(
        "Split empty matches",
        pre_tokenizer={
            "type": "Split",
            "pattern": {"Regex": r"x*"},
            "behavior": "Isolated",
            "invert": False,
        },
    )
    add(
        "Split lookahead",
        pre_tokenizer={
            "type": "Split",
            "pattern": {"Regex": r"(?=[A-Z])|\d(?!\d)"},
            "behavior": "MergedWithNext",
            "invert": False,
        },
    )
    for kind in ("Whitespace", "WhitespaceSplit", "BertPreTokenizer"):
        add("pre " + kind, pre_tokenizer={"type": kind})
    for individual in (False, True):
        add(
            f"pre Digits {individual}",
            pre_tokenizer={"type": "Digits", "individual_digits": individual},
        )
    for behavior in ("Isolated", "Contiguous", "MergedWithPrevious"):
        add(
            "pre Punctuation " + behavior,
            pre_tokenizer={"type": "Punctuation", "behavior": behavior},
        )
    add("pre CharDelimiterSplit", pre_tokenizer={"type": "CharDelimiterSplit", "delimiter": "l"})
    add("pre FixedLength", pre_tokenizer={"type": "FixedLength", "length": 3})
    add(
        "pre Sequence",
        pre_tokenizer={
            "type": "Sequence",
            "pretokenizers": [
                {"type": "WhitespaceSplit"},
                {"type": "Digits", "individual_digits": True},
                {"type": "Punctuation", "behavior": "Isolated"},
            ],
        },
    )
    add("no unk", model=char_model(unk_token=None))
    add("fuse_unk", model=char_model(fuse_unk=True))
    add(
        "byte_fallback",
        model=with_byte_tokens(char_model(byte_fallback=True, fuse_unk=True)),
        decoder={
            "type": "Sequence",
            "decoders": [
                {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
                {"type": "ByteFallback"},
                {"type": "Fuse"},
                {"type": "Strip", "content": " ", "start": 1, "stop": 0},
            ],
        },
    )
    add(
        "byte_fallback holes",
        model=with_byte_tokens(char_model(byte_fallback=True), skip=range(0xE0, 0xF0)),
        decoder={"type": "ByteFallback"},
    )
    add(
        "ignore_merges",
        model=char_model(ignore_merges=True),
        pre_tokenizer={"type": "WhitespaceSplit"},
    )
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
    add(
        "end_of_word_suffix",
        model=suffixed,
        pre_tokenizer={"type": "Whitespace"},
        decoder={"type": "BPEDecoder", "suffix": "</w>"},
    )
    tricky = [
        {"content": "<a>", "lstrip": True},
        {"content": "<b>", "rstrip": True},
        {"content": "<c>", "single_word": True, "special": False},
        {"content": "the", "single_word": True, "special": False},
        {"content": "<ab", "special": False},
        {"content": "<abc>"},
        {"content": "<lr>", "lstrip": True, "rstrip": True},
        {"content": " ", "special": False},
    ]
    add("added flags", added=tricky)
    add("added flags without space", added=tricky[:-1], pre_tokenizer={"type": "WhitespaceSplit"})
    add(
        "added normalized",
        normalizer={"type": "Lowercase"},
        added=[
            {"content": "HELLO", "normalized": True, "special": False},
            {"content": "<S>", "normalized": True},
            {"content": "<P>"},
            {"content": "ABAB", "normalized": True, "special": False, "single_word": True},
        ],
    )
    add(
        "added over a vocabulary token",
        added=[{"content": "the", "special": True}, {"content": "new one", "special": False}],
    )
    add("decoder Strip stop", decoder={"type": "Strip", "content": "l", "start": 1, "stop": 0})
    add(
        "decoder Fuse Strip",
        decoder={
            "type": "Sequence",
            "decoders": [
                {"type": "Fuse"},
                {"type": "Strip", "content": " ", "start": 2, "stop": 3},
            ],
        },
    )
    add(
        "decoder Replace regex",
        decoder={"type": "Replace", "pattern": {"Regex": "l+|o"}, "content": "0"},
    )
    add("post Bert", post_processor={"type": "BertProcessing", "sep": ["a", 20], "cls": ["b", 21]})
    add(
        "post Roberta",
        post_processor={
            "type": "RobertaProcessing",
            "sep": ["a", 20],
            "cls": ["b", 21],
            "trim_offsets": True,
            "add_prefix_space": True,
        },
    )
    two = template("a", 20)
    two["single"] = two["single"] + [
        {"SpecialToken": {"id": "a", "type_id": 0}},
        {"Sequence": {"id": "A", "type_id": 0}},
    ]
    add("post template twice", post_processor=two)
    return out


def o200k_tokenizer(llama3):
    json_ = copy.deepcopy(llama3)
    json_["pre_tokenizer"] = split_sequence(O200K)
    json_["added_tokens"] = json_["added_tokens"][:2]
    return json_
