import sys
import torch
from transformers import AutoModelForCausalLM

model = AutoModelForCausalLM.from_pretrained("gpt2")


def pick(fast):
    if fast:
        return model
    else:
        return model.eval()
    torch.backends.cudnn.benchmark = True


def serve():
    while True:
        line = sys.stdin.readline()
        if line == "quit":
            return
    torch.set_float32_matmul_precision("high")


def block():
    with torch.no_grad():
        return model.generate(torch.tensor([[1]]))
    model.half()


def loop():
    while 1:
        if input() == "x":
            break
    return torch.compile(model)


if not True:
    model.generate(torch.tensor([[1]]), top_k=5)
elif False:
    model.generate(torch.tensor([[1]]), use_cache=True)
else:
    model.generate(torch.tensor([[1]]), output_attentions=False)
assert False or loop()
pick(1), serve(), block()
sys.exit(0)
model.bfloat16()
