import enum
from collections import namedtuple
from typing import NamedTuple

import torch
from pydantic_settings import BaseSettings
from transformers import AutoModelForCausalLM


class Precision(enum.Enum):
    HALF = torch.float16
    FULL = torch.float32


class Settings(BaseSettings):
    attn: str = "flash_attention_2"
    top_k: int = 33
    device_map: str = "auto"

    @property
    def dtype(self):
        return torch.bfloat16

    @staticmethod
    def cache():
        return False


class Sizes(NamedTuple):
    beams: int = 1


settings = Settings()
model = AutoModelForCausalLM.from_pretrained(
    "gpt2",
    attn_implementation=settings.attn,
    device_map=settings.device_map,
    dtype=settings.dtype,
)
model.generate(torch.tensor([[1]]), do_sample=True, top_k=settings.top_k, num_beams=Sizes().beams, use_cache=Settings.cache())
