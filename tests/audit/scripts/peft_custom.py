import torch
from peft import PeftModel, AutoPeftModelForCausalLM
from transformers import AutoTokenizer, AutoModelForCausalLM, BitsAndBytesConfig
from transformers import LogitsProcessorList, TopKLogitsWarper

bnb = BitsAndBytesConfig(
    load_in_4bit=True,
    bnb_4bit_compute_dtype=torch.bfloat16,
    bnb_4bit_quant_type="nf4",
)
base = AutoModelForCausalLM.from_pretrained(
    "meta-llama/Llama-2-7b-hf",
    quantization_config=bnb,
    device_map="auto",
    use_cache=True,
)
model = PeftModel.from_pretrained(base, "tloen/alpaca-lora-7b", low_cpu_mem_usage=True)
model = model.merge_and_unload()
tokenizer = AutoTokenizer.from_pretrained("meta-llama/Llama-2-7b-hf", use_fast=True)
model.config.use_cache = True
warpers = LogitsProcessorList([TopKLogitsWarper(50)])


def top_k_filter(logits, top_k=0):
    if top_k > 0:
        top_k = min(top_k, logits.size(-1))
        worst = torch.topk(logits, top_k)[0][..., -1, None]
        logits[logits < worst] = -float("inf")
    return logits


@torch.inference_mode()
def sample(ids, steps=10):
    for _ in range(steps):
        logits = model(ids).logits[:, -1, :]
        logits = top_k_filter(logits, top_k=40)
        probs = torch.softmax(logits, dim=-1)
        ids = torch.cat([ids, torch.multinomial(probs, 1)], dim=-1)
    return ids
