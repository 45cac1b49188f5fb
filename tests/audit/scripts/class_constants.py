import functools
import torch
import torch.backends.cudnn as cudnn
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    GenerationConfig,
)


class Config:
    MODEL = "mistralai/Mistral-7B-v0.1"
    DTYPE = torch.float16
    PRECISION = "high"
    ATTN = "eager"
    TOP_K = 50
    COMPILE = True


def setup(benchmark, precision="highest"):
    cudnn.benchmark = benchmark
    torch.set_float32_matmul_precision(precision)


def load(name, dtype=None, attn=None):
    model = AutoModelForCausalLM.from_pretrained(
        name,
        torch_dtype=dtype,
        attn_implementation=attn,
        device_map={"": 0},
    )
    return model


class Runner:
    use_fast_kernels = True

    def __init__(self, config):
        self.config = config
        self.model = load(config.MODEL, config.DTYPE, config.ATTN)
        self.tokenizer = AutoTokenizer.from_pretrained(config.MODEL)
        self.half = "1/2"
        if config.COMPILE:
            self.model.forward = torch.compile(self.model.forward, mode="reduce-overhead")
        self.sample = functools.partial(
            self.model.generate,
            do_sample=True,
            top_k=config.TOP_K,
        )

    @torch.no_grad()
    def run(self, prompt):
        batch = self.tokenizer(prompt, return_tensors="pt").to(self.model.device)
        config = GenerationConfig(max_new_tokens=20, use_cache=False)
        return self.sample(**batch, generation_config=config)


if __name__ == "__main__":
    setup(True, Config.PRECISION)
    print(Runner(Config).run("hello"))
