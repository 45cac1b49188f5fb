import torch
from transformers import LlamaForCausalLM, LlamaTokenizer

MODELS = {
	"small": "a/b",
	"large": "c/d",
}


def load(size, *, half=True, **kwargs):
	kwargs.setdefault("device_map", "auto")
	model = LlamaForCausalLM.from_pretrained(MODELS[size], **kwargs)
	if half:
		model = model.half()
	return model.eval()


class TopKProcessor(torch.nn.Module):
	def __init__(self, k):
		self.k = k

	def draw(self, logits):
		scores, tokens = logits.topk(self.k, dim=-1)
		distribution = torch.distributions.Categorical(logits=scores)
		return tokens.gather(-1, distribution.sample()[:, None])


model = load("small", low_cpu_mem_usage=True, use_cache=True)
tok = LlamaTokenizer.from_pretrained("a/b", **{"use_fast": False})
model = model.to_bettertransformer()
pick = TopKProcessor(20)
with torch.no_grad():
	logits = model(tok("x", return_tensors="pt").input_ids, output_hidden_states=False).logits
	print(pick.draw(logits[:, -1]))
