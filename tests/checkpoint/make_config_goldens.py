"""Writes config_goldens.json and generation_goldens.json: what transformers makes of configs.

Each case of the first is a config.json and what a built model sees of it: AutoConfig reads it, then
standardize_rope_params runs once more, as every rope function of modeling_rope_utils.py does. Each
case of the second is a model folder's files and the GenerationConfig that from_pretrained gives.

    python tests/checkpoint/make_config_goldens.py    # transformers 5.23
"""

import copy
import json
import logging
import pathlib
import tempfile
import warnings

import transformers
from transformers import AutoConfig, GenerationConfig

logging.disable(logging.WARNING)
warnings.simplefilter("ignore")
HERE = pathlib.Path(__file__).parent
SMALL = {"hidden_size": 64, "num_attention_heads": 4, "num_hidden_layers": 4, "vocab_size": 96,
         "num_key_value_heads": 4}
ROPES = {
    "default": {},
    "linear": {"factor": 2.0},
    "dynamic": {"factor": 4},
    "yarn": {"factor": 2.0, "beta_fast": 16, "mscale": 0.7, "mscale_all_dim": 0, "truncate": False},
    "longrope": {"factor": 2.0, "short_factor": [1.0, 1.5] * 4, "long_factor": [2, 3.5] * 4},
    "llama3": {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0},
}
FIELDS = [
    "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
    "num_key_value_heads", "head_dim", "max_position_embeddings", "rms_norm_eps", "hidden_act",
    "tie_word_embeddings", "attention_bias", "mlp_bias", "sliding_window", "max_window_layers",
    "layer_types", "bos_token_id", "eos_token_id", "pad_token_id", "rope_parameters",
]


