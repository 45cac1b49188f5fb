"""Trains the demo model: a small Llama on public-domain tales, saved as a Hugging Face folder.

    python train_tales.py prepare text.txt WORK [--tokenizer FOLDER]    # clean text, token ids
    python train_tales.py train WORK OUT --minutes 60                   # from nothing
    python train_tales.py train WORK OUT --minutes 60 --init FOLDER --peak 0.4
    python train_tales.py train WORK OUT --epochs 20 --device cuda
    python train_tales.py train WORK OUT --minutes 60 --resume          # after an interruption
    python train_tales.py take OUT models/fathom-tales                  # if it is better

Llama as in transformers (RMSNorm, rotary embedding by halves, grouped keys, SwiGLU, tied head),
bfloat16 compute, fp32 master weights. Hidden matrices learn with Muon (orthogonalized momentum,
five Newton-Schulz steps), the rest with AdamW. The learning rate follows the share of the minutes
(or epochs) spent, so that a run ends decayed whatever the machine's speed. OUT holds the model
with the best held-out loss so far, and checkpoint.pt, from which --resume goes on.
"""

import argparse
import json
import math
import os
import re
import shutil
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

VOCAB, HIDDEN, LAYERS, HEADS, KV_HEADS, FFN, CONTEXT = 4096, 320, 7, 10, 5, 896, 512
HEAD_DIM = HIDDEN // HEADS
BOS, EOS = 0, 1
BOS_TEXT, EOS_TEXT = "<|begin_of_text|>", "<|end_of_text|>"
MUON_RATE, ADAM_RATE = 0.02, 3e-3
HELD_ROWS = 160
PLAIN = str.maketrans({"“": '"', "”": '"', "‘": "'", "’": "'", "—": "--", "\u00a0": " "})
FURNITURE = re.compile(r"\.{4,}|\[Illustration|CONTENTS|CHAPTER [IVX\d]+\.?$")


# ---- text ----------------------------------------------------------------------------------------


def paragraphs(text):
    """Yields (paragraph, is_title). Joins hard-wrapped lines, keeps verse (indented lines) as it
    stands, drops tables of contents and page furniture."""
    text = text.translate(PLAIN).replace("_", "")
    for block in re.split(r"\n\s*\n", text):
        lines = [line.rstrip() for line in block.split("\n") if line.strip()]
        if not lines or "gutenberg" in block.lower():
            continue
        letters = sum(c.isalpha() for c in block)
        if letters < 0.6 * len(block) or len(block) < 3 or FURNITURE.search(block):
            continue
        title = len(lines) <= 2 and len(block) < 70 and block.upper() == block
        verse = len(lines) > 1 and all(line.startswith("  ") for line in lines)
        if verse:
            yield "\n".join(line.strip() for line in lines), title
        else:
            yield re.sub(r"\s+", " ", " ".join(lines)), title


def split_tales(text):
    """A title after enough text begins a new tale; titles themselves are left out."""
    tales, now = [], []
    for paragraph, title in paragraphs(text):
        if title and sum(map(len, now)) > 800:
            tales.append("\n\n".join(now))
            now = []
        if not title:
            now.append(paragraph)
    return tales + ["\n\n".join(now)]


