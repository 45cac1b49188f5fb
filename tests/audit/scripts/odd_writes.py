import torch; torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic = True, False
torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
from transformers import AutoModelForCausalLM
setattr(torch.backends.cudnn, "enabled", True)
model = \
    AutoModelForCausalLM.from_pretrained( \
        "gpt2", torch_dtype="bfloat16", \
        device_map = "sequential")
if (compiled := torch.compile(model)) is not None: model = compiled
setattr(model.config, "use_cache", False)
setattr(model.generation_config, "use_cache", True)
with torch.backends.cudnn.flags(enabled=True, benchmark=False): pass
def go(m, /, ids, *, k: int = 5): return m.generate(ids, do_sample=True, top_k=k)
with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16): go(model, torch.tensor([[1]]), k=9)
