#!/usr/bin/env python3
"""The parts of tools/compare_peers that need no peer: statistics, parsing, tables, workers."""
import json
import os
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path
from types import SimpleNamespace

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools/compare_peers"))

import intervals  # noqa: E402
import install  # noqa: E402
import peer_llama_cpp  # noqa: E402
import report  # noqa: E402
import rounds  # noqa: E402
import shapes  # noqa: E402
from peers import Peer  # noqa: E402
from worker import PeerError, Worker, busy_cores, run_timed  # noqa: E402


class Intervals(unittest.TestCase):
    def test_few_samples_bound_nothing(self):
        self.assertEqual(intervals.median_interval([]), (None, None, None))
        self.assertEqual(intervals.median_interval([3, 1, 2, 5, 4]), (3, None, None))

    def test_ranks_are_those_of_the_published_table(self):
        # W. J. Conover, Practical Nonparametric Statistics: at 95 % the interval of the median is
        # the 1st and n-th of 6 to 8, the 2nd of 9 to 11, the 3rd of 12 to 14, the 6th of 20.
        for count, rank in [(6, 1), (8, 1), (9, 2), (11, 2), (12, 3), (14, 3), (20, 6)]:
            samples = list(range(count, 0, -1))
            _, low, high = intervals.median_interval(samples)
            self.assertEqual((low, high), (rank, count + 1 - rank), count)

    def test_coverage_is_at_least_what_is_promised(self):
        for count in range(6, 40):
            _, low, _ = intervals.median_interval(list(range(1, count + 1)))
            self.assertLessEqual(2 * intervals.binomial_half_cdf(count, low - 1), 0.05)


class Shapes(unittest.TestCase):
    def test_the_sources_shapes_are_read(self):
        known = shapes.read_shapes()
        self.assertIn("smollm2-135m", known)
        self.assertEqual(known["llama-3.2-1b"]["rope_scaling"]["rope_type"], "llama3")

    def test_counts_of_published_models(self):
        known = shapes.read_shapes()
        # Parameters as the model cards have them, less norms: 134,515,008 and 1,235,814,400.
        config = known["smollm2-135m"]
        norms = (2 * config["num_hidden_layers"] + 1) * config["hidden_size"]
        self.assertEqual(shapes.linear_elements(config)[0] + norms, 134515008)
        config = known["llama-3.2-1b"]
        norms = (2 * config["num_hidden_layers"] + 1) * config["hidden_size"]
        self.assertEqual(shapes.linear_elements(config)[0] + norms, 1235814400)

    def test_groups_divide_every_width(self):
        known = shapes.read_shapes()
        self.assertEqual(shapes.group_size(known["smollm2-135m"]), 64)
        self.assertEqual(shapes.group_size(known["llama-3.2-1b"]), 128)


