"""The list of tiny models: one feature a case, its config, and the mistake it must catch.

A further architecture brings its cases in a file of its own beside this one: cases_NAME.py, with
a list CASES.
"""

from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

BASE = dict(
    vocab_size=80, hidden_size=64, intermediate_size=56, num_hidden_layers=2,
    num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=256,
    rms_norm_eps=1e-5, tie_word_embeddings=True, bos_token_id=1, eos_token_id=2,
)
SMALL = dict(BASE, hidden_size=32, num_attention_heads=4)
ODD = dict(BASE, vocab_size=131, hidden_size=40, intermediate_size=72, num_hidden_layers=3)
DEFAULT_ROPE = {"rope_type": "default", "rope_theta": 10000.0}


@dataclass
class Case:
    """settings build the v5 config; v4, patch and drop then rewrite config.json.

    sensitive: label -> keys to change in config.json (None removes one); the logits of the longest
    prompt must move by 20 tolerances or more (by 3 where the label begins with ~).
    """

    name: str
    about: str
    settings: dict
    dtype: str = "bfloat16"
    seed: int = 1
    v4: bool = False
    patch: dict = field(default_factory=dict)
    drop: tuple = ()
    max_shard_size: str = ""
    sensitive: dict = field(default_factory=dict)

    @property
    def model_type(self):
        return self.name.split("-")[0]


def rope(name, about, parameters, base=None, v4=False, patch=None, other=None, plain=None,
         theta=10000.0, **more):
    """A llama case whose point is its rope: it must differ from default rope and from `other`.

    other changes keys of the rope dictionary, plain keys of config.json itself.
    """
    settings = dict(base or BASE, rope_parameters=dict(parameters, rope_theta=theta), **more)
    default = {"rope_type": "default", "rope_theta": theta}
    sensitive = {"default rope": {"rope_parameters": default, "rope_scaling": None}}
    sensitive.update(plain or {})
    for label, change in (other or {}).items():
        key = "rope_scaling" if v4 else "rope_parameters"
        now = dict(settings["rope_parameters"], **change)
        now = {k: v for k, v in now.items() if v is not None}
        sensitive[label] = {key: now}
    return Case(name, about, settings, v4=v4, patch=patch or {}, sensitive=sensitive)


