"""OpenVINO GenAI: its LLMPipeline on the CPU, models as optimum-intel exports them."""
import json
from pathlib import Path

import install
import shapes
from peers import Peer, WorkerTurns
from worker import Worker, run_timed

COMPRESS = str(Path(__file__).with_name("compress_ir.py"))
WORKER = str(Path(__file__).with_name("worker_openvino.py"))


class OpenVino(Peer):
    name = "openvino"
    formats = {"bfloat16": "fp16 weights, bf16 products", "int8": "int8 a row, asymmetric",
               "int4": "int4 groups, head int8"}
    variants = ("paged attention, bf16", "sdpa, bf16", "defaults")

    def __init__(self, workplace):
        super().__init__(workplace)
        self.python = None

    def version(self):
        return next(package for package in install.OPENVINO
                    if package.startswith("openvino-genai")).split("==")[1]

    def install(self):
        self.python = install.make_environment(self.workplace, "openvino", install.OPENVINO,
                                               install.OPENVINO_ALONE)

    def folder(self, model, dtype):
        return model.folder / f"openvino-{dtype}"

    def prepare(self, model, dtype):
        def export(part):
            command = [str(Path(self.python).with_name("optimum-cli")), "export", "openvino",
                       "--model", model.checkpoint, "--task", "text-generation-with-past",
                       "--weight-format", "fp16", part]
            self.workplace.run(command, f"exporting {model.name} for OpenVINO",
                               {"HF_HUB_OFFLINE": "1"})

        def compress(part):
            command = [self.python, COMPRESS, self.folder(model, "bfloat16"), part, dtype,
                       shapes.group_size(model.config)]
            self.workplace.run(command, f"compressing {model.name} to {dtype} for OpenVINO")
        self.workplace.once(self.folder(model, "bfloat16"), f"openvino: {model.name}", export)
        self.workplace.once(self.folder(model, dtype), f"openvino: {model.name} in {dtype}",
                            compress)

    def properties(self, variant):
        found = {"INFERENCE_NUM_THREADS": self.workplace.threads}
        if variant != "defaults":
            found["INFERENCE_PRECISION_HINT"] = "bf16"
            found["ATTENTION_BACKEND"] = "SDPA" if variant.startswith("sdpa") else "PA"
        return found

    def command(self, model, dtype, variant, more):
        properties = {**self.properties(variant), **more}
        return [self.python, WORKER, str(self.folder(model, dtype)), json.dumps(properties)]

    def open(self, model, dtype, variant):
        return WorkerTurns(Worker(self.command(model, dtype, variant, {}), self.workplace.cores))

    def start(self, model, dtype, text):
        """With its cache of compiled models, and without: the faster one."""
        cache = str(self.folder(model, dtype) / "compiled")
        found = []
        for more in ({}, {"CACHE_DIR": cache}):
            command = self.command(model, dtype, "sdpa, bf16", more)
            wall, peak, out, _ = run_timed([*command, text], self.workplace.cores)
            said = json.loads(next(line for line in out.splitlines() if line.startswith("{")))
            found.append({"wall_s": wall, "peak_bytes": peak, "load_ms": said["load_ms"]})
        return min(found, key=lambda start: start["wall_s"])
