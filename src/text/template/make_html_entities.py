"""Writes html_entities_table.cc: the named entities of HTML, as in Python's html.entities.html5.

    python3 src/text/template/make_html_entities.py > src/text/template/html_entities_table.cc
"""

import sys
from html.entities import html5


def literal(text):
    return "".join("\\U%08X" % ord(c) if ord(c) > 0x9F else "\\x%02X" % ord(c) for c in text)


items = sorted(html5.items())
print("// Written by make_html_entities.py (Python %s): do not edit." % sys.version.split()[0])
print('#include "text/template/html_entities.h"\n')
print("namespace fathom::jinja {\n")
print("static constexpr HtmlEntity kEntities[] = {")
for i in range(0, len(items), 3):
    row = ['{"%s", U"%s"},' % (name, literal(text)) for name, text in items[i : i + 3]]
    print("    " + " ".join(row))
print("};")
print("const HtmlEntity* const kHtmlEntities = kEntities;")
print("const size_t kHtmlEntityCount = %d;\n" % len(items))
print("}  // namespace fathom::jinja")