YARN = {"rope_type": "yarn", "factor": 8.0, "original_max_position_embeddings": 32}
LONG = {
    "rope_type": "longrope", "original_max_position_embeddings": 64,
    "short_factor": [1.0, 1.05, 1.1, 1.2, 1.3, 1.5, 1.8, 2.0],
    "long_factor": [1.0, 1.5, 2.2, 3.1, 4.5, 6.0, 9.0, 12.0],
}
LLAMA3 = {
    "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}

ROPE_CASES = [
    Case("llama-default", "default rope, grouped keys, tied head, v5 config",
         dict(BASE, rope_parameters=dict(DEFAULT_ROPE)),
         sensitive={"theta": {"rope_parameters": {"rope_type": "default", "rope_theta": 5e5}}}),
    Case("llama-default-theta", "rope_theta 500000 in a v4 config",
         dict(SMALL, rope_parameters={"rope_type": "default", "rope_theta": 500000.0}), v4=True,
         sensitive={"theta": {"rope_theta": 10000.0}}),
    rope("llama-linear", "linear rope, v4 config with the old key `type`",
         {"rope_type": "linear", "factor": 4.0}, v4=True,
         patch={"rope_scaling": {"type": "linear", "factor": 4.0}},
         other={"factor": {"factor": 2.0}}),
    rope("llama-linear-v5", "linear rope, v5 config", {"rope_type": "linear", "factor": 3.0},
         base=SMALL),
    rope("llama-dynamic", "dynamic rope, v4 config; prompts and continuation pass "
         "max_position_embeddings = 48", {"rope_type": "dynamic", "factor": 4.0}, v4=True,
         max_position_embeddings=48, base={k: v for k, v in BASE.items()
                                           if k != "max_position_embeddings"},
         other={"factor": {"factor": 2.0}}),
    rope("llama-dynamic-v5", "dynamic rope, v5 config", {"rope_type": "dynamic", "factor": 6.0},
         base=dict(SMALL, max_position_embeddings=32)),
    rope("llama-yarn", "yarn, defaults", YARN, theta=500.0,
         other={"factor": {"factor": 4.0}, "original": {"original_max_position_embeddings": 16}}),
    rope("llama-yarn-v4", "yarn, v4 config, theta 10000", YARN, v4=True),
    rope("llama-yarn-betas", "yarn, beta_fast and beta_slow",
         dict(YARN, original_max_position_embeddings=128, beta_fast=4, beta_slow=0.5), theta=500.0,
         other={"beta_fast": {"beta_fast": None}, "beta_slow": {"beta_slow": None}}),
    rope("llama-yarn-mscale", "yarn, mscale and mscale_all_dim",
         dict(YARN, mscale=1.4, mscale_all_dim=0.6), theta=500.0,
         other={"both": {"mscale": None, "mscale_all_dim": None}, "mscale": {"mscale": 1.0},
                "all_dim": {"mscale_all_dim": 1.0}}),
    rope("llama-yarn-mscale-alone", "yarn, mscale without mscale_all_dim: not used",
         dict(YARN, mscale=2.0), theta=500.0, other={"used": {"mscale_all_dim": 1.0}}),
    rope("llama-yarn-attention-factor", "yarn, attention_factor beats mscale",
         dict(YARN, attention_factor=1.35, mscale=2.0, mscale_all_dim=0.5), theta=500.0,
         other={"absent": {"attention_factor": None}}),
    rope("llama-yarn-no-truncate", "yarn, truncate false",
         dict(YARN, truncate=False, original_max_position_embeddings=64), theta=500.0,
         other={"truncate": {"truncate": None}}),
    rope("llama-yarn-no-original", "yarn without original_max_position_embeddings: "
         "max_position_embeddings stands in", {"rope_type": "yarn", "factor": 4.0}, theta=500.0,
         other={"original": {"original_max_position_embeddings": 32}}),
    rope("llama-yarn-top-original", "yarn, original_max_position_embeddings beside rope_scaling "
         "too: the one beside it wins", YARN, theta=500.0, v4=True,
         patch={"original_max_position_embeddings": 16},
         plain={"inner": {"original_max_position_embeddings": None}}),
    rope("llama-longrope", "longrope, factor from max_position_embeddings / original, v4 config",
         LONG, v4=True, other={"scale": {"attention_factor": 1.0},
                               "short": {"long_factor": LONG["short_factor"]}}),
    rope("llama-longrope-factor", "longrope, explicit factor", dict(LONG, factor=2.0),
         other={"factor": {"factor": None}}),
    rope("llama-longrope-attention-factor", "longrope, attention_factor",
         dict(LONG, attention_factor=1.5), other={"absent": {"attention_factor": None}}),
    rope("llama-llama3", "llama3 rope, v4 config", LLAMA3, v4=True,
         other={"factor": {"factor": 4.0}, "low": {"low_freq_factor": 2.0},
                "high": {"high_freq_factor": 8.0},
                "original": {"original_max_position_embeddings": 32}}),
    rope("llama-llama3-v5", "llama3 rope, v5 config", dict(LLAMA3, factor=4.0), base=SMALL),
]

LLAMA_CASES = [
    Case("llama-mha", "as many key heads as heads, untied, fp32 file",
         dict(SMALL, num_key_value_heads=4, tie_word_embeddings=False), dtype="float32", seed=2),
    Case("llama-mqa", "one key head, untied, fp16 file",
         dict(SMALL, num_key_value_heads=1, tie_word_embeddings=False), dtype="float16", seed=3),
    Case("llama-tied-fp32", "tied head, fp32 file, v4 config", dict(SMALL), dtype="float32",
         seed=4, v4=True),
    Case("llama-biases", "attention_bias and mlp_bias",
         dict(SMALL, attention_bias=True, mlp_bias=True), dtype="float32", seed=35,
         sensitive={"biases": {"zero_bias": True}}),
    Case("llama-attention-bias", "attention_bias alone", dict(SMALL, attention_bias=True), seed=6,
         sensitive={"biases": {"zero_bias": True}}),
    Case("llama-mlp-bias", "mlp_bias alone", dict(SMALL, mlp_bias=True), seed=7,
         sensitive={"biases": {"zero_bias": True}}),
    Case("llama-head-dim", "head_dim 16, hidden / heads 8", dict(SMALL, head_dim=16), seed=8),
    Case("llama-sharded", "several safetensors and an index, untied, fp32",
         dict(SMALL, tie_word_embeddings=False), dtype="float32", seed=9, max_shard_size="40KB"),
    Case("llama-sharded-fp16", "several fp16 shards, tied", dict(SMALL), dtype="float16", seed=10,
         max_shard_size="20KB", v4=True),
    Case("llama-gelu", "hidden_act gelu (erf)", dict(SMALL, hidden_act="gelu"), seed=11,
         sensitive={"act": {"hidden_act": "silu"}, "~tanh": {"hidden_act": "gelu_pytorch_tanh"}}),
    Case("llama-gelu-tanh", "hidden_act gelu_pytorch_tanh",
         dict(SMALL, hidden_act="gelu_pytorch_tanh"), seed=11,
         sensitive={"act": {"hidden_act": "silu"}}),
    Case("llama-relu", "hidden_act relu", dict(SMALL, hidden_act="relu"), seed=11,
         sensitive={"act": {"hidden_act": "silu"}}),
    Case("llama-eps", "a large rms_norm_eps", dict(SMALL, rms_norm_eps=0.3), seed=12,
         sensitive={"eps": {"rms_norm_eps": 1e-5}}),
    Case("llama-odd", "hidden 40, head_dim 10, intermediate 72, vocabulary 131, 3 layers, fp32",
         dict(ODD), dtype="float32", seed=13),
    Case("llama-wide", "hidden 128, head_dim 64",
         dict(BASE, hidden_size=128, num_attention_heads=2, num_key_value_heads=1,
              intermediate_size=96), seed=14),
    Case("llama-minimal", "config.json without the keys that have defaults",
         dict(SMALL, num_key_value_heads=4, tie_word_embeddings=False, rms_norm_eps=1e-6),
         seed=15, v4=True,
         drop=("num_key_value_heads", "head_dim", "rope_theta", "rope_scaling", "rms_norm_eps",
               "tie_word_embeddings", "hidden_act", "attention_bias", "mlp_bias", "torch_dtype",
               "attention_dropout", "initializer_range", "pretraining_tp", "use_cache",
               "transformers_version", "pad_token_id")),
]

WINDOW = dict(use_sliding_window=True, sliding_window=16)
QBASE = dict(BASE, hidden_size=32)
NO_WINDOW = {"use_sliding_window": False, "layer_types": None}

QWEN_CASES = [
    Case("qwen2-tied", "window off, tied, v5 config", dict(QBASE), seed=21,
         sensitive={"biases": {"zero_bias": True}}),
    Case("qwen2-untied", "window off, untied, v4 config, fp32 file",
         dict(QBASE, tie_word_embeddings=False), dtype="float32", seed=22, v4=True,
         drop=("layer_types",), sensitive={"biases": {"zero_bias": True}}),
    Case("qwen2-window-given-off", "use_sliding_window false with a sliding_window beside it",
         dict(QBASE), seed=21, v4=True, drop=("layer_types",),
         patch={"use_sliding_window": False, "sliding_window": 16, "max_window_layers": 0},
         sensitive={"window": {"use_sliding_window": True}}),
    Case("qwen2-window", "window 16 from layer 1 of 3, layer_types derived, v4 config",
         dict(QBASE, num_hidden_layers=3, max_window_layers=1, **WINDOW), seed=23, v4=True,
         drop=("layer_types",), sensitive={"off": NO_WINDOW, "width": {"sliding_window": 17},
                                           "all layers": {"max_window_layers": 0}}),
    Case("qwen2-window-all", "window 16 in all layers, untied, fp32",
         dict(QBASE, tie_word_embeddings=False, max_window_layers=0, **WINDOW), dtype="float32",
         seed=24, v4=True, drop=("layer_types",),
         sensitive={"off": NO_WINDOW, "width": {"sliding_window": 15}}),
    Case("qwen2-window-layer-types", "window 16, layer_types given, against max_window_layers",
         dict(QBASE, num_hidden_layers=3, max_window_layers=3, **WINDOW,
              layer_types=["sliding_attention", "full_attention", "sliding_attention"]), seed=23,
         sensitive={"derived": {"layer_types": None}, "width": {"sliding_window": 17}}),
    Case("qwen2-yarn", "yarn rope with a window",
         dict(QBASE, hidden_size=64, max_window_layers=1, **WINDOW,
              rope_parameters=dict(YARN, rope_theta=1000.0)), seed=25,
         sensitive={"default rope": {"rope_parameters": {"rope_type": "default",
                                                         "rope_theta": 1000.0}}}),
    Case("qwen2-odd", "hidden 36, head_dim 12, one key head, intermediate 52, vocabulary 101",
         dict(QBASE, hidden_size=36, num_attention_heads=3, num_key_value_heads=1,
              intermediate_size=52, vocab_size=101), dtype="float32", seed=26),
    Case("qwen2-sharded", "fp16 shards, untied, as many key heads as heads",
         dict(QBASE, num_key_value_heads=4, tie_word_embeddings=False), dtype="float16", seed=27,
         max_shard_size="20KB", v4=True),
]

CASES = ROPE_CASES + LLAMA_CASES + QWEN_CASES
for file in sorted(Path(__file__).parent.glob("cases_*.py")):
    CASES += import_module(file.stem).CASES
