from functools import partial
import torch
import transformers as tf
from torch import compile as tc, inference_mode as im

load = partial(
    tf.AutoModelForCausalLM.from_pretrained,
    low_cpu_mem_usage=True,
    device_map="balanced",
)
model = load("gpt2", torch_dtype="auto")
model = tc(model)
gen = partial(model.generate, top_k=0, do_sample=True)
gen2 = partial(gen, use_cache=True)
ids = torch.tensor([[1, 2]])


@im()
def go():
    return gen2(ids, output_attentions=False)


go()
