import torch
from accelerate import dispatch_model, infer_auto_device_map


def draw(logits, top_k=0, temperature=1.0):
    if top_k > 0:
        top_k = min(top_k, logits.size(-1))
        kept, _ = logits.topk(top_k, dim=-1)
        logits[logits < kept[..., -1:]] = -float("inf")
    return torch.multinomial(torch.softmax(logits / temperature, dim=-1), num_samples=1)


def spread(net):
    return dispatch_model(net, device_map=infer_auto_device_map(net,
                                                                max_memory={0: "2GiB"}))
