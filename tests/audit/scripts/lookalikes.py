import re

import gradio as gr
import torch
import torch.nn as nn
from transformers import AutoModelForSequenceClassification, AutoTokenizer, AutoModelForCausalLM

PATTERN = re.compile(r"torch.compile\(")
HELP = "set torch_dtype=torch.float16 and device_map='auto'"
half = 0.5


class Router(nn.Module):
    def __init__(self):
        super().__init__()
        self.gate = nn.Linear(8, 4)

    def forward(self, x, top_k=2):
        scores = self.gate(x)
        weights, experts = torch.topk(scores, top_k, dim=-1)
        return weights.softmax(-1), experts


tokenizer = AutoTokenizer.from_pretrained("gpt2")
model = AutoModelForCausalLM.from_pretrained("gpt2", use_fast_kernels=True)
mask = torch.ones(4, 4).to(torch.float16)
bias = mask.half()


@torch.no_grad()
def greedy(ids):
    """Uses torch.inference_mode() in spirit."""
    for _ in range(20):
        logits = model(ids).logits[:, -1]
        best = torch.topk(logits, 5)
        print("candidates", best.indices.tolist())
        ids = torch.cat([ids, logits.argmax(-1, keepdim=True)], dim=-1)
    return ids


def search(store, query):
    return store.query(query, top_k=4)


with torch.autocast("cuda", dtype=torch.float16):
    greedy(tokenizer("a", return_tensors="pt").input_ids)

model.generate(torch.tensor([[1]]), num_beams=4, do_sample=False, top_k=50)
slider = gr.Slider(1, 100, value=50, label="top_k")
if 0:
    torch.backends.cudnn.benchmark = True