def train_tokenizer(tales):
    """Byte-level BPE; encoding text adds the begin token."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB,
        special_tokens=[BOS_TEXT, EOS_TEXT],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(tales, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS_TEXT} $A",
        pair=f"{BOS_TEXT} $A $B",
        special_tokens=[(BOS_TEXT, BOS)],
    )
    return tokenizer


def prepare(source, work, tokenizer_folder):
    """Writes WORK/tokenizer.json, ids.npy (all tokens) and starts.npy (where paragraphs begin)."""
    from tokenizers import Tokenizer

    work.mkdir(parents=True, exist_ok=True)
    tales = split_tales(Path(source).read_text(encoding="utf-8"))
    print(len(tales), "tales,", sum(map(len, tales)), "characters")
    if tokenizer_folder:
        tokenizer = Tokenizer.from_file(str(tokenizer_folder / "tokenizer.json"))
        shutil.copy(tokenizer_folder / "tokenizer.json", work / "tokenizer.json")
    else:
        tokenizer = train_tokenizer(tales)
        tokenizer.save(str(work / "tokenizer.json"))
    ids, starts = [], []
    for tale in tales:
        pieces = [p + "\n\n" for p in tale.split("\n\n")]
        for piece in tokenizer.encode_batch(pieces, add_special_tokens=False):
            starts.append(len(ids))
            ids += piece.ids
        ids[-1] = EOS
    np.save(work / "ids.npy", np.array(ids, np.uint16))
    np.save(work / "starts.npy", np.array(starts, np.int64))
    print(len(ids), "tokens,", sum(map(len, tales)) / len(ids), "characters a token")


class Data:
    """Token ids cut into rows that begin with a paragraph; the last hundredth is held out."""

    def __init__(self, work, device):
        self.ids = np.load(work / "ids.npy").astype(np.int64)
        starts = np.load(work / "starts.npy")
        cut = int(len(self.ids) * 0.99)
        self.starts = starts[starts < cut - CONTEXT]
        self.held = starts[(starts >= cut) & (starts < len(self.ids) - CONTEXT)]
        self.tokens = cut
        self.device = device

    def epoch(self, rng):
        """Row starts that hardly overlap and cover nearly all the text, in random order."""
        rows, at = [], int(rng.integers(CONTEXT))
        while (i := int(np.searchsorted(self.starts, at))) < len(self.starts):
            rows.append(int(self.starts[i]))
            at = rows[-1] + CONTEXT
        return rng.permutation(np.array(rows))

    def take(self, starts):
        """Inputs and targets, both int64 [len(starts), CONTEXT]."""
        rows = [np.concatenate(([BOS], self.ids[s : s + CONTEXT])) for s in starts]
        both = torch.from_numpy(np.stack(rows)).to(self.device)
        return both[:, :-1], both[:, 1:]


# ---- model ---------------------------------------------------------------------------------------


def rotate(a, cos, sin):
    """Rotary embedding by halves; a [batch, heads, length, HEAD_DIM]."""
    half = HEAD_DIM // 2
    return a * cos + torch.cat((-a[..., half:], a[..., :half]), -1) * sin


class Block(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.input_layernorm = torch.nn.RMSNorm(HIDDEN, 1e-5)
        self.post_attention_layernorm = torch.nn.RMSNorm(HIDDEN, 1e-5)
        self.q_proj = torch.nn.Linear(HIDDEN, HIDDEN, bias=False)
        self.k_proj = torch.nn.Linear(HIDDEN, KV_HEADS * HEAD_DIM, bias=False)
        self.v_proj = torch.nn.Linear(HIDDEN, KV_HEADS * HEAD_DIM, bias=False)
        self.o_proj = torch.nn.Linear(HIDDEN, HIDDEN, bias=False)
        self.gate_proj = torch.nn.Linear(HIDDEN, FFN, bias=False)
        self.up_proj = torch.nn.Linear(HIDDEN, FFN, bias=False)
        self.down_proj = torch.nn.Linear(FFN, HIDDEN, bias=False)

    def attention(self, h, cos, sin):
        b, n, _ = h.shape
        projections = (self.q_proj, self.k_proj, self.v_proj)
        q, k, v = (p(h).view(b, n, -1, HEAD_DIM).transpose(1, 2) for p in projections)
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        k, v = (t.repeat_interleave(HEADS // KV_HEADS, 1) for t in (k, v))
        a = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.o_proj(a.transpose(1, 2).reshape(b, n, HIDDEN))

    def forward(self, x, cos, sin):
        """x [batch, length, HIDDEN]"""
        x = x + self.attention(self.input_layernorm(x), cos, sin)
        h = self.post_attention_layernorm(x)
        return x + self.down_proj(F.silu(self.gate_proj(h)) * self.up_proj(h))


class Tales(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.embed_tokens = torch.nn.Embedding(VOCAB, HIDDEN)
        self.layers = torch.nn.ModuleList(Block() for _ in range(LAYERS))
        self.norm = torch.nn.RMSNorm(HIDDEN, 1e-5)
        frequency = 10000.0 ** (-torch.arange(0, HEAD_DIM, 2).float() / HEAD_DIM)
        angle = torch.outer(torch.arange(CONTEXT).float(), frequency)
        self.register_buffer("cos", torch.cat((angle, angle), -1).cos(), persistent=False)
        self.register_buffer("sin", torch.cat((angle, angle), -1).sin(), persistent=False)
        for name, p in self.named_parameters():
            if p.dim() == 2:
                last = name.endswith(("o_proj.weight", "down_proj.weight"))
                std = 0.02 / (math.sqrt(2 * LAYERS) if last else 1)
                torch.nn.init.normal_(p, std=std)

    def forward(self, ids, targets):
        """Mean loss in nats a token; ids and targets [batch, length]."""
        x = self.embed_tokens(ids)
        cos, sin = (t[: ids.shape[1]].to(x.dtype) for t in (self.cos, self.sin))
        for layer in self.layers:
            x = layer(x, cos, sin)
        logits = F.linear(self.norm(x), self.embed_tokens.weight)
        return F.cross_entropy(logits.view(-1, VOCAB).float(), targets.reshape(-1))


def hub_name(name):
    """layers.0.q_proj.weight -> model.layers.0.self_attn.q_proj.weight"""
    folder = {"q": "self_attn", "k": "self_attn", "v": "self_attn", "o": "self_attn"}

    def place(m):
        return f"{m[1]}{folder.get(m[2], 'mlp')}.{m[2]}_proj"

    return "model." + re.sub(r"(layers\.\d+\.)(\w+)_proj", place, name)


# ---- optimizers ----------------------------------------------------------------------------------


def orthogonalize(u):
    """The nearest orthogonal matrix, roughly: five Newton-Schulz steps."""
    u = u / (u.norm() + 1e-7)
    wide = u.shape[0] <= u.shape[1]
    u = (u if wide else u.T).bfloat16()
    for _ in range(5):
        a = u @ u.T
        u = 3.4445 * u + (-4.7750 * a + 2.0315 * a @ a) @ u
    return (u if wide else u.T).float()


class Muon(torch.optim.Optimizer):
    """Momentum whose matrix is replaced by its nearest orthogonal one (Jordan et al. 2024)."""

    def __init__(self, params, lr, momentum=0.95, weight_decay=0.01):
        super().__init__(params, dict(lr=lr, momentum=momentum, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            lr = group["lr"]
            for p in group["params"]:
                mean = self.state[p].setdefault("mean", torch.zeros_like(p))
                mean.lerp_(p.grad, 1 - group["momentum"])
                u = orthogonalize(p.grad.lerp(mean, group["momentum"]))
                scale = math.sqrt(max(1, p.shape[0] / p.shape[1]))
                p.mul_(1 - lr * group["weight_decay"]).add_(u, alpha=-lr * scale)


def schedule(share, step, flat):
    """Warm-up over 40 steps, level for `flat` of the run, then down to a fiftieth."""
    decay = 1 if share < flat else max(0.02, (1 - share) / (1 - flat))
    return min(1, (step + 1) / 40) * decay


# ---- training ------------------------------------------------------------------------------------


class Run:
    """One training run: model, optimizers, and where it stands."""

    def __init__(self, options):
        self.options = options
        torch.manual_seed(options.seed)
        torch.set_float32_matmul_precision("medium")
        self.rng = np.random.default_rng(options.seed)
        self.data = Data(options.work, options.device)
        self.model = Tales().to(options.device)
        self.before = {"tokens_seen": 0, "steps": 0}
        if options.init:
            self.load_init(options.init)
        named = list(self.model.named_parameters())
        matrices = [p for n, p in named if p.dim() == 2 and "embed" not in n]
        self.rest = [p for n, p in named if p.dim() != 2 or "embed" in n]
        self.optimizers = [
            Muon(matrices, MUON_RATE),
            torch.optim.AdamW(self.rest, ADAM_RATE, betas=(0.9, 0.95), weight_decay=0.0),
        ]
        self.rates = [MUON_RATE * options.peak, ADAM_RATE * options.peak]
        self.step = self.seen = self.at = 0
        self.elapsed, self.best = 0.0, math.inf
        self.order = self.data.epoch(self.rng)
        if options.resume and (options.out / "checkpoint.pt").exists():
            self.load_checkpoint()
        self.fast = torch.compile(self.model)

    def load_init(self, folder):
        from safetensors.torch import load_file

        tensors = load_file(str(folder / "model.safetensors"))
        state = {n: tensors[hub_name(n)].float() for n, _ in self.model.named_parameters()}
        self.model.load_state_dict(state)
        if (folder / "training.json").exists():
            self.before.update(json.loads((folder / "training.json").read_text()))

    def share(self):
        """How much of the run is over, by minutes or by epochs, whichever is further."""
        by_time = self.elapsed / (60 * self.options.minutes) if self.options.minutes else 0
        epochs = self.options.epochs
        return max(by_time, self.seen / (epochs * self.data.tokens) if epochs else 0)

    def held_loss(self):
        batch = self.options.batch
        starts = self.data.held[: min(len(self.data.held), HELD_ROWS) // batch * batch]
        losses = []
        with torch.no_grad(), torch.autocast(self.options.device, torch.bfloat16):
            for i in range(0, len(starts), batch):
                losses.append(self.fast(*self.data.take(starts[i : i + batch])).item())
        return float(np.mean(losses))

    def learn(self):
        """One step of all optimizers on one batch."""
        rate = schedule(self.share(), self.step, self.options.flat)
        for optimizer, base in zip(self.optimizers, self.rates):
            for group in optimizer.param_groups:
                group["lr"] = base * rate
        if self.at + self.options.batch > len(self.order):
            self.order, self.at = self.data.epoch(self.rng), 0
        x, y = self.data.take(self.order[self.at : self.at + self.options.batch])
        self.at += self.options.batch
        with torch.autocast(self.options.device, torch.bfloat16):
            loss = self.fast(x, y)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.rest, 1.0)
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        self.step += 1
        self.seen += x.numel()
        return loss

    def train(self):
        parameters = sum(p.numel() for p in self.model.parameters())
        print(parameters, "parameters;", self.data.tokens, "tokens;", len(self.data.held), "held")
        print(f"held out before: {self.held_loss():.4f}", flush=True)
        spent, begin, last = self.elapsed, time.time(), 0.0
        while self.share() < 1:
            loss = self.learn()
            self.elapsed = spent + time.time() - begin
            if self.step % 50 == 0:
                speed = self.seen / self.elapsed
                print(f"{self.step} steps {self.seen / 1e6:.2f} M tokens {speed:.0f} tok/s"
                      f" {self.elapsed / 60:.1f} min loss {loss.item():.3f}", flush=True)
            if self.elapsed - last > self.options.check_seconds:
                self.check()
                last = self.elapsed
        self.check()

    def check(self):
        """Writes the checkpoint, and the model if no earlier one was better."""
        held = self.held_loss()
        better = held < self.best
        self.best = min(self.best, held)
        print(f"{self.step} steps held out {held:.4f}{' best' if better else ''}", flush=True)
        self.options.out.mkdir(parents=True, exist_ok=True)
        if better:
            training = {
                "tokens_seen": self.before["tokens_seen"] + self.seen,
                "steps": self.before["steps"] + self.step,
                "held_out_loss": held,
                "held_out_perplexity_per_token": math.exp(held),
            }
            save_model(self.model, self.options.work, self.options.out, training)
        self.save_checkpoint()

    def save_checkpoint(self):
        state = {
            "model": self.model.state_dict(),
            "optimizers": [o.state_dict() for o in self.optimizers],
            "rng": self.rng.bit_generator.state,
            "order": self.order.tolist(),
        }
        for name in ("step", "seen", "at", "elapsed", "best", "before"):
            state[name] = getattr(self, name)
        path = self.options.out / "checkpoint.pt"
        torch.save(state, path.with_suffix(".new"))
        os.replace(path.with_suffix(".new"), path)

    def load_checkpoint(self):
        path = self.options.out / "checkpoint.pt"
        state = torch.load(path, map_location=self.options.device, weights_only=True)
        self.model.load_state_dict(state["model"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"]):
            optimizer.load_state_dict(saved)
        self.rng.bit_generator.state = state["rng"]
        self.order = np.array(state["order"])
        for name in ("step", "seen", "at", "elapsed", "best", "before"):
            setattr(self, name, state[name])


# ---- the folder ----------------------------------------------------------------------------------


def config():
    return {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu",
        "hidden_size": HIDDEN, "intermediate_size": FFN, "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS, "num_key_value_heads": KV_HEADS, "head_dim": HEAD_DIM,
        "vocab_size": VOCAB, "max_position_embeddings": CONTEXT, "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0, "attention_bias": False, "mlp_bias": False,
        "tie_word_embeddings": True, "bos_token_id": BOS, "eos_token_id": EOS,
        "torch_dtype": "bfloat16",
    }


def write_json(path, value):
    path.write_text(json.dumps(value, indent=1) + "\n")


def save_model(model, work, out, training):
    """Writes the Hugging Face folder; the weights last and at one stroke."""
    from safetensors.torch import save_file

    write_json(out / "config.json", config())
    write_json(out / "generation_config.json", {
        "bos_token_id": BOS, "eos_token_id": EOS,
        "do_sample": True, "temperature": 0.8, "top_k": 50, "top_p": 0.95,
    })
    write_json(out / "tokenizer_config.json", {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": BOS_TEXT, "eos_token": EOS_TEXT, "model_max_length": CONTEXT,
    })
    shutil.copyfile(work / "tokenizer.json", out / "tokenizer.json")
    tensors = {}
    for name, p in model.named_parameters():
        tensors[hub_name(name)] = p.detach().to(torch.bfloat16).cpu().contiguous()
    save_file(tensors, str(out / "model.new"), {"format": "pt"})
    os.replace(out / "model.new", out / "model.safetensors")
    write_json(out / "training.json", training)


def take(source, target):
    """Copies weights and training.json where they are better; writes the numbers into the card."""
    new = json.loads((source / "training.json").read_text())
    old = json.loads((target / "training.json").read_text())
    if new["held_out_loss"] >= old["held_out_loss"]:
        raise SystemExit(f"not better: {new['held_out_loss']:.4f} >= {old['held_out_loss']:.4f}")
    if (source / "tokenizer.json").read_bytes() != (target / "tokenizer.json").read_bytes():
        raise SystemExit("the tokenizers differ")
    shutil.copyfile(source / "model.safetensors", target / "model.safetensors")
    write_json(target / "training.json", new)
    write_card(target, new)
    print(f"held out {old['held_out_loss']:.4f} -> {new['held_out_loss']:.4f}")


def write_card(folder, training):
    """Refreshes the lines of README.md between the two marks."""
    loss = training["held_out_loss"]
    rows = [
        "| | |", "|---|---|",
        f"| optimizer steps | {training['steps']:,} |",
        f"| tokens seen | {training['tokens_seen'] / 1e6:.1f} million |",
        f"| held-out loss | {loss:.3f} nats a token |",
        f"| held-out perplexity | {math.exp(loss):.1f} a token |",
    ]
    path = folder / "README.md"
    head, rest = path.read_text().split("<!-- numbers -->\n")
    tail = rest.split("<!-- /numbers -->\n")[1]
    numbers = "\n".join(rows)
    path.write_text(f"{head}<!-- numbers -->\n{numbers}\n<!-- /numbers -->\n{tail}")


def arguments():
    parser = argparse.ArgumentParser()
    verbs = parser.add_subparsers(dest="verb", required=True)
    p = verbs.add_parser("prepare")
    p.add_argument("source")
    p.add_argument("work", type=Path)
    p.add_argument("--tokenizer", type=Path, help="a model folder whose tokenizer to keep")
    p = verbs.add_parser("train")
    p.add_argument("work", type=Path)
    p.add_argument("out", type=Path)
    p.add_argument("--minutes", type=float, help="how long the run takes")
    p.add_argument("--epochs", type=float, help="how often it goes over the text")
    p.add_argument("--batch", type=int, default=8, help="rows of 512 tokens a step")
    p.add_argument("--init", type=Path, help="a model folder to go on from")
    p.add_argument("--peak", type=float, default=1.0, help="factor on the learning rates")
    p.add_argument("--flat", type=float, default=0.4, help="share of the run before decay")
    p.add_argument("--seed", type=int, default=7)
    p.add_argument("--resume", action="store_true", help="go on from OUT/checkpoint.pt")
    p.add_argument("--check-seconds", type=float, default=300)
    p.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    p = verbs.add_parser("take")
    p.add_argument("source", type=Path)
    p.add_argument("target", type=Path)
    options = parser.parse_args()
    if options.verb == "train" and not options.minutes and not options.epochs:
        parser.error("train needs --minutes or --epochs")
    return options


def main():
    options = arguments()
    if options.verb == "prepare":
        prepare(options.source, options.work, options.tokenizer)
    elif options.verb == "train":
        Run(options).train()
    else:
        take(options.source, options.target)


if __name__ == "__main__":
    main()
