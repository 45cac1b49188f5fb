"""The rows of `fathom measure` through torch and transformers, in the user's own Python.

fathom runs this file with one argument, a JSON object:

  model            a Hugging Face folder
  rows             ids of the rows, in the order of the table
  prompt_ids       the prompt; decode_tokens: tokens after the first one
  text             for the tokenizer; accuracy_ids: the ids that logits are compared over
  rounds           pairs of an entry at most; seconds: of the whole at most, about
  seed, threads    threads 0: torch's own choice
  measure_peak     whether each arm's memory is measured in a fresh process

Progress goes to stderr, one line an entry. stdout gets one line of JSON: versions, the pairs'
ratios off / on in time (as fathom's own), memory and accuracy of both arms. What they amount to is
computed by fathom. With "peak": [row, value] it loads that arm, generates, and prints its VmHWM.
"""
import json
import os
import random
import statistics
import subprocess
import sys
import time

PAIRS_NEEDED = 3  # fewer say nothing at all


class Arm:
    """How a script would write one setting: what from_pretrained gets, and what is done around."""

    def __init__(self, value, load=None, generate=None, tokenizer=None, before=None, around=None,
                 after_load=None):
        self.value = value
        self.load, self.generate, self.tokenizer = load or {}, generate or {}, tokenizer or {}
        self.before, self.around, self.after_load = before, around, after_load


def set_precision(value):
    def apply():
        import torch
        torch.set_float32_matmul_precision(value)
    return apply


def set_benchmark(value):
    def apply():
        import torch
        torch.backends.cudnn.benchmark = value
    return apply


def inference_mode():
    import torch
    return torch.inference_mode()


def compile_forward(model):
    import torch
    model.forward = torch.compile(model.forward)
    return model


def arms_of(row):
    """(arms with the row on, the one with it off) as transformers spells them."""
    if row == "low_cpu_mem_usage":
        return [Arm("True", load={row: True})], Arm("False", load={row: False})
    if row == "use_fast":
        return [Arm("True", tokenizer={row: True})], Arm("False", tokenizer={row: False})
    if row == "inference_mode":
        return [Arm("True", around=inference_mode)], Arm("False")
    if row == "float32_matmul_precision":
        single = {"dtype": "float32"}
        return ([Arm(v, load=single, before=set_precision(v)) for v in ("high", "medium")],
                Arm("highest", load=single, before=set_precision("highest")))
    if row == "use_cache":
        return [Arm("True", generate={row: True})], Arm("False", generate={row: False})
    if row in ("output_attentions", "output_hidden_states"):
        # Scores exist in eager attention alone, so both arms have it.
        load = {"attn_implementation": "eager"} if row == "output_attentions" else {}
        return ([Arm("False", load=load, generate={row: False})],
                Arm("True", load=load, generate={row: True, "return_dict_in_generate": True}))
    if row == "top_k":
        return [Arm("50", generate={"top_k": 50})], Arm("0", generate={"top_k": 0})
    if row == "cudnn_benchmark":
        return ([Arm("True", before=set_benchmark(True))],
                Arm("False", before=set_benchmark(False)))
    if row == "compile":
        return [Arm("True", after_load=compile_forward)], Arm("False")
    if row == "dtype":
        return ([Arm(v, load={"dtype": v}) for v in ("bfloat16", "float16")],
                Arm("float32", load={"dtype": "float32"}))
    if row == "device_map":
        return [Arm("auto", load={row: "auto"})], Arm("None")
    if row == "attn_implementation":
        return ([Arm(v, load={row: v}) for v in ("flash_attention_2", "sdpa")],
                Arm("eager", load={row: "eager"}))
    if row == "weight_cache":  # of Fathom alone
        return [], None
    raise KeyError(row)


class Clock:
    """A streamer that notes when each token came; the prompt comes first."""

    def __init__(self):
        self.times = []

    def put(self, value):
        self.times.append(time.perf_counter())

    def end(self):
        pass


def limited(seconds, function):
    """function(), or TimeoutError: a compiler may take longer than anybody waits."""
    import signal

    def late(signum, frame):
        raise TimeoutError(f"not done within {seconds:.0f} s")
    old = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        return function()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)


