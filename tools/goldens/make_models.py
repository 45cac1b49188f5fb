"""Makes tests/goldens/models/NAME: tiny random models and what transformers computes with them.

    python tools/goldens/make_models.py [NAME ...]     # default: all

Each folder is a normal Hugging Face folder plus golden.json and logits_*.npy; their form is told
in tests/goldens/README.md. The script refuses to write a golden that could not catch a mistake:
it checks that the feature a case is about moves the logits by far more than the tolerance, that
fp32 is well conditioned against fp64, and that no greedy step is a near tie in fp32.
"""

import copy
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import torch
import transformers

from cases import CASES
from reference import greedy_of, load, logits_of, quiet, versions, write_json

ROOT = Path(__file__).resolve().parents[2] / "tests" / "goldens" / "models"
LENGTHS = (1, 7, 45, 130)
TOLERANCE = 1e-4  # of max |logit|, fp32
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@torch.no_grad()
def fill(model, seed):
    """Random weights with a real spread: attention far from uniform, norms, biases not trivial."""
    draw = torch.Generator().manual_seed(seed)
    for name, p in sorted(model.named_parameters()):
        noise = torch.randn(p.shape, generator=draw)
        if "norm" in name:
            p.copy_(1 + 0.3 * noise)
        elif name.endswith("bias"):
            p.copy_(0.5 * noise)
        else:
            gain = 1.6 if "q_proj" in name or "k_proj" in name else 1.2
            if "embed" in name or "lm_head" in name:
                gain = 2.5
            p.copy_(gain * noise / p.shape[1] ** 0.5)


def v4_config(config):
    """Rewrites a v5 config.json (a dict) with the keys that transformers 4 wrote."""
    old = {k: v for k, v in config.items() if k not in ("rope_parameters", "dtype")}
    rope = dict(config.get("rope_parameters") or {})
    old["torch_dtype"] = config["dtype"]
    old["transformers_version"] = "4.46.0"
    if "rope_theta" in rope:
        old["rope_theta"] = rope.pop("rope_theta")
    old["rope_scaling"] = None if rope.get("rope_type", "default") == "default" else rope
    return old


def write_folder(case, folder):
    """config.json, generation_config.json and the weights of one case."""
    shutil.rmtree(folder, ignore_errors=True)
    config = transformers.AutoConfig.for_model(case.model_type, **copy.deepcopy(case.settings))
    model = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    fill(model, case.seed)
    model = model.to(DTYPES[case.dtype])
    model.config.dtype = DTYPES[case.dtype]
    model.generation_config.eos_token_id = model.config.eos_token_id
    model.save_pretrained(folder, max_shard_size=case.max_shard_size or "1GB")
    for file in folder.glob("*.safetensors"):
        file.chmod(0o644)
    path = folder / "config.json"
    config = json.loads(path.read_text())
    if case.v4:
        config = v4_config(config)
    config.update(case.patch)
    for key in case.drop:
        config.pop(key, None)
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def variant(case, folder, change):
    """The same weights under a config with `change` merged in: what a mistake would compute."""
    other = folder.parent / (folder.name + ".variant")
    shutil.rmtree(other, ignore_errors=True)
    shutil.copytree(folder, other)
    config = json.loads((folder / "config.json").read_text())
    for key, value in change.items():
        if value is None:
            config.pop(key, None)
        else:
            config[key] = value
    (other / "config.json").write_text(json.dumps(config))
    model = load(other, torch.float32)
    if change.get("zero_bias"):
        with torch.no_grad():
            for name, p in model.named_parameters():
                if name.endswith("bias"):
                    p.zero_()
    shutil.rmtree(other)
    return model


