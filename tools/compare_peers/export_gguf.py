"""Runs llama.cpp's own converter: export_gguf.py CONVERTER_FOLDER HF_FOLDER OUT.gguf.

The converter knows pre-tokenizers by the hash of what they make of a test text; the tokenizer here
is trained by make_checkpoint.py, so its hash is on no list. It splits as GPT-2's does, and that is
what the converter is told.
"""
import runpy
import sys


def main(converter, source, target):
    sys.path.insert(0, converter)
    sys.path.insert(1, converter + "/gguf-py")
    from conversion import base
    known = [getattr(base, name) for name in dir(base) if isinstance(getattr(base, name), type)]
    for kind in known:
        if "get_vocab_base_pre" in vars(kind):
            kind.get_vocab_base_pre = lambda self, tokenizer: "gpt-2"
    sys.argv = ["convert_hf_to_gguf.py", source, "--outfile", target, "--outtype", "bf16"]
    runpy.run_path(converter + "/convert_hf_to_gguf.py", run_name="__main__")


if __name__ == "__main__":
    main(*sys.argv[1:4])