def configs():
    for arch in ("llama", "qwen2"):
        base = {"model_type": arch}
        yield base
        small = {**base, **SMALL}
        yield {**small, "num_key_value_heads": 2, "head_dim": 16, "tie_word_embeddings": True}
        yield {**small, "num_key_value_heads": None, "head_dim": None, "rms_norm_eps": 1e-5}
        yield {**small, "head_dim": 48, "torch_dtype": "float16", "eos_token_id": [1, 2]}
        yield {**small, "torch_dtype": "float16", "dtype": "bfloat16", "bos_token_id": None}
        yield {**small, "eos_token_id": None, "pad_token_id": 3, "hidden_act": "gelu"}
        for name, values in ROPES.items():
            yield {**small, "rope_theta": 5000.0, "rope_scaling": {"type": name, **values}}
            yield {**small, "rope_scaling": {"rope_type": name, "rope_theta": 300, **values}}
            yield {**small, "rope_parameters": {"rope_type": name, "rope_theta": 7e5, **values}}
            scaled = {"rope_type": name, "original_max_position_embeddings": 512, **values}
            yield {**small, "max_position_embeddings": 1024, "rope_parameters": scaled}
            yield {**small, "original_max_position_embeddings": 256, "rope_parameters": scaled}
        yield {**small, "rope_theta": 20000, "rope_scaling": None}
        yield {**small, "rope_theta": 20000, "rope_scaling": {}}
        yield {**small, "rope_scaling": {"type": "linear", "rope_type": "dynamic", "factor": 2.0}}
        yield {**small, "rope_scaling": {"type": "linear", "factor": 2.0},
               "rope_parameters": {"rope_type": "default", "rope_theta": 9.0}}
        yield {**small, "partial_rotary_factor": 0.5,
               "rope_scaling": {"type": "linear", "factor": 2.0}}
        yield {**small, "rope_parameters": {"rope_type": "default", "partial_rotary_factor": 0.25}}
    llama = {"model_type": "llama", **SMALL}
    yield {**llama, "attention_bias": True, "mlp_bias": True}
    yield {**llama, "rope_scaling": {"rope_type": "yarn", "factor": 40, "attention_factor": 1.25}}
    qwen = {"model_type": "qwen2", **SMALL}
    yield {**qwen, "use_sliding_window": True, "sliding_window": 8, "max_window_layers": 2}
    yield {**qwen, "use_sliding_window": True, "max_window_layers": 0}
    yield {**qwen, "use_sliding_window": True, "max_window_layers": 9}
    yield {**qwen, "use_sliding_window": True, "sliding_window": None, "max_window_layers": 2}
    yield {**qwen, "use_sliding_window": False, "sliding_window": 8, "max_window_layers": 2}
    types = ["full_attention", "sliding_attention", "attention", "sliding_attention"]
    yield {**qwen, "use_sliding_window": True, "sliding_window": 8, "layer_types": types}
    nested = {"full_attention": {"rope_type": "default", "rope_theta": 9.0},
              "sliding_attention": {"rope_type": "linear", "factor": 3.0},
              "linear_attention": {"rope_type": "nonsense"}}
    yield {**qwen, "use_sliding_window": True, "sliding_window": 8, "layer_types": types,
           "rope_theta": 77.0, "rope_parameters": nested}
    # As published: Llama 3.2 1B, Qwen2.5 0.5B, SmolLM2 135M.
    yield {"architectures": ["LlamaForCausalLM"], "attention_bias": False, "attention_dropout": 0.0,
           "bos_token_id": 128000, "eos_token_id": [128001, 128008, 128009], "head_dim": 64,
           "hidden_act": "silu", "hidden_size": 2048, "initializer_range": 0.02,
           "intermediate_size": 8192, "max_position_embeddings": 131072, "mlp_bias": False,
           "model_type": "llama", "num_attention_heads": 32, "num_hidden_layers": 16,
           "num_key_value_heads": 8, "pretraining_tp": 1, "rms_norm_eps": 1e-05,
           "rope_scaling": {"factor": 32.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0,
                            "original_max_position_embeddings": 8192, "rope_type": "llama3"},
           "rope_theta": 500000.0, "tie_word_embeddings": True, "torch_dtype": "bfloat16",
           "transformers_version": "4.45.0.dev0", "use_cache": True, "vocab_size": 128256}
    yield {"architectures": ["Qwen2ForCausalLM"], "attention_dropout": 0.0, "bos_token_id": 151643,
           "eos_token_id": 151645, "hidden_act": "silu", "hidden_size": 896,
           "initializer_range": 0.02, "intermediate_size": 4864, "max_position_embeddings": 32768,
           "max_window_layers": 21, "model_type": "qwen2", "num_attention_heads": 14,
           "num_hidden_layers": 24, "num_key_value_heads": 2, "rms_norm_eps": 1e-06,
           "rope_theta": 1000000.0, "sliding_window": 32768, "tie_word_embeddings": True,
           "torch_dtype": "bfloat16", "transformers_version": "4.43.1", "use_cache": True,
           "use_sliding_window": False, "vocab_size": 151936}
    yield {"architectures": ["LlamaForCausalLM"], "attention_bias": False, "bos_token_id": 0,
           "eos_token_id": 0, "hidden_act": "silu", "hidden_size": 576, "intermediate_size": 1536,
           "is_llama_config": True, "max_position_embeddings": 8192, "model_type": "llama",
           "num_attention_heads": 9, "num_hidden_layers": 30, "num_key_value_heads": 3,
           "rms_norm_eps": 1e-05, "rope_interleaved": False, "rope_scaling": None,
           "rope_theta": 100000, "tie_word_embeddings": True, "torch_dtype": "bfloat16",
           "vocab_size": 49152}


def seen(config):
    with tempfile.TemporaryDirectory() as folder:
        (pathlib.Path(folder) / "config.json").write_text(json.dumps(config))
        made = AutoConfig.from_pretrained(folder)
    made.standardize_rope_params()
    result = {}
    for field in FIELDS:
        value = getattr(made, field, None)
        if field == "head_dim" and not value:
            value = made.hidden_size // made.num_attention_heads
        result[field] = copy.deepcopy(value)
    result["dtype"] = None if made.dtype is None else str(made.dtype).removeprefix("torch.")
    return result


