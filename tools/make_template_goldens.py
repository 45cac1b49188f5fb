"""Makes tests/goldens/templates/expressions.json and renderings.json: what the real Jinja renders.

The environment is the one that transformers' apply_chat_template compiles its templates in. Run with
transformers and jinja2 installed; the versions are written into the files:

    python3 tools/make_template_goldens.py
"""

import copy
import json
import os
import sys
import warnings

import jinja2
import transformers
from transformers.utils import chat_template_utils

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from template_cases import VARIABLES, cases  # noqa: E402

GOLDENS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "goldens", "templates")
warnings.simplefilter("ignore")


def render(template, variables):
    """("ok", text) or ("error", the kind and the first line of the message)."""
    try:
        compiled = chat_template_utils._cached_compile_jinja_template(template)
        text = compiled.render(**variables)
        text.encode("utf-8")
        return "ok", text
    except RecursionError:
        return "error", "RecursionError"
    except Exception as error:
        return "error", "%s: %s" % (type(error).__name__, (str(error).splitlines() or [""])[0])


def versions():
    return {
        "jinja2": jinja2.__version__,
        "python": sys.version.split()[0],
        "transformers": transformers.__version__,
    }


def write_expressions():
    rows = []
    for template in cases():
        kind, text = render(template, copy.deepcopy(VARIABLES))
        assert "0x7f" not in text, template
        rows.append([template, text] if kind == "ok" else [template, None, text])
    body = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    head = json.dumps({"versions": versions(), "variables": VARIABLES}, ensure_ascii=False, indent=1)
    with open(os.path.join(GOLDENS, "expressions.json"), "w", encoding="utf-8") as out:
        out.write(head[:-2] + ',\n "cases": [\n' + body + "\n]}\n")
    print(len(rows), "expressions,", sum(len(row) == 3 for row in rows), "of them errors")


def write_renderings():
    """Each NAME.jinja over the conversations of conversations.json, through apply_chat_template."""
    with open(os.path.join(GOLDENS, "conversations.json"), encoding="utf-8") as source:
        conversations = json.load(source)
    rows = []
    for file in sorted(os.listdir(GOLDENS)):
        if not file.endswith(".jinja"):
            continue
        with open(os.path.join(GOLDENS, file), encoding="utf-8") as source:
            template = source.read()
        for name, conversation in conversations.items():
            tokenizer = transformers.PreTrainedTokenizerBase(
                bos_token="<s>", eos_token="</s>", pad_token="<pad>", unk_token="<unk>")
            row = {"template": file, "conversation": name}
            try:
                row["text"] = tokenizer.apply_chat_template(
                    conversation["messages"],
                    tools=conversation.get("tools"),
                    documents=conversation.get("documents"),
                    chat_template=template,
                    add_generation_prompt=conversation.get("add_generation_prompt", True),
                    tokenize=False,
                    **conversation.get("kwargs", {}),
                )
            except Exception as error:
                row["error"] = (str(error).splitlines() or [""])[0]
                row["raised"] = isinstance(error, jinja2.exceptions.TemplateError) and not isinstance(
                    error, (jinja2.exceptions.UndefinedError, jinja2.exceptions.TemplateSyntaxError))
            rows.append(row)
    with open(os.path.join(GOLDENS, "renderings.json"), "w", encoding="utf-8") as out:
        json.dump({"versions": versions(), "renderings": rows}, out, ensure_ascii=False, indent=0)
        out.write("\n")
    print(len(rows), "renderings,", sum("error" in row for row in rows), "of them errors")


if __name__ == "__main__":
    os.environ["TZ"] = "UTC"
    write_expressions()
    write_renderings()