def check_case(case, folder, ids, logits):
    """Feature moves the logits; fp32 is within a tenth of the tolerance of fp64."""
    scale = np.abs(logits).max()
    exact = logits_of(load(folder, torch.float64), ids)
    error = float(np.abs(exact - logits).max() / scale)
    assert error < TOLERANCE / 10, (case.name, "badly conditioned", error)
    moved = {}
    for label, change in case.sensitive.items():
        other = logits_of(variant(case, folder, change), ids)
        moved[label] = float(np.abs(other - logits).max() / scale)
        least = (3 if label.startswith("~") else 20) * TOLERANCE
        assert moved[label] > least, (case.name, label, moved[label])
    return error, moved


def draw_prompt(folder, length, vocab, draw):
    """Ids whose greedy continuation in fp32 meets no near tie and no short loop."""
    for _ in range(200):
        ids = draw.integers(0, vocab, length).tolist()
        greedy = greedy_of(load(folder, torch.float32), ids)
        clear = min(greedy["gaps"]) > 6 * TOLERANCE * greedy["max_abs_logit"]
        if clear and len(set(greedy["ids"])) >= 8:
            return ids, greedy
    raise SystemExit(f"{folder.name}: no clear prompt of {length} tokens found")


def save_rows(folder, name, rows):
    np.save(folder / f"{name}.npy", np.concatenate(rows).astype("<f4"))
    return f"{name}.npy"


def bf16_part(case, folder, golden, prompts):
    """bf16 compute, and fp32 compute on weights rounded to bf16, for the first three prompts."""
    half = [logits_of(load(folder, torch.bfloat16), p) for p in prompts[:3]]
    rounded = []
    for ids in prompts[:3]:
        rounded.append(logits_of(load(folder, torch.bfloat16).float(), ids))
    golden["logits"]["bfloat16"] = save_rows(folder, "logits_bfloat16", half)
    if case.dtype == "bfloat16":
        golden["logits"]["bfloat16_weights"] = golden["logits"]["float32"]
    else:
        golden["logits"]["bfloat16_weights"] = save_rows(folder, "logits_bfloat16_weights", rounded)
    errors = [float(np.abs(h - r).max() / np.abs(r).max()) for h, r in zip(half, rounded)]
    golden["bfloat16_error"] = errors
    if case.dtype == "float16":
        half = [logits_of(load(folder, torch.float16), p) for p in prompts[:3]]
        golden["logits"]["float16"] = save_rows(folder, "logits_float16", half)


def make(case):
    folder = ROOT / case.name
    write_folder(case, folder)
    draw = np.random.default_rng(case.seed)
    vocab = case.settings["vocab_size"]
    model = load(folder, torch.float32)
    golden = {
        "case": case.name, "about": case.about, "seed": case.seed, "versions": versions(),
        "attn_implementation": model.config._attn_implementation,
        "checkpoint_dtype": case.dtype, "tolerance": TOLERANCE,
        "logits": {}, "bfloat16_error": [], "prompts": [],
    }
    prompts, rows, row = [], [], 0
    for length in LENGTHS:
        ids, greedy = draw_prompt(folder, length, vocab, draw)
        logits = logits_of(load(folder, torch.float32), ids)
        golden["prompts"].append({
            "ids": ids, "first_row": row, "max_abs_logit": float(np.abs(logits).max()),
            "greedy": {"float32": greedy,
                       "bfloat16": greedy_of(load(folder, torch.bfloat16), ids)},
        })
        prompts.append(ids)
        rows.append(logits)
        row += length
    golden["logits"]["float32"] = save_rows(folder, "logits_float32", rows)
    bf16_part(case, folder, golden, prompts)
    golden["float64_error"], golden["moved_by"] = check_case(case, folder, prompts[3], rows[3])
    write_json(folder / "golden.json", golden)
    print(f"{case.name}: fp64 {golden['float64_error']:.1e}", golden["moved_by"], flush=True)


def main():
    quiet()
    wanted = sys.argv[1:]
    unknown = set(wanted) - {case.name for case in CASES}
    if unknown:
        raise SystemExit(f"no such case: {', '.join(sorted(unknown))}")
    for case in CASES:
        if not wanted or case.name in wanted:
            make(case)


if __name__ == "__main__":
    main()
