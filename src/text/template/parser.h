// Builds the tree of a template from its tokens, as jinja2/parser.py does, nested at most
// kMaxTreeDepth.
#pragma once

#include "text/template/ast.h"
#include "text/template/unicode.h"

namespace fathom::jinja {

// Raises kSyntax. The resolver (resolver.h) has to run before the tree can be rendered.
TemplateTree ParseTemplate(TextView source);

}  // namespace fathom::jinja
