import sys

import torch
import transformers
from packaging import version

try:
    import flash_attn
    HAS_FLASH = True
except ImportError:
    HAS_FLASH = False

if sys.platform == "darwin":
    DEVICE = "mps"
elif torch.cuda.is_available():
    DEVICE = "cuda"
else:
    DEVICE = "cpu"

if DEVICE == "cuda":
    torch.backends.cudnn.benchmark = True
    torch.backends.cuda.matmul.allow_tf32 = True
else:
    torch.backends.cudnn.benchmark = False

kwargs = {}
if HAS_FLASH:
    kwargs["attn_implementation"] = "flash_attention_2"
else:
    kwargs["attn_implementation"] = "sdpa"
new_name = version.parse(transformers.__version__) >= version.parse("4.56")
kwargs.update(torch_dtype=torch.float16)

model = transformers.AutoModelForCausalLM.from_pretrained("gpt2", **kwargs)
try:
    model = torch.compile(model)
except Exception as error:
    print("no compile:", error)


def generate(ids, amp=False):
    context = torch.inference_mode if hasattr(torch, "inference_mode") else torch.no_grad
    with context():
        return model.generate(ids, output_attentions=False, use_cache=True)


if not torch.cuda.is_available():
    print("CPU only")
    sys.exit(0)
model.half()
print(generate(torch.tensor([[1, 2]]).to(DEVICE)))
