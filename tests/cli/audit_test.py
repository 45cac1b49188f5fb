#!/usr/bin/env python3
"""`fathom audit` through the command line: findings line for line against expectations written by
hand (tests/audit/expected.json), versions, machines, languages, ignore comments, exit codes and
files that are no scripts.

Usage: audit_test.py FATHOM [unittest's arguments].
"""
import ast
import json
import re
import shutil
import time

import harness
from harness import ROOT, SANITIZED, CliTest, run

SCRIPTS = ROOT / "tests/audit/scripts"
EXPECTED = json.loads((ROOT / "tests/audit/expected.json").read_text())
VERSIONS = ("--torch-version", "2.15", "--transformers-version", "5.23")
STATES = {"used", "disabled", "not_used", "unknown"}


# What the schema of SARIF 2.1.0 says of the objects that are written: property -> type, or the name
# of the object (in a list: an array of it). "!" marks what must be there.
SARIF = {
    "log": {"$schema": "uri", "version!": "2.1.0", "runs!": ["run"]},
    "run": {"tool!": "tool", "results": ["result"]},
    "tool": {"driver!": "component"},
    "component": {"name!": "text", "version": "text", "rules": ["rule"]},
    "rule": {"id!": "text", "name": "text", "shortDescription": "message", "helpUri": "uri"},
    "message": {"text": "text"},
    "result": {"ruleId": "text", "ruleIndex": "index", "level": "level", "message!": "message",
               "locations": ["location"]},
    "location": {"physicalLocation": "place"},
    "place": {"artifactLocation": "artifact", "region": "region"},
    "artifact": {"uri": "reference"},
    "region": {"startLine": "line", "endLine": "line"},
}
SARIF_VALUES = {
    "text": lambda v: isinstance(v, str) and v != "",
    "uri": lambda v: re.fullmatch(r"https://[!-~]+", v),
    "reference": lambda v: re.fullmatch(r"([A-Za-z0-9._~/:-]|%[0-9A-F]{2})+", v),
    "2.1.0": lambda v: v == "2.1.0",
    "index": lambda v: type(v) is int and v >= 0,
    "line": lambda v: type(v) is int and v >= 1,
    "level": lambda v: v in ("none", "note", "warning", "error"),
}


def check_sarif(value, kind):
    if isinstance(kind, list):
        assert isinstance(value, list), (kind, value)
        for element in value:
            check_sarif(element, kind[0])
    elif kind in SARIF_VALUES:
        assert SARIF_VALUES[kind](value), (kind, value)
    else:
        known = {name.rstrip("!"): of for name, of in SARIF[kind].items()}
        required = {name[:-1] for name in SARIF[kind] if name.endswith("!")}
        assert required <= set(value) <= set(known), (kind, set(value))
        for name, element in value.items():
            check_sarif(element, known[name])
        if kind == "region":
            assert value["endLine"] >= value["startLine"], value


