#!/usr/bin/env python3
"""Makes tests/goldens/tokenizers/: small tokenizers shaped like the published ones, and their ids.

No hub is needed: vocabularies are trained here on the texts of tools/tokenizer_golden_texts.json,
with the normalizer, pre-tokenizer, post-processor, decoder and added tokens of the published GPT-2,
Llama 3 and Qwen 2.5 files. The ids are those of Hugging Face tokenizers and transformers.

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
from tokenizers import Tokenizer
from tokenizer_golden_shapes import (
    INPUTS,
    char_model,
    component_tokenizers,
    gpt2_files,
    llama3_files,
    o200k_tokenizer,
    qwen2_files,
    token,
)
from transformers import AutoTokenizer

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
OUT = os.path.join(ROOT, "tests/goldens/tokenizers")
VERSIONS = {
    "tokenizers": tokenizers.__version__,
    "transformers": transformers.__version__,
    "made_by": "tools/make_tokenizer_goldens.py",
}


TEXTS, FRAGMENTS = INPUTS["texts"], INPUTS["fragments"]
COMPONENT_TEXTS = INPUTS["component_texts"]


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
        "vocab_size": tok.get_vocab_size(with_added_tokens=True),
        "id_limit": limit,
        "cases": cases,
        "random_plain": random_hashes(lambda t: encode(t, False)),
        "random_parsed": random_hashes(lambda t: encode(t, True)),
        "random_decoded": random_decoded,
    }


def write(path, value, compact=True):
    full = os.path.join(OUT, path)
    os.makedirs(os.path.dirname(full), exist_ok=True)
    with open(full, "w", encoding="utf-8") as f:
        if compact and isinstance(value, dict):
            f.write(
                "{\n"
                + ",\n".join(
                    f"{json.dumps(k)}: {json.dumps(v, ensure_ascii=True, separators=(',', ':'))}"
                    for k, v in value.items()
                )
                + "\n}\n"
            )
        else:
            json.dump(value, f, ensure_ascii=True, separators=(",", ":"))
            f.write("\n")


# Small tokenizers that each show one component, or one rule that the published files do not reach.


def folder_cases(bases):
    """AutoTokenizer over variations of the folder's small files."""
    no_decoder = {
        k: {a: b for a, b in v[1].items() if a != "added_tokens_decoder"} for k, v in bases.items()
    }
    llama_decoder = bases["llama3"][1]["added_tokens_decoder"]
    first = next(iter(llama_decoder))
    changed = {**llama_decoder, first: {**llama_decoder[first], "lstrip": True}}
    far = {**llama_decoder, "5000": {k: v for k, v in token("<far>", 0).items() if k != "id"}}
    rows = [
        ("gpt2", {}),
        ("gpt2 prefix space", {"tokenizer_config": {"add_prefix_space": True}}),
        (
            "gpt2 own endoftext missing",
            {"tokenizer_config": {"bos_token": "<s>", "pad_token": "<pad>"}},
        ),
        ("gpt2 no tokenizer_config", {"tokenizer_config": None}),
        ("gpt2 no config", {"config": None}),
        ("gpt2 nothing", {"config": None, "tokenizer_config": None}),
        ("gpt2 other model type", {"config": {"model_type": "llama"}}),
        (
            "gpt2 class in config",
            {
                "config": {"model_type": "llama", "tokenizer_class": "GPT2Tokenizer"},
                "tokenizer_config": None,
            },
        ),
        (
            "gpt2 as Qwen2",
            {
                "tokenizer_config": {"tokenizer_class": "Qwen2Tokenizer"},
                "config": {"model_type": "qwen2"},
            },
        ),
        ("gpt2 as granite", {"config": {"model_type": "granite"}}),
        ("llama3", {}),
        ("llama3 LlamaTokenizer", {"tokenizer_config": {"tokenizer_class": "LlamaTokenizer"}}),
        (
            "llama3 LlamaTokenizerFast, mistral",
            {
                "tokenizer_config": {"tokenizer_class": "LlamaTokenizerFast"},
                "config": {"model_type": "mistral"},
            },
        ),
        ("llama3 unknown class", {"tokenizer_config": {"tokenizer_class": "NoSuchTokenizer"}}),
        ("llama3 as qwen2", {"config": {"model_type": "qwen2"}}),
        (
            "llama3 as qwen2, class of Llama",
            {
                "config": {"model_type": "qwen2"},
                "tokenizer_config": {"tokenizer_class": "LlamaTokenizerFast"},
            },
        ),
        ("llama3 as qwen3", {"config": {"model_type": "qwen3"}}),
        ("llama3 changed flags", {"tokenizer_config": {"added_tokens_decoder": changed}}),
        ("llama3 added far away", {"tokenizer_config": {"added_tokens_decoder": far}}),
        (
            "llama3 add_bos ignored",
            {"tokenizer_config": {"add_bos_token": False, "add_eos_token": True}},
        ),
        (
            "llama3 new specials",
            {
                "tokenizer_config": {
                    "pad_token": "<pad>",
                    "image_token": "<image>",
                    "boi_token": {
                        "__type": "AddedToken",
                        "content": "<boi>",
                        "lstrip": True,
                        "rstrip": False,
                        "normalized": False,
                        "single_word": False,
                        "special": True,
                    },
                    "additional_special_tokens": ["<x>", "<|eot_id|>", "<y>"],
                }
            },
        ),
        (
            "llama3 extra object",
            {"tokenizer_config": {"extra_special_tokens": {"audio_token": "<aud>"}}},
        ),
        ("llama3 special from vocabulary", {"tokenizer_config": {"unk_token": "the"}}),
        (
            "llama3 typed bos",
            {
                "tokenizer_config": {
                    "bos_token": {
                        "__type": "AddedToken",
                        "content": "<|begin_of_text|>",
                        "lstrip": False,
                        "rstrip": False,
                        "normalized": True,
                        "single_word": False,
                    }
                }
            },
        ),
        (
            "llama3 legacy map",
            {
                "tokenizer_config": no_decoder["llama3"],
                "replace": True,
                "special_tokens_map": {
                    "bos_token": {
                        "content": "<|begin_of_text|>",
                        "lstrip": False,
                        "normalized": False,
                        "rstrip": False,
                        "single_word": False,
                    },
                    "eos_token": "<|eot_id|>",
                    "pad_token": "<pad2>",
                },
            },
        ),
        (
            "llama3 legacy added_tokens",
            {
                "tokenizer_config": no_decoder["llama3"],
                "replace": True,
                "added_tokens": {"<extra>": 2000, "<mask>": 2001},
                "special_tokens_map": {"mask_token": "<mask>"},
            },
        ),
        ("llama3 auto_map", {"tokenizer_config": {"auto_map": {"AutoTokenizer": ["m.T", None]}}}),
        ("qwen2", {}),
        (
            "qwen2 PreTrainedTokenizerFast",
            {"tokenizer_config": {"tokenizer_class": "PreTrainedTokenizerFast"}},
        ),
        ("qwen2 as qwen2_moe", {"config": {"model_type": "qwen2_moe"}}),
        (
            "qwen2 PreTrainedTokenizerFast as qwen2_moe",
            {
                "config": {"model_type": "qwen2_moe"},
                "tokenizer_config": {"tokenizer_class": "PreTrainedTokenizerFast"},
            },
        ),
        ("qwen2 legacy", {"tokenizer_config": no_decoder["qwen2"], "replace": True}),
        ("qwen2 no tokenizer_config", {"tokenizer_config": None}),
        (
            "qwen2 fewer added",
            {
                "tokenizer_config": {
                    "added_tokens_decoder": {
                        k: v for k, v in list(bases["qwen2"][1]["added_tokens_decoder"].items())[:3]
                    }
                }
            },
        ),
        ("qwen2 prefix space", {"tokenizer_config": {"add_prefix_space": True}}),
    ]
    texts = [
        "Hello world  12345",
        " leading",
        "e\u0301 <|endoftext|>x",
        "<|im_start|>hi<|im_end|> <tool_call>",
        "<|begin_of_text|> the <|eot_id|><pad><x> <y><image> <boi><aud><far><pad2><extra><mask><s>",
        "qqq zzyzx It'S\n\n  x",
    ]
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
        stored = {
            k: v
            for k, v in files.items()
            if v != {"tokenizer_config": tokenizer_config, "config": config}.get(k)
            or k not in ("tokenizer_config", "config")
        }
        absent = [k for k in ("tokenizer_config", "config") if k not in files]
        if "tokenizer_config" in stored:  # only what changed; null removes
            old, new = bases[base][1], stored["tokenizer_config"]
            stored["tokenizer_config"] = {
                k: v for k, v in new.items() if k not in old or old[k] != v
            }
            removed = [k for k in old if k not in new]
        else:
            removed = []
        out.append(
            {
                "name": name,
                "base": base,
                "files": stored,
                "absent": absent,
                "removed": removed,
                "class": type(tok).__name__,
                "vocab_size": len(tok),
                "bos_id": tok.bos_token_id,
                "eos_id": tok.eos_token_id,
                "pad_id": tok.pad_token_id,
                "special": {k: str(v) for k, v in tok._special_tokens_map.items() if v is not None},
                "results": results,
            }
        )
    return {"texts": texts, "cases": out}


