"""The measurement: trials of each engine's settings, then rounds in which all take turns.

What was measured is kept in a state, a dictionary that is written after every step, so that a
measurement can be made of several short calls:

  engines       {peer: version}; machine: what `fathom machine` says of it
  missing       {peer: reason}
  trials        {"shape/dtype/peer/phase": {variant: tokens a second}}
  weight_bytes  {"shape/dtype/peer": bytes read for a token, without the cache}
  turns         [{shape, dtype, phase, peer, round, rate, roof, roof_value, others}]; others:
                cores that other processes kept busy before the round
  starts        [{shape, dtype, peer, round, wall_s, peak_bytes, load_ms}]
"""
import json
import os
import random
import time
from pathlib import Path

from peers import RoofProbe
from worker import PeerError, busy_cores

CONTEXT = {"decode": 128, "prefill": 512}
PROBE_SECONDS = 0.15


def empty_state():
    return {"engines": {}, "machine": {}, "missing": {}, "trials": {}, "weight_bytes": {},
            "turns": [], "starts": []}


def load_state(path):
    if path and Path(path).exists():
        return {**empty_state(), **json.loads(Path(path).read_text(encoding="utf-8"))}
    return empty_state()


def save_state(state, path):
    if path:
        part = Path(f"{path}.{os.getpid()}")
        part.write_text(json.dumps(state, indent=1), encoding="utf-8")
        part.replace(path)


def best_variant(trials):
    """The fastest setting of {variant: rate}; None where none ran."""
    return max(trials, key=trials.get) if trials else None


def rotated(items, by):
    by %= max(len(items), 1)
    return items[by:] + items[:by]


