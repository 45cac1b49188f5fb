// attn_implementation, and what asked for the same before it existed.
#include <algorithm>

#include "audit/rules/row.h"

namespace fathom {
namespace {

Effect AttentionEffect(const ScriptValue& value) {
  switch (value.kind) {
    case ScriptValue::Kind::kString:
      return value.text == "eager" || value.text.ends_with("|eager") ? Effect::kOff : Effect::kOn;
    case ScriptValue::Kind::kNone:
    case ScriptValue::Kind::kAbsent:
      return Effect::kNone;
    case ScriptValue::Kind::kDisplay:
      return Effect::kOn;  // one for each part of the model
    default:
      return Effect::kUnknown;
  }
}

Effect FlagEffect(const ScriptValue& value) {
  const Effect effect = BoolEffect(value);
  return effect == Effect::kOff ? Effect::kNone : effect;  // False leaves the default
}

void SetVariants(Sites* sites, size_t first, std::string_view variant) {
  for (size_t i = first; i < sites->size(); ++i) {
    Site& site = (*sites)[i];
    site.variant = variant;
    if (!variant.empty()) continue;
    const bool flash = HasWord(site.value, "flash");
    site.variant = flash ? "flash_attention_2" : HasWord(site.value, "sdpa") ? "sdpa" : "other";
  }
}

void FindImplementation(SiteFinder& finder, Sites* sites) {
  for (const KnownCall& call : finder.calls()) {
    if (call.own) continue;
    const bool loads = call.target == Target::kModelLoad || call.target == Target::kPipeline ||
                       call.target == Target::kConfigLoad;
    for (const std::string_view name : {"attn_implementation", "_attn_implementation"}) {
      if (loads) finder.AddArgument(call, name, -1, AttentionEffect, sites);
      if (loads) finder.AddNested(call, "model_kwargs", name, AttentionEffect, sites);
    }
    if (!call.paths.empty() && LastComponent(call.paths[0]) == "set_attn_implementation") {
      finder.AddArgument(call, "attn_implementation", 0, AttentionEffect, sites);
    }
  }
  for (const std::string_view name : {"attn_implementation", "_attn_implementation"}) {
    finder.AddWrites(name, IsConfig, AttentionEffect, sites);
  }
  SetVariants(sites, 0, "");
  const size_t old = sites->size();
  for (const KnownCall& call : finder.calls()) {
    if (call.target != Target::kModelLoad && call.target != Target::kPipeline) continue;
    finder.AddArgument(call, "use_flash_attention_2", -1, FlagEffect, sites);
    finder.AddNested(call, "model_kwargs", "use_flash_attention_2", FlagEffect, sites);
  }
  SetVariants(sites, old, "use_flash_attention_2");
}

bool Mentions(const CallSite& call, std::string_view word) {
  const SyntaxNode* arguments = call.node->Child(SyntaxField::kArguments);
  return arguments != nullptr && HasWord(arguments->text, word);
}

void FindSwitches(SiteFinder& finder, Sites* sites) {
  for (const KnownCall& call : finder.calls()) {
    const size_t first = sites->size();
    if (call.own || call.paths.empty()) continue;
    const std::string_view last = LastComponent(call.paths[0]);
    if (last == "to_bettertransformer" ||
        (last == "transform" && ParentComponent(call.paths[0]) == "BetterTransformer")) {
      sites->push_back(finder.CallSiteOf(*call.call, Effect::kOn, "BetterTransformer"));
      SetVariants(sites, first, "bettertransformer");
    } else if (last == "enable_flash_sdp" || last == "enable_mem_efficient_sdp") {
      for (const Alternative& value : finder.evaluator().Argument(*call.call, "enabled", 0)) {
        Site site = finder.CallSiteOf(*call.call, BoolEffect(value.value),
                                      ValueText(value.value, value.origin));
        site.guards.insert(site.guards.end(), value.guards.begin(), value.guards.end());
        if (site.effect != Effect::kNone) sites->push_back(std::move(site));
      }
      SetVariants(sites, first, "flash_sdp");
    } else if (last == "sdp_kernel") {
      finder.AddArgument(call, "enable_flash", 0, BoolEffect, sites);
      SetVariants(sites, first, "flash_sdp");
    } else if (last == "sdpa_kernel") {
      const bool fast = Mentions(*call.call, "FLASH") || Mentions(*call.call, "EFFICIENT") ||
                        Mentions(*call.call, "CUDNN");
      const bool plain = Mentions(*call.call, "MATH");
      const Effect effect = fast ? Effect::kOn : plain ? Effect::kOff : Effect::kUnknown;
      sites->push_back(finder.CallSiteOf(*call.call, effect, "sdpa_kernel"));
      SetVariants(sites, first, "flash_sdp");
    }
    for (size_t i = first; i < sites->size(); ++i) {
      (*sites)[i].rank = 1;
      (*sites)[i].aside = true;
    }
  }
}

void Find(SiteFinder& finder, Sites* sites) {
  FindImplementation(finder, sites);
  const auto has = [&](Effect effect) {
    return std::any_of(sites->begin(), sites->end(),
                       [&](const Site& site) { return site.effect == effect; });
  };
  // The switches of sdpa matter only where sdpa runs.
  if (!has(Effect::kOff) || has(Effect::kOn)) FindSwitches(finder, sites);
}

}  // namespace

const Row& row_13_attn_implementation() {
  static const Row row = {13,       "attn_implementation", "attn_implementation",
                          "FTH013", "flash_attention_2",   Find};
  return row;
}

}  // namespace fathom
