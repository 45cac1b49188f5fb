from dataclasses import dataclass, field

import hydra
import torch
from hydra.core.config_store import ConfigStore
from transformers import AutoModelForCausalLM, AutoTokenizer


@dataclass
class GenerationArgs:
    top_k: int = 25
    do_sample: bool = True
    use_cache: bool = False


@dataclass
class Config:
    name: str = "gpt2"
    dtype: str = "bfloat16"
    attn: str = "sdpa"
    compile: bool = False
    generation: GenerationArgs = field(default_factory=GenerationArgs)


ConfigStore.instance().store(name="config", node=Config)


@hydra.main(version_base=None, config_name="config")
def main(cfg: Config):
    tokenizer = AutoTokenizer.from_pretrained(cfg.name)
    model = AutoModelForCausalLM.from_pretrained(
        cfg.name,
        dtype=getattr(torch, cfg.dtype),
        attn_implementation=cfg.attn,
    )
    if cfg.compile:
        model = torch.compile(model)
    ids = tokenizer("x", return_tensors="pt")
    with torch.no_grad():
        print(model.generate(
            **ids,
            top_k=cfg.generation.top_k,
            do_sample=cfg.generation.do_sample,
            use_cache=cfg.generation.use_cache,
        ))


main()
