"""Makes tests/goldens/placements.json: device maps by accelerate on simulated machines.

    python tools/goldens/make_placements.py

200 machines of 1, 2, 4 and 8 GPUs with uneven memory, each with a Llama or Qwen2 of random sizes on
the meta device: the budgets of get_balanced_memory and the map of infer_auto_device_map, with the
decoder layers kept whole. `tensors` are named_parameters and named_buffers with their bytes, a tied
head with 0 bytes; all layers are alike, so those of layer 0 stand for all `num_layers`.
"""

import json
import logging
import random
from collections import Counter
from pathlib import Path

import accelerate
import torch
import transformers
from accelerate.utils import modeling

from reference import quiet, versions

TARGET = Path(__file__).resolve().parents[2] / "tests" / "goldens" / "placements.json"
COUNT = 200
MODES = ("balanced", "balanced_low_0", "sequential")


def make_model(draw):
    heads = draw.choice((2, 4, 8))
    config = transformers.AutoConfig.for_model(
        draw.choice(("llama", "qwen2")),
        hidden_size=heads * draw.choice((8, 16, 24)), num_attention_heads=heads,
        num_key_value_heads=draw.choice((1, 2, heads)), intermediate_size=draw.randrange(32, 400),
        num_hidden_layers=draw.randrange(1, 25), vocab_size=draw.randrange(64, 4000),
        tie_word_embeddings=draw.random() < 0.5,
    )
    dtype = draw.choice((torch.float32, torch.bfloat16))
    with accelerate.init_empty_weights(include_buffers=True):
        model = transformers.AutoModelForCausalLM.from_config(config, dtype=dtype)
    model.tie_weights()
    return model


def tensors_of(model):
    """In module order; what is tied to an earlier tensor has no bytes of its own."""
    held = {name for name, _ in modeling.named_module_tensors(model, recurse=True)}
    rows = []
    parameters = list(model.named_parameters(remove_duplicate=False))
    for name, tensor in parameters + list(model.named_buffers()):
        if ".layers." in name and ".layers.0." not in name:
            continue
        size = tensor.numel() * tensor.element_size() if name in held else 0
        rows.append([name, size])
    return rows


def budgets_of(total, gpus, draw):
    """Uneven: from too little for a layer to more than the model."""
    scale = draw.choice((0.3, 0.8, 1.0, 1.3, 2.0, 4.0)) * total / gpus
    budgets = {}
    for gpu in range(gpus):
        zero = gpus > 1 and gpu == gpus - 1 and draw.random() < 0.1
        budgets[gpu] = 0 if zero else int(scale * draw.uniform(0.2, 1.8))
    if draw.random() < 0.8:
        budgets["cpu"] = int(total * draw.choice((0.2, 0.6, 1.0, 3.0)))
    return budgets


def make(seed):
    draw = random.Random(seed)
    model = make_model(draw)
    gpus = (1, 2, 4, 8)[seed % 4]
    mode = draw.choice(MODES)
    total = modeling.compute_module_sizes(model)[""]
    budgets = budgets_of(total, gpus, draw)
    balanced = dict(budgets)
    whole = list(model._no_split_modules)
    if mode != "sequential":
        balanced = accelerate.utils.get_balanced_memory(
            model, max_memory=dict(budgets), no_split_module_classes=whole,
            low_zero=mode == "balanced_low_0",
        )
    device_map = accelerate.infer_auto_device_map(
        model, max_memory=dict(balanced), no_split_module_classes=whole
    )
    names = [n for n, m in model.named_modules() if type(m).__name__ in whole]
    return {
        "mode": mode, "model_type": model.config.model_type, "tensors": tensors_of(model),
        "num_layers": len(names), "tied": modeling.find_tied_parameters(model),
        "budgets": [[str(k), v] for k, v in budgets.items()],
        "balanced": [[str(k), int(v)] for k, v in balanced.items()],
        "device_map": {k: str(v) for k, v in device_map.items()},
    }


def main():
    quiet()
    logging.getLogger("accelerate").setLevel(logging.ERROR)
    cases = [make(seed) for seed in range(COUNT)]
    used = Counter(len(set(case["device_map"].values())) for case in cases)
    last = Counter(d for case in cases for d in set(case["device_map"].values()))
    print("devices used:", dict(used), "by device:", dict(last))
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    text = '{"versions":' + json.dumps(versions()) + ',"cases":[\n' + lines + "\n]}\n"
    TARGET.write_text(text, encoding="utf-8")
    print(len(text), "bytes")


if __name__ == "__main__":
    main()
