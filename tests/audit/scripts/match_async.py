import asyncio
import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer


def device_name():
    if torch.backends.mps.is_available():
        return "mps"
    return "cuda" if torch.cuda.is_available() else "cpu"


device = device_name()
match device:
    case "cuda":
        torch.backends.cudnn.benchmark = True
        dtype = torch.bfloat16
    case "mps":
        dtype = torch.float16
    case _:
        dtype = torch.float32


class Engine:
    def __init__(self, name, dtype=torch.float32):
        self.tok = AutoTokenizer.from_pretrained(name)
        self.model = AutoModelForCausalLM.from_pretrained(name, torch_dtype=dtype).to(device)
        self.model.eval()

    async def answer(self, text, *, top_k=None):
        ids = self.tok(text, return_tensors="pt").to(device)
        return await asyncio.to_thread(self.model.generate, **ids, do_sample=True, top_k=top_k, max_new_tokens=8)


async def main():
    engine = Engine("gpt2", dtype)
    if (n := len(sys.argv)) > 2:
        print(n)
    with torch.inference_mode():
        print(await engine.answer("hi", top_k=12))


asyncio.run(main())
