#!/usr/bin/env python3
"""`fathom report`: one document of machine, audit, explain and measure, in four renderings.

Usage: report_test.py FATHOM [unittest's arguments].
"""
import re
import xml.etree.ElementTree as ElementTree

import harness
from explain_test import IDS, Page
from harness import DEMO, ROOT, CliTest

SCRIPT = ROOT / "tests/audit/scripts/seed_chat.py"
VERSIONS = ["--torch-version", "2.15", "--transformers-version", "5.23"]


class Report(CliTest):
    def report(self, *args):
        return self.succeed("report", SCRIPT, "--model", DEMO, "--no-probe", *VERSIONS, *args)

    def test_json_holds_what_the_commands_say(self):
        document = self.report("--no-measure", "--format", "json").json()
        self.assertEqual(list(document), ["machine", "audit", "explain", "measure", "sources"])
        audit = self.succeed("audit", SCRIPT, *VERSIONS, "--lang", "en", "--format", "json").json()
        self.assertEqual(document["audit"], audit)
        self.assertEqual([row["id"] for row in document["explain"]["optimizations"]], IDS)
        self.assertIsNone(document["measure"])

    def test_counts_add_up_to_the_thirteen(self):
        for language, total in (("en", "Total"), ("zh", "总计")):
            text = self.report("--no-measure", "--format", "markdown", "--lang", language).out
            line = next(line for line in text.decode().split("\n") if line.startswith(f"| {total}"))
            numbers = [int(n) for n in re.findall(r"\[(\d+)\]", line)]
            self.assertEqual(numbers[0], 13)
            self.assertEqual(numbers[0], sum(numbers[1:]))
            self.assertEqual(numbers[1], 9)

    def test_page_is_one_file_and_its_links_lead_somewhere(self):
        for language in ("en", "zh"):
            html = self.report("--no-measure", "--format", "html", "--lang", language).out.decode()
            page = Page()
            page.feed(html)
            self.assertEqual(page.wrong, [])
            self.assertEqual(page.stack, [])
            anchors = set(re.findall(r' id="([^"]+)"', html))
            links = set(re.findall(r'href="#([^"]+)"', html))
            self.assertTrue(links)
            self.assertLessEqual(links, anchors)

    def test_measures_where_nothing_was_measured(self):
        html = self.report("--format", "html", "--lang", "en", "--seconds", "5").out.decode()
        charts = re.findall(r"<svg.*?</svg>", html, re.S)
        self.assertGreaterEqual(len(charts), 3)  # decode, prefill, memory
        for chart in charts:
            ElementTree.fromstring(chart)
        self.assertIn("#how-measure", html)

    def test_refusals(self):
        self.refuse(1, "report", ROOT / "absent.py", "--model", DEMO)
        self.refuse(3, "report", SCRIPT, "--model", ROOT / "absent", "--no-measure")
        self.refuse(2, "report", SCRIPT, "--format", "sarif")
        self.refuse(2, "report")


if __name__ == "__main__":
    harness.main()
