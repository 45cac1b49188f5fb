"""Writes data/measure_text.txt: the fixed text that measurements run on, told by the demo model.

    python tools/write_measure_text.py          # again whenever models/fathom-tales changes

Tales drawn at temperature 1 with a fixed seed, one after the other, each begun by an opening from a
short list and ended by the model or by its context. The draw is our own (softmax in fp32, inverse
of the cumulative sum, random numbers of numpy's PCG64), so that it hangs on no sampler's order of
calls; on another machine the last bits of the logits may still lead to another text, which is why
the text is kept in the repository.
"""

from pathlib import Path

import numpy as np
import torch
import transformers

ROOT = Path(__file__).resolve().parents[1]
MODEL = ROOT / "models" / "fathom-tales"
OUT = ROOT / "data" / "measure_text.txt"
SEED = 20260817
CHARACTERS = 30000
TALES_AN_OPENING = 2
OPENINGS = [
    "Once upon a time there was", "There was once a poor man who", "In a far country there lived",
    "Long ago, when", "The king had a daughter", "An old woman and her son", "One day the fox",
    "At the edge of the forest", "It happened one winter night that", "The little girl",
    "\"Where are you going?\" asked", "A miller had",
]


def clean(text):
    """A whole tale only: cut after the last sentence, without characters that did not decode."""
    end = max(text.rfind(mark) for mark in (".", "!", "?", '."', '!"', '?"'))
    return text[: end + 1].replace("\ufffd", "").strip()


@torch.no_grad()
def tell(model, prompts, draw):
    """Continues prompts (equally many ids each) to eos or the context; returns all ids."""
    eos, context = model.config.eos_token_id, model.config.max_position_embeddings
    ids = torch.tensor(prompts)
    out = model(input_ids=ids, use_cache=True)
    rows, open_rows = [list(p) for p in prompts], np.ones(len(prompts), bool)
    while open_rows.any() and len(rows[0]) < context:
        chances = out.logits[:, -1].double().softmax(-1).cumsum(-1).numpy()
        points = draw.random(len(rows))
        new = [min(int(np.searchsorted(c, x)), len(c) - 1) for c, x in zip(chances, points)]
        for row, token, is_open in zip(rows, new, open_rows):
            row.append(token if is_open else eos)
        open_rows &= np.array(new) != eos
        out = model(
            input_ids=torch.tensor([[row[-1]] for row in rows]),
            past_key_values=out.past_key_values,
            use_cache=True,
        )
    return rows


def main():
    torch.set_num_threads(1)
    transformers.logging.disable_progress_bar()
    tokenizer = transformers.AutoTokenizer.from_pretrained(MODEL)
    model = transformers.AutoModelForCausalLM.from_pretrained(MODEL, dtype=torch.float32).eval()
    draw = np.random.default_rng(SEED)
    tales, size = [], 0
    while size < CHARACTERS:
        for opening in OPENINGS:
            prompt = tokenizer(opening).input_ids
            for row in tell(model, [prompt] * (TALES_AN_OPENING), draw):
                tale = clean(tokenizer.decode(row, skip_special_tokens=True))
                tales.append(tale)
                size += len(tale) + 2
            if size >= CHARACTERS:
                break
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text("\n\n".join(tales) + "\n", encoding="utf-8")
    print(len(tales), "tales,", OUT.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
