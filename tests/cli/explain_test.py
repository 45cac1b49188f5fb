#!/usr/bin/env python3
"""`fathom explain`: its JSON, its renderings in both languages, described machines, and how rows
are switched on every command that loads a model.

Usage: explain_test.py FATHOM [unittest's arguments].
"""
import json
import re
import unicodedata
from html.parser import HTMLParser

import harness
from harness import DEMO, GOLDENS, CliTest

MINIMAL = GOLDENS / "models/llama-minimal"
IDS = ["low_cpu_mem_usage", "use_fast", "inference_mode", "float32_matmul_precision", "use_cache",
       "output_attentions", "output_hidden_states", "top_k", "cudnn_benchmark", "compile", "dtype",
       "device_map", "attn_implementation",
       "weight_cache"]
ROW_KEYS = ["number", "id", "name", "devices", "state", "value", "reason", "evidence", "remedy",
            "estimate", "measured"]
VOID = {"meta", "br"}


def width(text):
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


class Page(HTMLParser):
    """Notes unbalanced tags and whatever would load something."""

    def __init__(self):
        super().__init__()
        self.stack, self.wrong, self.text = [], [], ""

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.stack.append(tag)
        if tag in ("script", "link", "img", "iframe") or any(
                name in ("src", "href") and not value.startswith("#") for name, value in attrs):
            self.wrong.append((tag, attrs))

    def handle_endtag(self, tag):
        if not self.stack or self.stack.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data):
        self.text += data


class Explain(CliTest):
    def explain(self, *args, **kwargs):
        outcome = self.succeed("explain", DEMO, "--format", "json", *args, **kwargs)
        self.assertEqual(outcome.out.count(b"\n"), 1)
        return outcome.json()

    def row(self, id, *args):
        return self.explain(*args)["optimizations"][IDS.index(id)]

    def test_json(self):
        told = self.explain()
        self.assertEqual(list(told), ["machine", "model", "optimizations"])
        self.assertEqual([row["id"] for row in told["optimizations"]], IDS)
        for number, row in enumerate(told["optimizations"], 1):
            self.assertEqual(list(row), ROW_KEYS)
            self.assertEqual(row["number"], number)
            self.assertEqual(list(row["devices"]), ["cpu", "mps", "cuda"])
            for status in row["devices"].values():
                self.assertEqual(list(status), ["state", "reason"])
                self.assertIn(status["state"], ("available", "no_effect", "unavailable"))
                self.assertTrue(status["reason"])
            self.assertIn(row["state"], ("on", "off", "unavailable", "no_effect"))
            self.assertTrue(row["reason"] and row["value"])
            self.assertEqual(list(row["estimate"]),
                             ["bytes_saved", "flops_saved", "launches_saved"])
            self.assertIsNone(row["measured"])  # the cache of these tests is empty
        machine = self.succeed("machine", "--no-probe", "--format", "json").json()
        self.assertEqual(told["machine"]["cpu"], machine["cpu"])
        self.assertEqual(told["model"]["dtype"], "bfloat16")
        # The same in every locale, unless a language is asked for.
        chinese = self.explain(env={"LC_ALL": "zh_CN.UTF-8"})
        self.assertEqual(chinese["optimizations"][4]["name"], "KV cache")
        self.assertEqual(self.explain("--lang", "zh")["optimizations"][4]["name"], "KV 缓存")

    def test_text(self):
        text = self.succeed("explain").out.decode()  # the demo model
        for id in IDS:
            self.assertRegex(text, rf"(?m)^ +\d+  {id} ")
        self.assertIn("fathom-tales", text.split("\n")[0])
        self.assertNotIn("\x1b", text)
        last = text.rstrip("\n").split("\n")[-1]
        self.assertRegex(last, r"^ Next: `fathom measure` measures the \d+ rows still marked \"-\"")
        named = self.succeed("explain", DEMO).out.decode()
        self.assertIn(f"`fathom measure {DEMO}`", named.replace("\n ", ""))
        for line in text.split("\n"):
            self.assertLessEqual(width(line), 120)
        self.assertIn("cpu.cores", self.succeed("machine", "--no-probe", "--evidence").out.decode())
        self.assertIn("how it is known", self.succeed("explain", "--evidence").out.decode())

    def test_languages(self):
        for args, env in ((["--lang", "zh"], {}), ([], {"LANG": "zh_CN.UTF-8"}),
                          ([], {"LC_ALL": "zh_TW.UTF-8", "LANG": "en_US.UTF-8"})):
            text = self.succeed("explain", DEMO, *args, env=env).out.decode()
            self.assertIn("优化项", text)
            self.assertIn("下一步", text)
            for line in text.split("\n"):
                self.assertLessEqual(width(line), 120, line)
        text = self.succeed("explain", DEMO, env={"LC_ALL": "C", "LANG": "zh_CN.UTF-8"}).out
        self.assertIn(b"optimization", text)
        self.refuse(2, "explain", DEMO, "--lang", "fr")

    def test_markdown_and_html(self):
        for language, title in (("en", "Optimizations"), ("zh", "优化项")):
            text = self.succeed("explain", DEMO, "--format", "markdown", "--lang",
                                language).out.decode()
            self.assertIn(f"## {title}\n", text)
            rows = [line for line in text.split("\n") if re.match(r"\| \d+ \|", line)]
            self.assertEqual(len(rows), len(IDS))
            for line in rows:
                self.assertEqual(len(re.findall(r"(?<!\\)\|", line)), 6, line)
            page = Page()
            html = self.succeed("explain", DEMO, "--format", "html", "--lang",
                                language).out.decode()
            page.feed(html)
            self.assertEqual((page.wrong, page.stack), ([], []))
            self.assertIn(title, page.text)
            for part in ("prefers-color-scheme: dark", "@media print", "viewport", *IDS):
                self.assertIn(part, html)
            self.assertNotIn("http", html)

    def test_rows_follow_their_switches(self):
        for id in IDS:
            row = self.row(id, "--disable", id)
            if row["devices"]["cpu"]["state"] == "unavailable":
                self.assertEqual(row["state"], "unavailable")
                continue
            self.assertEqual(row["state"], "off", id)
            self.assertIn(f"--disable {id}", row["reason"])
        self.assertEqual(self.row("dtype")["value"], "bfloat16")
        self.assertEqual(self.row("dtype", "--dtype", "float32")["state"], "off")
        self.assertEqual(self.row("dtype", "--dtype", "float16")["value"], "float16")
        self.assertEqual(self.row("attn_implementation", "--attn-implementation", "eager")["state"],
                         "off")
        placed = self.row("device_map", "--max-memory", "cpu=4MiB")
        self.assertEqual(placed["state"], "on")
        self.assertIn("disk", placed["reason"])
        self.assertEqual(self.row("device_map")["state"], "no_effect")

    def test_a_described_machine(self):
        machine = self.succeed("machine", "--no-probe", "--format", "json").json()
        machine["cpu"]["isa"] = ["sse2", "avx", "avx2", "fma", "f16c", "bmi1", "bmi2", "avx512f",
                                 "avx512cd", "avx512bw", "avx512dq", "avx512vl", "avx512_bf16"]
        machine["gpus"] = [{"kind": "cuda", "name": "NVIDIA Test"}]
        file = self.temp / "machine.json"
        states = {}
        for step in ("all", "no bf16", "no gpu"):
            if step == "no bf16":
                machine["cpu"]["isa"].remove("avx512_bf16")
            if step == "no gpu":
                machine["gpus"] = []
            file.write_text(json.dumps(machine))
            states[step] = self.row("float32_matmul_precision", "--machine", file, "--dtype",
                                    "float32", "--float32-matmul-precision", "medium")
        self.assertEqual(states["all"]["state"], "on")
        self.assertEqual(states["no bf16"]["state"], "unavailable")
        self.assertIn("avx512_bf16", states["no bf16"]["reason"])
        self.assertTrue(states["no bf16"]["remedy"])
        self.assertIn("NVIDIA Test", states["no bf16"]["devices"]["cuda"]["reason"])
        self.assertNotIn("NVIDIA Test", states["no gpu"]["devices"]["cuda"]["reason"])
        for preset, device in (("mac-mps", "mps"), ("cuda", "cuda")):
            row = self.row("use_cache", "--machine", preset)
            self.assertEqual(row["devices"][device]["state"], "unavailable")
            self.assertRegex(row["devices"][device]["reason"], r"is there, but this build has no")
            self.assertIn(device, row["remedy"])
        self.refuse(3, "explain", DEMO, "--machine", self.temp / "none.json", parts=["none.json"])
        file.write_text("{}")
        self.refuse(3, "explain", DEMO, "--machine", file, parts=["cpu.isa"])

    def test_errors(self):
        gone = self.temp / "gone"
        self.refuse(3, "explain", gone, parts=["gone"])
        self.refuse(2, "explain", DEMO, "--disable", "no_such_row", parts=["no_such_row"])
        self.refuse(2, "explain", DEMO, "--format", "pdf")
        self.refuse(1, "explain", DEMO, "--require", "device_map",
                    parts=["device_map", "no_effect", "one device"])


