"""What every golden script shares: versions, loading, and one greedy run of the reference.

Everything goes through `from_pretrained` on a folder, so that a golden shows what a user of
transformers gets from those very files.
"""

import importlib.metadata
import json
import logging
import warnings

import numpy as np
import torch
import transformers

NEW_TOKENS = 32


def quiet():
    """One thread, no warnings: the configs here are odd on purpose."""
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    logging.getLogger("transformers").setLevel(logging.ERROR)


def versions():
    names = ("torch", "transformers", "tokenizers", "accelerate", "safetensors", "numpy")
    return {name: importlib.metadata.version(name).split("+")[0] for name in names}


def load(folder, dtype):
    """A freshly loaded model: dynamic rope keeps state from call to call."""
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=dtype)
    return model.eval()


@torch.no_grad()
def logits_of(model, ids):
    """float32 [len(ids), vocabulary]"""
    return model(input_ids=torch.tensor([ids])).logits[0].float().numpy()


@torch.no_grad()
def greedy_of(model, ids, new_tokens=NEW_TOKENS):
    """Greedy ids of `generate` with eos switched off, and how close the second best was."""
    model.generation_config.eos_token_id = None
    out = model.generate(
        torch.tensor([ids]),
        attention_mask=torch.ones(1, len(ids), dtype=torch.long),
        do_sample=False,
        max_new_tokens=new_tokens,
        pad_token_id=0,
        output_logits=True,
        return_dict_in_generate=True,
    )
    top = [step[0].float().topk(2) for step in out.logits]
    return {
        "ids": out.sequences[0, len(ids):].tolist(),
        "second": [int(t.indices[1]) for t in top],
        "gaps": [float(np.float32(t.values[0] - t.values[1])) for t in top],
        "max_abs_logit": float(max(step.float().abs().max() for step in out.logits)),
    }


def write_json(path, value):
    """Like json.dump with an indent, but lists of numbers stay on one line."""
    path.write_text(_render(value, "") + "\n", encoding="utf-8")


def _render(value, margin):
    inner = margin + " "
    if isinstance(value, dict) and value:
        rows = [f"{inner}{json.dumps(k)}: {_render(v, inner)}" for k, v in value.items()]
        return "{\n" + ",\n".join(rows) + "\n" + margin + "}"
    if isinstance(value, list) and any(isinstance(v, (dict, list)) for v in value):
        rows = [inner + _render(v, inner) for v in value]
        return "[\n" + ",\n".join(rows) + "\n" + margin + "]"
    return json.dumps(value, ensure_ascii=False)