class Runner:
    """One arm, loaded and warm."""

    def __init__(self, spec, arm, warm=True):
        import torch
        from transformers import AutoModelForCausalLM
        self.torch, self.spec, self.arm = torch, spec, arm
        if arm.before:
            arm.before()
        start = time.perf_counter()
        options = {"dtype": "auto", **arm.load}
        self.model = AutoModelForCausalLM.from_pretrained(spec["model"], **options).eval()
        self.load_seconds = time.perf_counter() - start
        if arm.after_load:
            self.model = arm.after_load(self.model)
        self.tokenizer = None
        self.prompt = torch.tensor([spec["prompt_ids"]])
        if warm:
            self.round(0)

    def around(self):
        import contextlib
        return self.arm.around() if self.arm.around else contextlib.nullcontext()

    def round(self, seed):
        """Seconds a prompt token, seconds a token after the first (the median)."""
        torch, count = self.torch, self.spec["decode_tokens"] + 1
        torch.manual_seed(self.spec["seed"] + seed)
        if self.arm.before:
            self.arm.before()
        clock = Clock()
        options = {"do_sample": True, "top_k": 50, "temperature": 1.0, "top_p": 1.0,
                   **self.arm.generate}
        with self.around():
            start = time.perf_counter()
            self.model.generate(self.prompt, attention_mask=torch.ones_like(self.prompt),
                                max_new_tokens=count, min_new_tokens=count, streamer=clock,
                                pad_token_id=0, **options)
        times = clock.times[1:]
        steps = [b - a for a, b in zip(times, times[1:])]
        return (times[0] - start) / self.prompt.shape[1], statistics.median(steps)

    def tokenize_seconds(self):
        from transformers import AutoTokenizer
        if self.tokenizer is None:
            self.tokenizer = AutoTokenizer.from_pretrained(self.spec["model"],
                                                           **self.arm.tokenizer)
        start = time.perf_counter()
        self.tokenizer(self.spec["text"][:2000])
        return time.perf_counter() - start

    def logits(self, ids):
        torch = self.torch
        rows = []
        with torch.no_grad():
            for at in range(0, len(ids), 256):
                rows.append(self.model(torch.tensor([ids[at:at + 256]])).logits[0].float())
        return torch.cat(rows)


def accuracy(reference, logits, torch):
    if not torch.isfinite(logits).all():
        raise ValueError("NaN or an infinity among the logits")
    kl, worst, agreed = 0.0, 0.0, 0
    for p_row, q_row in zip(reference.split(64), logits.split(64)):
        p = torch.log_softmax(p_row.double(), -1)
        q = torch.log_softmax(q_row.double(), -1)
        kl += torch.nn.functional.kl_div(q, p, log_target=True, reduction="sum").item()
        worst = max(worst, (p_row - q_row).abs().max().item())
        agreed += (p_row.argmax(-1) == q_row.argmax(-1)).sum().item()
    return {"kl_divergence": max(kl, 0.0) / len(logits), "max_abs_logit_difference": worst,
            "greedy_agreement": agreed / len(logits), "tokens": len(logits)}


def peak_bytes(spec, row, value):
    """VmHWM of a fresh process of this file that loads the arm and generates."""
    order = dict(spec, peak=[row, value], text="")
    done = subprocess.run([sys.executable, __file__, json.dumps(order)], capture_output=True,
                          text=True, timeout=600)
    return json.loads(done.stdout)["peak"] if done.returncode == 0 else 0


def print_peak(spec):
    row, value = spec["peak"]
    on, off = arms_of(row)
    arm = next(a for a in [*on, off] if a.value == value)
    Runner(spec, arm)
    with open("/proc/self/status", encoding="ascii") as status:
        line = next(line for line in status if line.startswith("VmHWM"))
    print(json.dumps({"peak": int(line.split()[1]) * 1024}))


