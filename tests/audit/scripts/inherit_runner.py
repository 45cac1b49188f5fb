from abc import ABC, abstractmethod
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LogitsProcessor, LogitsProcessorList


class Base(ABC):
    attn = "sdpa"
    kwargs = {}

    def __init__(self, name, **kwargs):
        self.model = AutoModelForCausalLM.from_pretrained(name, attn_implementation=self.attn, **kwargs)
        self.tokenizer = AutoTokenizer.from_pretrained(name)

    @abstractmethod
    def run(self): ...


class TopK(LogitsProcessor):
    def __init__(self, k):
        self.k = k

    def __call__(self, input_ids, scores):
        kept = scores.topk(self.k).values[..., -1:]
        return scores.masked_fill(scores < kept, float("-inf"))


class Fast(Base):
    def __init__(self, name):
        super().__init__(name, torch_dtype=torch.float16, device_map="auto")
        self.model = torch.compile(self.model)

    @torch.inference_mode()
    def run(self):
        return self.model.generate(
            torch.tensor([[1]]),
            do_sample=True,
            top_k=0,
            logits_processor=LogitsProcessorList([TopK(10)]),
        )


Fast("gpt2").run()
