#!/usr/bin/env python3
"""Writes tests/goldens/measure/accuracy.json: pairs of logits and what torch finds between them (KL
divergence, worst difference, agreement of the largest), and tails of the binomial distribution as
exact fractions.

    python tools/goldens/make_accuracy.py
"""
import json
from fractions import Fraction
from math import comb
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[2]


def case(name, rows, vocab, scale, noise, generator):
    reference = (torch.randn(rows, vocab, generator=generator) * scale).float()
    arm = (reference + torch.randn(rows, vocab, generator=generator) * noise).float()
    p = torch.log_softmax(reference.double(), -1)
    q = torch.log_softmax(arm.double(), -1)
    kl = torch.nn.functional.kl_div(q, p, log_target=True, reduction="batchmean")
    return {"name": name, "reference": reference.tolist(), "arm": arm.tolist(),
            "kl_divergence": kl.item(),
            "max_abs_logit_difference": (arm.double() - reference.double()).abs().max().item(),
            "greedy_agreement": (reference.argmax(-1) == arm.argmax(-1)).double().mean().item()}


def binomial(n, k):
    return float(Fraction(sum(comb(n, i) for i in range(k + 1)), 2 ** n))


def main():
    generator = torch.Generator().manual_seed(20261122)
    cases = [case("close", 6, 32, 4.0, 0.01, generator), case("far", 8, 48, 3.0, 1.5, generator),
             case("peaked", 5, 16, 60.0, 2.0, generator)]
    tails = [{"n": n, "k": k, "cdf": binomial(n, k)}
             for n, k in [(1, 0), (7, 3), (12, 2), (40, 11), (97, 38), (1200, 560), (2000, 999)]]
    path = ROOT / "tests/goldens/measure/accuracy.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"cases": cases, "binomial": tails}) + "\n")


if __name__ == "__main__":
    main()