class Entry:
    """Pairs of rounds of two arms, order drawn for each pair."""

    def __init__(self, spec, on, off, deadline):
        self.spec, self.on, self.off, self.deadline = spec, on, off, deadline
        self.ratios = {"prefill": [], "decode": [], "load": [], "tokenize": []}
        self.seconds = {"prefill": [], "decode": [], "load": []}

    def run(self):
        draw = random.Random(self.spec["seed"])
        limit = max(self.deadline - time.monotonic(), 30)
        runners = {"on": limited(limit, lambda: Runner(self.spec, self.on)),
                   "off": limited(limit, lambda: Runner(self.spec, self.off))}
        slow = 0.0
        while len(self.ratios["decode"]) < self.spec["rounds"]:
            left = self.deadline - time.monotonic()
            if len(self.ratios["decode"]) >= PAIRS_NEEDED and left < slow:
                break
            start = time.monotonic()
            self.pair(runners, draw, len(self.ratios["decode"]))
            slow = max(slow, time.monotonic() - start)
        return runners

    def pair(self, runners, draw, number):
        times = {}
        for side in draw.sample(["on", "off"], 2):
            runner = runners[side]
            loaded = self.load_again(runner)
            prefill, decode = runner.round(number)
            times[side] = {"prefill": prefill, "decode": decode, "load": loaded,
                           "tokenize": self.tokenized(runner)}
        for name, values in self.ratios.items():
            on, off = times["on"][name], times["off"][name]
            if on and off:
                values.append(off / on)
        for name, values in self.seconds.items():
            values.append(times["on"][name])

    def load_again(self, runner):
        """A second copy, loaded and dropped: what loading takes, again for every pair."""
        if runner.load_seconds * 2 * self.spec["rounds"] > 0.5 * self.spec["entry_seconds"]:
            return runner.load_seconds if not self.ratios["load"] else None
        return Runner(self.spec, Arm(runner.arm.value, load=runner.arm.load),
                      warm=False).load_seconds

    def tokenized(self, runner):
        try:
            return runner.tokenize_seconds()
        except (OSError, ValueError, TypeError):
            return None  # no tokenizer in the folder


def reason_of(error):
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:300]}"


def measure_entry(spec, row, on, off, reference, torch):
    result = {"id": row, "arm_on": on.value, "arm_off": off.value if off else "", "error": None,
              "unavailable": False}
    entry = Entry(spec, on, off, time.monotonic() + spec["entry_seconds"])
    try:
        runners = entry.run()
        ids = spec["accuracy_ids"]
        for side, runner in runners.items():
            result["accuracy_" + side] = accuracy(reference, runner.logits(ids), torch)
        del runners
        if spec.get("measure_peak", True) and row != "baseline":
            result["peak_on"] = peak_bytes(spec, row, on.value)
            result["peak_off"] = peak_bytes(spec, row, off.value)
    except (ImportError, NotImplementedError) as error:
        result["error"], result["unavailable"] = reason_of(error), True
    except Exception as error:  # the library's own failure is the result of the arm
        result["error"] = reason_of(error)
    result["ratios"], result["seconds"] = entry.ratios, entry.seconds
    return result


def main():
    spec = json.loads(sys.argv[1])
    try:
        import torch
        import transformers
    except ImportError as error:
        print(json.dumps({"missing": error.name or "torch"}))
        return
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    transformers.logging.set_verbosity_error()
    if hasattr(transformers.logging, "disable_progress_bar"):
        transformers.logging.disable_progress_bar()
    if spec.get("threads"):
        torch.set_num_threads(spec["threads"])
    if spec.get("peak"):
        print_peak(spec)
        return
    plan = [(row, on, arms_of(row)[1]) for row in spec["rows"] for on in arms_of(row)[0]]
    plan.insert(0, ("baseline", Arm("A"), Arm("A")))
    spec["entry_seconds"] = spec["seconds"] / len(plan)
    single = Runner(spec, Arm("float32", load={"dtype": "float32",
                                               "attn_implementation": "eager"}), warm=False)
    reference = single.logits(spec["accuracy_ids"])
    if not torch.isfinite(reference).all():
        print(json.dumps({"error": "NaN or an infinity among the logits of float32"}))
        return
    del single
    entries = []
    for number, (row, on, off) in enumerate(plan):
        print(f"{number + 1}/{len(plan)}  {row} {on.value}", file=sys.stderr, flush=True)
        entries.append(measure_entry(spec, row, on, off, reference, torch))
    versions = f"transformers {transformers.__version__}, torch {torch.__version__}"
    print(json.dumps({"versions": versions, "threads": torch.get_num_threads(),
                      "entries": entries}))


if __name__ == "__main__":
    main()
