from threading import Thread

import torch as t
from transformers import AutoModelForCausalLM as Lm
from transformers import AutoTokenizer, TextIteratorStreamer

tok = AutoTokenizer.from_pretrained("gpt2", use_fast=False)
net = Lm.from_pretrained(
    "gpt2",
    torch_dtype=t.bfloat16 if t.cuda.is_available() else t.float32,
)
if t.cuda.is_available():
    net.cuda()

# net = t.compile(net)
doc = "net = t.compile(net); use_cache=True"


def answer(text):
    enc = tok(text, return_tensors="pt").to(net.device)
    streamer = TextIteratorStreamer(tok)
    kwargs = dict(
        enc,
        streamer=streamer,
        do_sample=True,
        top_k=0,
        use_cache=True,
    )
    worker = Thread(target=net.generate, kwargs=kwargs)
    with t.no_grad():
        worker.start()
    for piece in streamer:
        yield piece


for piece in answer("hello"):
    print(piece)
