"""What the tests of the command line share: running the program, making models, reading .npy."""
import array
import json
import os
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GOLDENS = ROOT / "tests/goldens"
DEMO = ROOT / "models/fathom-tales"
# Sanitizers take memory and time of their own; what they find ends the program with this code.
SANITIZED = bool(os.environ.get("FATHOM_SANITIZE"))
SANITIZER_EXIT = 99
TIME_LIMIT_S = 300 if SANITIZED else 60

# Tuned kernel choices and probed roofs of all runs of a test program.
CACHE = tempfile.TemporaryDirectory(prefix="fathom_cli_cache_")

fathom = "fathom"  # path of the program, set by main()


def environment(changes=None):
    env = {k: v for k, v in os.environ.items() if not k.startswith(("LC_", "LANG", "FATHOM_"))}
    env["ASAN_OPTIONS"] = f"exitcode={SANITIZER_EXIT}:allocator_may_return_null=1"
    env["UBSAN_OPTIONS"] = f"exitcode={SANITIZER_EXIT}:print_stacktrace=1"
    env["XDG_CACHE_HOME"] = CACHE.name
    env.update(changes or {})
    return {k: v for k, v in env.items() if v is not None}


class Outcome:
    """rc (negative: the signal), out and err as bytes, peak resident bytes."""

    def __init__(self, rc, out, err, peak):
        self.rc, self.out, self.err, self.peak = rc, out, err, peak

    def json(self):
        return json.loads(self.out.decode("utf-8"))


def run(*args, stdin=b"", env=None):
    """Runs the program to its end. Its own peak of memory comes from wait4."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, \
            tempfile.TemporaryFile() as inp:
        inp.write(stdin)
        inp.seek(0)
        child = subprocess.Popen([fathom, *map(str, args)], stdin=inp, stdout=out, stderr=err,
                                 env=environment(env))
        timer = threading.Timer(TIME_LIMIT_S, child.kill)
        timer.start()
        _, status, usage = os.wait4(child.pid, 0)
        timer.cancel()
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        return Outcome(child.returncode, out.read(), err.read(), usage.ru_maxrss * 1024)


class CliTest(unittest.TestCase):
    maxDiff = 2000

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="fathom_cli_")
        self.addCleanup(folder.cleanup)
        self.temp = Path(folder.name)

    def succeed(self, *args, **kwargs):
        outcome = run(*args, **kwargs)
        self.assertEqual(outcome.rc, 0, f"{args}: {outcome.err.decode(errors='replace')[:2000]}")
        return outcome

    def refuse(self, code, *args, parts=(), **kwargs):
        """Exit `code`, nothing on stdout, one line on stderr with each of `parts` in it."""
        outcome = run(*args, **kwargs)
        error = outcome.err.decode("utf-8")  # must be valid
        self.assertEqual(outcome.rc, code, f"{args}: {error[:2000]}")
        self.assertEqual(outcome.out, b"", args)
        self.assertTrue(error.startswith("fathom: "), error)
        self.assertTrue(error.endswith("\n"), error)
        self.assertEqual(error.count("\n"), 1, f"{args}: {error[:2000]}")
        self.assertLess(len(error), 3000)
        for part in parts:
            self.assertIn(part, error, args)
        outcome.error = error
        return outcome


def read_json(path):
    return json.loads(Path(path).read_text("utf-8"))


def join_ids(ids):
    return ",".join(map(str, ids))


def read_npy(path):
    """A two-dimensional float32 array of format version 1: (rows, columns, array)."""
    data = Path(path).read_bytes()
    assert data[:8] == b"\x93NUMPY\x01\x00", data[:8]
    length = struct.unpack_from("<H", data, 8)[0]
    assert (10 + length) % 64 == 0
    header = eval(data[10:10 + length], {"__builtins__": {}})  # a literal of our own program
    assert header["descr"] == "<f4" and header["fortran_order"] is False, header
    values = array.array("f")
    values.frombytes(data[10 + length:])
    rows, columns = header["shape"]
    assert rows * columns == len(values)
    return rows, columns, values


def read_header(path):
    """The header of a safetensors file, in its order."""
    with open(path, "rb") as file:
        length = struct.unpack("<Q", file.read(8))[0]
        return json.loads(file.read(length))


def safetensors(header, data=b""):
    """The bytes of a file; header: bytes, or an object."""
    if not isinstance(header, bytes):
        header = json.dumps(header).encode()
    return struct.pack("<Q", len(header)) + header + data


def tensors_file(shapes, dtype="F32"):
    """A file of tensors {name: shape}, all zero."""
    size = {"F32": 4, "BF16": 2, "U8": 1}[dtype]
    header, at = {}, 0
    for name, shape in shapes.items():
        count = size
        for dim in shape:
            count *= dim
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + count]}
        at += count
    return safetensors(header, bytes(at))


def llama_config(**changes):
    config = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 16,
              "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
              "num_key_value_heads": 1, "vocab_size": 24, "max_position_embeddings": 64,
              "rms_norm_eps": 1e-6, "rope_theta": 10000.0, "tie_word_embeddings": False,
              "torch_dtype": "float32", "bos_token_id": 1, "eos_token_id": 2}
    config.update(changes)
    return {k: v for k, v in config.items() if v != "absent"}


def llama_shapes(hidden=16, inter=32, layers=2, heads=2, kv_heads=1, vocab=24):
    head = hidden // heads
    shapes = {"model.embed_tokens.weight": [vocab, hidden]}
    for i in range(layers):
        at = f"model.layers.{i}."
        shapes.update({
            at + "input_layernorm.weight": [hidden],
            at + "self_attn.q_proj.weight": [heads * head, hidden],
            at + "self_attn.k_proj.weight": [kv_heads * head, hidden],
            at + "self_attn.v_proj.weight": [kv_heads * head, hidden],
            at + "self_attn.o_proj.weight": [hidden, heads * head],
            at + "post_attention_layernorm.weight": [hidden],
            at + "mlp.gate_proj.weight": [inter, hidden],
            at + "mlp.up_proj.weight": [inter, hidden],
            at + "mlp.down_proj.weight": [hidden, inter]})
    shapes["model.norm.weight"] = [hidden]
    shapes["lm_head.weight"] = [vocab, hidden]
    return shapes


def main():
    global fathom
    if len(sys.argv) < 2:
        sys.exit("usage: TEST.py FATHOM [unittest's arguments]")
    fathom = os.path.abspath(sys.argv.pop(1))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    unittest.main(module="__main__", verbosity=1)
