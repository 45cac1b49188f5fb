// torch.compile as call, decorator or method, and generate's own compilation by a static cache.
#include <algorithm>

#include "audit/rules/row.h"

namespace fathom {
namespace {

bool IsCompile(const std::string& path) {
  return path == "torch.compile" || path == "torch._dynamo.optimize";
}

void FindCalls(SiteFinder& finder, Sites* sites) {
  Evaluator& evaluator = finder.evaluator();
  for (const KnownCall& call : finder.calls()) {
    const bool direct = std::any_of(call.paths.begin(), call.paths.end(), IsCompile);
    const SyntaxNode* callee = Unwrap(call.call->callee);
    const SyntaxNode* object = callee->Child(SyntaxField::kObject);
    const bool method = !direct && !call.own && object != nullptr &&
                        callee->Child(SyntaxField::kAttribute)->text == "compile" &&
                        finder.IsModel(object);
    if (!direct && !method) continue;
    for (const Alternative& disable : evaluator.Argument(*call.call, "disable", -1)) {
      const Effect effect = Inverted(BoolEffect(disable.value));
      Site site = finder.CallSiteOf(*call.call, effect == Effect::kNone ? Effect::kOn : effect,
                                    effect == Effect::kOff ? "disable=True" : "True");
      site.guards.insert(site.guards.end(), disable.guards.begin(), disable.guards.end());
      for (const Alternative& value : evaluator.Evaluate(callee)) {
        if (direct && value.value.Is(ScriptValue::Kind::kPath) && IsCompile(value.value.text)) {
          site.guards.insert(site.guards.end(), value.guards.begin(), value.guards.end());
          break;
        }
      }
      sites->push_back(std::move(site));
    }
  }
}

// @torch.compile without a call.
void FindDecorators(SiteFinder& finder, Sites* sites) {
  for (const SyntaxNode& node : finder.script().tree().nodes()) {
    if (node.dead || !node.Is(SyntaxKind::kDecorator) || node.children.empty()) continue;
    const SyntaxNode* decorator = Unwrap(node.children[0]);
    if (decorator->Is(SyntaxKind::kCall)) continue;
    const std::vector<std::string> paths = finder.evaluator().Paths(decorator);
    if (std::none_of(paths.begin(), paths.end(), IsCompile)) continue;
    Site site;
    site.node = &node;
    site.effect = Effect::kOn;
    site.value = "True";
    site.guards = finder.evaluator().GuardsOf(&node);
    sites->push_back(std::move(site));
  }
}

Effect CacheEffect(const ScriptValue& value) {
  if (value.Is(ScriptValue::Kind::kUnknown)) return Effect::kUnknown;
  if (!value.Is(ScriptValue::Kind::kString)) return Effect::kNone;
  const bool compiled = HasWord(value.text, "static") || HasWord(value.text, "hybrid") ||
                        HasWord(value.text, "sliding_window");
  return compiled ? Effect::kOn : Effect::kNone;
}

Effect DisableEffect(const ScriptValue& value) {
  const Effect effect = Inverted(BoolEffect(value));
  return effect == Effect::kOn ? Effect::kNone : effect;
}

Effect StaticCacheEffect(const ScriptValue& value) {
  return HasWord(value.text, "StaticCache()") ? Effect::kOn : Effect::kNone;
}

Effect ConfigEffect(const ScriptValue& value) {
  return HasWord(value.text, "CompileConfig()") ? Effect::kOn : Effect::kNone;
}

bool IsCacheConfig(const std::vector<std::string>& paths, std::string_view text) {
  return IsConfig(paths, text) || HasWord(text, "cfg");
}

void FindStaticCache(SiteFinder& finder, Sites* sites) {
  const size_t first = sites->size();
  for (const KnownCall& call : finder.calls()) {
    const bool generates = call.target == Target::kGenerate ||
                           call.target == Target::kGenerationConfig ||
                           call.target == Target::kPipeline;
    const bool updates = !call.paths.empty() && !call.own &&
                         LastComponent(call.paths[0]) == "update" && IsCacheConfig(call.paths, "");
    if (!generates && !updates) continue;
    finder.AddArgument(call, "cache_implementation", -1, CacheEffect, sites, "static_cache");
    finder.AddArgument(call, "disable_compile", -1, DisableEffect, sites, "static_cache");
    finder.AddArgument(call, "past_key_values", -1, StaticCacheEffect, sites, "static_cache");
    finder.AddArgument(call, "compile_config", -1, ConfigEffect, sites, "static_cache");
    finder.AddNested(call, "generate_kwargs", "cache_implementation", CacheEffect, sites,
                     "static_cache");
  }
  finder.AddWrites("cache_implementation", IsCacheConfig, CacheEffect, sites, "static_cache");
  finder.AddWrites("disable_compile", IsCacheConfig, DisableEffect, sites, "static_cache");
  for (size_t i = first; i < sites->size(); ++i) {
    (*sites)[i].rank = 1;
    (*sites)[i].aside = true;
  }
}

void Find(SiteFinder& finder, Sites* sites) {
  FindCalls(finder, sites);
  FindDecorators(finder, sites);
  FindStaticCache(finder, sites);
}

}  // namespace

const Row& row_10_compile() {
  static const Row row = {10, "compile", "torch.compile", "FTH010", "", Find};
  return row;
}

}  // namespace fathom
