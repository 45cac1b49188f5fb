"""Writes f8_goldens.json: the 256 values of each 8-bit float of torch, as float32 bits (NaN: null).

    python tests/tensor/make_f8_goldens.py    # torch 2.15
"""

import json
import pathlib

import torch

NAMES = ["float8_e5m2", "float8_e4m3fn", "float8_e8m0fnu", "float8_e4m3fnuz", "float8_e5m2fnuz"]


def values(name):
    raw = torch.arange(256, dtype=torch.uint8).view(getattr(torch, name)).to(torch.float32)
    bits = raw.view(torch.int32).tolist()
    return [None if nan else b & 0xFFFFFFFF for b, nan in zip(bits, raw.isnan().tolist())]


golden = {"torch": torch.__version__, "types": {name: values(name) for name in NAMES}}
folder = pathlib.Path(__file__).parent / "data"
folder.mkdir(exist_ok=True)
(folder / "f8_goldens.json").write_text(json.dumps(golden) + "\n")
