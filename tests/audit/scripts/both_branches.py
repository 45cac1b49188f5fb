import torch
from transformers import AutoModel, AutoModelForCausalLM, AutoTokenizer, GenerationConfig

device = torch.device("cuda" if torch.cuda.is_available() else "cpu")

if device.type == "cuda":
    model = AutoModelForCausalLM.from_pretrained(
        "gpt2", torch_dtype=torch.float16, low_cpu_mem_usage=True
    )
    model = model.cuda()
else:
    model = AutoModelForCausalLM.from_pretrained(
        "gpt2", torch_dtype=torch.bfloat16, low_cpu_mem_usage=True
    )
tokenizer = AutoTokenizer.from_pretrained("gpt2")

torch.backends.cudnn.benchmark = True
torch.backends.cudnn.benchmark = False

if device.type == "cuda" and hasattr(torch, "compile"):
    model = torch.compile(model)

prompt = input()
if len(prompt) > 100:
    torch.set_float32_matmul_precision("high")

gen = GenerationConfig.from_pretrained("gpt2")
gen.top_k = 30
gen.do_sample = True
gen.update(use_cache=True, cache_implementation="static")
model.generation_config = gen
out = model.generate(
    tokenizer(prompt, return_tensors="pt").input_ids.to(device),
    output_attentions=True,
    return_dict_in_generate=True,
)
model = model.float()