class Switches(CliTest):
    """--require and contradictions on the commands that load a model."""

    def commands(self):
        yield ["run", MINIMAL, "--ids", "1,2", "--max-new-tokens", "1"]
        yield ["inspect", "logits", MINIMAL, "--ids", "1,2", "--out", self.temp / "l.npy"]
        yield ["explain", MINIMAL]

    def test_require(self):
        for command in self.commands():
            with self.subTest(command=command[:2]):
                self.succeed(*command, "--require", "use_cache", "--require", "compile")
                self.refuse(1, *command, "--disable", "compile", "--require", "compile",
                            parts=["compile", "off", "--disable compile"])
                self.refuse(1, *command, "--require", "device_map",
                            parts=["device_map", "no_effect", "one device"])
                self.refuse(1, *command, "--require", "float32_matmul_precision", "--isa",
                            "baseline", parts=["unavailable", "avx512_bf16"])

    def test_contradictions(self):
        for command in self.commands():
            for options in (["--disable", "dtype", "--dtype", "bfloat16"],
                            ["--enable", "dtype", "--dtype", "float32"],
                            ["--disable", "attn_implementation", "--attn-implementation", "sdpa"],
                            ["--enable", "attn_implementation", "--attn-implementation", "eager"],
                            ["--disable", "output_attentions", "--attn-implementation",
                             "flash_attention_2"],
                            ["--disable", "float32_matmul_precision",
                             "--float32-matmul-precision", "high"],
                            ["--disable", "device_map", "--device-map", "auto"],
                            ["--disable", "device_map", "--max-memory", "cpu=1MiB"]):
                with self.subTest(command=command[:2], options=options):
                    self.refuse(2, *command, *options, parts=["contradicts", options[1]])

    def test_values(self):
        for command in self.commands():
            for options in (["--dtype", "float8"], ["--device-map", "everywhere"],
                            ["--max-memory", "cpu=lots"], ["--attn-implementation", "x"],
                            ["--float32-matmul-precision", "low"]):
                with self.subTest(command=command[:2], options=options):
                    self.refuse(2, *command, *options)


if __name__ == "__main__":
    harness.main()
