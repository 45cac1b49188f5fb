#!/usr/bin/env python3
"""`run --output-attentions`, `--output-hidden-states`, `--device-map`, `--max-memory`: files that
Python reads, against transformers' own values; ids that do not change."""
import array
import zipfile

import harness
from harness import GOLDENS, CliTest, join_ids, read_json, read_npy

MODELS = GOLDENS / "models"
# As tests/engine/outputs_test.cc.
TOLERANCES = {"attentions": 3e-4, "hidden_states": 1e-4}


def read_npz(path):
    """name -> (shape, values); every member's CRC is checked by zipfile."""
    arrays = {}
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        for info in archive.infolist():
            assert info.compress_type == zipfile.ZIP_STORED and info.filename.endswith(".npy")
            data = archive.read(info)
            assert data[:8] == b"\x93NUMPY\x01\x00"
            length = int.from_bytes(data[8:10], "little")
            assert (10 + length) % 64 == 0
            header = eval(data[10:10 + length], {"__builtins__": {}})  # of our own program
            assert header["descr"] == "<f4" and header["fortran_order"] is False
            values = array.array("f")
            values.frombytes(data[10 + length:])
            arrays[info.filename[:-4]] = (header["shape"], values)
    return arrays


class Outputs(CliTest):
    def run_ids(self, model, ids, *more, new_tokens=3):
        return self.succeed("run", MODELS / model, "--ids", join_ids(ids), "--max-new-tokens",
                            new_tokens, "--ignore-eos", "--format", "json", "--dtype", "float32",
                            *more)

    def test_files_hold_what_generate_returns(self):
        for name in ("llama-default", "qwen2-odd", "qwen2-window-layer-types"):
            golden = read_json(GOLDENS / "outputs" / f"{name}.json")
            _, _, theirs = read_npy(GOLDENS / "outputs" / f"{name}.npy")
            for more in ([], ["--disable", "compile"], ["--backend", "reference"]):
                with self.subTest(model=name, more=more):
                    files = {kind: self.temp / f"{kind}.npz" for kind in TOLERANCES}
                    outcome = self.run_ids(
                        name, golden["ids"], "--output-attentions", files["attentions"],
                        "--output-hidden-states", files["hidden_states"], *more)
                    self.assertEqual(outcome.json()["ids"], golden["new_ids"])
                    self.assertIn(b"eager", outcome.err)
                    ours = {**read_npz(files["attentions"]), **read_npz(files["hidden_states"])}
                    self.assertEqual(list(ours), [a["name"] for a in golden["arrays"]])
                    at = 0
                    for entry in golden["arrays"]:
                        shape, values = ours[entry["name"]]
                        self.assertEqual(list(shape), entry["shape"], entry["name"])
                        part = theirs[at:at + len(values)]
                        at += len(values)
                        kind = entry["name"].split(".")[0]
                        largest = max(map(abs, part)) if kind == "hidden_states" else 1
                        worst = max(abs(a - b) for a, b in zip(values, part))
                        self.assertLessEqual(worst, TOLERANCES[kind] * max(largest, 1), entry)
                    self.assertEqual(at, len(theirs))

    def test_several_sequences_are_named(self):
        out = self.temp / "a.npz"
        self.run_ids("llama-default", [3, 4, 5], "--output-attentions", out, "--do-sample",
                     "--num-return-sequences", 2, new_tokens=2)
        arrays = read_npz(out)
        self.assertEqual(len(arrays), 2 * 2 * 2)
        self.assertEqual(arrays["sequence1.attentions.step0.layer0"][0], (4, 3, 3))
        self.assertEqual(arrays["sequence0.attentions.step0.layer1"][1],
                         arrays["sequence1.attentions.step0.layer1"][1])

    def test_refusals(self):
        out = self.temp / "a.npz"
        base = ["run", MODELS / "llama-default", "--ids", "3,4"]
        self.refuse(2, *base, "--output-attentions", out, "--attn-implementation",
                    "flash_attention_2", parts=["output-attentions", "eager"])
        self.refuse(2, *base, "--output-attentions", out, "--output-hidden-states", out,
                    parts=["--output-hidden-states"])
        self.refuse(1, *base, "--quiet", "--format", "json", "--output-hidden-states",
                    self.temp / "no/such.npz", parts=["no/such.npz"])
        self.refuse(2, *base, "--max-memory", "much", parts=["--max-memory"])
        self.refuse(2, *base, "--device-map", "somewhere", parts=["--device-map"])
        self.refuse(1, *base, "--device-map", "cuda:3", parts=["device 3"])

    def test_what_does_not_fit_runs_from_disk(self):
        ids = list(range(3, 40))
        usual = self.run_ids("llama-default", ids, new_tokens=8)
        for more in (["--max-memory", '{"cpu": "10KB"}'],
                     ["--device-map", "auto", "--max-memory", "cpu=10KB"],
                     ["--device-map", '{"": "cpu", "model.layers.1": "disk"}']):
            with self.subTest(more=more):
                outcome = self.run_ids("llama-default", ids, *more, new_tokens=8)
                self.assertEqual(outcome.json()["ids"], usual.json()["ids"])
                self.assertIn(b"run mapped from disk", outcome.err)
        outcome = self.run_ids("llama-default", ids, "--device-map", "auto", new_tokens=8)
        self.assertEqual(outcome.json()["ids"], usual.json()["ids"])
        self.assertNotIn(b"disk", outcome.err)

    def test_tuning_is_kept_and_a_bad_file_is_told(self):
        home = {"XDG_CACHE_HOME": str(self.temp / "cache")}
        args = ["run", MODELS / "llama-default", "--ids", "3,4", "--max-new-tokens", 2,
                "--format", "json"]
        self.succeed(*args, "--disable", "cudnn_benchmark", env=home)
        self.assertEqual(list(self.temp.glob("cache/fathom/tuning-*.json")), [])
        first = self.succeed(*args, env=home)
        (file,) = self.temp.glob("cache/fathom/tuning-*.json")
        kept = file.read_text()
        self.assertGreater(len(read_json(file)["shapes"]), 0)
        second = self.succeed(*args, env=home)
        self.assertEqual(file.read_text(), kept)
        self.assertEqual(second.json()["ids"], first.json()["ids"])
        self.assertEqual(second.json()["kernels"], first.json()["kernels"])
        file.write_text("{")
        outcome = self.succeed(*args, env=home)
        self.assertIn(b"tuned kernel choices", outcome.err)
        self.assertGreater(len(read_json(file)["shapes"]), 0)


if __name__ == "__main__":
    harness.main()
