"""Makes tests/goldens/outputs/beams.json: what transformers' generate returns with num_beams.

    python tools/goldens/make_beams.py

The models are those of tests/goldens/models. Random weights seldom reach the model's own eos, so
each case names ids that its beams do reach: they are taken from a run without eos. A case whose
result in float64 is another one hangs on rounding and is refused.
"""

import itertools
import json
from pathlib import Path

import torch
import transformers

from reference import quiet, versions, write_json

ROOT = Path(__file__).resolve().parents[2] / "tests" / "goldens"
MODELS = ["llama-default", "llama-odd", "qwen2-window", "llama-dynamic"]
# num_beams, how many are returned, max_new_tokens, further settings of generate
SETTINGS = [
    (2, 2, 12, {}),
    (4, 3, 24, {"length_penalty": 2.0, "early_stopping": "never"}),
    (3, 3, 24, {"length_penalty": 0.0, "early_stopping": True}),
    (5, 2, 24, {"length_penalty": -1.0, "repetition_penalty": 1.3}),
    (4, 4, 24, {"early_stopping": True, "no_repeat_ngram_size": 2}),
    (3, 1, 16, {"min_new_tokens": 6}),
    (2, 1, 1, {}),
]


@torch.no_grad()
def run(model, ids, beams, returned, new_tokens, eos, settings):
    result = model.generate(
        torch.tensor([ids]), attention_mask=torch.ones(1, len(ids), dtype=torch.long),
        do_sample=False, num_beams=beams, num_return_sequences=returned,
        max_new_tokens=new_tokens, eos_token_id=eos or None, pad_token_id=0,
        return_dict_in_generate=True, output_scores=True, **settings,
    )
    texts = []
    for row in result.sequences.tolist():
        row = row[len(ids):]
        ends = [i for i, token in enumerate(row) if token in eos]
        texts.append(row[: ends[0] + 1] if ends else row)
    return texts, result.sequences_scores.tolist()


def load(name, dtype):
    model = transformers.AutoModelForCausalLM.from_pretrained(
        ROOT / "models" / name, dtype=dtype, attn_implementation="eager"
    ).eval()
    model.generation_config.eos_token_id = None
    return model


def ends_that_are_reached(model, ids, beams, new_tokens):
    texts, _ = run(model, ids, beams, beams, new_tokens, [], {})
    seen = list(dict.fromkeys(itertools.chain.from_iterable(text[2:] for text in texts)))
    return seen[:2]


def main():
    quiet()
    cases = []
    for name in MODELS:
        golden = json.loads((ROOT / "models" / name / "golden.json").read_text())
        for number, (beams, returned, new_tokens, settings) in enumerate(SETTINGS):
            ids = golden["prompts"][number % 3]["ids"]
            # dynamic rope keeps state from call to call: a fresh model each time
            reached = ends_that_are_reached(load(name, torch.float32), ids, beams, new_tokens)
            eos = reached[: number % 3]
            asked = (ids, beams, returned, new_tokens, eos, settings)
            texts, scores = run(load(name, torch.float32), *asked)
            if run(load(name, torch.float64), *asked)[0] != texts:
                print("hangs on rounding:", name, number)
                continue
            cases.append({
                "model": name, "ids": ids, "num_beams": beams, "num_return_sequences": returned,
                "max_new_tokens": new_tokens, "eos_token_id": eos, "settings": settings,
                "new_ids": texts, "scores": scores,
            })
            print(name, number, eos, [len(text) for text in texts], [round(s, 3) for s in scores])
    write_json(ROOT / "outputs" / "beams.json", {"versions": versions(), "cases": cases})


if __name__ == "__main__":
    main()
