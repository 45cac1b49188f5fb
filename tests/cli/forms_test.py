#!/usr/bin/env python3
"""The forms of the command line that other programs rely on: exit codes, streams, bytes, keys.

Usage: forms_test.py FATHOM [unittest's arguments]. The numbers compared with are those of
tests/goldens, which come from transformers and tokenizers.
"""
import json
import signal
import subprocess
import time

import harness
from harness import DEMO, GOLDENS, CliTest, join_ids, read_header, read_json, read_npy, run

MODELS = GOLDENS / "models"
MINIMAL = MODELS / "llama-minimal"
KNOWN_ISAS = ("baseline", "avx2", "avx512", "amx", "neon")
RUN_KEYS = {"ids", "text", "finish_reason", "timings"}
TIMING_KEYS = {"load_ms", "prefill_ms", "decode_ms", "prefill_tokens_per_s",
               "decode_tokens_per_s"}


def prompts_of(model):
    return read_json(MODELS / model / "golden.json")["prompts"]


class Basics(CliTest):
    def test_version_and_help(self):
        version = self.succeed("--version")
        self.assertRegex(version.out.decode(), r"\Afathom \d+\.\d+\.\d+\n\Z")
        self.assertEqual(version.err, b"")
        text = self.succeed("--help").out.decode()
        for command in ("run", "chat", "bench", "machine", "inspect"):
            self.assertIn(command, text)
        for command in (["run"], ["chat"], ["bench"], ["machine"], ["inspect"],
                        ["inspect", "sample"]):
            outcome = self.succeed(*command, "--help")
            self.assertEqual(outcome.err, b"")
            self.assertIn(b"--", outcome.out)
        for option in ("--max-new-tokens", "--min-new-tokens", "--do-sample", "--temperature",
                       "--top-k", "--top-p", "--min-p", "--typical-p", "--repetition-penalty",
                       "--no-repeat-ngram-size", "--num-beams", "--num-return-sequences", "--seed",
                       "--stop", "--device", "--device-map", "--max-memory",
                       "--dtype", "--attn-implementation", "--threads", "--system",
                       "--prompt-file", "--ignore-eos", "--raw", "--quiet", "--backend", "--isa",
                       "--enable", "--disable", "--require", "--format", "--ids"):
            self.assertIn(option.encode(), self.succeed("run", "--help").out, option)

    def test_usage_errors_exit_2(self):
        ids = ("--ids", "1,2")
        for args in ([], ["nonsense"], ["run", "--no-such-option"], ["inspect"],
                     ["inspect", "nonsense"], ["inspect", "tokenize"], ["inspect", "logits"],
                     ["inspect", "tokenize", DEMO], ["run", MINIMAL],
                     ["run", MINIMAL, "--ids", "1,,2"], ["run", MINIMAL, "--ids", ""],
                     ["run", MINIMAL, "--ids", "-1"], ["run", MINIMAL, "--ids", "1,x"],
                     ["run", MINIMAL, "--ids", "99999999999"],
                     ["run", MINIMAL, "text", *ids],
                     ["run", MINIMAL, *ids, "--max-new-tokens", "x"],
                     ["run", MINIMAL, *ids, "--max-new-tokens", "-3"],
                     ["run", MINIMAL, *ids, "--temperature", "-1"],
                     ["run", MINIMAL, *ids, "--device", "tpu"],
                     ["run", MINIMAL, *ids, "--device", "cuda:"],
                     ["run", MINIMAL, *ids, "--num-beams", "2", "--length-penalty", "nan"],
                     ["run", MINIMAL, *ids, "--num-beams", "2", "--num-return-sequences", "3"],
                     ["run", MINIMAL, *ids, "--temperature", "nan"],
                     ["run", MINIMAL, *ids, "--do-sample", "--top-p", "-1"],
                     ["run", MINIMAL, *ids, "--top-k", "-5"],
                     ["run", MINIMAL, *ids, "--num-return-sequences", "0"],
                     ["run", MINIMAL, *ids, "--threads", "0"],
                     ["run", MINIMAL, *ids, "--format", "xml"],
                     ["run", MINIMAL, *ids, "--disable", "no_such_row"],
                     ["run", MINIMAL, *ids, "--enable", "no_such_row"],
                     ["run", MINIMAL, *ids, "--require", "no_such_row"],
                     ["run", MINIMAL, *ids, "--dtype", "float33"],
                     ["run", MINIMAL, *ids, "--backend", "abacus"],
                     ["run", MINIMAL, *ids, "--isa", "mmx"],
                     ["run", MINIMAL, *ids, "--attn-implementation", "psychic"],
                     ["bench", "--shape", "no-such-shape"], ["bench", "--phase", "lunch"]):
            with self.subTest(args=args[2:] or args):
                self.refuse(2, *args)

    def test_an_id_beyond_the_vocabulary_exits_2(self):
        vocab = read_json(MINIMAL / "config.json")["vocab_size"]
        self.refuse(2, "run", MINIMAL, "--ids", f"1,{vocab}", parts=[str(vocab)])
        self.refuse(2, "inspect", "logits", MINIMAL, "--ids", f"{vocab}", "--out",
                    self.temp / "l.npy", parts=[str(vocab)])
        self.refuse(2, "inspect", "sample", "--logits", GOLDENS / "samplers/normal64.npy",
                    "--config", GOLDENS / "samplers/configs/empty-config.json", "--ids", "64",
                    parts=["64"])

    def test_missing_files_exit_3(self):
        gone = self.temp / "gone"
        for args in (["run", gone, "text"], ["run", gone, "--ids", "1"], ["chat", gone],
                     ["bench", gone, "--rounds", "1"], ["inspect", "model", gone],
                     ["inspect", "tokenize", gone, "--text", "x"],
                     ["inspect", "detokenize", gone, "--ids", "1"],
                     ["inspect", "logits", gone, "--ids", "1", "--out", self.temp / "x.npy"],
                     ["inspect", "sample", "--logits", gone, "--config", gone]):
            with self.subTest(args=args[:2]):
                self.refuse(3, *args, parts=["gone"])

    def test_run_time_errors_exit_1(self):
        long = join_ids([3] * 300)  # the context holds 256
        self.refuse(1, "run", MINIMAL, "--ids", long, parts=["256"])
        self.refuse(1, "inspect", "logits", MINIMAL, "--ids", long, "--out", self.temp / "l.npy",
                    parts=["256"])
        self.refuse(1, "inspect", "logits", MINIMAL, "--ids", "1", "--out",
                    self.temp / "no/such/folder.npy", parts=["no/such/folder.npy"])
        self.refuse(1, "run", DEMO, "--prompt-file", self.temp / "none.txt", parts=["none.txt"])
        for device in ("cuda:77", "cpu:1"):  # no machine has them
            self.refuse(1, "run", MINIMAL, "--ids", "1", "--device", device, parts=[device])
        self.succeed("run", MINIMAL, "--ids", "1", "--device", "cpu")
        self.refuse(1, "run", MINIMAL, "--ids", "1", "--disable", "use_cache", "--require",
                    "use_cache", parts=["use_cache"])

    def test_a_prompt_for_a_model_without_tokenizer_exits_3(self):
        self.refuse(3, "run", MINIMAL, "text", parts=["tokenizer"])

    def test_terminal_escapes_never_reach_stderr(self):
        outcome = self.refuse(3, "run", self.temp / "\x1b[31mred\x07\r\n", "--ids", "1")
        self.assertNotRegex(outcome.error[:-1], r"[\x00-\x1f\x7f]")


