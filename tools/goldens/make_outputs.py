"""Makes tests/goldens/outputs: what transformers' generate returns with output_attentions and
output_hidden_states.

    python tools/goldens/make_outputs.py

The models are those of tests/goldens/models. A file NAME.json lists the arrays in order (name,
shape) for a greedy run of STEPS tokens; NAME.npy holds their values, one behind the other, as one
row of float32. Names are those of `fathom run --output-attentions`: attentions.step0.layer3.
"""

import json
from pathlib import Path

import numpy as np
import torch
import transformers

from reference import quiet, versions, write_json

ROOT = Path(__file__).resolve().parents[2] / "tests" / "goldens"
STEPS = 3
# Grouped heads; odd sizes; a window shorter than the prompt; the whole text at every step.
CASES = [
    ("llama-default", 1, {}),
    ("qwen2-odd", 1, {}),
    ("qwen2-window-layer-types", 2, {}),
    ("llama-default", 1, {"use_cache": False}),
]


@torch.no_grad()
def make(name, prompt, settings):
    folder = ROOT / "models" / name
    model = transformers.AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager"
    ).eval()
    model.generation_config.eos_token_id = None
    golden = json.loads((folder / "golden.json").read_text())
    ids = golden["prompts"][prompt]["ids"]
    out = model.generate(
        torch.tensor([ids]),
        attention_mask=torch.ones(1, len(ids), dtype=torch.long),
        do_sample=False, max_new_tokens=STEPS, pad_token_id=0, return_dict_in_generate=True,
        output_attentions=True, output_hidden_states=True, **settings,
    )
    arrays = {}
    for kind in ("attentions", "hidden_states"):
        for step, layers in enumerate(getattr(out, kind)):
            for layer, values in enumerate(layers):
                arrays[f"{kind}.step{step}.layer{layer}"] = values[0].numpy()
    label = name + "".join(f"-{key}-{value}" for key, value in settings.items())
    values = np.concatenate([a.ravel() for a in arrays.values()]).astype("<f4")
    target = ROOT / "outputs"
    target.mkdir(exist_ok=True)
    np.save(target / f"{label}.npy", values[None])
    write_json(target / f"{label}.json", {
        "model": name, "versions": versions(), "use_cache": settings.get("use_cache", True),
        "ids": ids, "new_ids": out.sequences[0, len(ids):].tolist(),
        "arrays": [{"name": key, "shape": list(a.shape)} for key, a in arrays.items()],
    })
    print(label, len(arrays), values.size, {k: a.shape for k, a in list(arrays.items())[:4]})


def main():
    quiet()
    for case in CASES:
        make(*case)


if __name__ == "__main__":
    main()
