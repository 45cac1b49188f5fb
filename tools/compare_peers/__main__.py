"""Fathom beside llama.cpp, OpenVINO GenAI and transformers, in turns, on this machine.

  python3 tools/compare_peers [--shape smollm2-135m,llama-3.2-1b] [--dtype bfloat16,int8,int4]
                              [--phase decode,prefill,start] [--peers llama.cpp,openvino,...]

Installs and builds the peers at fixed versions from the Python package index, as pip is configured,
makes the same random-weight model for each, lets all take turns (a new prompt each time, one
thread a usable core), and prints a table: tokens a second, share of the read stream or of the
unit's peak as probed in between, Fathom's speed over the peer's with a 95 % interval over rounds,
process start to the first token of a prompt of 131 tokens, load time, peak resident memory. A peer
that cannot be had is left out and named. Everything is written below --folder; nothing elsewhere.
"""
import argparse
import json
import os
import sys
import time
from pathlib import Path
from types import SimpleNamespace

sys.dont_write_bytecode = True  # nothing is left beside the sources

import install
import report
import rounds
import shapes
from peer_llama_cpp import LlamaCpp
from peer_openvino import OpenVino
from peer_transformers import Transformers
from peers import DTYPES, Fathom, Model
from worker import PeerError, run_timed

PEERS = {kind.name: kind for kind in (LlamaCpp, OpenVino, Transformers)}
PHASES = ("decode", "prefill", "start")
ROOT = Path(__file__).resolve().parents[2]


def say(text):
    print(f"compare_peers: {text}", file=sys.stderr, flush=True)


def list_of(known):
    def parse(text):
        names = [name for name in text.split(",") if name]
        for name in names:
            if name not in known:
                raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(known)}")
        return names
    return parse


def parse_arguments(arguments):
    known = shapes.read_shapes()
    parser = argparse.ArgumentParser(
        prog="compare_peers", description=__doc__.split("\n\n", maxsplit=2)[2],
        formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    cache = os.environ.get("FATHOM_CACHE") or Path.home() / ".cache/fathom"
    add("--folder", default=Path(cache) / "peers", help="where everything goes (%(default)s)")
    add("--fathom", default=ROOT / "build/fathom", help="the binary (%(default)s)")
    add("--python", help="an interpreter whose torch is used instead of installing one")
    add("--shape", type=list_of(known), default=["smollm2-135m"], help=", ".join(known))
    add("--phase", type=list_of(PHASES), default=list(PHASES), help=", ".join(PHASES))
    add("--dtype", type=list_of(DTYPES), default=list(DTYPES), help=", ".join(DTYPES))
    add("--peers", type=list_of(PEERS), default=list(PEERS), help=", ".join(PEERS))
    add("--rounds", type=int, default=8, help="of each phase; 6 at least give an interval")
    add("--seconds", type=float, default=1.0, help="of a turn, about")
    add("--append", metavar="STATE.json",
        help="go on with the measurement kept there, and keep it there")
    add("--limit", type=float, default=1e9, metavar="SECONDS",
        help="begin nothing after so long; call again with the same --append")
    add("--prepare", action="store_true", help="install, build and make models; measure nothing")
    add("--report", action="store_true", help="print what --append holds; measure nothing")
    add("--jobs", type=int, default=len(os.sched_getaffinity(0)), help="of the builds")
    add("--format", choices=("text", "markdown", "json"), default="text")
    return parser.parse_args(arguments)


def install_peers(workplace, names, state):
    """The peers that can be had; the others' reasons go into the state."""
    found = []
    for name in names:
        peer = PEERS[name](workplace)
        try:
            peer.install()
        except (PeerError, OSError) as error:
            state["missing"][name] = str(error)
            say(f"{name} is left out: {error}")
            continue
        state["missing"].pop(name, None)
        state["engines"][name] = peer.version()
        found.append(peer)
    return found


def prepared(peers, model, dtype, state):
    """The peers that have the model in this dtype."""
    found = []
    for peer in peers:
        if dtype not in peer.formats:
            continue
        key = f"{model.name}/{dtype}/{peer.name}"
        try:
            peer.prepare(model, dtype)
        except (PeerError, OSError) as error:
            state["missing"][key] = str(error)
            say(f"{peer.name}, {dtype}, is left out: {error}")
            continue
        state["missing"].pop(key, None)
        found.append(peer)
    return found


def measure(arguments, workplace, state):
    start = time.monotonic()
    options = SimpleNamespace(
        workplace=workplace, phases=arguments.phase, rounds=arguments.rounds,
        seconds=arguments.seconds, deadline=start + arguments.limit, say=say,
        save=lambda: rounds.save_state(state, arguments.append))
    fathom = Fathom(workplace)
    state["engines"] = {"fathom": fathom.version(), **state["engines"]}
    _, _, machine, _ = run_timed([workplace.fathom, "machine", "--no-probe", "--format", "json"],
                                 workplace.cores)
    state["machine"] = json.loads(machine)
    peers = install_peers(workplace, arguments.peers, state)
    python = install.make_environment(workplace, "transformers", install.TRANSFORMERS)
    known = shapes.read_shapes()
    for shape in arguments.shape:
        model = Model(shape, known[shape], workplace.folder / "models" / shape)
        install.make_checkpoint(workplace, model, python)
        for dtype in arguments.dtype:
            beside = prepared(peers, model, dtype, state)
            if arguments.prepare:
                continue
            comparison = rounds.Comparison(state, model, dtype, [fathom, *beside], options)
            comparison.run_turns()
            comparison.run_starts()
            options.save()
    if not arguments.prepare and comparison.late():
        say("the limit is reached; call again with the same --append to go on")


def main(arguments):
    options = parse_arguments(arguments)
    state = rounds.load_state(options.append)
    if not options.report:
        if not os.access(options.fathom, os.X_OK):
            say(f"{options.fathom} is not built: run make, or give --fathom")
            return 1
        workplace = install.Workplace(options.folder, str(options.fathom), options.python,
                                      os.sched_getaffinity(0), options.jobs, say)
        try:
            measure(options, workplace, state)
        except PeerError as error:
            say(str(error))
            return 1
    if options.prepare:
        return 0
    configs = shapes.read_shapes()
    if options.format == "json":
        print(json.dumps(report.document(state, configs)))
        return 0
    formats = {name: kind.formats for name, kind in {**PEERS, "fathom": Fathom}.items()}
    print(report.table(state, configs, formats, markdown=options.format == "markdown"))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
