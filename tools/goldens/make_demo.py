"""Makes tests/goldens/models_expected/fathom-tales.json: the demo model's greedy ids.

    python tools/goldens/make_demo.py       # again whenever models/fathom-tales changes

The model in the repository is loaded as it is, in fp32 and in bf16; eos is switched off so that
every prompt gives as many ids as asked for.
"""

import hashlib
from pathlib import Path

import torch
import transformers

from reference import greedy_of, load, logits_of, quiet, versions, write_json

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / "models" / "fathom-tales"
OUT = ROOT / "tests" / "goldens" / "models_expected" / "fathom-tales.json"
NEW_TOKENS = 48
TOLERANCE = 1e-4  # of max |logit|, fp32
PROMPTS = [
    "Once upon a time there was",
    "The old king looked at his three sons and said,",
    "\"Who are you?\" asked the fox. It was winter,\n\nand the snow lay deep; the little girl's",
]


def one(tokenizer, text):
    ids = tokenizer(text).input_ids
    logits = logits_of(load(MODEL, torch.float32), ids)
    entry = {
        "prompt": text,
        "ids": ids,
        "last_row_argmax": int(logits[-1].argmax()),
        "max_abs_logit": float(abs(logits).max()),
        "greedy": {},
    }
    for name, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        greedy = greedy_of(load(MODEL, dtype), ids, NEW_TOKENS)
        greedy["text"] = tokenizer.decode(greedy["ids"], skip_special_tokens=True)
        entry["greedy"][name] = greedy
    return entry


def main():
    quiet()
    tokenizer = transformers.AutoTokenizer.from_pretrained(MODEL)
    weights = (MODEL / "model.safetensors").read_bytes()
    golden = {
        "model": "models/fathom-tales",
        "weights_sha256": hashlib.sha256(weights).hexdigest(),
        "versions": versions(),
        "attn_implementation": load(MODEL, torch.float32).config._attn_implementation,
        "tolerance": TOLERANCE,
        "prompts": [one(tokenizer, text) for text in PROMPTS],
    }
    OUT.parent.mkdir(parents=True, exist_ok=True)
    write_json(OUT, golden)
    for entry in golden["prompts"]:
        gaps = entry["greedy"]["float32"]["gaps"]
        print(repr(entry["prompt"]), repr(entry["greedy"]["float32"]["text"]), min(gaps))


if __name__ == "__main__":
    main()
