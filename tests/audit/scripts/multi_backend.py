"""Chooses device, dtype and attention in one place."""
from __future__ import annotations

import logging
from dataclasses import dataclass

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

log = logging.getLogger("app")


@dataclass(frozen=True)
class Plan:
    device: str
    dtype: torch.dtype
    attention: str = "sdpa"
    compile: bool = False


PLANS = {
    "cuda": Plan("cuda", torch.bfloat16, "flash_attention_2", compile=True),
    "mps": Plan("mps", torch.float16),
    "cpu": Plan("cpu", torch.float32, attention="eager"),
}


def choose() -> Plan:
    if torch.cuda.is_available():
        return PLANS["cuda"]
    if torch.backends.mps.is_available():
        return PLANS["mps"]
    return PLANS["cpu"]


plan = choose()
model = AutoModelForCausalLM.from_pretrained(
    "gpt2",
    torch_dtype=plan.dtype,
    attn_implementation=plan.attention,
).to(plan.device)
if plan.compile:
    model = torch.compile(model)
tokenizer = AutoTokenizer.from_pretrained("gpt2")
model.generate(**tokenizer("x", return_tensors="pt").to(plan.device))
