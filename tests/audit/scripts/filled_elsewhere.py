import argparse

import torch
import transformers
from packaging.version import parse
from transformers import AutoConfig, AutoModelForCausalLM

parser = argparse.ArgumentParser()
parser.add_argument("--cpu", action="store_true")
parser.add_argument("--in-8bit", action="store_true")
args = parser.parse_args()


class Runner:
    loader = AutoModelForCausalLM

    def __init__(self, path, precision="bfloat16", **others):
        self.model = self.build(path, precision=precision, dtype="auto", **others)

    def add_map(self, settings):
        settings["device_map"] = "balanced"

    def build(self, path, precision, dtype=None, **others):
        name = "dtype" if parse(transformers.__version__) >= parse("4.56") else "torch_dtype"
        settings = others or {}
        self.add_map(settings)
        return self.loader.from_pretrained(path, **{name: getattr(torch, precision)}, **settings)


def attention(settings, kind):
    settings["attn_implementation"] = kind


def small(path):
    settings = {}
    attention(settings, "sdpa")
    if not any([args.cpu, args.in_8bit]):
        return AutoModelForCausalLM.from_pretrained(path, low_cpu_mem_usage=True, **settings)
    return AutoModelForCausalLM.from_pretrained(path, **settings)


def empty(path):
    return AutoModelForCausalLM._from_config(AutoConfig.from_pretrained(path),
                                             torch_dtype=torch.float16)


def tune(device):
    torch.backends.cudnn.benchmark = device.startswith("cuda")


def once(model, ids):
    saved = model.config.use_cache
    model.config.use_cache = True
    model.generate(ids, max_new_tokens=4)
    model.config.use_cache = saved