class AuditTest(CliTest):
    def audit(self, script, *args, versions=VERSIONS):
        return self.succeed("audit", script, "--format", "json", "--lang", "en", *versions,
                            *args).json()

    def script(self, text, name="script.py"):
        path = self.temp / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def states(self, text, *args):
        found = self.audit(self.script(text), *args)
        return {f["id"]: f["state"] for f in found["findings"] if f["state"] != "not_used"}

    def row(self, text, number, *args, **kwargs):
        return self.audit(self.script(text), *args, **kwargs)["findings"][number - 1]

    def test_expectations_line_for_line(self):
        for name, expected in EXPECTED.items():
            found = self.audit(SCRIPTS / name)
            self.assertIsNone(found["error"], name)
            self.assertEqual([f["id"] for f in found["findings"]], list(range(1, 14)))
            for finding in found["findings"]:
                want = expected.get(str(finding["id"]), ["not_used", []])
                state, lines, guards, value = (want + [None, None])[:4]
                with self.subTest(script=name, row=finding["row"]):
                    self.assertEqual(finding["state"], state)
                    self.assertEqual(finding["lines"], lines)
                    self.assertEqual(finding["guarded"], guards is not None)
                    self.assertEqual(finding["guard_lines"], guards or [])
                    if value is not None:
                        self.assertEqual(finding["value"], value)

    def test_seed_counts(self):
        found = self.audit(SCRIPTS / "seed_chat.py")
        counts = found["counts"]
        self.assertEqual((counts["used"], counts["not_used"], counts["guarded"]), (9, 4, 2))

    def test_counts_add_up(self):
        for name in EXPECTED:
            for machine in ("mac-mps", "cuda"):
                counts = self.audit(SCRIPTS / name, "--machine", machine)["counts"]
                self.assertEqual(counts["total"], 13)
                self.assertEqual(sum(counts[s] for s in STATES), 13)
                reach = ("all_devices", "two_devices", "one_device", "no_device")
                here = ("here_available", "here_no_effect", "here_unavailable")
                for group in (reach, here):
                    self.assertEqual(sum(counts[g] for g in group), 13)
                    for g in group:
                        parts = [counts[f"{g}_{p}"] for p in ("used", "not_used", "unknown")]
                        self.assertEqual(sum(parts), counts[g])

    def test_chinese_report_has_its_sections(self):
        text = self.succeed("audit", SCRIPTS / "seed_chat.py", "--lang", "zh", "--machine",
                            "mac-mps", *VERSIONS).out.decode()
        for title in ("所有设备都可用", "仅一类设备可用", "可用但未使用", "统计", "当前环境",
                      "建议", "结论", "第 245-247 行", "第 138-139 行"):
            self.assertIn(title, text)
        table = re.findall(r"^ \S+\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+)$", text, re.M)
        numbers = [[int(n) for n in line] for line in table]
        self.assertEqual(len(numbers), 5)
        self.assertEqual([sum(c) for c in zip(*numbers[:-1])], numbers[-1])
        self.assertEqual(numbers[-1], [13, 9, 4, 0])
        heading = {k: int(n) for k, n in re.findall(r"^(\S+)（(\d+) 项）$", text, re.M)}
        self.assertEqual(heading["所有设备都可用"], numbers[0][0])
        # The page and the Markdown say the same.
        for form in ("markdown", "html"):
            other = self.succeed("audit", SCRIPTS / "seed_chat.py", "--lang", "zh", "--machine",
                                 "mac-mps", "--format", form, *VERSIONS).out.decode()
            for title in ("所有设备都可用", "仅一类设备可用", "统计", "建议", "结论"):
                self.assertIn(title, other)
            self.assertNotRegex(other, r"(src|href)=")

    def test_language_follows_the_locale(self):
        out = self.succeed("audit", SCRIPTS / "lookalikes.py", env={"LANG": "zh_CN.UTF-8"}).out
        self.assertIn("结论", out.decode())

    def test_versions_decide(self):
        def devices(number, text, torch, transformers):
            versions = ("--torch-version", torch, "--transformers-version", transformers)
            row = self.row(text, number, versions=versions)
            return [row["devices"][d]["state"] for d in ("cpu", "mps", "cuda")]
        compile_it = "import torch\nmodel = torch.compile(model)\n"
        self.assertEqual(devices(10, compile_it, "2.9", "5.23"),
                         ["available", "unavailable", "available"])
        self.assertEqual(devices(10, compile_it, "2.10", "5.23"), ["available"] * 3)
        self.assertEqual(devices(10, compile_it, "1.13", "4.40"), ["unavailable"] * 3)
        fast = 'tok = AutoTokenizer.from_pretrained("x", use_fast=True)\n'
        self.assertEqual(devices(2, fast, "2.15", "4.50"), ["available"] * 3)
        self.assertEqual(devices(2, fast, "2.15", "5.0"), ["no_effect"] * 3)
        better = "model = model.to_bettertransformer()\n"
        self.assertEqual(devices(13, better, "2.15", "5.23"), ["unavailable"] * 3)
        bits = 'm = AutoModelForCausalLM.from_pretrained("x", load_in_8bit=True)\n'
        self.assertEqual(devices(11, bits, "2.15", "5.23"), ["unavailable"] * 3)
        static = 'model.generate(x, cache_implementation="static")\n'
        self.assertEqual(devices(10, static, "2.15", "5.23"),
                         ["no_effect", "no_effect", "available"])

    def test_versions_are_told(self):
        found = self.audit(SCRIPTS / "lookalikes.py")
        self.assertEqual(found["versions"]["torch"], {"version": "2.15", "source": "given"})
        empty = self.audit(SCRIPTS / "lookalikes.py", versions=())
        self.assertIn(empty["versions"]["torch"]["source"], ("environment", "default"))
        bare = self.succeed("audit", SCRIPTS / "lookalikes.py", "--format", "json",
                            env={"PATH": "/nonexistent"}).json()
        self.assertEqual(bare["versions"]["transformers"], {"version": "5.23", "source": "default"})
        (self.temp / "bin").mkdir()
        (self.temp / "bin/python3").write_text("")
        (self.temp / "lib/python3.11/site-packages/torch-2.7.1+cpu.dist-info").mkdir(parents=True)
        there = self.succeed("audit", SCRIPTS / "lookalikes.py", "--format", "json",
                             env={"PATH": str(self.temp / "bin")}).json()
        self.assertEqual(there["versions"]["torch"]["version"], "2.7.1+cpu")
        self.assertEqual(there["versions"]["torch"]["source"], "environment")
        self.refuse(2, "audit", SCRIPTS / "lookalikes.py", "--torch-version", "new",
                    parts=("--torch-version",))

    def test_machines(self):
        text = "import torch\ntorch.set_float32_matmul_precision('medium')\n"
        mac = self.row(text, 4, "--machine", "mac-mps")
        self.assertEqual(mac["here"]["state"], "no_effect")
        self.assertEqual(mac["here"]["device"], "mps")
        self.assertEqual(self.row(text, 4, "--machine", "cuda")["here"]["state"], "available")
        # A CPU described with and without what oneDNN's path needs.
        for isa, state in ((["avx2", "fma"], "no_effect"),
                           (["avx2", "avx512f", "avx512bw", "avx512vl", "avx512dq"], "available")):
            machine = self.script(json.dumps({"cpu": {"model": "C", "cores": 2, "isa": isa}}),
                                  "machine.json")
            self.assertEqual(self.row(text, 4, "--machine", machine)["here"]["state"], state)
        half = text + 'm = AutoModelForCausalLM.from_pretrained("x", dtype=torch.bfloat16)\n'
        self.assertEqual(self.row(half, 4, "--machine", "cuda")["here"]["state"], "no_effect")
        self.refuse(3, "audit", SCRIPTS / "lookalikes.py", "--machine", "/no/such.json")

    def test_unknown_values_are_named(self):
        row = self.row("import cfg\nmodel.generate(x, use_cache=cfg.decide(x))\n", 5)
        self.assertEqual((row["state"], row["lines"]), ("unknown", [[2, 2]]))
        self.assertIn("cfg.decide(x)", row["reason"])

    def test_options_count_at_their_default(self):
        text = ("import argparse\np = argparse.ArgumentParser()\n"
                "p.add_argument('--cache', action='store_true')\nargs = p.parse_args()\n"
                "model.generate(x, use_cache=args.cache)\n")
        row = self.row(text, 5)
        self.assertEqual((row["state"], row["option"]), ("disabled", "args.cache"))

    def test_dtype_of_engines_around_a_model(self):
        for text in ("import deepspeed\nm = deepspeed.init_inference(m, dtype=torch.half)\n",
                     "import intel_extension_for_pytorch as ipex\n"
                     "m = ipex.optimize(m, dtype=torch.bfloat16)\n"):
            row = self.row("import torch\n" + text, 11)
            self.assertEqual((row["state"], row["lines"]), ("used", [[3, 3]]))

    def test_ignore_comments(self):
        text = "import torch\nmodel = torch.compile(model){}\n"
        plain = self.script(text.format(""))
        spared = self.script(text.format("  # fathom: ignore[FTH010]"), "spared.py")
        args = ("--torch-version", "2.9", "--transformers-version", "5.23", "--machine",
                "mac-mps", "--fail-on", "inert")
        self.assertEqual(run("audit", plain, *args).rc, 1)
        self.assertEqual(run("audit", spared, *args).rc, 0)
        other = self.script(text.format("  # fathom: ignore[FTH011]"), "other.py")
        self.assertEqual(run("audit", other, *args).rc, 1)
        self.assertTrue(self.row(text.format("  # fathom: ignore"), 10)["ignored"])

    def test_fail_on(self):
        bare = self.script("print(1)\n")
        self.assertEqual(run("audit", bare).rc, 0)
        self.assertEqual(run("audit", bare, "--fail-on", "unused", *VERSIONS).rc, 1)
        flash = self.script('AutoModel.from_pretrained("x", '
                            'attn_implementation="flash_attention_2")\n', "flash.py")
        self.assertEqual(run("audit", flash, "--fail-on", "unguarded", *VERSIONS).rc, 1)
        self.assertEqual(run("audit", bare, "--fail-on", "unguarded", *VERSIONS).rc, 0)
        self.assertEqual(run("audit", bare, "--fail-on", "sometimes").rc, 2)

    def test_several_and_folders(self):
        shutil.copytree(SCRIPTS, self.temp / "scripts")
        found = self.audit(self.temp / "scripts")["scripts"]
        self.assertEqual(len(found), len(EXPECTED))
        two = self.audit(SCRIPTS / "seed_chat.py", SCRIPTS / "nano_sample.py")["scripts"]
        self.assertEqual([len(s["findings"]) for s in two], [13, 13])
        missing = run("audit", SCRIPTS / "seed_chat.py", self.temp / "none.py", "--format", "json")
        self.assertEqual(missing.rc, 1)
        self.assertEqual(len(missing.json()["scripts"]), 2)
        (self.temp / "empty").mkdir()
        self.refuse(1, "audit", self.temp / "empty")

    def test_sarif(self):
        log = self.succeed("audit", SCRIPTS / "seed_chat.py", "--format", "sarif", *VERSIONS,
                           "--machine", "mac-mps").json()
        self.assertEqual(log["version"], "2.1.0")
        run_ = log["runs"][0]
        rules = [rule["id"] for rule in run_["tool"]["driver"]["rules"]]
        self.assertEqual(rules, [f"FTH{n:03}" for n in range(1, 14)])
        for result in run_["results"]:
            self.assertEqual(rules[result["ruleIndex"]], result["ruleId"])
            place = result["locations"][0]["physicalLocation"]
            if region := place.get("region"):
                self.assertGreaterEqual(region["endLine"], region["startLine"])
        inert = {r["ruleId"] for r in run_["results"]}
        self.assertIn("FTH001", inert)

    def test_sarif_holds_to_its_schema(self):
        shutil.copytree(SCRIPTS, self.temp / "a b")
        (self.temp / "a b" / "wrong.py").write_text("def f(:\n")
        for args in (("--lang", "zh"), ("--machine", "mac-mps"), ()):
            log = self.succeed("audit", self.temp / "a b", "--format", "sarif", *VERSIONS,
                               *args).json()
            check_sarif(log, "log")
            levels = {r["level"] for r in log["runs"][0]["results"]}
            self.assertLessEqual({"note", "error"}, levels)

    def test_fix_changes_what_is_certain_and_nothing_else(self):
        for name in EXPECTED:
            if not name.endswith(".py"):
                continue
            before = (SCRIPTS / name).read_bytes()
            path = self.script(before, name)
            patch = self.succeed("audit", path, "--diff", *VERSIONS).out
            self.assertEqual(path.read_bytes(), before)
            self.succeed("audit", path, "--fix", *VERSIONS)
            after = path.read_bytes()
            self.assertEqual(patch == b"", after == before, name)
            ast.parse(after)
            gone = [line for line in patch.split(b"\n")[2:] if line.startswith(b"-")]
            for line in before.split(b"\n"):
                self.assertTrue(line in after.split(b"\n") or b"-" + line in gone, (name, line))
            found = {f["id"]: f for f in self.audit(path)["findings"]}
            for number in (1, 2):
                self.assertNotEqual(found[number]["state"], "used", name)
            self.assertEqual(self.succeed("audit", path, "--diff", *VERSIONS).out, b"", name)

    def test_fix_deletes_a_statement_that_is_alone(self):
        def fixed(text):
            path = self.script(text)
            self.succeed("audit", path, "--fix", *VERSIONS)
            return path.read_text()
        head = "import torch\n"
        write = "torch.backends.cudnn.benchmark = True\n"
        self.assertEqual(fixed(head + write), head)
        self.assertEqual(fixed(head + "if torch.cuda.is_available():\n    " + write), head)
        self.assertEqual(fixed(head + "def f():\n    " + write), head + "def f():\n    pass\n")
        self.assertEqual(fixed(head + "if prepare():\n    " + write),
                         head + "if prepare():\n    pass\n")
        for kept in ("if x:\n    # why\n    " + write, "x = " + write,
                     "torch.backends.cudnn.benchmark, x = True, 1\n",
                     "if (x := torch.cuda.is_available()):\n    print(x)\n"):
            self.assertEqual(fixed(head + kept), head + kept)

    def test_fix_guards_flash_attention(self):
        path = self.script('import torch as t\nm = AutoModel.from_pretrained("x", '
                           'attn_implementation="flash_attention_2", low_cpu_mem_usage=True)\n'
                           'm.generate(x, use_cache=False)\n')
        self.succeed("audit", path, "--fix", *VERSIONS)
        self.assertEqual(path.read_text(), 'import torch as t\nm = AutoModel.from_pretrained("x", '
                         'attn_implementation="flash_attention_2" if t.cuda.is_available() else '
                         '"sdpa")\nm.generate(x, use_cache=True)\n')

    def test_syntax_error(self):
        found = self.audit(self.script("import torch\nmodel = torch.compile(model)\ndef f(:\n"))
        self.assertTrue(found["error"].startswith("syntax error at line 3: "), found["error"])
        self.assertEqual({f["state"] for f in found["findings"]}, {"unknown"})
        self.assertEqual(found["tolerant_findings"][9]["state"], "used")
        self.assertEqual(found["counts"]["unknown"], 13)

    def test_notebook_cells(self):
        found = self.audit(SCRIPTS / "colab.ipynb")["findings"]
        self.assertEqual(found[11]["cell_lines"], [2, 4, 4])
        self.assertEqual(found[2]["cell_lines"], [3, 1, 1])
        # With the guard above, as the lines of the file have it.
        found = self.audit(SCRIPTS / "magics.ipynb")["findings"]
        self.assertEqual(found[8]["lines"], [[56, 57]])
        self.assertEqual(found[8]["cell_lines"], [4, 1, 2])

    def test_every_code_has_its_page(self):
        found = self.audit(SCRIPTS / "lookalikes.py")["findings"]
        for finding in found:
            page = (ROOT / "docs/audit" / (finding["code"] + ".md")).read_text()
            self.assertTrue(page.startswith("# " + finding["code"] + ": " + finding["name"]))

    def test_chinese_syntax_error(self):
        path = self.script("def f(:\n")
        for form in ("text", "markdown", "html", "sarif"):
            out = self.succeed("audit", path, "--lang", "zh", "--format", form).out.decode()
            self.assertIn("第 1 行有语法错误", out)


