"""Writes quantized_goldens.json: groups of numbers, and the integers, scale and zero that int8 and
int4 make of them by the rules of src/tensor/quantized_weight.h. bfloat16 is torch's; the squared
errors that decide between int4's candidates are taken in float64.

    python tests/tensor/make_quantized_goldens.py    # torch 2.15, NumPy
"""

import json
import pathlib

import numpy as np
import torch

F = np.float32
SMALLEST = F(2.0**-100)


def bf16(value):
    """Nearest bfloat16, ties to even: (its bits, its value)."""
    half = torch.tensor(float(F(value)), dtype=torch.float32).to(torch.bfloat16)
    return int(half.view(torch.int16)) & 0xFFFF, F(half.to(torch.float32).item())


def bf16_up(value):
    bits, near = bf16(value)
    if near >= F(value):
        return bits, near
    up = torch.tensor(bits + 1, dtype=torch.int32).to(torch.int16).view(torch.bfloat16)
    return bits + 1, F(up.to(torch.float32).item())


def int8(x):
    bits, scale = bf16_up(np.abs(x).max() / F(127))
    if scale < SMALLEST:
        return [0] * len(x), 0
    q = np.rint(x * (F(1) / scale))
    assert np.abs(q).max() <= 127
    return q.astype(int).tolist(), bits


def int4(x):
    low, high = min(x.min(), F(0)), max(x.max(), F(0))
    best = None
    for a in (1, 0.95, 0.9, 0.85, 0.8):
        for b in (1, 0.95, 0.9, 0.85, 0.8):
            bottom = low * F(a)
            bits, scale = bf16(high * F(b) / F(15) - bottom / F(15))
            if scale < SMALLEST:
                continue
            inverse = F(1) / scale
            zero = min(np.rint(-bottom * inverse * F(16)), 255)
            q = np.clip(np.rint(x * inverse + F(zero / 16)), 0, 15)
            made = np.float64(scale) * (q.astype(np.float64) - zero / 16)
            error = np.sum((x.astype(np.float64) - made) ** 2)
            if best is None or error < best[0]:
                best = (error, q.astype(int).tolist(), bits, int(zero))
    return ([0] * len(x), 0, 0) if best is None else best[1:]


def groups():
    random = np.random.default_rng(20261122)
    for count in (64, 32, 16, 19, 1):
        for _ in range(4):
            yield random.standard_normal(count)
        yield random.standard_t(2, count) * 3e-3
        yield np.abs(random.standard_normal(count)) + 0.5
        yield -np.abs(random.standard_normal(count)) - 0.5
        yield random.integers(-127, 128, count)
        yield random.standard_normal(count) * 1e30
        yield random.standard_normal(count) * 1e-36
        yield random.uniform(-1, 1, count) * 1e-20
        spike = np.zeros(count)
        spike[count // 2] = -0.37
        yield spike
        yield np.zeros(count)


cases = []
for group in groups():
    x = group.astype(F)
    case = {"values": x.view(np.uint32).tolist()}
    case["int8"] = dict(zip(("q", "scale"), int8(x)))
    if len(x) <= 32:
        case["int4"] = dict(zip(("q", "scale", "zero"), int4(x)))
    cases.append(case)
golden = {"torch": torch.__version__, "numpy": np.__version__, "groups": cases}
folder = pathlib.Path(__file__).parent / "data"
(folder / "quantized_goldens.json").write_text(json.dumps(golden) + "\n")
