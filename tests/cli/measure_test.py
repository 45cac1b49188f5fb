#!/usr/bin/env python3
"""fathom measure on the command line: forms, what it keeps, interruption. No time is asserted."""
import json
import os
import signal
import subprocess
import sys
import time
import unittest
from pathlib import Path

import harness
from harness import ROOT, CliTest

METRICS = ("prefill_ratio", "decode_ratio", "load_ratio")
VERDICTS = {"helps", "hurts", "no_effect", "trade", "unavailable", "failed"}
IDS = ["low_cpu_mem_usage", "use_fast", "inference_mode", "float32_matmul_precision", "use_cache",
       "output_attentions", "output_hidden_states", "top_k", "cudnn_benchmark", "compile", "dtype",
       "device_map", "attn_implementation",
       "weight_cache"]


class MeasureTest(CliTest):
    def setUp(self):
        super().setUp()
        self.cache = {"XDG_CACHE_HOME": str(self.temp)}

    def measure(self, *args):
        return self.succeed("measure", "--quick", "--seconds", "2", *args, env=self.cache)

    def stored(self):
        return sorted(Path(self.temp, "fathom/measure").glob("*.json"))

    def test_json_of_the_product(self):
        outcome = self.measure("--rows", "use_cache,top_k", "--format", "json", "--seed", "5")
        self.assertEqual(outcome.err, b"")
        self.assertEqual(outcome.out.count(b"\n"), 1)
        document = outcome.json()
        self.assertEqual(document["machine"]["cpu"]["cores"] >= 1, True)
        self.assertEqual(document["model"]["architecture"], "llama")
        self.assertEqual(document["workload"]["seed"], 5)
        baseline = document["baseline"]
        for key in ("prefill_tokens_per_s", "decode_tokens_per_s", "load_ms"):
            self.assertGreater(baseline[key], 0, key)
        # The weights are 19 MB, and the program comes on top.
        self.assertGreater(baseline["peak_resident_bytes"], 19e6)
        self.assertEqual([state["id"] for state in baseline["rows"]], IDS)
        self.assertEqual([row["id"] for row in document["rows"]], ["use_cache", "top_k"])
        for row in document["rows"]:
            self.check_row(row)
            self.assertEqual(row["mode"], "leave_one_out")
            self.assertEqual((row["arm_on"], row["arm_off"]), ("True", "False"))

    def check_row(self, row):
        self.assertIn(row["verdict"], VERDICTS)
        self.assertNotEqual(row["verdict"], "failed", row["reason"])
        self.assertTrue(row["reason"])
        spans = True
        for key in METRICS:
            ratio = row[key]
            if ratio["low"] is None:
                self.assertIsNone(ratio["high"])
                continue
            self.assertLessEqual(ratio["low"], ratio["median"])
            self.assertLessEqual(ratio["median"], ratio["high"])
            spans = spans and ratio["low"] <= 1 <= ratio["high"]
        if row["verdict"] == "no_effect":
            self.assertTrue(spans, row)
        self.assertGreater(row["peak_memory_ratio"], 0)
        self.assertGreaterEqual(row["kl_divergence"], 0)
        self.assertLessEqual(row["greedy_agreement"], 1)

    def test_rows_that_change_no_logit_are_identical(self):
        document = self.measure("--rows", "use_fast,low_cpu_mem_usage", "--format", "json").json()
        for row in document["rows"]:
            off = row["accuracy_off"]
            for key in ("max_abs_logit_difference", "kl_divergence", "greedy_agreement"):
                self.assertEqual(row[key], off[key], row["id"])

    def test_one_alone_is_against_the_plain_arm(self):
        rows = self.measure("--rows", "use_fast", "--mode", "one_alone", "--format",
                            "json").json()["rows"]
        self.assertEqual([row["mode"] for row in rows], ["one_alone"])
        # Plain is the fp32 eager arm itself.
        self.assertEqual(rows[0]["kl_divergence"], 0)
        self.assertEqual(rows[0]["max_abs_logit_difference"], 0)

    def test_what_was_measured_is_kept(self):
        first = self.measure("--rows", "use_fast", "--format", "json").json()
        (path,) = self.stored()
        self.assertEqual(json.loads(path.read_text("utf-8"))["rows"], first["rows"])
        path.write_text("{ no json")
        second = self.measure("--rows", "top_k", "--format", "json").json()
        self.assertEqual(json.loads(path.read_text("utf-8"))["rows"], second["rows"])
        self.measure("--rows", "use_fast")
        self.assertEqual([row["id"] for row in json.loads(path.read_text("utf-8"))["rows"]],
                         ["use_fast", "top_k"])

    def test_the_audit_tells_what_was_measured_last(self):
        script = self.temp / "script.py"
        script.write_text("import torch\n")

        def gains(*args):
            document = self.succeed("audit", script, "--format", "json", *args,
                                    env=self.cache).json()
            return {row["id"]: row["gain"]["measured"] for row in document["findings"]}
        self.assertEqual(set(gains().values()), {None})
        self.measure("--rows", "use_fast")
        measured = gains()
        self.assertIn("fathom-tales", measured[2])
        self.assertIn("fathom ", measured[2])
        self.assertEqual({text for number, text in measured.items() if number != 2}, {None})
        # Of a machine that is only described nothing was measured.
        self.assertEqual(set(gains("--machine", "cuda").values()), {None})

    def test_renderings(self):
        text = self.measure("--rows", "use_fast", "--lang", "zh").out.decode("utf-8")
        self.assertIn("优化项", text)
        self.assertNotIn("\x1b", text)
        text = self.measure("--rows", "use_fast", "--format", "markdown", "--lang",
                            "en").out.decode("utf-8")
        table = [line for line in text.splitlines() if line.startswith("|")]
        self.assertEqual(len(table), 3)
        self.assertEqual(len({line.count("|") for line in table}), 1, table)

    def test_bad_usage(self):
        self.refuse(2, "measure", "--rows", "use_cash", parts=["use_cash", "use_cache"])
        self.refuse(2, "measure", "--mode", "all", parts=["--mode"])
        self.refuse(2, "measure", "--lang", "fr", parts=["fr"])
        self.refuse(3, "measure", self.temp, parts=["config.json"])
        self.refuse(2, "measure-peak", harness.DEMO, "--options", "{", parts=["--options"])
        self.refuse(2, "measure-peak", harness.DEMO, "--options", '{"dtypo":"x"}')

    def test_help_names_measure_and_not_its_helper(self):
        text = self.succeed("--help").out.decode()
        self.assertIn("measure ", text)
        self.assertNotIn("measure-peak", text)

    def test_another_stack_that_is_missing_says_how_to_get_it(self):
        python = self.temp / "python"
        python.write_text("#!/bin/sh\necho '{\"missing\": \"torch\"}'\n")
        python.chmod(0o755)
        arguments = ["measure", "--quick", "--seconds", "3", "--rows", "use_fast", "--stack",
                     "transformers", "--python"]
        outcome = harness.run(*arguments, python, env=self.cache)
        self.assertEqual(outcome.rc, 1)
        error = outcome.err.decode()
        self.assertEqual(error.count("\n"), 1, error)
        for part in ("no module torch", "pip install torch transformers", "--python"):
            self.assertIn(part, error)
        self.assertIn(b"use_fast", outcome.out)  # ours is not lost
        outcome = harness.run(*arguments, "/no/such/python", env=self.cache)
        self.assertEqual(outcome.rc, 1)
        self.assertIn("/no/such/python", outcome.err.decode())

    def test_interrupted_prints_what_there_is(self):
        child = subprocess.Popen([harness.fathom, "measure", "--format", "json"],
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                 env=harness.environment(self.cache))
        time.sleep(3)
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=harness.TIME_LIMIT_S)
        self.assertEqual(child.returncode, 130, err)
        document = json.loads(out)
        self.assertIs(document["interrupted"], True)
        self.assertLess(len(document["rows"]), 2 * len(IDS))
        self.assertEqual(err, b"")


class ScriptTest(unittest.TestCase):
    """tools/measure_transformers.py knows every row, where Python lacks torch too."""

    def test_every_row_has_arms(self):
        sys.path.insert(0, str(ROOT / "tools"))
        import measure_transformers
        self.assertEqual(measure_transformers.arms_of("weight_cache"), ([], None))
        for row in IDS[:13]:
            on, off = measure_transformers.arms_of(row)
            self.assertTrue(on, row)
            self.assertNotIn(off.value, [arm.value for arm in on])

    def test_missing_modules_are_named(self):
        done = subprocess.run([sys.executable, "-S", "-I", ROOT / "tools/measure_transformers.py",
                               "{}"], capture_output=True, text=True,
                              env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"})
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout)["missing"], "torch")


if __name__ == "__main__":
    harness.main()
