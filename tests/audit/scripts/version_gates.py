import sys
import torch
from transformers import AutoModelForCausalLM
from transformers import __version__ as tv

TORCH_2 = int(torch.__version__.split(".")[0]) >= 2
NEW = tuple(int(p) for p in tv.split(".")[:2]) >= (4, 38)
extra = {"attn_implementation": "sdpa"} if NEW else {}
model = AutoModelForCausalLM.from_pretrained("gpt2", **extra)
model = torch.compile(model) if TORCH_2 and sys.version_info < (3, 12) else model
if "compile" in dir(torch):
    torch.set_float32_matmul_precision("medium")
use_gpu = torch.cuda.device_count() > 0
use_gpu and model.half()
model.generate(torch.tensor([[1]]), use_cache=True if use_gpu else False)
