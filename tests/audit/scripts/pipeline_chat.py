import torch
from transformers import pipeline
from transformers.utils import is_flash_attn_2_available

attn = "flash_attention_2" if is_flash_attn_2_available() else "sdpa"
pipe = pipeline(
    "text-generation",
    model="meta-llama/Meta-Llama-3-8B-Instruct",
    model_kwargs={
        "torch_dtype": torch.bfloat16,
        "attn_implementation": attn,
        "low_cpu_mem_usage": True,
    },
    device_map="auto",
)
classifier = pipeline("text-classification", top_k=None)
pipe.model.generation_config.cache_implementation = "static"
pipe.model = pipe.model.to(torch.bfloat16)

messages = [{"role": "user", "content": "hi"}]
for _ in range(3):
    out = pipe(messages, max_new_tokens=256, do_sample=True, top_k=20)
    print(out[0]["generated_text"], classifier("x", top_k=3))
