// torch.inference_mode as decorator, context or switch; no_grad is another thing.
#include <algorithm>

#include "audit/rules/row.h"

namespace fathom {
namespace {

bool IsInferenceMode(const std::string& path) {
  return path == "torch.inference_mode" || path == "torch.autograd.inference_mode" ||
         path == "torch.autograd.grad_mode.inference_mode" || path == "inference_mode";
}

// A mention without a call: `@torch.inference_mode`, `ctx = torch.inference_mode if ... else ...`.
void FindMentions(SiteFinder& finder, Sites* sites) {
  for (const SyntaxNode& node : finder.script().tree().nodes()) {
    if (node.dead || node.parent == nullptr || node.field == SyntaxField::kAttribute) continue;
    const bool attribute = node.Is(SyntaxKind::kAttribute) && node.text.ends_with("inference_mode");
    const bool name = node.Is(SyntaxKind::kIdentifier) && node.text == "inference_mode";
    if ((!attribute && !name) || node.field == SyntaxField::kFunction ||
        node.field == SyntaxField::kName || node.field == SyntaxField::kLeft ||
        node.Above(SyntaxKind::kImport) != nullptr ||
        node.Above(SyntaxKind::kImportFrom) != nullptr ||
        node.Above(SyntaxKind::kComparison) != nullptr) {
      continue;
    }
    const std::vector<std::string> paths = finder.evaluator().Paths(&node);
    if (std::none_of(paths.begin(), paths.end(), IsInferenceMode)) continue;
    Site site;
    site.node = &node;
    site.effect = Effect::kOn;
    site.value = "True";
    site.guards = finder.evaluator().GuardsOf(&node);
    sites->push_back(std::move(site));
  }
}

void Find(SiteFinder& finder, Sites* sites) {
  for (const KnownCall& call : finder.calls()) {
    if (std::none_of(call.paths.begin(), call.paths.end(), IsInferenceMode)) continue;
    Alternatives mode = finder.evaluator().Argument(*call.call, "mode", 0);
    for (const Alternative& value : mode) {
      const bool given = !value.value.Is(ScriptValue::Kind::kAbsent);
      // inference_mode()(function) and inference_mode(function) are on.
      const bool function = value.value.Is(ScriptValue::Kind::kFunction);
      const Effect effect = given && !function ? BoolEffect(value.value) : Effect::kOn;
      Site site = finder.CallSiteOf(*call.call, effect == Effect::kNone ? Effect::kOff : effect,
                                    given && !function ? ValueText(value.value, nullptr) : "True");
      site.guards.insert(site.guards.end(), value.guards.begin(), value.guards.end());
      for (const Alternative& callee : finder.evaluator().Evaluate(call.call->callee)) {
        if (callee.value.Is(ScriptValue::Kind::kPath) && IsInferenceMode(callee.value.text)) {
          site.guards.insert(site.guards.end(), callee.guards.begin(), callee.guards.end());
          break;
        }
      }
      site.option = value.option;
      sites->push_back(std::move(site));
    }
  }
  FindMentions(finder, sites);
}

}  // namespace

const Row& row_03_inference_mode() {
  static const Row row = {3, "inference_mode", "torch.inference_mode", "FTH003", "", Find};
  return row;
}

}  // namespace fathom
