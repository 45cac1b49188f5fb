import torch
import torch.nn.functional as F
from transformers import AutoModelForCausalLM, AutoTokenizer, pipeline

tokenizer = AutoTokenizer.from_pretrained("gpt2")
model = AutoModelForCausalLM.from_pretrained("gpt2")
gradient_checkpointing = True
use_cache = "disk"
half = len("abcd") // 2


class MoE(torch.nn.Module):
    def __init__(self, k=2):
        super().__init__()
        self.top_k = k
        self.gate = torch.nn.Linear(4, 8)

    def forward(self, x):
        weights = F.softmax(self.gate(x), dim=1)
        weights, chosen = torch.topk(weights, self.top_k, dim=-1)
        weights /= weights.sum(dim=-1, keepdim=True)
        return weights.to(torch.float16), chosen


def beam(logits, beams):
    scores, index = torch.topk(logits.log_softmax(-1).flatten(), beams)
    return index // 10, index % 10, scores


def show(logits):
    top = logits[0, -1].topk(10)
    for p, i in zip(top.values, top.indices):
        print(f"{tokenizer.decode(i)!r}: {p:.2f}")


def accuracy(output, target, topk=(1, 5)):
    _, pred = output.topk(max(topk), 1, True, True)
    return pred.eq(target).float().sum()


def retrieve(index, query, top_k=5):
    return index.search(query, top_k)


ids = tokenizer("The", return_tensors="pt").input_ids
logits = model(ids).logits
show(logits)
greedy = logits[:, -1].topk(1).indices
print(beam(logits, 4), accuracy(logits[0], greedy))
fill = pipeline("fill-mask", top_k=5)
qa = pipeline("question-answering")
print(qa(question="a", context="b", top_k=3))
loss = F.cross_entropy(logits.float().view(-1, 50257), ids.view(-1))
x = torch.zeros(1, dtype=torch.bfloat16)
cache = {"device_map": "auto", "torch_dtype": torch.float16}
re_compile = __import__("re").compile("a")
model.generate(ids, do_sample=False, num_beams=3, top_k=10)
