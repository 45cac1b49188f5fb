"""llama.cpp: its library, driven by llama_turns.cc."""
import json
from functools import lru_cache
from pathlib import Path

import install
from peers import Peer, WorkerTurns
from worker import Worker, run_timed

CONVERT = str(Path(__file__).with_name("export_gguf.py"))
# Block formats of GGUF: (elements, bytes) a block.
BLOCKS = {"F32": (1, 4), "F16": (1, 2), "BF16": (1, 2), "Q8_0": (32, 34), "Q4_0": (32, 18),
          "Q6_K": (256, 210), "Q4_K": (256, 144), "Q5_K": (256, 176), "Q5_0": (32, 22),
          "Q5_1": (32, 24), "Q4_1": (32, 20)}
TENSORS = """
import json, sys
sys.path.insert(0, sys.argv[1])
import gguf
print(json.dumps([(tensor.name, [int(size) for size in tensor.shape], tensor.tensor_type.name)
                  for tensor in gguf.GGUFReader(sys.argv[2]).tensors]))
"""


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


class LlamaCpp(Peer):
    name = "llama.cpp"
    formats = {"bfloat16": "BF16", "int8": "Q8_0", "int4": "Q4_0"}
    variants = ("flash attention", "no flash attention")

    def __init__(self, workplace):
        super().__init__(workplace)
        self.source = self.program = self.python = None

    def version(self):
        return f"of llama-cpp-python {install.LLAMA_CPP['version']}"

    def install(self):
        self.source = install.fetch_llama_cpp(self.workplace)
        self.program = install.build_llama_cpp(self.workplace, self.source)
        self.python = install.make_environment(self.workplace, "transformers",
                                               install.TRANSFORMERS)

    def file(self, model, dtype):
        return model.folder / f"{self.formats[dtype]}.gguf"

    def prepare(self, model, dtype):
        wide, kind = self.file(model, "bfloat16"), self.formats[dtype]
        self.workplace.once(wide, f"llama.cpp: {model.name} in BF16", lambda part: (
            self.workplace.run([self.python, CONVERT, self.source, model.checkpoint, part],
                               f"converting {model.name} to GGUF", {"HF_HUB_OFFLINE": "1"})))
        self.workplace.once(self.file(model, dtype), f"llama.cpp: {model.name} in {kind}",
                            lambda part: self.workplace.run(
                                [self.program, "quantize", wide, part, self.workplace.threads,
                                 kind], f"quantizing {model.name} to {kind}"))

    @lru_cache(maxsize=None)
    def weight_bytes(self, file):
        _, _, out, _ = run_timed([self.python, "-c", TENSORS, str(self.source / "gguf-py"), file],
                                 self.workplace.cores)
        return linear_bytes(json.loads(out.splitlines()[-1]))

    def command(self, mode, model, dtype, variant):
        return [str(self.program), mode, str(self.file(model, dtype)),
                str(self.workplace.threads), "0" if variant.startswith("no") else "1"]

    def open(self, model, dtype, variant):
        turns = WorkerTurns(Worker(self.command("turns", model, dtype, variant),
                                   self.workplace.cores))
        turns.weight_bytes = self.weight_bytes(str(self.file(model, dtype)))
        return turns

    def start(self, model, dtype, text):
        command = [*self.command("start", model, dtype, "flash attention"), text]
        wall, peak, out, _ = run_timed(command, self.workplace.cores)
        return {"wall_s": wall, "peak_bytes": peak, "load_ms": json.loads(out)["load_ms"]}
