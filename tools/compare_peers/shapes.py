"""The published shapes that `fathom bench --shape` knows, read from where it has them."""
import json
import re
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2] / "src/measure/shapes.cc"
SHAPE = re.compile(r'NamedShape\{"([^"]+)",\s*R"\((.*?)\)"\}', re.DOTALL)


def read_shapes(text=None):
    """{name: config.json's fields}."""
    text = SOURCE.read_text(encoding="utf-8") if text is None else text
    return {name: json.loads(config) for name, config in SHAPE.findall(text)}


def head_dim(config):
    return config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]


def linear_elements(config):
    """(weights of all linear matrices, of the head among them), a tied head counted as one."""
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    width = head_dim(config)
    heads, groups = config["num_attention_heads"], config["num_key_value_heads"]
    layer = hidden * width * (2 * heads + 2 * groups) + 3 * hidden * inner
    head = hidden * config["vocab_size"]
    return config["num_hidden_layers"] * layer + head, head


def prefill_flops_per_token(config, length):
    """As `fathom bench` counts: the linear weights, causal attention, the head for one row."""
    total, head = linear_elements(config)
    keys = (length + 1) / 2
    attention = (config["num_hidden_layers"] * 2 * keys * config["num_attention_heads"]
                 * 2 * head_dim(config))
    return 2 * (total - head) + 2 * head / length + attention


def group_size(config):
    """The largest of 128, 64, 32 that divides the width of every linear matrix."""
    widths = (config["hidden_size"], config["intermediate_size"],
              head_dim(config) * config["num_attention_heads"])
    return next(size for size in (128, 64, 32) if all(width % size == 0 for width in widths))
