// Finds the scope and slot of every name (jinja2/idtracking.py and the frames of
// jinja2/compiler.py).
//
// Jinja decides when it compiles a template which variable a name means: a name that a frame (the
// template, a loop's body, a macro ...) assigns is the frame's own for the whole of it, and starts
// with the value that it has outside. The resolver mirrors those rules and refuses what Jinja
// refuses then: unknown filters and tests (outside of conditions), `break` outside a loop, a macro
// with two parameters of one name ...
#pragma once

#include "text/template/ast.h"

namespace fathom::jinja {

void ResolveTemplate(TemplateTree& tree);  // raises kSyntax

}  // namespace fathom::jinja
