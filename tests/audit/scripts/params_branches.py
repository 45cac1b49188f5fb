import argparse

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

parser = argparse.ArgumentParser()
parser.add_argument("--model", type=str)
parser.add_argument("--cpu", action="store_true")
parser.add_argument("--load-in-4bit", action="store_true")
parser.add_argument("--bf16", action="store_true")
parser.add_argument("--use-flash", action="store_true")
parser.add_argument("--no-cache", action="store_true")
parser.add_argument("--attn", default="sdpa")
parser.add_argument("--top_k", type=int, default=40)
args = parser.parse_args()

params = {"low_cpu_mem_usage": True}
if args.cpu:
    params["torch_dtype"] = torch.float32
elif torch.cuda.is_available():
    params["device_map"] = "auto"
    if args.bf16:
        params["torch_dtype"] = torch.bfloat16
    else:
        params["torch_dtype"] = torch.float16
else:
    params["torch_dtype"] = torch.float32

if args.use_flash:
    params["attn_implementation"] = "flash_attention_2"

tokenizer = AutoTokenizer.from_pretrained(args.model)
model = AutoModelForCausalLM.from_pretrained(args.model, **params)
model.eval()

if False:
    model = torch.compile(model)


def generate(prompt):
    inputs = tokenizer(prompt, return_tensors="pt")
    return model.generate(
        **inputs,
        top_k=args.top_k,
        do_sample=True,
        use_cache=not args.no_cache,
        output_hidden_states=True,
        return_dict_in_generate=True,
    )
    torch.set_float32_matmul_precision("high")


print(generate("hi"))
