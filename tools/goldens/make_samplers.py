"""Makes tests/goldens/samplers: what generate's own logits processors leave of given logits.

    python tools/goldens/make_samplers.py

The processors come from the model's `_get_logits_processor`, after the steps that `generate` takes
before it (global defaults, special tokens, lengths), so that order and conditions are the real
ones. Where the whole context is prompt, `generate` itself is run on a model that answers with the
given logits, and must agree.
"""

import json
import shutil
import tempfile
from pathlib import Path

import numpy as np
import torch
import transformers
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM
from transformers.generation import logits_process
from transformers.modeling_outputs import CausalLMOutputWithPast

from reference import quiet, versions
from sampler_cases import CASES, logits_sets

OUT = Path(__file__).resolve().parents[2] / "tests" / "goldens" / "samplers"
UNSTABLE = (logits_process.TopPLogitsWarper, logits_process.TypicalLogitsWarper,
            logits_process.TopHLogitsWarper)


class Echo(LlamaForCausalLM):
    """A model whose every answer is the row it was given."""

    row = None

    def forward(self, input_ids=None, **unused):
        logits = self.row.expand(input_ids.shape[0], 1, -1).clone()
        return CausalLMOutputWithPast(logits=logits)


def make_model(vocab):
    return Echo(LlamaConfig(
        vocab_size=vocab, hidden_size=8, intermediate_size=8, num_hidden_layers=1,
        num_attention_heads=1, max_position_embeddings=1 << 20, bos_token_id=None,
        eos_token_id=None))


def load_config(config):
    """As from_pretrained reads it from a generation_config.json."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "generation_config.json"
        path.write_text(json.dumps(config))
        return GenerationConfig.from_pretrained(folder)


def processors_of(model, case):
    """What generate would build for this config and a prompt of prompt_length ids."""
    model.generation_config = load_config(case["config"])
    own = model.generation_config
    prompt = torch.tensor([case["ids"][: case["prompt_length"]]], dtype=torch.long)
    config, kwargs = model._prepare_generation_config(None)
    model._prepare_special_tokens(config, True, device="cpu", batch_size=1)
    config = model._prepare_generated_length(
        generation_config=config,
        has_default_max_length=own.max_length is None,
        has_default_min_length=own.min_length is None,
        model_input_name="input_ids",
        input_ids_length=prompt.shape[1],
        inputs_tensor=prompt,
    )
    return model._get_logits_processor(
        generation_config=config, input_ids_seq_length=prompt.shape[1],
        encoder_input_ids=prompt, device="cpu", model_kwargs=kwargs)


def lowest_ids(before, after):
    """Among scores equal at the boundary, keeps as many as were kept, of the lowest ids.

    Returns the scores and whether anything hung on the order of an unstable sort.
    """
    kept = after > -np.inf
    tied = False
    for value in np.unique(before[kept]):
        same = np.flatnonzero(before == value)
        count = int(kept[same].sum())
        if count < len(same):
            tied = True
            after[same] = -np.inf
            after[same[:count]] = value
    return after, tied


def process(processors, ids, row, dtype):
    """Scores after all processors; whether a boundary was tied."""
    scores = torch.tensor(row, dtype=dtype)[None]
    context = torch.tensor([ids], dtype=torch.long)
    tied = False
    for processor in processors:
        before = scores
        scores = processor(context, scores.clone())
        if isinstance(processor, UNSTABLE):
            after, here = lowest_ids(before[0].numpy(), scores[0].numpy().copy())
            scores, tied = torch.tensor(after)[None], tied or here
    return scores[0], tied


def shortest(values):
    """Python floats that print as the shortest text which reads back as the same float32."""
    return [float(str(np.float32(v))) for v in values]


def expect(model, case, row):
    scores, tied = process(processors_of(model, case), case["ids"], row, torch.float32)
    assert not torch.isnan(scores).any(), case["name"]
    kept = torch.nonzero(scores > -torch.inf)[:, 0]
    probs = scores.softmax(-1)[kept]
    assert len(kept) and torch.isfinite(probs).all(), case["name"]
    out = {"ids": kept.tolist(), "probs": shortest(probs.tolist())}
    if tied:
        out["tied"] = True
    if np.isfinite(row).all() or not np.isnan(row).any():
        exact, _ = process(processors_of(model, case), case["ids"], row, torch.float64)
        if torch.nonzero(exact > -torch.inf)[:, 0].tolist() != out["ids"]:
            out["rounding"] = True
    if not tied:
        check_generate(model, case, row, scores)
    return out


def check_generate(model, case, row, scores):
    """generate itself gives the same scores where all ids are prompt."""
    if not case["ids"] or case["prompt_length"] != len(case["ids"]):
        return
    model.row = torch.tensor(row)[None, None]
    ids = torch.tensor([case["ids"]])
    extra = {} if "max_length" in case["config"] else {"max_new_tokens": 2}
    out = model.generate(
        ids, attention_mask=torch.ones_like(ids), pad_token_id=0, output_scores=True,
        return_dict_in_generate=True, **extra)
    assert torch.equal(out.scores[0][0], scores), case["name"]
    check_generate.count += 1


check_generate.count = 0


def main():
    quiet()
    shutil.rmtree(OUT, ignore_errors=True)
    (OUT / "configs").mkdir(parents=True)
    sets = logits_sets()
    for name, rows in sets.items():
        np.save(OUT / f"{name}.npy", rows.astype("<f4"))
    entries = []
    for case in CASES:
        rows = sets[case["logits"]]
        model = make_model(rows.shape[1])
        (OUT / "configs" / f"{case['name']}.json").write_text(json.dumps(case["config"]) + "\n")
        entry = {
            "name": case["name"], "logits": f"{case['logits']}.npy",
            "config": f"configs/{case['name']}.json", "ids": case["ids"],
            "prompt_length": case["prompt_length"],
            "expected": [expect(model, case, row) for row in rows],
        }
        entries.append(json.dumps(entry, separators=(",", ":")))
    head = json.dumps({"versions": versions()})[1:-1]
    body = ",\n".join(entries)
    (OUT / "cases.json").write_text(f'{{{head},\n"cases":[\n{body}\n]}}\n')
    print(len(CASES), "cases;", check_generate.count, "rows confirmed by generate")


if __name__ == "__main__":
    main()
