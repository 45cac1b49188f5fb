"""Logits, generation configs and contexts of the sampler goldens."""

import numpy as np

# name -> float32 [rows, vocabulary]


def logits_sets():
    draw = np.random.default_rng(5)
    inf = np.inf

    def normal(rows, vocab, std):
        return draw.normal(0, std, (rows, vocab))

    sets = {
        "normal64": normal(4, 64, 2.0),
        "peaked131": normal(3, 131, 6.0),
        "flat50": normal(2, 50, 0.3),
        "shifted96": normal(2, 96, 1.5) - 40.0,
        "positive96": np.abs(normal(2, 96, 2.0)) + 0.1,
        "wide2000": normal(2, 2000, 3.0),
        "zipf512": np.stack([-1.1 * np.log(draw.permutation(512) + 1.0) for _ in range(2)]),
        "ties64": np.round(normal(4, 64, 2.0)),
        "equal64": np.full((1, 64), 1.25),
        "equal50": np.zeros((1, 50)),
        "twins52": np.repeat(normal(2, 26, 2.0), 2, axis=1),
    }
    masked = normal(3, 97, 2.5)
    masked[draw.random((3, 97)) < 0.4] = -inf
    masked[2] = -inf
    masked[2, 31] = -3.0
    sets["masked97"] = masked
    huge = normal(3, 64, 1.0) * 1e4
    huge[1] = np.linspace(-3e38, 3e38, 64)
    huge[2] = np.linspace(-120, 0, 64)
    sets["huge64"] = huge
    broken = normal(3, 64, 2.0)
    broken[0, [3, 17]] = np.nan
    broken[1, [5, 9]] = -inf
    broken[2, 40] = inf
    sets["broken64"] = broken
    return {name: rows.astype(np.float32) for name, rows in sets.items()}


SAMPLE = {"do_sample": True, "top_k": 0}
IDS = [5, 9, 5, 11, 7, 5, 9, 13, 5, 9]  # repeats: 5 9 and its followers
EOS = {"eos_token_id": 3}


def case(name, logits, config, ids=None, prompt_length=None):
    return {"name": name, "logits": logits, "config": config, "ids": ids or [],
            "prompt_length": len(ids or []) if prompt_length is None else prompt_length}


def sampled(name, logits, ids=None, prompt_length=None, **config):
    return case(name, logits, dict(SAMPLE, **config), ids, prompt_length)


def greedy(name, logits, ids=None, prompt_length=None, **config):
    return case(name, logits, dict(config), ids, prompt_length)


DEFAULTS = [
    case("empty-config", "normal64", {}),
    case("do-sample-default-top-k", "peaked131", {"do_sample": True}),
    case("greedy-ignores-warpers", "normal64",
         {"do_sample": False, "temperature": 0.5, "top_k": 3, "top_p": 0.5}),
    case("top-k-null-means-default", "peaked131", {"do_sample": True, "top_k": None}),
    case("nulls", "normal64", {"do_sample": True, "top_k": 4, "top_p": None, "temperature": None,
                               "repetition_penalty": None, "min_p": None}, IDS),
    sampled("plain", "normal64"),
    sampled("plain-masked", "masked97"),
    sampled("plain-huge", "huge64"),
    sampled("v4-file", "normal64", top_k=50, top_p=0.9, temperature=0.7, max_length=20,
            num_beams=1, length_penalty=1.0, diversity_penalty=0.0, typical_p=1.0,
            transformers_version="4.46.0", encoder_repetition_penalty=1.0, bos_token_id=1),
]

TEMPERATURES = [
    sampled("temperature-low", "normal64", temperature=0.3),
    sampled("temperature-high", "peaked131", temperature=3.0),
    sampled("temperature-tiny", "normal64", temperature=0.01),
    sampled("temperature-masked", "masked97", temperature=0.7),
]

TOP_K = [
    sampled("top-k-1", "normal64", top_k=1),
    sampled("top-k-5", "normal64", top_k=5),
    sampled("top-k-beyond-vocabulary", "flat50", top_k=500),
    sampled("top-k-ties", "ties64", top_k=6),
    sampled("top-k-all-equal", "equal64", top_k=3),
    sampled("top-k-twins", "twins52", top_k=3),
    sampled("top-k-fewer-finite", "masked97", top_k=90),
    sampled("top-k-2000", "wide2000", top_k=40),
    sampled("top-k-huge", "huge64", top_k=7),
]

TOP_P = [
    sampled("top-p-90", "normal64", top_p=0.9),
    sampled("top-p-50", "zipf512", top_p=0.5),
    sampled("top-p-95-wide", "wide2000", top_p=0.95),
    sampled("top-p-tiny", "normal64", top_p=1e-6),
    sampled("top-p-zero", "normal64", top_p=0.0),
    sampled("top-p-999", "peaked131", top_p=0.999),
    sampled("top-p-ties", "ties64", top_p=0.8),
    sampled("top-p-twins", "twins52", top_p=0.7),
    sampled("top-p-all-equal-64", "equal64", top_p=0.5),
    sampled("top-p-all-equal-50", "equal50", top_p=0.9),
    sampled("top-p-masked", "masked97", top_p=0.9),
    sampled("top-p-huge", "huge64", top_p=0.9),
]

