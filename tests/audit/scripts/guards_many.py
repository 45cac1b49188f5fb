import os
import sys

import torch
from transformers import AutoModelForCausalLM

model = AutoModelForCausalLM.from_pretrained("gpt2")


def main():
    if "--compile" in sys.argv:
        compiled = torch.compile(model)
    if len(sys.argv) > 1 and sys.argv[1] == "fast":
        torch.backends.cuda.matmul.allow_tf32 = True
    if os.environ.get("BENCH"):
        torch.backends.cudnn.benchmark = True
    if getattr(torch, "inference_mode", None):
        with torch.inference_mode():
            model.generate(torch.tensor([[1]]))
    if isinstance(model, torch.nn.Module):
        model.half()
    if model.config.model_type == "gpt2":
        model.generate(torch.tensor([[1]]), use_cache=True)


if __name__ == "__main__":
    main()
