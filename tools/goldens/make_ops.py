#!/usr/bin/env python3
"""Writes tests/goldens/ops/*.json: what torch and transformers compute for single operations.

tests/ops/golden_test.cc holds the references of src/ops/records against them. Runs in a few seconds:

    python tools/goldens/make_ops.py

Versions of torch and transformers go into each file.
"""
import json
import math
from pathlib import Path

import torch
import transformers
from transformers.activations import ACT2FN
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS
from transformers.models.cohere import modeling_cohere
from transformers.models.gemma2 import modeling_gemma2
from transformers.models.llama import modeling_llama
from transformers.models.qwen3 import modeling_qwen3

OUT = Path(__file__).resolve().parents[2] / "tests" / "goldens" / "ops"
ACTIVATIONS = ["silu", "gelu", "gelu_new", "gelu_fast", "gelu_pytorch_tanh", "quick_gelu", "relu",
               "relu2", "tanh", "sigmoid", "linear", "mish", "swish", "gelu_python",
               "gelu_accurate", "gelu_python_tanh"]


def numbers(tensor):
    """Nine digits: enough for float32 to come back bit for bit."""
    return [float(f"{value:.9g}") for value in tensor.detach().flatten().tolist()]


def write(name, cases):
    OUT.mkdir(parents=True, exist_ok=True)
    versions = {"torch": torch.__version__, "transformers": transformers.__version__}
    text = json.dumps({"versions": versions, "cases": cases}, separators=(",", ":"))
    (OUT / f"{name}.json").write_text(text.replace("},{", "},\n{") + "\n")


def make_activations():
    x = torch.cat([torch.linspace(-9, 9, 73), torch.tensor([-100.0, -30.0, 30.0, 100.0, 1e-3])])
    write("activation", [{"name": name, "x": numbers(x), "y": numbers(ACT2FN[name](x))}
                         for name in ACTIVATIONS])


def make_rms_norms():
    cases = []
    for make, offset in ((modeling_llama.LlamaRMSNorm, 0), (modeling_gemma2.Gemma2RMSNorm, 1)):
        for n, eps in ((40, 1e-5), (129, 1e-6), (16, 1e-2)):
            norm = make(n, eps=eps)
            torch.nn.init.normal_(norm.weight, 0.3)
            x = torch.randn(3, n) * 2
            x[2] *= 1e-2
            cases.append({"n": n, "eps": eps, "weight_offset": offset, "x": numbers(x),
                          "weight": numbers(norm.weight), "y": numbers(norm(x))})
    write("rms_norm", cases)


