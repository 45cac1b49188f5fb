#!/usr/bin/env python
import click
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer


@click.command()
@click.argument("prompt")
@click.option("--model", "model_name", default="gpt2")
@click.option("--top-k", default=60, show_default=True, type=int)
@click.option("--half/--no-half", default=True)
@click.option("--compile", "use_compile", is_flag=True)
@click.option("--attn", type=click.Choice(["eager", "sdpa", "flash_attention_2"]), default="eager")
@click.option("--no-cache", is_flag=True)
def main(prompt, model_name, top_k, half, use_compile, attn, no_cache):
    tok = AutoTokenizer.from_pretrained(model_name)
    model = AutoModelForCausalLM.from_pretrained(model_name, attn_implementation=attn)
    if half:
        model.half()
    if use_compile:
        model = torch.compile(model)
    with torch.inference_mode():
        ids = tok(prompt, return_tensors="pt").input_ids
        out = model.generate(ids, do_sample=True, top_k=top_k, use_cache=not no_cache)
    click.echo(tok.decode(out[0]))


if __name__ == "__main__":
    main()
