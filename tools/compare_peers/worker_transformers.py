"""A transformers model that takes turns: worker_transformers.py HF_FOLDER JSON.

JSON: {"threads": n, "attn_implementation": "sdpa" or "eager"}. Orders and answers are those of
`fathom bench-turns` (decode, prefill). With a third argument, a prompt, it makes one token of that
text instead and says how long loading took.
"""
import json
import sys
import time


class Turns:
    def __init__(self, folder, settings):
        import torch
        from transformers import AutoModelForCausalLM
        torch.set_num_threads(settings["threads"])
        self.torch = torch
        start = time.perf_counter()
        self.model = AutoModelForCausalLM.from_pretrained(
            folder, dtype="auto", attn_implementation=settings["attn_implementation"]).eval()
        self.load_ms = 1000 * (time.perf_counter() - start)

    def weight_bytes(self):
        """Of the linear matrices; an embedding that is only looked up does not count."""
        linear = {id(module.weight): module.weight.nbytes for module in self.model.modules()
                  if isinstance(module, self.torch.nn.Linear)}
        return sum(linear.values())

    def turn(self, what, context, seconds):
        """The model's own forward with its cache and a greedy choice: less than generate does."""
        torch, model = self.torch, self.model
        tokens, spent, steps = 0, 0.0, 16
        with torch.inference_mode():
            while spent < seconds:
                ids = torch.randint(1, model.config.vocab_size, (1, context))
                start = time.perf_counter()
                result = model(ids, use_cache=True, logits_to_keep=1)
                ids = result.logits[:, -1:].argmax(-1)
                if what == "prefill":
                    tokens += context
                    spent += time.perf_counter() - start
                    continue
                start = time.perf_counter()
                for _ in range(steps):
                    result = model(ids, past_key_values=result.past_key_values, use_cache=True)
                    ids = result.logits[:, -1:].argmax(-1)
                tokens += steps
                spent += time.perf_counter() - start
        return {"tokens": tokens, "seconds": spent}


def first_token(folder, settings, text):
    from transformers import AutoTokenizer
    turns = Turns(folder, settings)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    inputs = tokenizer(text, return_tensors="pt")
    ids = turns.model.generate(**inputs, max_new_tokens=1, do_sample=False)
    print(json.dumps({"load_ms": turns.load_ms, "prompt_tokens": inputs["input_ids"].shape[1],
                      "text": tokenizer.decode(ids[0, -1:])}))


def main():
    folder, settings = sys.argv[1], json.loads(sys.argv[2])
    if len(sys.argv) > 3:
        first_token(folder, settings, sys.argv[3])
        return
    turns = Turns(folder, settings)
    turns.turn("decode", 16, 0.01)  # warms kernels and pages
    print(json.dumps({"ready": True, "weight_bytes": turns.weight_bytes()}), flush=True)
    for line in sys.stdin:
        what, context, seconds = line.split()
        print(json.dumps(turns.turn(what, int(context), float(seconds))), flush=True)


if __name__ == "__main__":
    main()
