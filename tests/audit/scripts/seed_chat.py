#!/usr/bin/env python3
"""Chat with a local causal language model.

Loads tokenizer and model once, then answers prompts from the terminal."""

import argparse
import os
import sys
import time

import torch
import torch.nn.functional as F
from transformers import AutoModelForCausalLM, AutoTokenizer


DEFAULT_MODEL = "Qwen/Qwen2.5-0.5B-Instruct"
MAX_CONTEXT = 2048
# torch.compile(model) would be a next step; torch_dtype too.



def log(message: str) -> None:
    """Prints with the time."""
    print(f"[{time.strftime('%H:%M:%S')}] {message}", file=sys.stderr)



def pick_device(name: str) -> torch.device:
    """cuda, mps or cpu: what is there, unless one is named."""
    if name != "auto":
        return torch.device(name)
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")



def build_prompt(tokenizer, history):
    """The conversation as one text."""
    if getattr(tokenizer, "chat_template", None):
        return tokenizer.apply_chat_template(
            history, tokenize=False, add_generation_prompt=True
        )
    lines = []
    for turn in history:
        lines.append(f"{turn['role']}: {turn['content']}")
    lines.append("assistant:")
    return "\n".join(lines)



def trim(ids, limit=MAX_CONTEXT):
    """Keeps the last tokens only."""
    if ids.shape[-1] <= limit:
        return ids
    return ids[:, -limit:]



HELP = """
Commands:
  /quit      leave
  /clear     forget the conversation
  device_map="auto" and attn_implementation="flash_attention_2" are not used here
"""


class History:
    """Turns of the conversation."""

    def __init__(self, system):
        self.turns = []
        if system:
            self.turns.append({"role": "system", "content": system})

    def add(self, role, content):
        self.turns.append({"role": role, "content": content})

    def clear(self):
        self.turns = [t for t in self.turns if t["role"] == "system"]



def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--system", default="You are a helpful assistant.")
    parser.add_argument("--max-new-tokens", type=int, default=256)
    parser.add_argument("--temperature", type=float, default=0.8)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()



def show_environment(device):
    log(f"torch {torch.__version__}, device {device}")
    if device.type == "cuda":
        log(torch.cuda.get_device_name(0))


class Generator:
    """Model and tokenizer with what one answer needs."""

    def __init__(self, name, device):
        self.device = device
        self.model, self.tokenizer = self.load(name)
        self.configure_backend()


    def load(self, name):
        """Weights are read once."""
        log(f"loading {name}")
        start = time.perf_counter()



        model = AutoModelForCausalLM.from_pretrained(
            name,
            trust_remote_code=False,
            low_cpu_mem_usage=True,
        )
        tokenizer = AutoTokenizer.from_pretrained(
            name,
            padding_side="left",
            use_fast=True,
        )
        model.to(self.device).eval()
        log(f"ready in {time.perf_counter() - start:.1f} s")
        return model, tokenizer

    def configure_backend(self):
        """Settings of the whole process."""
        torch.manual_seed(0)

        if hasattr(torch, "set_float32_matmul_precision"):
            torch.set_float32_matmul_precision("medium")

        if self.device.type == "cuda":
            torch.backends.cudnn.benchmark = True



    def encode(self, text):
        encoded = self.tokenizer(text, return_tensors="pt")
        return trim(encoded["input_ids"]).to(self.device)



    def stop_ids(self):
        ids = self.tokenizer.eos_token_id
        return set(ids if isinstance(ids, list) else [ids])



    def decode(self, ids):
        return self.tokenizer.decode(ids, skip_special_tokens=True)














































    def describe(self):
        count = sum(p.numel() for p in self.model.parameters())
        return f"{count / 1e6:.1f} M parameters on {self.device}"



    @torch.inference_mode()
    def generate(self, prompt, max_new_tokens, temperature):
        """Yields the answer token by token."""
        input_ids = self.encode(prompt)
        past = None
        stops = self.stop_ids()
        for _ in range(max_new_tokens):




            outputs = self.model(
                input_ids=input_ids,
                past_key_values=past,
                return_dict=True,
                use_cache=True,
                output_attentions=False,
                output_hidden_states=False,
            )
            past = outputs.past_key_values
            logits = outputs.logits[:, -1, :].float()







            logits = logits / max(temperature, 1e-5)



            # only the 50 best are looked at: no sort of the whole vocabulary
            values, indices = torch.topk(logits, k=50, dim=-1)
            probabilities = F.softmax(values, dim=-1)
            choice = indices.gather(-1, torch.multinomial(probabilities, num_samples=1))

            token = choice.item()
            if token in stops:
                break
            yield self.decode([token])
            input_ids = choice



def chat(generator, arguments):
    history = History(arguments.system)
    while True:
        try:
            text = input("> ").strip()
        except (EOFError, KeyboardInterrupt):
            break
        if text == "/quit":
            break
        if text == "/clear":
            history.clear()
            continue
        history.add("user", text)
        prompt = build_prompt(generator.tokenizer, history.turns)
        answer = ""
        for piece in generator.generate(
            prompt, arguments.max_new_tokens, arguments.temperature
        ):
            print(piece, end="", flush=True)
            answer += piece
        print()
        history.add("assistant", answer)



def main():
    arguments = parse_arguments()
    device = pick_device(arguments.device)
    show_environment(device)
    generator = Generator(arguments.model, device)
    log(generator.describe())
    chat(generator, arguments)



if __name__ == "__main__":
    main()
