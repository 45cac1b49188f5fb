"""Makes a Hugging Face folder with random weights: make_checkpoint.py CONFIG.json FOLDER.

Runs in a Python that has torch and transformers. The tokenizer is a byte-level BPE that is trained
here, as large as the model's vocabulary, so that loading it costs every engine what a published
one does. The same seed gives the same folder.
"""
import json
import random
import sys
from pathlib import Path

SEED = 20261128
PROMPT_TOKENS = 131
CONSONANTS = "bcdfghjklmnprstvwz"
VOWELS = "aeiou"


def words(count, generator):
    """Made-up words, all different."""
    found = set()
    while len(found) < count:
        syllables = generator.randint(1, 5)
        found.add("".join(generator.choice(CONSONANTS) + generator.choice(VOWELS)
                          + generator.choice(["", "", "n", "r", "s", "l"])
                          for _ in range(syllables)))
    return sorted(found)


def lines_of(vocabulary, generator, count):
    for _ in range(count):
        yield " ".join(generator.choices(vocabulary, k=12)) + "."


def make_tokenizer(size):
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast
    generator = random.Random(SEED)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=["<|endoftext|>"],
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
                                  show_progress=False, min_frequency=1)
    vocabulary = words(size + size // 2, generator)
    tokenizer.train_from_iterator(lines_of(vocabulary, generator, size // 4), trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|endoftext|>",
                                   bos_token="<|endoftext|>", clean_up_tokenization_spaces=False)


def make_prompts(tokenizer, length, count):
    """Texts that each are `length` tokens, and still are when they are encoded again."""
    generator = random.Random(SEED + 1)
    vocabulary = words(4000, generator)
    prompts = []
    while len(prompts) < count:
        text = next(lines_of(vocabulary, generator, 1))
        while len(tokenizer(text)["input_ids"]) < length:
            text += " " + next(lines_of(vocabulary, generator, 1))
        text = tokenizer.decode(tokenizer(text)["input_ids"][:length])
        if len(tokenizer(text)["input_ids"]) == length:
            prompts.append(text)
    return prompts


def make(config_file, folder):
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM
    fields = json.loads(Path(config_file).read_text(encoding="utf-8"))
    fields.pop("torch_dtype", None)
    fields.update(bos_token_id=0, eos_token_id=0)
    config = AutoConfig.for_model(**fields)
    torch.manual_seed(SEED)
    torch.set_default_dtype(torch.bfloat16)
    model = AutoModelForCausalLM.from_config(config)
    model.generation_config.pad_token_id = 0
    model.save_pretrained(folder)
    tokenizer = make_tokenizer(config.vocab_size)
    tokenizer.save_pretrained(folder)
    prompts = make_prompts(tokenizer, PROMPT_TOKENS, 100)
    (Path(folder) / "prompts.json").write_text(json.dumps(prompts), encoding="utf-8")
    print(f"{folder}: {model.num_parameters()} parameters, {len(tokenizer)} tokens")


if __name__ == "__main__":
    make(sys.argv[1], sys.argv[2])
