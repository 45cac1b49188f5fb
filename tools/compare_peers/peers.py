"""What is asked of every engine, and Fathom as one of them."""
import json
from dataclasses import dataclass
from pathlib import Path

from worker import Worker, run_timed

DTYPES = ("bfloat16", "int8", "int4")
PROMPT_TOKENS = 131


@dataclass
class Model:
    """A shape and where its files lie."""
    name: str
    config: dict
    folder: Path

    @property
    def checkpoint(self):
        return self.folder / "checkpoint"


class Peer:
    """An engine. `formats` says what stands for a dtype in it; `variants` are settings that its
    users choose among: all are tried, the best one counts."""
    name = ""
    formats = {}
    variants = ("",)

    def __init__(self, workplace):
        self.workplace = workplace

    def version(self):
        return ""

    def install(self):
        """Whatever does not hang on a model. PeerError where it cannot be had."""

    def prepare(self, model, dtype):
        """The model's own files. PeerError where they cannot be made."""

    def open(self, model, dtype, variant):
        """An object with turn(phase, context, seconds) -> {"tokens", "seconds"}, close(), and
        weight_bytes: what is read for a token, without the cache."""
        raise NotImplementedError

    def start(self, model, dtype, text):
        """From process start to the end of a process that makes one token of `text`:
        {"wall_s", "peak_bytes", "load_ms"}; the best of the ways its users have."""
        raise NotImplementedError


class WorkerTurns:
    """Turns of a process that speaks the protocol of `fathom bench-turns`."""

    def __init__(self, worker):
        self.worker = worker
        self.weight_bytes = worker.ready.get("weight_bytes")

    def turn(self, phase, context, seconds):
        answer = self.worker.ask(f"{phase} {context} {seconds}")
        if "weight_bytes" in answer:
            self.weight_bytes = answer["weight_bytes"]
        return answer

    def close(self):
        self.worker.close()


class Fathom(Peer):
    name = "fathom"
    formats = {"bfloat16": "bfloat16", "int8": "int8", "int4": "int4"}

    def version(self):
        _, _, text, _ = run_timed([self.workplace.fathom, "--version"], self.workplace.cores)
        return text.strip().split()[-1]

    def open(self, model, dtype, variant):
        command = [self.workplace.fathom, "bench-turns", str(model.checkpoint), "--dtype", dtype,
                   "--threads", str(self.workplace.threads), "--quiet"]
        return WorkerTurns(Worker(command, self.workplace.cores))

    def start(self, model, dtype, text):
        command = [self.workplace.fathom, "run", str(model.checkpoint), text, "--raw", "--quiet",
                   "--dtype", dtype, "--max-new-tokens", "1", "--ignore-eos", "--format", "json",
                   "--threads", str(self.workplace.threads)]
        wall, peak, out, _ = run_timed(command, self.workplace.cores)
        return {"wall_s": wall, "peak_bytes": peak,
                "load_ms": json.loads(out)["timings"]["load_ms"]}


class RoofProbe:
    """Fathom's own probes, in a process that holds no model."""

    def __init__(self, workplace):
        command = [workplace.fathom, "bench-turns", "--roofs", "--threads",
                   str(workplace.threads)]
        self.worker = Worker(command, workplace.cores)

    def rate(self, roof, seconds):
        return self.worker.ask(f"probe {roof} {seconds}")["rate"]

    def close(self):
        self.worker.close()