GENERATION = [
    ({"temperature": 0.6, "top_p": 0.9, "do_sample": True, "eos_token_id": [1, 2],
      "bos_token_id": 0}, {}),
    ({"top_k": None, "max_new_tokens": 7, "stop_strings": "end"}, {"eos_token_id": 5}),
    ({"min_p": 0.1, "typical_p": 0.5, "epsilon_cutoff": 0.25, "eta_cutoff": 0.125,
      "top_h": 0.5}, {}),
    ({"repetition_penalty": 1.5, "no_repeat_ngram_size": 3, "bad_words_ids": [[1, 2], [3]],
      "sequence_bias": [[[1], 2.5], [[4, 5], -1.0]], "suppress_tokens": [7, 8],
      "begin_suppress_tokens": [9], "forced_bos_token_id": 2, "forced_eos_token_id": [3, 4],
      "exponential_decay_length_penalty": [5, 1.5], "renormalize_logits": True,
      "remove_invalid_values": True, "min_length": 3, "min_new_tokens": 2, "max_length": 30}, {}),
    ({"num_beams": 3, "num_return_sequences": 2, "early_stopping": "never", "length_penalty": 0.5,
      "use_cache": False, "output_scores": True, "return_dict_in_generate": True,
      "pad_token_id": 4, "guidance_scale": 1.5, "max_time": 2.5}, {}),
    (None, {"eos_token_id": [6, 7], "bos_token_id": 5}),
    (None, {"eos_token_id": 6, "temperature": 0.5, "do_sample": True, "top_k": 5,
            "max_length": 44}),
    (None, {"eos_token_id": None, "output_attentions": True}),
    (None, {}),
    ({"do_sample": True}, {"eos_token_id": 5, "temperature": 0.5}),
]
GENERATION_FIELDS = [
    "max_length", "max_new_tokens", "min_length", "min_new_tokens", "max_time", "stop_strings",
    "do_sample", "num_beams", "num_return_sequences", "early_stopping", "length_penalty",
    "use_cache", "guidance_scale", "sequence_bias", "repetition_penalty", "no_repeat_ngram_size",
    "bad_words_ids", "forced_bos_token_id", "forced_eos_token_id", "remove_invalid_values",
    "exponential_decay_length_penalty", "suppress_tokens", "begin_suppress_tokens", "temperature",
    "top_h", "top_k", "top_p", "min_p", "typical_p", "epsilon_cutoff", "eta_cutoff",
    "renormalize_logits", "bos_token_id", "eos_token_id", "pad_token_id", "output_attentions",
    "output_hidden_states", "output_scores", "output_logits", "return_dict_in_generate",
]


def generation(case):
    """The loaded GenerationConfig, and what generate makes of it with nothing set by the caller."""
    written, config = case
    config = {"model_type": "llama", **config}
    with tempfile.TemporaryDirectory() as folder:
        (pathlib.Path(folder) / "config.json").write_text(json.dumps(config))
        if written is not None:
            (pathlib.Path(folder) / "generation_config.json").write_text(json.dumps(written))
            loaded = GenerationConfig.from_pretrained(folder)
        else:  # as generation/utils.py, adjust_generation_fn
            loaded = GenerationConfig.from_pretrained(
                folder, config_file_name="config.json", _from_model_config=True)
    full = copy.deepcopy(loaded)
    full.update(**loaded._get_default_generation_params(), defaults_only=True)
    return {"generation_config": written, "config": config,
            "loaded": {f: getattr(loaded, f, None) for f in GENERATION_FIELDS},
            "full": {f: getattr(full, f, None) for f in GENERATION_FIELDS}}


def write(name, cases):
    golden = {"transformers": transformers.__version__, "cases": cases}
    lines = json.dumps(golden).replace("}, {\"", "},\n{\"")
    (HERE / "data" / name).write_text(lines + "\n")


(HERE / "data").mkdir(exist_ok=True)
write("config_goldens.json", [{"config": c, "seen": seen(c)} for c in configs()])
write("generation_goldens.json", [generation(c) for c in GENERATION])
