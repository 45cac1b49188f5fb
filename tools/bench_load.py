#!/usr/bin/env python3
"""Peak of resident memory while a model of about 1 GB is loaded and says one token.

Usage: bench_load.py FATHOM [MEGABYTES]. Makes a llama of random bfloat16 weights with a tied
embedding in a temporary folder, runs it, prints the peak against 1.03 times the file plus 64 MB,
and removes it. Exits 1 where it is more.
"""
import json
import os
import random
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

HIDDEN, INTER, HEADS, KV_HEADS, VOCAB = 2048, 8192, 32, 8, 32000
MARGIN = 64 << 20


def layer_shapes(layer):
    at, kv = f"model.layers.{layer}.", HIDDEN // HEADS * KV_HEADS
    return {at + "input_layernorm.weight": [HIDDEN],
            at + "self_attn.q_proj.weight": [HIDDEN, HIDDEN],
            at + "self_attn.k_proj.weight": [kv, HIDDEN],
            at + "self_attn.v_proj.weight": [kv, HIDDEN],
            at + "self_attn.o_proj.weight": [HIDDEN, HIDDEN],
            at + "post_attention_layernorm.weight": [HIDDEN],
            at + "mlp.gate_proj.weight": [INTER, HIDDEN],
            at + "mlp.up_proj.weight": [INTER, HIDDEN],
            at + "mlp.down_proj.weight": [HIDDEN, INTER]}


def elements(shape):
    count = 1
    for size in shape:
        count *= size
    return count


def random_bfloat16(count, rng):
    """Values of about +-0.01 to +-0.03: any bits for sign and mantissa, the exponent kept small."""
    data = bytearray(rng.randbytes(2 * count))
    data[1::2] = bytes(0x3C if byte & 1 else 0xBC for byte in data[1::2])
    return data


def write_model(folder, megabytes):
    shapes = {"model.embed_tokens.weight": [VOCAB, HIDDEN]}
    layers = 0
    while 2 * sum(map(elements, shapes.values())) < megabytes * 1_000_000 or layers == 0:
        shapes.update(layer_shapes(layers))
        layers += 1
    shapes["model.norm.weight"] = [HIDDEN]
    config = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": HIDDEN,
              "intermediate_size": INTER, "num_hidden_layers": layers,
              "num_attention_heads": HEADS, "num_key_value_heads": KV_HEADS, "vocab_size": VOCAB,
              "max_position_embeddings": 2048, "rms_norm_eps": 1e-5, "rope_theta": 500000.0,
              "tie_word_embeddings": True, "torch_dtype": "bfloat16"}
    (folder / "config.json").write_text(json.dumps(config))
    header, at = {}, 0
    for name, shape in shapes.items():
        size = 2 * elements(shape)
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    pool = random_bfloat16(1 << 20, random.Random(1))
    with open(folder / "model.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for written in range(0, at, len(pool)):
            file.write(pool[:min(len(pool), at - written)])
    return (folder / "model.safetensors").stat().st_size


def main():
    fathom = os.path.abspath(sys.argv[1])
    megabytes = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    with tempfile.TemporaryDirectory(prefix="fathom_bench_") as name:
        folder = Path(name)
        size = write_model(folder, megabytes)
        child = subprocess.Popen([fathom, "run", name, "--ids", "1", "--max-new-tokens", "1",
                                  "--format", "json"], stdout=subprocess.PIPE)
        answer = child.stdout.read()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit(f"bench_load: fathom ended with {child.returncode}")
    peak, limit = usage.ru_maxrss * 1024, 1.03 * size + MARGIN
    load_ms = json.loads(answer)["timings"]["load_ms"]
    print(f"file {size / 1e6:.0f} MB   peak resident {peak / 1e6:.0f} MB   limit {limit / 1e6:.0f}"
          f" MB (1.03 x file + 64 MiB)   {peak / size:.3f} x the file   load {load_ms:.0f} ms")
    if peak > limit:
        sys.exit(f"bench_load: the peak is {(peak - limit) / 1e6:.0f} MB over the limit")


if __name__ == "__main__":
    main()
