import sys
import time
from typing import Optional, Tuple

import torch
import torch._dynamo.config
import torch._inductor.config

torch._inductor.config.coordinate_descent_tuning = True
torch._inductor.config.triton.unique_kernel_names = True
default_device = "cuda" if torch.cuda.is_available() else "cpu"
create_block_mask = torch.compile(lambda m: m)


def multinomial_sample_one_no_sync(probs_sort):
    q = torch.empty_like(probs_sort).exponential_(1)
    return torch.argmax(probs_sort / q, dim=-1, keepdim=True).to(dtype=torch.int)


def logits_to_probs(logits, temperature: float = 1.0, top_k: Optional[int] = None):
    logits = logits / max(temperature, 1e-5)
    if top_k is not None:
        v, _ = torch.topk(logits, min(top_k, logits.size(-1)))
        pivot = v.select(-1, -1).unsqueeze(-1)
        logits = torch.where(logits < pivot, -float("Inf"), logits)
    probs = torch.nn.functional.softmax(logits, dim=-1)
    return probs


def sample(logits, temperature: float = 1.0, top_k: Optional[int] = None):
    probs = logits_to_probs(logits[:, -1], temperature, top_k)
    idx_next = multinomial_sample_one_no_sync(probs)
    return idx_next, probs


def decode_one_token(model, x, **sampling_kwargs):
    logits = model(x)
    return sample(logits, **sampling_kwargs)


@torch.no_grad()
def generate(model, prompt, new, **sampling_kwargs):
    for _ in range(new):
        prompt, _ = decode_one_token(model, prompt, **sampling_kwargs)
    return prompt


def load(path, device, precision):
    with torch.device("meta"):
        from model import Transformer
        model = Transformer.from_name(path)
    checkpoint = torch.load(path, mmap=True, weights_only=True)
    model.load_state_dict(checkpoint, assign=True)
    model = model.to(device=device, dtype=precision)
    return model.eval()


def main(path, compile: bool = True, top_k: int = 200, device=default_device):
    global decode_one_token
    model = load(path, device, torch.bfloat16)
    if compile:
        decode_one_token = torch.compile(decode_one_token, mode="reduce-overhead", fullgraph=True)
    generate(model, torch.zeros(1, 1, dtype=torch.int), 20, temperature=0.8, top_k=top_k)


if __name__ == "__main__":
    import argparse
    parser = argparse.ArgumentParser()
    parser.add_argument("--path", default="x.pth")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--top_k", type=int, default=100)
    args = parser.parse_args()
    main(args.path, args.compile, args.top_k)
