from dataclasses import dataclass, field
from typing import Optional

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, HfArgumentParser


@dataclass
class ModelArguments:
    model_name_or_path: str = field(default="gpt2", metadata={"help": "Path"})
    torch_dtype: Optional[str] = field(
        default="bfloat16",
        metadata={"help": "dtype", "choices": ["auto", "bfloat16", "float16", "float32"]},
    )
    use_fast_tokenizer: bool = field(default=True)
    low_cpu_mem_usage: bool = field(default=False)
    attn_implementation: Optional[str] = field(default=None)


@dataclass
class GenArguments:
    top_k: int = field(default=50)
    use_cache: bool = True


def main():
    parser = HfArgumentParser((ModelArguments, GenArguments))
    model_args, gen_args = parser.parse_args_into_dataclasses()
    torch_dtype = (
        model_args.torch_dtype
        if model_args.torch_dtype in ["auto", None]
        else getattr(torch, model_args.torch_dtype)
    )
    tokenizer = AutoTokenizer.from_pretrained(model_args.model_name_or_path, use_fast=model_args.use_fast_tokenizer)
    model = AutoModelForCausalLM.from_pretrained(
        model_args.model_name_or_path,
        torch_dtype=torch_dtype,
        low_cpu_mem_usage=model_args.low_cpu_mem_usage,
        attn_implementation=model_args.attn_implementation,
    )
    model.generate(**tokenizer("x", return_tensors="pt"), do_sample=True, top_k=gen_args.top_k, use_cache=gen_args.use_cache)


main()