def main():
    bases = {"gpt2": gpt2_files(), "llama3": llama3_files(), "qwen2": qwen2_files()}
    write(
        "texts.json",
        {**VERSIONS, "texts": TEXTS, "fragments": FRAGMENTS, "component_texts": COMPONENT_TEXTS},
    )
    for name, (json_, tokenizer_config, config) in bases.items():
        write(f"{name}/tokenizer.json", json_)
        write(f"{name}/tokenizer_config.json", tokenizer_config)
        write(f"{name}/config.json", config)
        write(
            f"{name}.golden.json",
            {**VERSIONS, **golden_of(Tokenizer.from_str(json.dumps(json_)), TEXTS)},
        )
    o200k = o200k_tokenizer(bases["llama3"][0])
    write(
        "o200k.golden.json",
        {
            **VERSIONS,
            "pre_tokenizer": o200k["pre_tokenizer"],
            **golden_of(Tokenizer.from_str(json.dumps(o200k)), TEXTS),
        },
    )
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
    write(
        "components.json",
        {**VERSIONS, "shared_model": shared, **{c["name"]: c for c in components}},
    )
    write("folders.json", {**VERSIONS, **folder_cases(bases)})
    if len(sys.argv) > 1:
        tok = Tokenizer.from_file(sys.argv[1] + "/tokenizer.json")
        write("fathom-tales.golden.json", {**VERSIONS, **golden_of(tok, TEXTS)})


if __name__ == "__main__":
    main()
