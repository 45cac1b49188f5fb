#!/usr/bin/env python3
"""Makes src/text/auto_tokenizer_table.cc: which tokenizer class transformers' AutoTokenizer takes.

Three lists of models/auto/tokenization_auto.py: model_type -> class, the model types whose hub
files name a wrong class, and, for each class name that transformers can resolve, the class behind
it and whether that class loads a tokenizer.json as it is.

    python tools/make_auto_tokenizer_table.py        (needs transformers 5.23)
"""
import inspect
import os

import transformers
from transformers import TokenizersBackend
from transformers.models.auto import tokenization_auto as auto

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")


def main():
    mapping = {k: v for k, v in auto.TOKENIZER_MAPPING_NAMES.items() if v}
    names = set(mapping.values()) | {"PreTrainedTokenizer", "PreTrainedTokenizerFast",
                                     "TokenizersBackend", "PythonBackend"}
    names |= {n for n in dir(transformers) if n.endswith(("Tokenizer", "TokenizerFast"))}
    names |= {n + "Fast" for n in names if not n.endswith("Fast")}
    names |= {"BloomTokenizer", "BloomTokenizerFast"}
    out = ["// Written by tools/make_auto_tokenizer_table.py from transformers "
           f"{transformers.__version__}; do not edit.",
           '#include "text/auto_tokenizer_table.h"', "", "namespace fathom {", ""]
    out.append("const ModelTypeRow kModelTypes[] = {")
    for model_type, name in sorted(mapping.items()):
        wrong = model_type in auto.MODELS_WITH_INCORRECT_HUB_TOKENIZER_CLASS
        out.append(f'    {{"{model_type}", "{name}", {str(wrong).lower()}}},')
    out += ["};", "const size_t kModelTypesCount = sizeof(kModelTypes) / sizeof(kModelTypes[0]);",
            "", "const TokenizerClassRow kTokenizerClasses[] = {"]
    for name in sorted(names):
        try:
            found = auto.tokenizer_class_from_name(name)
        except Exception:  # a class that needs a library that is not there
            continue
        if found is None or not inspect.isclass(found):
            continue
        as_is = issubclass(found, TokenizersBackend) and (
            found is TokenizersBackend or "__init__" not in found.__dict__)
        out.append(f'    {{"{name}", "{found.__name__}", {str(as_is).lower()}}},')
    out += ["};", "const size_t kTokenizerClassesCount =",
            "    sizeof(kTokenizerClasses) / sizeof(kTokenizerClasses[0]);", "",
            "}  // namespace fathom"]
    with open(os.path.join(ROOT, "src/text/auto_tokenizer_table.cc"), "w") as f:
        f.write("\n".join(out) + "\n")


if __name__ == "__main__":
    main()
