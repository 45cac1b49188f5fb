import torch
import torch.nn.functional as F
from transformers import AutoModelForCausalLM

def norm_logits(logits, temperature, top_k, top_p):
    logits = logits / temperature
    return F.softmax(top_k_top_p_filter(logits, top_k=top_k, top_p=top_p), dim=1)

def top_k_top_p_filter(logits, top_k: int = 0, top_p: float = 0.0):
    if top_k > 0:
        filter = torch.topk(logits, min(top_k, logits.size(-1)))[0]
        logits[logits < filter[:, [-1]]] = float('-inf')
    if top_p > 0.0:
        sorted_logits, sorted_indices = torch.sort(logits, descending=True)
    return logits

def sample(probs, num_samples=1):
    return torch.multinomial(probs, num_samples=num_samples)

@torch.no_grad()
def autoregressive(x, model, n, temperature=1, top_k=0, top_p=0):
    past = None
    while x.shape[1] < n:
        outputs = model(x, past_key_values=past)
        last_p = norm_logits(outputs.logits[::, -1, :], temperature, top_k, top_p)
        past = outputs.past_key_values
        x = torch.cat((x, sample(last_p)), dim=1)
    return x

def main():
    small = AutoModelForCausalLM.from_pretrained("a/b", torch_dtype=torch.float16, device_map="auto", trust_remote_code=True)
    large = AutoModelForCausalLM.from_pretrained("a/c",
                                                 torch_dtype=torch.float16,
                                                 device_map="auto")
    autoregressive(torch.tensor([[1]]), large, 20, top_k=20, top_p=0.9)
    autoregressive(torch.tensor([[1]]), small, 20, top_k=10, top_p=0.9)

main()
