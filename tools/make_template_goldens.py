"""Writes tests/goldens/templates/expressions.json and renderings.json: what the real Jinja renders.

The environment is the one that transformers' apply_chat_template compiles its templates in. The
templates and conversations stand beside the goldens. Run with transformers and jinja2 installed;
their versions are written into the files:

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

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
GOLDENS = os.path.join(ROOT, "tests", "goldens", "templates")
sys.path.insert(0, GOLDENS)
from template_cases import VARIABLES, cases  # noqa: E402

warnings.simplefilter("ignore")


def first_line(error):
    return (str(error).splitlines() or [""])[0]


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
        return "error", "%s: %s" % (type(error).__name__, first_line(error))


def versions():
    return {
        "jinja2": jinja2.__version__,
        "python": sys.version.split()[0],
        "transformers": transformers.__version__,
    }


def write_expressions():
    rows = []
    for template in cases():
        # A copy: Jinja's own filter indent changes a list that it is given.
        kind, text = render(template, copy.deepcopy(VARIABLES))
        assert " at 0x" not in text, template
        rows.append([template, text] if kind == "ok" else [template, None, text])
    body = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    head = {"versions": versions(), "variables": VARIABLES}
    head = json.dumps(head, ensure_ascii=False, indent=1)
    with open(os.path.join(GOLDENS, "expressions.json"), "w", encoding="utf-8") as out:
        out.write(head[:-2] + ',\n "cases": [\n' + body + "\n]}\n")
    print(len(rows), "expressions,", sum(len(row) == 3 for row in rows), "of them errors")


def render_chat(template, conversation):
    """The row of one golden: the text, or the error and whether the template itself raised it."""
    tokenizer = transformers.PreTrainedTokenizerBase(
        bos_token="<s>", eos_token="</s>", pad_token="<pad>", unk_token="<unk>")
    try:
        return {"text": tokenizer.apply_chat_template(
            conversation["messages"],
            tools=conversation.get("tools"),
            documents=conversation.get("documents"),
            chat_template=template,
            add_generation_prompt=conversation.get("add_generation_prompt", True),
            tokenize=False,
            **conversation.get("kwargs", {}),
        )}
    except Exception as error:
        not_raised = (jinja2.exceptions.UndefinedError, jinja2.exceptions.TemplateSyntaxError)
        raised = isinstance(error, jinja2.exceptions.TemplateError)
        return {"error": first_line(error), "raised": raised and not isinstance(error, not_raised)}


def write_renderings():
    """Each NAME.jinja over the conversations of conversations.json, by apply_chat_template."""
    with open(os.path.join(GOLDENS, "conversations.json"), encoding="utf-8") as source:
        conversations = json.load(source)
    rows = []
    for file in sorted(os.listdir(GOLDENS)):
        if not file.endswith(".jinja"):
            continue
        with open(os.path.join(GOLDENS, file), encoding="utf-8") as source:
            template = source.read()
        for name, conversation in conversations.items():
            row = {"template": file, "conversation": name}
            row.update(render_chat(template, conversation))
            rows.append(row)
    golden = {"versions": versions(), "renderings": rows}
    with open(os.path.join(GOLDENS, "renderings.json"), "w", encoding="utf-8") as out:
        json.dump(golden, out, ensure_ascii=False, indent=0)
        out.write("\n")
    print(len(rows), "renderings,", sum("error" in row for row in rows), "of them errors")


if __name__ == "__main__":
    os.environ["TZ"] = "UTC"
    write_expressions()
    write_renderings()