class HostileAuditTest(CliTest):
    def audit(self, data, code=0, name="script.py", seconds=1):
        path = self.temp / name
        path.write_bytes(data)
        start = time.monotonic()
        outcome = run("audit", path, "--format", "json")
        took = time.monotonic() - start
        self.assertEqual(outcome.rc, code, outcome.err[:500])
        if not SANITIZED:  # not a timing: what hangs is found
            self.assertLess(took, 20 * seconds)
        if code == 0:
            self.assertEqual(len(outcome.json()["findings"]), 13)
        else:
            self.assertEqual(outcome.out, b"")
            self.assertEqual(outcome.err.count(b"\n"), 1)
        return outcome

    def test_nothing(self):
        self.audit(b"")
        self.audit(b"\n\n")
        self.audit(b"\xef\xbb\xbfimport torch\r\n")
        self.audit(b"if x:\n\tpass\n")

    def test_not_python(self):
        self.audit(b"\x00\x01\x02" * 1000, code=1)
        self.audit(b"{\"cells\": 3}", code=1, name="a.ipynb")
        self.audit("x = 1\n".encode("utf-16"), code=1)
        self.audit(b"#include <stdio.h>\nint main() { return 0; }\n")

    def test_deep(self):
        deep = 100000
        for text in (b"x = " + b"(" * deep + b")" * deep, b"x = " + b"[" * deep,
                     b"x = " + b"-" * deep + b"1", b"x = a" + b".b" * deep, b"x = a" + b"()" * deep,
                     b"x = " + b"a if b else " * deep + b"c", b"x = " + b"not " * deep + b"y"):
            self.audit(text + b"\n", seconds=3)

    def test_long(self):
        lines = [b"import torch\n"]
        for i in range(10000):
            lines.append(b"d%d = {**d%d, 'use_cache': d%d}\n" % (i, max(i - 1, 0), max(i - 1, 0)))
        lines.append(b"model.generate(**d9999)\n")
        self.audit(b"".join(lines), seconds=3)
        calls = b"def f(a, use_cache=True):\n    return f(f, f(a))\n" + b"f(1)\n" * 5000
        self.audit(calls + b"model.generate(x, use_cache=f(2))\n" * 2000, seconds=3)
        nest = b"".join(b" " * i + b"if cuda%d:\n" % i for i in range(90))
        self.audit(nest + b" " * 90 + b"model.half()\n", seconds=3)
        kwargs = b"k = {}\n" + b"if cuda:\n    k['top_k'] = 5\n" * 3000 + b"model.generate(**k)\n"
        self.audit(kwargs * 2, seconds=3)
        elifs = b"".join(b"elif a == %d:\n    model.generate(x, top_k=%d)\n" % (i, i)
                         for i in range(5000))
        self.audit(b"if a < 0:\n    pass\n" + elifs, seconds=3)
        halves = b"".join(b"if cuda and x%d:\n    model = model.half()\n" % i for i in range(5000))
        self.audit(halves, seconds=3)

    def test_control_characters_stay_out_of_the_report(self):
        path = self.temp / "s.py"
        path.write_bytes(b"model.generate(x, top_k=f('\x1b[31m<script>'))\n")
        for form in ("text", "markdown", "html"):
            out = self.succeed("audit", path, "--format", form).out
            self.assertNotIn(b"\x1b", out)
            self.assertNotIn(b"<script>", out.replace(b"\\<script\\>", b"")
                             if form != "text" else b"")


if __name__ == "__main__":
    harness.main()