class Inspect(CliTest):
    def test_tokenize_and_detokenize(self):
        texts = read_json(GOLDENS / "tokenizers/texts.json")["texts"]
        file = self.temp / "text"
        for name, path, step in (("gpt2", GOLDENS / "tokenizers/gpt2", 5),
                                 ("llama3", GOLDENS / "tokenizers/llama3", 5),
                                 ("qwen2", GOLDENS / "tokenizers/qwen2/tokenizer.json", 5),
                                 ("fathom-tales", DEMO, 5)):
            cases = read_json(GOLDENS / f"tokenizers/{name}.golden.json")["cases"]
            self.assertEqual(len(cases), len(texts))
            for text, case in list(zip(texts, cases))[len(name) % step::step]:
                with self.subTest(tokenizer=name, text=text[:60]):
                    file.write_bytes(text.encode())
                    self.check_text(path, file, text, case)

    def check_text(self, path, file, text, case):
        def line(ids):
            return json.dumps(ids, separators=(",", ":")).encode() + b"\n"
        plain = self.succeed("inspect", "tokenize", path, "--text-file", file)
        self.assertEqual((plain.out, plain.err), (line(case["ids"]), b""))
        parsed_ids = case.get("parsed", case["ids"])
        parsed = self.succeed("inspect", "tokenize", path, "--text-file", "-", "--parse-special",
                              stdin=text.encode())
        self.assertEqual(parsed.out, line(parsed_ids))
        if "bare" in case and "\0" not in text:
            bare = self.succeed("inspect", "tokenize", path, f"--text={text}", "--no-special")
            self.assertEqual(bare.out, line(case["bare"]))
        if parsed_ids:
            decoded = self.succeed("inspect", "detokenize", path, "--skip-special", "--ids",
                                   join_ids(parsed_ids))
            self.assertEqual(decoded.out.decode(), case.get("decoded", text))

    def test_both_tokenizers_agree(self):
        text = "Once upon a time, 12345 naïve 日本語 <|endoftext|>"
        fast = self.succeed("inspect", "tokenize", DEMO, "--text", text)
        plain = self.succeed("inspect", "tokenize", DEMO, "--text", text, "--disable", "use_fast")
        self.assertEqual(fast.out, plain.out)

    def template_folder(self, template):
        (self.temp / "tokenizer_config.json").write_text(json.dumps(
            {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}))
        (self.temp / "chat_template.jinja").write_bytes(template)
        return self.temp

    def test_template(self):
        folder = GOLDENS / "templates"
        conversations = read_json(folder / "conversations.json")
        compared = 0
        for row in read_json(folder / "renderings.json")["renderings"][::2]:
            talk = conversations[row["conversation"]]
            if "documents" in talk:  # no option for them
                continue
            model = self.template_folder((folder / row["template"]).read_bytes())
            (self.temp / "m.json").write_text(json.dumps(talk["messages"]))
            args = ["inspect", "template", model, "--messages", self.temp / "m.json"]
            if "tools" in talk:
                (self.temp / "t.json").write_text(json.dumps(talk["tools"]))
                args += ["--tools", self.temp / "t.json"]
            if "kwargs" in talk:
                args += ["--chat-template-kwargs", json.dumps(talk["kwargs"])]
            if talk.get("add_generation_prompt") is False:
                args += ["--no-generation-prompt"]
            with self.subTest(template=row["template"], conversation=row["conversation"]):
                if "text" in row:
                    outcome = self.succeed(*args)
                    self.assertEqual(outcome.out.decode(), row["text"])
                else:
                    self.refuse(1, *args, parts=[row["error"]] if row["raised"] else [])
            compared += 1
        self.assertGreater(compared, 100)

    def test_template_clock(self):
        model = self.template_folder(b"{{ strftime_now('%Y-%m-%d %H:%M') }}")
        (self.temp / "m.json").write_text('[{"role":"user","content":"x"}]')
        outcome = self.succeed("inspect", "template", model, "--messages", self.temp / "m.json",
                               env={"SOURCE_DATE_EPOCH": "86400", "TZ": "America/New_York"})
        self.assertEqual(outcome.out, b"1970-01-02 00:00")

    def test_logits(self):
        for model in ("llama-minimal", "qwen2-sharded", "llama-yarn", "llama-tied-fp32"):
            golden = read_json(MODELS / model / "golden.json")
            _, columns, theirs = read_npy(MODELS / model / golden["logits"]["float32"])
            prompt = golden["prompts"][2]
            for more in ([], ["--disable", "compile"], ["--backend", "reference"]):
                with self.subTest(model=model, more=more):
                    out = self.temp / "logits.npy"
                    outcome = self.succeed("inspect", "logits", MODELS / model, "--ids",
                                           join_ids(prompt["ids"]), "--out", out, *more)
                    self.assertEqual(outcome.out, b"")
                    rows, ours_columns, ours = read_npy(out)
                    self.assertEqual((rows, ours_columns), (len(prompt["ids"]), columns))
                    first = prompt["first_row"] * columns
                    worst = max(abs(a - b) for a, b in
                                zip(ours, theirs[first:first + rows * columns]))
                    self.assertLessEqual(worst, golden["tolerance"] * prompt["max_abs_logit"])

    def test_sample(self):
        folder = GOLDENS / "samplers"
        for case in read_json(folder / "cases.json")["cases"]:
            args = ["inspect", "sample", "--logits", folder / case["logits"], "--config",
                    folder / case["config"]]
            if case["ids"]:
                args += ["--ids", join_ids(case["ids"]), "--prompt-length", case["prompt_length"]]
            with self.subTest(case=case["name"]):
                outcome = self.succeed(*args)
                lines = outcome.out.decode().splitlines()
                self.assertEqual(len(lines), len(case["expected"]))
                for line, expected in zip(lines, case["expected"]):
                    self.assertRegex(line, r'\A\{"ids":\[[0-9,]*\],"probs":\[[-+0-9.e,]*\]\}\Z')
                    got = json.loads(line)
                    if "rounding" in expected:  # a last bit decides how many stay
                        continue
                    self.assertEqual(got["ids"], expected["ids"])
                    for ours, theirs in zip(got["probs"], expected["probs"]):
                        self.assertLessEqual(abs(ours - theirs), 1e-6 + 1e-5 * theirs)

    def test_model(self):
        names = sorted(p.name for p in MODELS.iterdir())
        self.assertGreaterEqual(len(names), 45)
        for folder in [MODELS / name for name in names[::4]] + [MODELS / "llama-sharded", DEMO]:
            with self.subTest(model=folder.name):
                outcome = self.succeed("inspect", "model", folder, "--format", "json")
                self.check_model(folder, outcome.json())
                self.assertEqual(outcome.out.count(b"\n"), 1)

    def check_model(self, folder, got):
        self.assertEqual(list(got), ["config", "architecture", "parameters", "tensors", "memory"])
        config = read_json(folder / "config.json")
        self.assertEqual(got["config"], config)
        self.assertEqual(got["architecture"], config["model_type"])
        tensors, parameters, payload = [], 0, 0
        for file in sorted(folder.glob("*.safetensors")):
            header = read_header(file)
            header.pop("__metadata__", None)
            for name, tensor in sorted(header.items(), key=lambda t: t[1]["data_offsets"]):
                tensors.append({"name": name, "dtype": tensor["dtype"], "shape": tensor["shape"]})
                if name == "lm_head.weight" and config.get("tie_word_embeddings"):
                    continue
                count = 1
                for size in tensor["shape"]:
                    count *= size
                parameters += count
                payload += tensor["data_offsets"][1] - tensor["data_offsets"][0]
        self.assertEqual(got["tensors"], tensors)
        self.assertEqual(got["parameters"], parameters)
        self.assertEqual(set(got["memory"]),
                         {"weights_bytes", "cache_bytes_per_token", "activation_bytes"})
        self.assertEqual(got["memory"]["weights_bytes"], payload)
        self.assertGreater(got["memory"]["cache_bytes_per_token"], 0)
        self.assertGreater(got["memory"]["activation_bytes"], 0)

    def test_model_of_a_single_file(self):
        got = self.succeed("inspect", "model", MINIMAL / "model.safetensors", "--format",
                           "json").json()
        self.assertIsNone(got["config"])
        self.assertIsNone(got["architecture"])
        self.assertEqual(len(got["tensors"]),
                         len([k for k in read_header(MINIMAL / "model.safetensors")
                              if k != "__metadata__"]))

    def test_texts_do_not_depend_on_the_locale(self):
        args = ["inspect", "sample", "--logits", GOLDENS / "samplers/normal64.npy", "--config",
                GOLDENS / "samplers/configs/empty-config.json"]
        plain = self.succeed(*args).out
        for locale in ("C", "C.UTF-8", "de_DE.UTF-8", "zh_CN.UTF-8", "tr_TR.UTF-8", "nonsense"):
            self.assertEqual(self.succeed(*args, env={"LC_ALL": locale, "LANG": locale}).out, plain)