class LlamaCpp(unittest.TestCase):
    def test_bytes_of_a_token(self):
        tied = [("token_embd.weight", [576, 49152], "Q6_K"), ("blk.0.norm.weight", [576], "F32"),
                ("blk.0.ffn_up.weight", [576, 1536], "Q4_0")]
        head = 576 * 49152 // 256 * 210
        layer = 576 * 1536 // 32 * 18
        self.assertEqual(peer_llama_cpp.linear_bytes(tied), head + layer)
        untied = tied + [("output.weight", [576, 49152], "Q8_0")]
        self.assertEqual(peer_llama_cpp.linear_bytes(untied), 576 * 49152 // 32 * 34 + layer)


def turn(peer, number, rate, phase="decode", roof=40.0):
    return {"shape": "smollm2-135m", "dtype": "bfloat16", "phase": phase, "peer": peer,
            "round": number, "rate": rate, "roof": "read_stream", "roof_value": roof}


def example():
    state = rounds.empty_state()
    state["engines"] = {"fathom": "0.1.0", "llama.cpp": "x"}
    state["weight_bytes"] = {"smollm2-135m/bfloat16/fathom": 269e6,
                             "smollm2-135m/bfloat16/llama.cpp": 269e6}
    for number in range(6):
        state["turns"] += [turn("fathom", number, 120.0 + number), turn("llama.cpp", number, 100.0)]
        state["starts"] += [{"shape": "smollm2-135m", "dtype": "bfloat16", "peer": peer,
                             "round": number, "wall_s": wall, "peak_bytes": 3e8, "load_ms": 40.0}
                            for peer, wall in (("fathom", 0.1), ("llama.cpp", 0.3))]
    return state


class Report(unittest.TestCase):
    def test_ratios_pair_rounds(self):
        state = example()
        middle, low, high = report.ratios(state["turns"], "llama.cpp", "rate")
        self.assertAlmostEqual(middle, 1.225)
        self.assertAlmostEqual(low, 1.20)
        self.assertAlmostEqual(high, 1.25)
        state["turns"] = state["turns"][:-1]  # a round that one of both lacks is no pair
        self.assertEqual(report.ratios(state["turns"], "llama.cpp", "rate")[1:], (None, None))

    def test_a_time_is_turned_round(self):
        middle, _, _ = report.ratios(example()["starts"], "llama.cpp", "wall_s", inverse=True)
        self.assertAlmostEqual(middle, 3.0)

    def test_fractions(self):
        row = next(row for row in report.figures(example(), shapes.read_shapes())
                   if row["engine"] == "llama.cpp")
        self.assertAlmostEqual(row["decode"]["fraction_of_roof"], 269e6 * 100 / 40e9)
        self.assertIsNone(row["prefill"])

    def test_table(self):
        state = example()
        state["missing"] = {"openvino": "no such package", "smollm2-135m/int8/llama.cpp": "broken"}
        formats = {"llama.cpp": {"bfloat16": "BF16"}}
        text = report.table(state, shapes.read_shapes(), formats)
        self.assertIn("1.23x [1.20, 1.25]", text)
        self.assertIn("BF16", text)
        self.assertIn("openvino: left out: no such package", text)
        self.assertIn("smollm2-135m/int8/llama.cpp: left out: broken", text)
        marked = report.table(state, shapes.read_shapes(), formats, markdown=True)
        rows = [line for line in marked.splitlines() if line.startswith("|")]
        self.assertEqual({line.count("|") for line in rows}, {len(report.HEADINGS) + 1})

    def test_others_are_told(self):
        state = example()
        self.assertNotIn("quiet", report.table(state, shapes.read_shapes(), {}))
        state["turns"][3]["others"] = 0.9
        self.assertIn("1 of 12 turns", report.table(state, shapes.read_shapes(), {}))

    def test_numbers(self):
        self.assertEqual([report.number(v) for v in (None, 1234.5, 123.4, 12.34, 1.234)],
                         ["-", "1234", "123", "12.3", "1.23"])
        self.assertEqual(report.interval({"median": 1.5, "low": None, "high": None}), "1.50x [?]")

    def test_the_document_is_json(self):
        document = report.document(example(), shapes.read_shapes())
        self.assertEqual(json.loads(json.dumps(document))["rows"][0]["engine"], "fathom")


ECHO = """
import json, sys
print("a library says hello")
print(json.dumps({"ready": True, "weight_bytes": 7}), flush=True)
for line in sys.stdin:
    what, context, seconds = line.split()
    if what == "die":
        sys.exit("it broke")
    print(json.dumps({"tokens": int(context), "seconds": float(seconds)}), flush=True)
"""
CORES = os.sched_getaffinity(0)


def state_of(pid):
    """R, S, T, Z ... as /proc has it; empty where there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(") ")[1][0]
    except OSError:
        return ""


class Workers(unittest.TestCase):
    def test_orders_are_answered_and_the_process_sleeps_in_between(self):
        worker = Worker([sys.executable, "-c", ECHO], CORES)
        try:
            self.assertEqual(worker.ready["weight_bytes"], 7)
            self.assertEqual(worker.ask("decode 128 0.5"), {"tokens": 128, "seconds": 0.5})
            deadline = time.monotonic() + 10
            while state_of(worker.process.pid) != "T" and time.monotonic() < deadline:
                time.sleep(0.01)
            self.assertEqual(state_of(worker.process.pid), "T")
        finally:
            worker.close()

    def test_a_stopped_worker_ends_with_its_parent(self):
        code = ("import os, sys; sys.path.insert(0, sys.argv[1]); import worker\n"
                "w = worker.Worker([sys.executable, '-c', sys.argv[2]], os.sched_getaffinity(0))\n"
                "print(w.process.pid, flush=True); os.kill(os.getpid(), 9)\n")
        done = subprocess.run([sys.executable, "-B", "-c", code, str(ROOT / "tools/compare_peers"),
                               ECHO], capture_output=True, text=True, check=False)
        deadline = time.monotonic() + 10
        while state_of(int(done.stdout)) not in ("", "Z") and time.monotonic() < deadline:
            time.sleep(0.01)
        self.assertIn(state_of(int(done.stdout)), ("", "Z"))

    def test_a_dead_worker_says_why(self):
        worker = Worker([sys.executable, "-c", ECHO], CORES)
        with self.assertRaisesRegex(PeerError, "it broke"):
            worker.ask("die 1 1")

    def test_busy_cores_are_counted(self):
        with tempfile.NamedTemporaryFile("w+", suffix="stat") as stat:
            stat.write("cpu  100 5 20 9000 30 1 2 3 0 0\ncpu0 1 1 1 1\n")
            stat.flush()
            self.assertEqual(busy_cores(0.01, stat.name), 0)

    def test_whole_processes(self):
        wall, peak, out, said = run_timed(
            [sys.executable, "-c", "import sys; print('yes'); print('no', file=sys.stderr)"], CORES)
        self.assertGreater(wall, 0)
        self.assertGreater(peak, 1 << 20)
        self.assertEqual((out, said), ("yes\n", "no\n"))
        with self.assertRaisesRegex(PeerError, "ended with 3: why"):
            run_timed([sys.executable, "-c", "import sys; print('why'); sys.exit(3)"], CORES)


class FakePeer(Peer):
    """Rates that hang on the setting, so that the trials have something to find."""
    def __init__(self, name, rates):
        super().__init__(None)
        self.name, self.rates, self.variants = name, rates, tuple(rates)
        self.formats, self.opened = {"bfloat16": ""}, []

    def open(self, model, dtype, variant):
        self.opened.append(variant)
        if self.rates[variant] is None:
            raise PeerError("not here")
        rate = self.rates[variant]
        return SimpleNamespace(weight_bytes=1e6, close=lambda: None,
                               turn=lambda phase, context, seconds: {
                                   "tokens": rate * seconds, "seconds": seconds})


class FakeProbe:
    def __init__(self, workplace):
        pass

    def rate(self, roof, seconds):
        return 40.0

    def close(self):
        pass


class Rounds(unittest.TestCase):
    def setUp(self):
        self.probe, rounds.RoofProbe = rounds.RoofProbe, FakeProbe
        self.state = rounds.empty_state()
        self.options = SimpleNamespace(
            workplace=None, phases=["decode", "prefill"], rounds=6, seconds=1.0,
            deadline=time.monotonic() + 1000, say=lambda text: None, save=lambda: None)

    def tearDown(self):
        rounds.RoofProbe = self.probe

    def run_with(self, *peers):
        model = SimpleNamespace(name="smollm2-135m")
        rounds.Comparison(self.state, model, "bfloat16", list(peers), self.options).run_turns()

    def test_the_best_setting_takes_part(self):
        other = FakePeer("other", {"slow": 50.0, "fast": 80.0, "absent": None})
        self.run_with(FakePeer("fathom", {"": 100.0}), other)
        self.assertEqual(other.opened, ["slow", "fast", "absent", "fast"])
        theirs = [row for row in self.state["turns"] if row["peer"] == "other"]
        self.assertEqual(len(theirs), 12)
        self.assertEqual({row["rate"] for row in theirs}, {80.0})
        self.assertEqual(report.ratios(theirs + [
            row for row in self.state["turns"] if row["peer"] == "fathom"
            and row["phase"] == "decode"], "other", "rate")[0], 1.25)

    def test_rounds_go_on_where_an_earlier_call_ended(self):
        self.options.rounds = 2
        self.run_with(FakePeer("fathom", {"": 100.0}), FakePeer("other", {"": 90.0}))
        self.options.rounds = 3
        self.run_with(FakePeer("fathom", {"": 100.0}), FakePeer("other", {"": 90.0}))
        numbers = [row["round"] for row in self.state["turns"] if row["phase"] == "decode"]
        self.assertEqual(numbers, [0, 0, 1, 1, 2, 2])

    def test_who_cannot_run_is_left_out_and_named(self):
        self.run_with(FakePeer("fathom", {"": 100.0}), FakePeer("other", {"": None}))
        self.assertEqual(self.state["missing"], {"smollm2-135m/bfloat16/other": "not here"})
        self.assertEqual({row["peer"] for row in self.state["turns"]}, {"fathom"})

    def test_a_state_survives_its_file(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "state.json")
            rounds.save_state(example(), path)
            self.assertEqual(rounds.load_state(path), example())
            self.assertEqual(rounds.load_state(path + "x"), rounds.empty_state())


class Setup(unittest.TestCase):
    def test_a_step_is_whole_or_not_at_all(self):
        with tempfile.TemporaryDirectory() as folder:
            place = install.Workplace(folder, "", None, CORES, 1, lambda text: None)

            def fail(part):
                part.write_text("half", encoding="utf-8")
                raise PeerError("no space")
            target = place.folder / "file"
            with self.assertRaises(PeerError):
                place.once(target, "a file", fail)
            self.assertFalse(target.exists())
            place.once(target, "a file", lambda part: part.write_text("all", encoding="utf-8"))
            place.once(target, "a file", fail)  # it is there already
            self.assertEqual(target.read_text(encoding="utf-8"), "all")

    def test_what_failed_is_said(self):
        with tempfile.TemporaryDirectory() as folder:
            place = install.Workplace(folder, "", None, CORES, 1, lambda text: None)
            with self.assertRaisesRegex(PeerError, "a step failed .*: the reason"):
                place.run([sys.executable, "-c", "import sys; sys.exit('the reason')"], "a step")


if __name__ == "__main__":
    unittest.main()