TOP_H = [
    sampled("top-h-40", "normal64", top_h=0.4),
    sampled("top-h-90", "wide2000", top_h=0.9),
    sampled("top-h-100", "peaked131", top_h=1.0),
    sampled("top-h-ties", "ties64", top_h=0.5),
    sampled("top-h-small", "flat50", top_h=0.01),
]

CUTS = [
    sampled("min-p-10", "normal64", min_p=0.1),
    sampled("min-p-zero", "normal64", min_p=0.0),
    sampled("min-p-one", "ties64", min_p=1.0),
    sampled("min-p-one-twins", "twins52", min_p=1.0),
    sampled("min-p-wide", "wide2000", min_p=0.02),
    sampled("min-p-masked", "masked97", min_p=0.05),
    sampled("min-p-all-equal", "equal50", min_p=0.5),
    sampled("typical-50", "normal64", typical_p=0.5),
    sampled("typical-90", "peaked131", typical_p=0.9),
    sampled("typical-20-wide", "zipf512", typical_p=0.2),
    sampled("typical-twins", "twins52", typical_p=0.6),
    sampled("typical-all-equal", "equal64", typical_p=0.5),
    sampled("typical-masked", "masked97", typical_p=0.7),
    sampled("typical-near-one", "normal64", typical_p=0.999),
    sampled("epsilon", "normal64", epsilon_cutoff=0.02),
    sampled("epsilon-above-all", "flat50", epsilon_cutoff=0.5),
    sampled("epsilon-above-all-ties", "equal50", epsilon_cutoff=0.5),
    sampled("epsilon-wide", "wide2000", epsilon_cutoff=3e-3),
    sampled("eta", "normal64", eta_cutoff=0.05),
    sampled("eta-wide", "wide2000", eta_cutoff=2e-2),
    sampled("eta-twins", "twins52", eta_cutoff=0.9),
    sampled("eta-masked", "masked97", eta_cutoff=0.01),
]

PENALTIES = [
    greedy("repetition-penalty", "normal64", IDS, repetition_penalty=1.3),
    greedy("repetition-penalty-below-one", "normal64", IDS, repetition_penalty=0.8),
    greedy("repetition-penalty-generated-too", "normal64", IDS, 4, repetition_penalty=1.5),
    greedy("repetition-penalty-negative-logits", "shifted96", IDS, repetition_penalty=1.2),
    greedy("repetition-penalty-positive-logits", "positive96", IDS, repetition_penalty=1.7),
    greedy("repetition-penalty-masked", "masked97", IDS, repetition_penalty=1.3),
    greedy("no-repeat-bigram", "normal64", IDS, no_repeat_ngram_size=2),
    greedy("no-repeat-trigram", "normal64", IDS, no_repeat_ngram_size=3),
    greedy("no-repeat-unigram", "normal64", IDS, 3, no_repeat_ngram_size=1),
    greedy("no-repeat-longer-than-text", "normal64", IDS[:3], no_repeat_ngram_size=8),
    greedy("encoder-repetition-penalty", "normal64", IDS, 4, encoder_repetition_penalty=1.4),
    greedy("encoder-no-repeat-ngram", "normal64", IDS, 7, encoder_no_repeat_ngram_size=2),
    greedy("bad-words-single", "normal64", IDS, bad_words_ids=[[4], [20], [63]]),
    greedy("bad-words-phrase", "normal64", IDS, bad_words_ids=[[5, 9, 30], [9, 31], [7, 32]]),
    greedy("bad-words-longer-than-text", "normal64", [5, 9],
           bad_words_ids=[[1, 2, 5, 9, 33], [5, 9, 34], [35]]),
    greedy("bad-words-eos-spared", "normal64", IDS, bad_words_ids=[[3], [8]], **EOS),
    greedy("sequence-bias", "normal64", IDS,
           sequence_bias=[[[6], 2.5], [[5, 9, 12], -4.0], [[9, 12], 1.5], [[8, 14], 9.0]]),
    greedy("sequence-bias-infinite", "normal64", IDS,
           sequence_bias=[[[6], -1e9], [[9, 2], 30.0]]),
]

