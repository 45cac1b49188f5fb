"""llama.cpp: llama-bench for speed, llama-completion for a process of one token."""
import json
import re
from pathlib import Path

import install
from peers import Peer
from worker import PeerError, run_timed

CONVERT = str(Path(__file__).with_name("export_gguf.py"))
# Block formats of GGUF: (elements, bytes) a block.
BLOCKS = {"F32": (1, 4), "F16": (1, 2), "BF16": (1, 2), "Q8_0": (32, 34), "Q4_0": (32, 18),
          "Q6_K": (256, 210), "Q4_K": (256, 144), "Q5_K": (256, 176), "Q5_0": (32, 22),
          "Q5_1": (32, 24), "Q4_1": (32, 20)}
STEPS = 32  # of decode a repetition


def parse_bench(text):
    """llama-bench's lines of JSON: [{"tokens", "seconds", "n_prompt", "n_gen", ...}]."""
    rows = []
    for line in text.splitlines():
        if not line.startswith("{"):
            continue
        row = json.loads(line)
        nanoseconds = row.get("samples_ns") or []
        if not nanoseconds:
            raise PeerError("llama-bench printed a row without samples")
        tokens = (row["n_prompt"] + row["n_gen"]) * len(nanoseconds)
        rows.append({"tokens": tokens, "seconds": sum(nanoseconds) / 1e9,
                     "flash_attention": row.get("flash_attn"), "commit": row.get("build_commit"),
                     "model_size": row.get("model_size")})
    if not rows:
        raise PeerError("llama-bench printed no row")
    return rows


def parse_load_ms(text):
    """What llama-completion says that loading took; None where it says nothing."""
    found = re.search(r"load time\s*=\s*([0-9.]+)\s*ms", text)
    return float(found.group(1)) if found else None


def linear_bytes(tensors):
    """Bytes read for a token: all matrices, but not an embedding beside a head of its own.
    `tensors`: [(name, dims, format)]."""
    names = {name for name, _, _ in tensors}
    total = 0
    for name, dims, kind in tensors:
        if len(dims) < 2 or (name == "token_embd.weight" and "output.weight" in names):
            continue
        elements = 1
        for size in dims:
            elements *= size
        block, size = BLOCKS[kind]
        total += elements // block * size
    return total


class LlamaTurns:
    """Each turn is a process of llama-bench: it loads, warms up, and times by itself."""

    def __init__(self, peer, model, dtype, variant):
        self.peer, self.file, self.variant = peer, peer.file(model, dtype), variant
        self.weight_bytes = linear_bytes(peer.tensors(model, dtype))
        self.rates = {}

    def turn(self, phase, context, seconds):
        rate = self.rates.get(phase, 0)
        work = context if phase == "prefill" else STEPS
        repetitions = max(1, min(20, round(seconds * rate / work)))
        command = self.peer.bench_command(self.file, self.variant, repetitions)
        command += (["-p", str(context), "-n", "0"] if phase == "prefill" else
                    ["-p", "0", "-n", str(STEPS), "-d", str(context)])
        _, _, out, _ = run_timed(command, self.peer.workplace.cores)
        row = parse_bench(out)[0]
        self.rates[phase] = row["tokens"] / row["seconds"]
        return row

    def close(self):
        pass


class LlamaCpp(Peer):
    name = "llama.cpp"
    formats = {"bfloat16": "BF16", "int8": "Q8_0", "int4": "Q4_0"}
    variants = ("flash attention", "no flash attention")

    def __init__(self, workplace):
        super().__init__(workplace)
        self.source = self.programs = self.python = None

    def version(self):
        return f"of llama-cpp-python {install.LLAMA_CPP['version']}"

    def install(self):
        self.source = install.fetch_llama_cpp(self.workplace)
        self.programs = install.build_llama_cpp(self.workplace, self.source)
        self.python = install.make_environment(self.workplace, "transformers",
                                               install.TRANSFORMERS)

    def file(self, model, dtype):
        return model.folder / f"{self.formats[dtype]}.gguf"

    def prepare(self, model, dtype):
        wide = self.file(model, "bfloat16")
        self.workplace.once(wide, f"llama.cpp: {model.name} in BF16", lambda part: (
            self.workplace.run([self.python, CONVERT, self.source, model.checkpoint, part],
                               f"converting {model.name} to GGUF", {"HF_HUB_OFFLINE": "1"})))
        if dtype != "bfloat16":
            kind = self.formats[dtype]
            self.workplace.once(self.file(model, dtype), f"llama.cpp: {model.name} in {kind}",
                                lambda part: self.workplace.run(
                                    [self.programs / "llama-quantize", wide, part, kind],
                                    f"quantizing {model.name} to {kind}"))

    def tensors(self, model, dtype):
        code = ("import json,sys; sys.path.insert(0, sys.argv[1]); import gguf\n"
                "r = gguf.GGUFReader(sys.argv[2])\n"
                "print(json.dumps([(t.name, [int(n) for n in t.shape], t.tensor_type.name)"
                " for t in r.tensors]))")
        _, _, out, _ = run_timed([self.python, "-c", code, str(self.source / "gguf-py"),
                                  str(self.file(model, dtype))], self.workplace.cores)
        return json.loads(out.splitlines()[-1])

    def bench_command(self, file, variant, repetitions):
        flash = "0" if variant.startswith("no") else "1"
        return [str(self.programs / "llama-bench"), "-m", str(file), "-o", "jsonl", "-t",
                str(self.workplace.threads), "-r", str(repetitions), "-fa", flash]

    def open(self, model, dtype, variant):
        return LlamaTurns(self, model, dtype, variant)

    def start(self, model, dtype, text):
        """With its warm-up run and without: the faster one."""
        found = []
        for more in (["--no-warmup"], []):
            command = [str(self.programs / "llama-completion"), "-m", str(self.file(model, dtype)),
                       "-p", text, "-n", "1", "-no-cnv", "-c", "512", "--ignore-eos",
                       "-t", str(self.workplace.threads), *more]
            wall, peak, out, said = run_timed(command, self.workplace.cores)
            found.append({"wall_s": wall, "peak_bytes": peak, "load_ms": parse_load_ms(said + out)})
        return min(found, key=lambda start: start["wall_s"])