def rope_cases():
    """(name, config fields, positions of one call)."""
    base = {"rope_theta": 10000.0}
    spread = [0, 1, 2, 17, 100, 1023, 2047]
    longrope = {**base, "rope_type": "longrope", "original_max_position_embeddings": 64,
                "short_factor": [1 + 0.01 * i for i in range(16)],
                "long_factor": [1.5 + 0.7 * i for i in range(16)]}
    yarn = {**base, "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 512}
    dynamic = {**base, "rope_type": "dynamic", "factor": 2.5}
    llama3 = {"rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0, "low_freq_factor": 1.0,
              "high_freq_factor": 4.0, "original_max_position_embeddings": 256}
    return [
        ("default", {**base, "rope_type": "default"}, 2048, spread),
        ("default_far", {**base, "rope_type": "default"}, 2048, [100000, 131071, 1000003]),
        ("linear", {**base, "rope_type": "linear", "factor": 4.0}, 2048, spread),
        ("dynamic_inside", dynamic, 64, [0, 5, 63]),
        ("dynamic_at_the_end", dynamic, 64, [0, 62, 64]),
        ("dynamic_beyond", dynamic, 64, [0, 63, 64, 100, 199]),
        ("yarn", yarn, 2048, spread),
        ("yarn_mscale", {**yarn, "mscale": 0.707, "mscale_all_dim": 1.0}, 2048, spread),
        ("yarn_untruncated", {**yarn, "truncate": False, "beta_fast": 16, "beta_slow": 2}, 2048,
         spread),
        ("yarn_attention_factor", {**yarn, "attention_factor": 1.25}, 2048, spread),
        ("longrope_short", longrope, 256, [0, 5, 63]),
        ("longrope_long", longrope, 256, [0, 5, 63, 64, 200]),
        ("longrope_factor", {**longrope, "factor": 8.0}, 256, [0, 63]),
        ("llama3", llama3, 2048, spread),
    ]


def make_rotary_tables():
    cases = []
    for name, parameters, max_position_embeddings, positions in rope_cases():
        config = transformers.LlamaConfig(
            hidden_size=64, num_attention_heads=2, head_dim=32, rope_parameters=dict(parameters),
            max_position_embeddings=max_position_embeddings)
        rotary = modeling_llama.LlamaRotaryEmbedding(config)
        first = numbers(rotary.original_inv_freq)
        length = max(positions) + 1
        cos, sin = rotary(torch.zeros(1), torch.tensor([positions]))
        case = {"name": name, "rope_parameters": parameters, "head_dim": 32,
                "max_position_embeddings": max_position_embeddings, "positions": positions,
                "rope_length": length, "inv_freq": first,
                "attention_scaling": rotary.attention_scaling,
                "cos": numbers(cos[0, :, :16]), "sin": numbers(sin[0, :, :16])}
        if parameters["rope_type"] == "longrope":
            seen = ROPE_INIT_FUNCTIONS["longrope"](
                config, None, seq_len=parameters["original_max_position_embeddings"] + 1)
            case["inv_freq_long"] = numbers(seen[0])
        cases.append(case)
    write("rotary_table", cases)


def make_rotaries():
    cases = []
    for interleaved, module in ((0, modeling_llama), (1, modeling_cohere)):
        for heads, head_dim, rotary_dim in ((3, 16, 16), (2, 24, 10)):
            x = torch.randn(1, heads, 4, head_dim)
            angles = torch.randn(1, 4, rotary_dim // 2)
            doubled = (torch.repeat_interleave(angles, 2, -1) if interleaved
                       else torch.cat([angles, angles], -1))
            rotated, _ = module.apply_rotary_pos_emb(x[..., :rotary_dim], x[..., :rotary_dim],
                                                     doubled.cos(), doubled.sin())
            y = torch.cat([rotated, x[..., rotary_dim:]], -1)
            cases.append({"interleaved": interleaved, "heads": heads, "head_dim": head_dim,
                          "rotary_dim": rotary_dim, "x": numbers(x[0].transpose(0, 1)),
                          "table": numbers(torch.cat([angles.cos(), angles.sin()], -1)),
                          "y": numbers(y[0].transpose(0, 1))})
    write("rotary", cases)


def make_head_norms():
    """q_norm and k_norm: Qwen3Attention normalizes [tokens, heads, head_dim] over the last axis."""
    cases = []
    for heads, head_dim in ((3, 24), (1, 40), (5, 7)):
        norm = modeling_qwen3.Qwen3RMSNorm(head_dim, eps=1e-6)
        torch.nn.init.normal_(norm.weight, 1, 0.3)
        x = torch.randn(4, heads, head_dim) * 2
        x[2, 0] *= 1e-2
        cases.append({"heads": heads, "head_dim": head_dim, "eps": 1e-6, "x": numbers(x),
                      "weight": numbers(norm.weight), "y": numbers(norm(x))})
    write("rms_norm_heads", cases)


class Heads:
    """What eager_attention_forward asks of its module."""
    training = False

    def __init__(self, groups):
        self.num_key_value_groups = groups


def make_attentions():
    cases = []
    for name, new, cached, window, softcap in (
            ("prefill", 9, 0, 0, None), ("decode", 1, 40, 0, None), ("chunk", 5, 33, 0, None),
            ("window", 6, 38, 4, None), ("window_of_one", 3, 5, 1, None),
            ("softcap", 4, 34, 0, 3.0), ("softcap_window", 4, 36, 7, 3.0)):
        heads, kv_heads, head_dim = 4, 2, 8
        length = cached + new
        query = torch.randn(1, heads, new, head_dim) * 3
        key = torch.randn(1, kv_heads, length, head_dim)
        value = torch.randn(1, kv_heads, length, head_dim)
        position = torch.arange(cached, length)[:, None]
        seen = torch.arange(length)[None, :] <= position
        if window:
            seen &= torch.arange(length)[None, :] > position - window
        mask = torch.zeros(1, 1, new, length).masked_fill(~seen, torch.finfo(torch.float32).min)
        y, _ = modeling_gemma2.eager_attention_forward(
            Heads(heads // kv_heads), query, key, value, mask, scaling=1 / math.sqrt(head_dim),
            softcap=softcap)
        cases.append({"name": name, "new": new, "cached": cached, "window": window,
                      "softcap": softcap or 0.0, "num_heads": heads, "num_key_value_heads": kv_heads,
                      "head_dim": head_dim, "q": numbers(query[0].transpose(0, 1)),
                      "key": numbers(key[0].transpose(0, 1)),
                      "value": numbers(value[0].transpose(0, 1)), "y": numbers(y[0])})
    write("attention", cases)


def main():
    torch.manual_seed(11)
    torch.set_grad_enabled(False)
    make_activations()
    make_rms_norms()
    make_rotary_tables()
    make_rotaries()
    make_attentions()
    make_head_norms()


if __name__ == "__main__":
    main()
