#!/usr/bin/env python3
"""Encoding and decoding, one thread, against Hugging Face tokenizers in the same minute, in turns.

    python tools/bench_tokenizer.py --tokenizer TOKENIZER.json ... --text NAME=FILE ...
        [--bench build/text_bench] [--rounds N] [--adversarial] [--check N]

Needs tokenizers and a build with -DFATHOM_BENCHMARKS=ON. Each text is given whole; the best of the
rounds counts on both sides, "first" is our first call on the text. --adversarial adds texts made to
be slow and prints their cost in that of a byte of the first text. --train FILE ... first trains a
tokenizer of --shape gpt2, llama3 or qwen2 with --vocab-size tokens and writes it to --tokenizer.
--check N compares the ids and texts of N random texts cut and mixed from the given ones.
"""

import argparse
import array
import json
import os
import random
import subprocess
import sys
import tempfile
import time

os.environ["RAYON_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
import tokenizers

HERE = os.path.dirname(os.path.abspath(__file__))


class Fathom:
    def __init__(self, bench, folder):
        self.process = subprocess.Popen(
            [bench], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        self.file = os.path.join(folder, "exchange")

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        if "error" in answer:
            sys.exit(f"{line}: {answer['error']}")
        return answer

    def set_text(self, text):
        with open(self.file, "w", encoding="utf-8", newline="") as out:
            out.write(text)
        self.ask("text " + self.file)

    def ids(self):
        self.ask("ids " + self.file)
        ids = array.array("i")
        with open(self.file, "rb") as data:
            ids.frombytes(data.read())
        return ids.tolist()

    def output(self):
        self.ask("output " + self.file)
        with open(self.file, encoding="utf-8", newline="") as data:
            return data.read()


def seconds_of(run):
    begin = time.perf_counter()
    result = run()
    return time.perf_counter() - begin, result


def compare(fathom, peer, text, rounds):
    """Best seconds of (ours, theirs) to encode and to decode, and whether the results are equal."""
    fathom.set_text(text)
    best = [1e9] * 4
    first = None
    for _ in range(rounds):
        ours = fathom.ask("encode")["seconds"]
        first = first or ours
        theirs, encoding = seconds_of(lambda: peer.encode(text))
        ids = encoding.ids
        ours_back = fathom.ask("decode")["seconds"]
        theirs_back, back = seconds_of(lambda: peer.decode(ids, skip_special_tokens=False))
        best = [min(a, b) for a, b in zip(best, (ours, theirs, ours_back, theirs_back))]
    equal = fathom.ids() == ids, fathom.output() == back
    return best, first, equal


def adversarial_texts(prose, added, vocab, size=1_000_000):
    """Texts of about `size` bytes made to be slow; vocab: strings of the model's tokens."""
    rng = random.Random(1)

    def of(alphabet):
        return "".join(rng.choices(alphabet, k=size))

    letters = "abcdefghijklmnopqrstuvwxyz"
    bare = "".join(c for c in prose if c.isascii() and c.isalpha())[:size]
    long_tokens = sorted((t for t in vocab if t.isascii() and t.isalpha()), key=len)[-2000:]
    almost = [token[:-1] for token in added if len(token) > 1] or ["<|endoftext|", "<|im_start|"]
    emoji = [chr(c) for c in range(0x1F300, 0x1F650)]
    scripts = "aя中ب한ह"
    return {
        "one letter": "a" * size,
        "ab repeated": "ab" * (size // 2),
        "random letters": of(letters),
        "random capitals": of(letters.upper()),
        "mixed case": of(letters + letters.upper()),
        "prose, no spaces": bare,
        "long tokens joined": "".join(rng.choices(long_tokens, k=size // 14))[:size],
        "long tokens cut": "".join(t[1:-1] for t in rng.choices(long_tokens, k=size // 12))[:size],
        "words of 17 letters": "".join(
            " " + "".join(rng.choices(letters, k=17)) for _ in range(size // 18)
        ),
        "words of 60 letters": "".join(
            " " + "".join(rng.choices(letters, k=60)) for _ in range(size // 61)
        ),
        "random ASCII": of([chr(c) for c in range(32, 127)]),
        "random signs": of("!#$%&()*+,-./:;<=>?@[]^_{|}~"),
        "random bytes": bytes(rng.choices(range(256), k=size // 2)).decode("utf-8", "replace"),
        "random code points": "".join(
            chr(c) for c in (rng.randrange(0x110000) for _ in range(size // 4))
            if not 0xD800 <= c < 0xE000
        ),
        "spaces": " " * size,
        "line ends": "\n" * size,
        "spaces and line ends": of(" \n"),
        "spaces and letters": of(" a"),
        "tabs": "\t" * size,
        "carets": "^" * size,
        "apostrophes": of("'sdtr"),
        "digits": of("0123456789"),
        "one ideograph": "中" * (size // 3),
        "random ideographs": "".join(chr(rng.randrange(0x4E00, 0x9FA6)) for _ in range(size // 3)),
        "common ideographs": "".join(chr(rng.randrange(0x4E00, 0x5200)) for _ in range(size // 3)),
        "random Hangul": "".join(chr(rng.randrange(0xAC00, 0xD7A4)) for _ in range(size // 3)),
        "random Cyrillic": "".join(chr(rng.randrange(0x430, 0x450)) for _ in range(size // 2)),
        "alternating scripts": scripts * (size // len(scripts.encode())),
        "combining marks": "\u0301" * (size // 2),
        "letters and marks": "".join(rng.choice("aeiou") + "\u0301" for _ in range(size // 3)),
        "random emoji": "".join(rng.choices(emoji, k=size // 4)),
        "joined emoji": "👩‍👩‍👧" * (size // 18),
        "almost added tokens": "".join(rng.choices(almost, k=size // 10))[:size],
    }


def random_text(rng, sources):
    parts = []
    for _ in range(rng.randrange(1, 6)):
        kind = rng.random()
        source = rng.choice(sources)
        begin = rng.randrange(len(source))
        part = source[begin : begin + rng.randrange(1, 60)]
        if kind < 0.1:
            part = "".join(chr(rng.randrange(32, 127)) for _ in range(rng.randrange(1, 12)))
        elif kind < 0.2:
            c = rng.randrange(0x110000)
            part = chr(0xFFFD if 0xD800 <= c < 0xE000 else c) * rng.randrange(1, 4)
        elif kind < 0.3:
            part = part[0] * rng.randrange(1, 80)
        elif kind < 0.4:
            part = part.upper()
        elif kind < 0.5:
            part = part.replace(" ", rng.choice(["  ", "\n", "\t ", "\u3000", "\u00a0", "'s "]))
        parts.append(part)
    return "".join(parts)


def check(fathom, peer, sources, count):
    rng = random.Random(count)
    bad = 0
    for i in range(count):
        text = random_text(rng, sources)
        fathom.set_text(text)
        fathom.ask("encode")
        ours, theirs = fathom.ids(), peer.encode(text).ids
        fathom.ask("decode")
        same = ours == theirs and fathom.output() == peer.decode(theirs, skip_special_tokens=False)
        if not same:
            bad += 1
            if bad <= 5:
                print(f"  differs: {text!r}")
    print(f"  {count} random texts: {bad} differ")


def train(shape, vocab_size, files, path):
    from tokenizer_golden_shapes import LLAMA3, QWEN2
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    tok = Tokenizer(models.BPE(ignore_merges=shape == "llama3"))
    if shape == "gpt2":
        tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    else:
        tok.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(LLAMA3 if shape == "llama3" else QWEN2), "isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
    if shape == "qwen2":
        tok.normalizer = normalizers.NFC()
    tok.decoder = decoders.ByteLevel()

    def pieces():
        for name in files:
            with open(name, encoding="utf-8") as data:
                while piece := data.read(10000):
                    yield piece

    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tok.train_from_iterator(pieces(), trainer)
    tok.save(path)


def row(name, size, result):
    (ours, theirs, ours_back, theirs_back), first, equal = result
    rate = size / 1e6
    print(
        f"  {name:<20}{rate / ours:8.1f} MB/s{theirs / ours:8.1f}x"
        f"   first {rate / first:7.1f}   theirs {rate / theirs:6.2f}"
        f"   decode {rate / ours_back:8.1f}{theirs_back / ours_back:8.1f}x"
        f"   {'equal' if all(equal) else 'DIFFERENT'}"
    )
    return ours / size


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tokenizer", action="append", required=True)
    parser.add_argument("--text", action="append", default=[], metavar="NAME=FILE")
    parser.add_argument("--bench", default=os.path.join(HERE, "../build/text_bench"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--limit", type=int, default=1_000_000, help="characters of a text")
    parser.add_argument("--adversarial", action="store_true")
    parser.add_argument("--check", type=int, default=0)
    parser.add_argument("--train", nargs="+", default=[])
    parser.add_argument("--shape", default="llama3", choices=["gpt2", "llama3", "qwen2"])
    parser.add_argument("--vocab-size", type=int, default=128000)
    arguments = parser.parse_args()
    if arguments.train:
        train(arguments.shape, arguments.vocab_size, arguments.train, arguments.tokenizer[0])
    texts = {}
    for item in arguments.text:
        name, path = item.split("=", 1)
        with open(path, encoding="utf-8", newline="") as data:
            texts[name] = data.read()[: arguments.limit]
    with tempfile.TemporaryDirectory() as folder:
        fathom = Fathom(arguments.bench, folder)
        for path in arguments.tokenizer:
            peer_load, peer = seconds_of(lambda: tokenizers.Tokenizer.from_file(path))
            loads = [fathom.ask("open " + path) for _ in range(3)]
            load = min(answer["seconds"] for answer in loads)
            print(
                f"{os.path.basename(path)}: {loads[0]['path']}, {peer.get_vocab_size()} tokens, "
                f"load {load * 1e3:.0f} ms (tokenizers {tokenizers.__version__}: "
                f"{peer_load * 1e3:.0f} ms)"
            )
            prose = None
            for name, text in texts.items():
                size = len(text.encode())
                cost = row(name, size, compare(fathom, peer, text, arguments.rounds))
                prose = prose or cost
            if arguments.adversarial:
                added = [token.content for token in peer.get_added_tokens_decoder().values()]
                texts_made = adversarial_texts(next(iter(texts.values())), added, peer.get_vocab())
                for name, text in texts_made.items():
                    size = len(text.encode())
                    fathom.set_text(text)
                    times = [fathom.ask("encode")["seconds"] for _ in range(arguments.rounds)]
                    equal = fathom.ids() == peer.encode(text).ids if arguments.check else True
                    cost = min(times) / size
                    worst = times[0] / size
                    print(
                        f"  {name:<20}{1e-6 / cost:8.1f} MB/s   {cost / prose:5.2f} x prose"
                        f"   first {worst / prose:5.2f} x   {'' if equal else 'DIFFERENT'}"
                    )
            if arguments.check:
                check(fathom, peer, list(texts.values()), arguments.check)


if __name__ == "__main__":
    main()