class Run(CliTest):
    def run_json(self, *args, **kwargs):
        # One thread, so that a busy machine is no slow test; the text forms run on all of them.
        if "--threads" not in args:
            args = (*args, "--threads", 1)
        outcome = self.succeed("run", *args, "--format", "json", **kwargs)
        self.assertEqual(outcome.out.count(b"\n"), 1)
        return outcome.json()

    def greedy(self, model, prompt, count, *more):
        return self.run_json(MODELS / model, "--ids", join_ids(prompt["ids"]), "--dtype",
                             "float32", "--max-new-tokens", count, "--ignore-eos",
                             "--context-length", 192, *more)

    def test_greedy_ids(self):
        for model in ("llama-minimal", "llama-sharded", "llama-dynamic", "qwen2-window"):
            for prompt in prompts_of(model)[:3]:
                with self.subTest(model=model, ids=len(prompt["ids"])):
                    got = self.greedy(model, prompt, 32)
                    self.assertEqual(got["ids"], prompt["greedy"]["float32"]["ids"])
                    self.assertLessEqual(RUN_KEYS, set(got))
                    self.assertEqual(set(got["timings"]), TIMING_KEYS)
                    for value in got["timings"].values():
                        self.assertGreaterEqual(value, 0)
                    self.assertEqual(got["finish_reason"], "length")
                    self.assertEqual(got["backend"], "cpu")

    def test_every_arm_gives_the_same_ids(self):
        prompt = prompts_of("llama-minimal")[1]
        arms = [["--backend", "reference"], ["--threads", "2"]]
        arms += [["--disable", row] for row in (
            "low_cpu_mem_usage", "use_fast", "inference_mode", "use_cache", "top_k", "compile")]
        arms += [["--attn-implementation", name] for name in ("eager", "flash_attention_2")]
        for arm in arms:
            with self.subTest(arm=arm):
                got = self.greedy("llama-minimal", prompt, 16, *arm)
                self.assertEqual(got["ids"], prompt["greedy"]["float32"]["ids"][:16])
                self.assertEqual(got["backend"], "reference" if "reference" in arm else "cpu")

    def test_isa_is_forced_or_an_error(self):
        prompt = prompts_of("llama-minimal")[1]
        present = 0
        for isa in KNOWN_ISAS:
            with self.subTest(isa=isa):
                outcome = run("run", MINIMAL, "--ids", join_ids(prompt["ids"]), "--format", "json",
                              "--dtype", "float32", "--max-new-tokens", 8, "--ignore-eos",
                              "--isa", isa)
                if outcome.rc == 0:
                    present += 1
                    got = outcome.json()
                    self.assertEqual(got["ids"], prompt["greedy"]["float32"]["ids"][:8])
                    self.assertEqual(got["isa"], isa)
                else:
                    self.assertEqual(outcome.rc, 2)
                    self.assertEqual(outcome.out, b"")
                    self.assertIn(isa.encode(), outcome.err)
                    self.assertEqual(outcome.err.count(b"\n"), 1)
        self.assertGreaterEqual(present, 1)  # at the least baseline or neon

    def test_json_names_what_ran(self):
        got = self.greedy("llama-minimal", prompts_of("llama-minimal")[0], 2)
        self.assertIsInstance(got["instruction_sets"], list)
        self.assertIn("attention", " ".join(got["kernels"]))
        for names in got["kernels"].values():
            self.assertTrue(names and all(isinstance(name, str) for name in names))

    def test_generates_20_by_default(self):
        got = self.run_json(MINIMAL, "--ids", "5", "--ignore-eos")
        self.assertEqual(len(got["ids"]), 20)

    def test_eos_ends_and_counts(self):
        # The first token that a greedy run gives is made the eos of a copy of the folder.
        prompt = prompts_of("llama-minimal")[1]
        first, second = prompt["greedy"]["float32"]["ids"][:2]
        for name in ("config.json", "model.safetensors"):
            (self.temp / name).write_bytes((MINIMAL / name).read_bytes())
        (self.temp / "generation_config.json").write_text(json.dumps({"eos_token_id": [second]}))
        args = [self.temp, "--ids", join_ids(prompt["ids"]), "--dtype", "float32"]
        got = self.run_json(*args)
        self.assertEqual((got["ids"], got["finish_reason"]), ([first, second], "stop"))
        got = self.run_json(*args, "--ignore-eos", "--max-new-tokens", 4)
        self.assertEqual((got["ids"], got["finish_reason"]),
                         (prompt["greedy"]["float32"]["ids"][:4], "length"))
        got = self.run_json(*args, "--min-new-tokens", 3, "--max-new-tokens", 3)
        self.assertNotIn(second, got["ids"][:2])

    def test_demo_model(self):
        golden = read_json(GOLDENS / "models_expected/fathom-tales.json")
        prompt = golden["prompts"][0]
        greedy = prompt["greedy"]["float32"]
        # As far as the golden's gaps are no toss-up.
        count = next((i for i, gap in enumerate(greedy["gaps"]) if gap < 0.01), 48)
        got = self.run_json(DEMO, prompt["prompt"], "--raw", "--dtype", "float32",
                            "--no-do-sample", "--max-new-tokens", count)
        self.assertEqual(got["ids"], greedy["ids"][:count])
        text = self.succeed("inspect", "detokenize", DEMO, "--skip-special", "--ids",
                            join_ids(got["ids"])).out.decode()
        self.assertEqual(got["text"].strip(), text.strip())
        # The same as text: the prompt, what follows, a newline; the rest on stderr.
        plain = self.succeed("run", DEMO, prompt["prompt"], "--raw", "--dtype", "float32",
                             "--no-do-sample", "--max-new-tokens", count)
        self.assertEqual(plain.out.decode(), prompt["prompt"] + got["text"] + "\n")
        self.assertIn(b"tok/s", plain.err)
        quiet = self.succeed("run", DEMO, "--prompt-file", "-", "--raw", "--quiet", "--dtype",
                             "float32", "--no-do-sample", "--max-new-tokens", count,
                             stdin=prompt["prompt"].encode())
        self.assertEqual((quiet.out, quiet.err), (plain.out, b""))
        (self.temp / "p.txt").write_text(prompt["prompt"])
        filed = self.succeed("run", "--prompt-file", self.temp / "p.txt", "--quiet", "--dtype",
                             "float32", "--no-do-sample", "--max-new-tokens", count)
        self.assertEqual(filed.out, plain.out)

    def test_without_a_model_it_tells_a_tale(self):
        outcome = self.succeed("run", "--max-new-tokens", "5", "--seed", "1")
        self.assertTrue(outcome.out.decode().startswith("Once upon a time"))

    def test_stop_strings(self):
        args = [DEMO, "Once upon a time there was", "--dtype", "float32", "--no-do-sample",
                "--max-new-tokens", 24]
        whole = self.run_json(*args)
        self.assertEqual(whole["finish_reason"], "length")
        words = whole["text"].split()
        stop = words[5][:3]
        got = self.run_json(*args, "--stop", "never seen", "--stop", stop)
        self.assertEqual(got["finish_reason"], "stop")
        self.assertEqual(got["text"], whole["text"][:whole["text"].index(stop)])
        streamed = self.succeed("run", *args, "--stop", stop, "--quiet")
        self.assertEqual(streamed.out.decode(),
                         "Once upon a time there was" + got["text"] + "\n")

    def test_seeds_and_several_sequences(self):
        args = [DEMO, "The king", "--do-sample", "--max-new-tokens", 12]
        one = self.run_json(*args, "--seed", 7)
        self.assertEqual(one["ids"], self.run_json(*args, "--seed", 7)["ids"])
        others = [self.run_json(*args, "--seed", seed)["ids"] for seed in (8, 9, 10)]
        self.assertTrue(any(ids != one["ids"] for ids in others))
        several = self.run_json(*args, "--seed", 7, "--num-return-sequences", 3)
        self.assertEqual(len(several), 3)
        self.assertEqual(len({tuple(sequence["ids"]) for sequence in several}), 3)
        for sequence in several:
            self.assertLessEqual(RUN_KEYS, set(sequence))
        again = self.run_json(*args, "--seed", 7, "--num-return-sequences", 3)
        self.assertEqual([s["ids"] for s in several], [s["ids"] for s in again])
        for locale in ("de_DE.UTF-8", "C"):
            self.assertEqual(self.run_json(*args, "--seed", 7, env={"LC_ALL": locale})["ids"],
                             one["ids"])

    def test_a_sampling_value_asks_for_sampling(self):
        args = [DEMO, "The king", "--max-new-tokens", 12]
        greedy = self.run_json(*args, "--no-do-sample", "--temperature", 9)["ids"]
        warm = [self.run_json(*args, "--temperature", 9, "--top-k", 0, "--seed", seed)["ids"]
                for seed in (1, 2)]
        self.assertNotEqual(warm[0], warm[1])
        self.assertNotIn(greedy, warm)
        self.assertEqual(self.run_json(*args, "--do-sample", "--top-k", 1)["ids"], greedy)

    def test_a_reader_that_goes_away(self):
        child = subprocess.Popen([harness.fathom, "run", DEMO, "Once", "--ignore-eos", "--seed",
                                  "1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                 env=harness.environment())
        self.assertTrue(child.stdout.read(4))
        child.stdout.close()
        error = child.stderr.read()
        child.stderr.close()
        self.assertEqual(child.wait(harness.TIME_LIMIT_S), 1)  # no signal
        self.assertEqual(error.count(b"\n"), 1, error)
        self.assertIn(b"stdout", error)

    def test_a_full_device(self):
        with open("/dev/full", "wb") as full:
            for args in (["--help"], ["--version"], ["inspect", "model", MINIMAL],
                         ["run", MINIMAL, "--ids", "1", "--format", "json"]):
                with self.subTest(args=args[0]):
                    done = subprocess.run([harness.fathom, *map(str, args)], stdout=full,
                                          stderr=subprocess.PIPE, env=harness.environment())
                    self.assertEqual(done.returncode, 1, done.stderr)
                    self.assertEqual(done.stderr.count(b"\n"), 1)

    def test_ctrl_c(self):
        child = subprocess.Popen([harness.fathom, "run", DEMO, "Once upon", "--ignore-eos",
                                  "--backend", "reference", "--disable", "use_cache"],
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                 env=harness.environment())
        self.assertEqual(child.stdout.read(4), b"Once")
        time.sleep(0.2)
        child.send_signal(signal.SIGINT)
        out, _ = child.communicate(timeout=harness.TIME_LIMIT_S)
        self.assertEqual(child.returncode, 130)
        out.decode("utf-8")  # whole characters


class Chat(CliTest):
    def test_from_a_pipe(self):
        args = ["chat", DEMO, "--max-new-tokens", "8", "--seed", "3", "--quiet"]
        outcome = self.succeed(*args, stdin=b"Once upon a time\n/history\nThen\n/exit\nnot this\n")
        self.assertEqual(outcome.out.count(b"\n") >= 2, True)
        self.assertIn(b"user: Once upon a time", outcome.err)
        self.assertNotIn(b"not this", outcome.err)
        same = self.succeed(*args, stdin=b"Once upon a time\n/history\nThen\n")
        self.assertEqual(same.out, outcome.out)
        self.assertEqual(self.succeed(*args, stdin=b"").out, b"")
        told = self.succeed(*args, stdin=b"/nonsense\n/help\n")
        self.assertIn(b"no command /nonsense", told.err)
        self.assertEqual(told.out, b"")


class Reports(CliTest):
    MACHINE = {"cpu": {"model", "cores", "isa"}, "memory": {"total_bytes", "usable_bytes"},
               "roofs": {"read_stream_gb_per_s", "fp32_peak_tflops", "bf16_peak_tflops",
                         "int8_peak_tops"}}

    def check_machine(self, machine):
        for part, keys in self.MACHINE.items():
            self.assertLessEqual(keys, set(machine[part]), part)
        self.assertIsInstance(machine["gpus"], list)
        self.assertGreaterEqual(machine["cpu"]["cores"], 1)
        self.assertGreaterEqual(machine["memory"]["total_bytes"],
                                machine["memory"]["usable_bytes"])

    def test_machine(self):
        outcome = self.succeed("machine", "--format", "json", "--no-probe")
        self.assertEqual(outcome.out.count(b"\n"), 1)
        self.check_machine(outcome.json())
        probed = self.succeed("machine", "--format", "json", "--seconds", "0.3",
                              env={"XDG_CACHE_HOME": str(self.temp)}).json()
        self.check_machine(probed)
        self.assertGreater(probed["roofs"]["read_stream_gb_per_s"], 0)
        self.assertGreater(probed["roofs"]["fp32_peak_tflops"], 0)

    def bench(self, phase):
        return run("bench", DEMO, "--rounds", "1", "--format", "json", "--context", "64",
                   "--phase", phase, env={"XDG_CACHE_HOME": str(self.temp)})

    def test_bench(self):
        decode = self.bench("decode")
        if decode.rc != 0:
            # The demo model may lie in a cache whole, which reads faster than memory: refused.
            self.assertEqual(decode.rc, 1)
            self.assertIn(b"of its roof read_stream", decode.err)
        else:
            self.check_rows(decode.json(), "decode")
        prefill = self.bench("prefill")
        self.assertEqual(prefill.rc, 0, prefill.err)
        self.check_rows(prefill.json(), "prefill")

    def check_rows(self, got, phase):
        self.assertEqual({row["phase"] for row in got["rows"]}, {phase})
        self.check_machine(got["machine"])
        units = {"read_stream": "GB/s", "bf16_peak": "TFLOP/s", "fp32_peak": "TFLOP/s",
                 "int8_peak": "TOP/s"}
        for row in got["rows"]:
            self.assertLessEqual({"phase", "shape", "dtype", "batch", "context", "tokens_per_s",
                                  "bytes_per_token", "flops_per_token", "roof", "roof_value",
                                  "roof_unit", "fraction_of_roof"}, set(row))
            self.assertEqual(row["roof_unit"], units[row["roof"]])
            self.assertGreater(row["tokens_per_s"], 0)
            self.assertGreater(row["bytes_per_token"], 0)
            self.assertEqual((row["batch"], row["context"]), (1, 64))


if __name__ == "__main__":
    harness.main()
