#!/usr/bin/env python3
"""How fast a model comes in and how much memory that takes: cold, warm, and from packed weights.

Usage: bench_load.py FATHOM [MEGABYTES] [ROUNDS]. Makes two llamas of random bfloat16 weights with a
tied embedding in a temporary folder, one of about so many megabytes and one of the shape of
SmolLM2-135M, and a cache folder beside them (XDG_CACHE_HOME), which are removed at the end. Each
runs in processes of its own and says one token. Printed, as medians of the rounds:

  raw read     the file read in pieces of 8 MB, its pages dropped before
  first        no packed weights yet, the file's pages dropped before: read, packed and kept
  packed       the next start: the kept weights mapped and checked; then mapped alone
  off          --disable weight_cache, warm: packed anew
  peak         most resident memory over the bytes of the file: 1.10 at the first packing and 1.03
               later, each plus 64 MiB, are the limits. Exits 1 where one is exceeded.
"""
import json
import os
import random
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MARGIN = 64 << 20
PIECE = 8 << 20
LARGE = dict(hidden=2048, inter=8192, heads=32, kv_heads=8, vocab=32000, layers=None)
SMALL = dict(hidden=576, inter=1536, heads=9, kv_heads=3, vocab=49152, layers=30)


def layer_shapes(shape, layer):
    hidden, inter = shape["hidden"], shape["inter"]
    at, kv = f"model.layers.{layer}.", hidden // shape["heads"] * shape["kv_heads"]
    return {at + "input_layernorm.weight": [hidden],
            at + "self_attn.q_proj.weight": [hidden, hidden],
            at + "self_attn.k_proj.weight": [kv, hidden],
            at + "self_attn.v_proj.weight": [kv, hidden],
            at + "self_attn.o_proj.weight": [hidden, hidden],
            at + "post_attention_layernorm.weight": [hidden],
            at + "mlp.gate_proj.weight": [inter, hidden],
            at + "mlp.up_proj.weight": [inter, hidden],
            at + "mlp.down_proj.weight": [hidden, inter]}


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


def write_model(folder, shape, megabytes):
    """Layers until the file has so many megabytes, or as many as the shape says."""
    shapes = {"model.embed_tokens.weight": [shape["vocab"], shape["hidden"]]}
    layers = 0
    while (layers < shape["layers"] if shape["layers"] else
           2 * sum(map(elements, shapes.values())) < megabytes * 1_000_000 or layers == 0):
        shapes.update(layer_shapes(shape, layers))
        layers += 1
    shapes["model.norm.weight"] = [shape["hidden"]]
    config = {"architectures": ["LlamaForCausalLM"], "model_type": "llama",
              "hidden_size": shape["hidden"], "intermediate_size": shape["inter"],
              "num_hidden_layers": layers, "num_attention_heads": shape["heads"],
              "num_key_value_heads": shape["kv_heads"], "vocab_size": shape["vocab"],
              "max_position_embeddings": 2048, "rms_norm_eps": 1e-5, "rope_theta": 500000.0,
              "tie_word_embeddings": True, "torch_dtype": "bfloat16"}
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    header, at = {}, 0
    for name, dims in shapes.items():
        size = 2 * elements(dims)
        header[name] = {"dtype": "BF16", "shape": dims, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    pool = random_bfloat16(1 << 20, random.Random(1))
    with open(folder / "model.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for written in range(0, at, len(pool)):
            file.write(pool[:min(len(pool), at - written)])
        os.fdatasync(file.fileno())
    return folder / "model.safetensors"


def drop_pages(path):
    with open(path, "rb") as file:
        os.fdatasync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def raw_read_ms(path):
    buffer = bytearray(PIECE)
    begin = time.perf_counter()
    with open(path, "rb", buffering=0) as file:
        while file.readinto(buffer) > 0:
            pass
    return 1000 * (time.perf_counter() - begin)


def run(fathom, model, *arguments):
    """load_ms and the peak of resident bytes of a process that says one token."""
    child = subprocess.Popen([fathom, "run", model, "--ids", "1", "--max-new-tokens", "1",
                              "--format", "json", "--disable", "cudnn_benchmark", *arguments],
                             stdout=subprocess.PIPE)
    answer = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit(f"bench_load: fathom ended with {child.returncode}")
    return json.loads(answer)["timings"]["load_ms"], usage.ru_maxrss * 1024


def measure(fathom, file, kept, rounds):
    """Figures by name: lists over the rounds."""
    figures = {name: [] for name in ("raw read", "first", "packed, checked", "packed", "off")}
    peaks = {name: 0 for name in figures}

    def note(name, ms, peak):
        figures[name].append(ms)
        peaks[name] = max(peaks[name], peak)

    for _ in range(rounds):
        shutil.rmtree(kept, ignore_errors=True)
        drop_pages(file)
        note("raw read", raw_read_ms(file), 0)
        drop_pages(file)
        note("first", *run(fathom, file.parent))
        time.sleep(2.5)  # a file younger than that is checked again at the next start
        note("packed, checked", *run(fathom, file.parent))
        note("packed", *run(fathom, file.parent))
        note("off", *run(fathom, file.parent, "--disable", "weight_cache"))
    return figures, peaks


def report(name, file, figures, peaks):
    size = file.stat().st_size
    print(f"{name}: file {size / 1e6:.0f} MB, load in ms (peak over the file)")
    limits = {"first": 1.10, "packed, checked": 1.03, "packed": 1.03, "off": 1.10}
    over = False
    for key, values in figures.items():
        line = f"  {key:16} {statistics.median(values):7.1f} ms"
        line += f"   {size / 1e6 / statistics.median(values):6.2f} GB/s"
        if key in limits:
            limit = limits[key] * size + MARGIN
            line += f"   {peaks[key] / size:.3f} x"
            line += f"   ({peaks[key] / 1e6:.0f} MB, limit {limit / 1e6:.0f} MB)"
            over = over or peaks[key] > limit
        print(line)
    ratios = [raw / first for raw, first in zip(figures["raw read"], figures["first"])]
    print(f"  cold first load at {statistics.median(ratios):.2f} of the raw read")
    return over


def main():
    fathom = os.path.abspath(sys.argv[1])
    megabytes = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 3
    over = False
    with tempfile.TemporaryDirectory(prefix="fathom_bench_") as name:
        os.environ["XDG_CACHE_HOME"] = name + "/cache"
        kept = name + "/cache/fathom/weights"
        for title, shape in (("135M shape", SMALL), ("large", LARGE)):
            file = write_model(Path(name) / title.split()[0], shape, megabytes)
            over = report(title, file, *measure(fathom, file, kept, rounds)) or over
            shutil.rmtree(file.parent)
    if over:
        sys.exit("bench_load: a peak is over its limit")


if __name__ == "__main__":
    main()