class Comparison:
    """One shape in one dtype, all peers that have it."""

    def __init__(self, state, model, dtype, peers, options):
        self.state, self.model, self.dtype = state, model, dtype
        self.peers, self.options = peers, options
        self.probe = None

    def key(self, peer, *more):
        return "/".join([self.model.name, self.dtype, peer.name, *more])

    def late(self):
        return time.monotonic() > self.options.deadline

    def done_rounds(self, phase):
        """Rounds in the state; a start is a phase like the others."""
        rows = self.state["starts" if phase == "start" else "turns"]
        mine = [row["round"] for row in rows if row["shape"] == self.model.name
                and row["dtype"] == self.dtype and row.get("phase", "start") == phase]
        return max(mine, default=-1) + 1

    def give_up(self, peer, error):
        """A peer that fails in one dtype is out of it, and the table says why."""
        self.state["missing"][self.key(peer)] = str(error)
        self.options.say(f"{peer.name}, {self.dtype}: left out: {error}")
        self.peers = [other for other in self.peers if other is not peer]

    def try_variants(self, peer):
        """A warm turn of each phase for each setting that has no trial yet."""
        phases = [phase for phase in self.options.phases if phase in CONTEXT]
        for variant in peer.variants:
            wanting = [phase for phase in phases
                       if variant not in self.state["trials"].get(self.key(peer, phase), {})]
            if not wanting or len(peer.variants) == 1 or self.late():
                continue
            try:
                turns = peer.open(self.model, self.dtype, variant)
            except PeerError as error:
                self.options.say(f"{peer.name}, {variant}: {error}")
                for phase in wanting:
                    self.state["trials"].setdefault(self.key(peer, phase), {})[variant] = 0.0
                continue
            for phase in wanting:
                rate = trial(turns, phase, self.options.seconds)
                self.state["trials"].setdefault(self.key(peer, phase), {})[variant] = rate
            turns.close()
            self.options.save()

    def tried(self, peer, phase):
        trials = self.state["trials"].get(self.key(peer, phase), {})
        return len(peer.variants) == 1 or len(trials) == len(peer.variants)

    def open_best(self, peer, phases):
        """{phase: turns} of a peer, each setting loaded once."""
        opened, found = {}, {}
        for phase in phases:
            trials = self.state["trials"].get(self.key(peer, phase), {})
            variant = best_variant(trials) if trials else peer.variants[0]
            if variant not in opened:
                opened[variant] = peer.open(self.model, self.dtype, variant)
            found[phase] = opened[variant]
        return found

    def roof_of(self, phase):
        if phase == "decode":
            return "read_stream"
        roof = "bf16_peak" if self.dtype == "bfloat16" else "int8_peak"
        return roof if self.probe.rate(roof, 0.02) > 0 else "fp32_peak"

    def run_round(self, phase, number, opened):
        """Every peer once, a probe of the roof before and after each."""
        order = rotated([peer for peer in self.peers if peer in opened], number)
        roof = self.roof_of(phase)
        others = busy_cores()
        rows, before = [], self.probe.rate(roof, PROBE_SECONDS)
        for peer in order:
            turns = opened[peer][phase]
            rate = rate_of(turns.turn(phase, CONTEXT[phase], self.options.seconds))
            after = self.probe.rate(roof, PROBE_SECONDS)
            # Whatever disturbs the machine only lowers a probe: the better one is nearer.
            rows.append({"shape": self.model.name, "dtype": self.dtype, "phase": phase,
                         "peer": peer.name, "round": number, "rate": rate, "roof": roof,
                         "roof_value": max(before, after), "others": others})
            if turns.weight_bytes:
                self.state["weight_bytes"][self.key(peer)] = turns.weight_bytes
            before = after
        self.state["turns"] += rows
        self.options.save()

    def run_turns(self):
        """Rounds of decode and prefill until the state has as many as are asked for."""
        phases = [phase for phase in self.options.phases if phase in CONTEXT]
        left = [phase for phase in phases if self.done_rounds(phase) < self.options.rounds]
        if not left or self.late():
            return
        for peer in list(self.peers):
            try:
                self.try_variants(peer)
            except PeerError as error:
                self.give_up(peer, error)
        if not all(self.tried(peer, phase) for peer in self.peers for phase in phases):
            return
        opened = {}
        try:
            self.probe = RoofProbe(self.options.workplace)
            for peer in list(self.peers):
                try:
                    opened[peer] = self.open_best(peer, left)
                    for turns in opened[peer].values():  # not counted: touches every page
                        turns.turn("prefill", 16, 0.01)
                except PeerError as error:
                    opened.pop(peer, None)
                    self.give_up(peer, error)
            while not self.late():
                left = [p for p in left if self.done_rounds(p) < self.options.rounds]
                if not left:
                    break
                for phase in left:
                    self.run_round(phase, self.done_rounds(phase), opened)
        finally:
            for turns in {id(t): t for found in opened.values() for t in found.values()}.values():
                turns.close()
            if self.probe:
                self.probe.close()

    def run_starts(self):
        """Whole processes from start to the first token of a text that was not seen before."""
        if "start" not in self.options.phases:
            return
        prompts = json.loads((self.model.checkpoint / "prompts.json").read_text(encoding="utf-8"))
        while self.done_rounds("start") < self.options.rounds and not self.late():
            number = self.done_rounds("start")
            rows = []
            for peer in rotated(self.peers, number):
                try:
                    if number == 0:  # packed and compiled caches are written, pages are read
                        peer.start(self.model, self.dtype, random.choice(prompts))
                    row = peer.start(self.model, self.dtype, random.choice(prompts))
                except PeerError as error:
                    self.give_up(peer, error)
                    continue
                rows.append({"shape": self.model.name, "dtype": self.dtype, "peer": peer.name,
                             "round": number, **row})
            self.state["starts"] += rows
            self.options.save()
            if not rows:
                return


def trial(turns, phase, seconds):
    """The better of two turns; one is enough where it was long."""
    start = time.monotonic()
    rates = [rate_of(turns.turn(phase, CONTEXT[phase], seconds))]
    if time.monotonic() - start < 2 * seconds + 0.5:
        rates.append(rate_of(turns.turn(phase, CONTEXT[phase], seconds)))
    return max(rates)


def rate_of(turn):
    return turn["tokens"] / turn["seconds"]
