"""Benchmark of a chat model."""
import os
import time
from dataclasses import dataclass, field
from typing import Optional

import torch
import typer
from transformers import AutoModelForCausalLM, AutoTokenizer, set_seed

app = typer.Typer()
torch.backends.cudnn.benchmark = True
torch.backends.cudnn.deterministic = False


@dataclass
class Settings:
    dtype: str = "float16"
    use_cache: bool = False
    attn: Optional[str] = None
    device: str = field(default="cuda")


def to_dtype(name: str):
    return getattr(torch, name)


def maybe_compile(model, enabled: bool = False):
    if not enabled:
        return model
    return torch.compile(model)


def load(name: str, settings: Settings):
    extra = {}
    if settings.attn is not None:
        extra["attn_implementation"] = settings.attn
    model = (
        AutoModelForCausalLM.from_pretrained(name, **extra)
        .to(
            settings.device,
            to_dtype(settings.dtype),
        )
        .eval()
    )
    return model


@app.command()
def main(
    name: str = "gpt2",
    compile: bool = typer.Option(False, help="use torch.compile"),
    top_k: int = typer.Option(50),
    tokens: int = 128,
):
    set_seed(0)
    torch.set_float32_matmul_precision(os.environ.get("MATMUL", "high"))
    settings = Settings()
    tokenizer = AutoTokenizer.from_pretrained(name)
    model = maybe_compile(load(name, settings), compile)
    ids = tokenizer("hello", return_tensors="pt").to(settings.device)
    start = time.time()
    with torch.inference_mode():
        model.generate(**ids, max_new_tokens=tokens, do_sample=True, top_k=top_k,
                       use_cache=settings.use_cache)
    print(tokens / (time.time() - start))


if __name__ == "__main__":
    app()
