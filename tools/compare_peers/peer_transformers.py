"""transformers on torch: the checkpoint as it is, bfloat16 alone."""
import json
from pathlib import Path

import install
from peers import Peer, WorkerTurns
from worker import Worker, run_timed

WORKER = str(Path(__file__).with_name("worker_transformers.py"))


class Transformers(Peer):
    name = "transformers"
    formats = {"bfloat16": "bfloat16"}
    variants = ("sdpa", "eager")

    def __init__(self, workplace):
        super().__init__(workplace)
        self.python = None

    def version(self):
        wanted = dict(package.split("==") for package in install.TRANSFORMERS if "==" in package)
        return f"{wanted['transformers']}, torch {wanted['torch']}"

    def install(self):
        self.python = install.make_environment(self.workplace, "transformers",
                                               install.TRANSFORMERS)

    def command(self, model, variant):
        settings = {"threads": self.workplace.threads, "attn_implementation": variant}
        return [self.python, WORKER, str(model.checkpoint), json.dumps(settings)]

    def open(self, model, dtype, variant):
        environment = {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": str(self.workplace.threads)}
        return WorkerTurns(Worker(self.command(model, variant), self.workplace.cores, environment))

    def start(self, model, dtype, text):
        wall, peak, out, _ = run_timed([*self.command(model, "sdpa"), text], self.workplace.cores,
                                       {"HF_HUB_OFFLINE": "1"})
        said = json.loads(next(line for line in out.splitlines() if line.startswith("{")))
        return {"wall_s": wall, "peak_bytes": peak, "load_ms": said["load_ms"]}