LENGTHS = [
    greedy("min-length-not-reached", "normal64", IDS, min_length=12, **EOS),
    greedy("min-length-reached", "normal64", IDS, min_length=10, **EOS),
    greedy("min-new-tokens-not-reached", "normal64", IDS, 8, min_new_tokens=3, **EOS),
    greedy("min-new-tokens-reached", "normal64", IDS, 8, min_new_tokens=2, **EOS),
    greedy("min-new-tokens-several-eos", "normal64", IDS, 8, min_new_tokens=5,
           eos_token_id=[3, 12, 40]),
    greedy("min-length-without-eos", "normal64", IDS, min_length=50),
    greedy("forced-bos-first", "normal64", [5], forced_bos_token_id=7),
    greedy("forced-bos-later", "normal64", [5, 6], forced_bos_token_id=7),
    greedy("forced-eos-last", "normal64", IDS, 8, forced_eos_token_id=3, max_new_tokens=3, **EOS),
    greedy("forced-eos-earlier", "normal64", IDS, 8, forced_eos_token_id=3, max_new_tokens=4,
           **EOS),
    greedy("forced-eos-list-max-length", "normal64", IDS, 4, forced_eos_token_id=[3, 6],
           max_length=11, **EOS),
    greedy("exponential-decay-before", "normal64", IDS, 6,
           exponential_decay_length_penalty=[4, 1.5], **EOS),
    greedy("exponential-decay-after", "normal64", IDS, 6,
           exponential_decay_length_penalty=[1, 1.5], **EOS),
    greedy("exponential-decay-several-eos", "normal64", IDS, 2,
           exponential_decay_length_penalty=[2, 1.1], eos_token_id=[3, 12]),
    greedy("suppress", "normal64", IDS, suppress_tokens=[1, 2, 60]),
    greedy("begin-suppress-first", "normal64", IDS, begin_suppress_tokens=[1, 9, 13]),
    greedy("begin-suppress-later", "normal64", IDS, 9, begin_suppress_tokens=[1, 9, 13]),
    greedy("begin-suppress-forced-bos", "normal64", [5, 7], 1, begin_suppress_tokens=[1, 9, 13],
           forced_bos_token_id=7),
    greedy("remove-invalid", "broken64", remove_invalid_values=True),
    sampled("remove-invalid-then-top-k", "broken64", remove_invalid_values=True, top_k=4),
    greedy("renormalize", "normal64", IDS, renormalize_logits=True),
]

COMBINATIONS = [
    sampled("usual", "wide2000", IDS, temperature=0.8, top_k=50, top_p=0.95),
    sampled("qwen", "wide2000", IDS, temperature=0.7, top_k=20, top_p=0.8,
            repetition_penalty=1.05),
    sampled("min-p-after-temperature", "wide2000", temperature=1.7, min_p=0.1),
    sampled("top-k-then-top-p", "zipf512", top_k=12, top_p=0.7),
    sampled("top-h-then-top-k", "normal64", top_h=0.7, top_k=6),
    sampled("top-p-then-min-p", "peaked131", temperature=4.0, top_p=0.9, min_p=0.05),
    sampled("typical-then-epsilon", "normal64", typical_p=0.9, epsilon_cutoff=0.03),
    sampled("eta-after-top-p", "normal64", top_p=0.95, eta_cutoff=0.2),
    sampled("all-warpers", "wide2000", temperature=1.2, top_k=200, top_p=0.97, min_p=0.001,
            typical_p=0.95, epsilon_cutoff=2e-4, eta_cutoff=2e-4, renormalize_logits=True),
    sampled("penalties-then-warpers", "normal64", IDS, 6, repetition_penalty=1.4,
            no_repeat_ngram_size=2, bad_words_ids=[[4], [9, 31]], temperature=0.9, top_k=10),
    sampled("bias-before-penalty", "normal64", IDS, sequence_bias=[[[5], 3.0], [[9, 11], -2.0]],
            repetition_penalty=1.5, top_k=8),
    sampled("eos-rules", "normal64", IDS, 6, min_new_tokens=6, suppress_tokens=[8],
            begin_suppress_tokens=[9], exponential_decay_length_penalty=[1, 1.2],
            temperature=0.5, top_p=0.9, **EOS),
    sampled("forced-eos-beats-the-rest", "normal64", IDS, 8, repetition_penalty=1.3,
            forced_eos_token_id=3, max_new_tokens=3, temperature=0.5, top_k=5, top_p=0.9, **EOS),
    sampled("suppress-beats-forced-eos", "normal64", IDS, 8, forced_eos_token_id=[3, 6],
            max_new_tokens=3, suppress_tokens=[3], **EOS),
    greedy("greedy-all", "normal64", IDS, 6, repetition_penalty=1.2, no_repeat_ngram_size=3,
           bad_words_ids=[[7, 9], [2]], min_new_tokens=9, suppress_tokens=[50],
           sequence_bias=[[[20], 1.0]], renormalize_logits=True, **EOS),
]

CASES = (DEFAULTS + TEMPERATURES + TOP_K + TOP_P + TOP_H + CUTS + PENALTIES + LENGTHS
         + COMBINATIONS)
