// The dtype of the model: torch_dtype (dtype since 4.56), .half(), .to(torch.bfloat16),
// quantization.
#include <algorithm>
#include <array>

#include "audit/rules/row.h"

namespace fathom {
namespace {

bool IsSixteenBit(std::string_view name) {
  return name == "float16" || name == "half" || name == "bfloat16" || name == "fp16" ||
         name == "bf16" || name == "HalfTensor" || name == "BFloat16Tensor";
}

bool IsEightBit(std::string_view name) { return name.starts_with("float8") || name == "int8"; }

bool IsWide(std::string_view name) {
  return name == "float32" || name == "float" || name == "fp32" || name == "float64" ||
         name == "double" || name == "FloatTensor" || name == "32";
}

Effect DtypeEffect(const ScriptValue& value) {
  switch (value.kind) {
    case ScriptValue::Kind::kNone:
    case ScriptValue::Kind::kAbsent:
      return Effect::kNone;
    case ScriptValue::Kind::kString:
    case ScriptValue::Kind::kPath: {
      const std::string_view last = LastComponent(value.text);
      if (IsSixteenBit(last) || IsEightBit(last) || last == "auto") return Effect::kOn;
      return IsWide(last) ? Effect::kOff : Effect::kUnknown;
    }
    default:
      return Effect::kUnknown;
  }
}

// An argument of .to(): a dtype counts, a device says nothing.
Effect ToEffect(const ScriptValue& value) {
  if (!value.Is(ScriptValue::Kind::kPath)) return Effect::kNone;
  const Effect effect = DtypeEffect(value);
  return effect == Effect::kUnknown ? Effect::kNone : effect;
}

std::string_view VariantOf(std::string_view value) {
  const std::string_view last = LastComponent(value);
  if (last == "float16" || last == "half" || last == "fp16" || last == "HalfTensor") {
    return "float16";
  }
  if (last == "auto") return "auto";
  return "bfloat16";
}

void SetVariants(Sites* sites, size_t first) {
  for (size_t i = first; i < sites->size(); ++i) {
    if ((*sites)[i].variant.empty()) (*sites)[i].variant = VariantOf((*sites)[i].value);
  }
}

// quantization_config=BitsAndBytesConfig(load_in_4bit=True, ...)
void AddQuantization(SiteFinder& finder, const KnownCall& call, const Alternatives& configs,
                     const SyntaxNode* keyword, Sites* sites) {
  for (const Alternative& config : configs) {
    if (!config.value.Is(ScriptValue::Kind::kPath) || !config.value.text.ends_with("Config()"))
      continue;
    const CallSite* made =
        config.value.node == nullptr ? nullptr : finder.script().CallAt(config.value.node);
    if (made == nullptr) continue;
    Guards guards = finder.evaluator().GuardsOf(call.call->node);
    guards.insert(guards.end(), config.guards.begin(), config.guards.end());
    const KnownCall known{made, Target::kOther, {config.value.text}, false};
    const size_t first = sites->size();
    const bool bits_and_bytes = HasWord(config.value.text, "BitsAndBytes");
    for (const auto& [name, value] :
         {std::pair<std::string_view, std::string_view>("load_in_4bit", "int4"),
          {"load_in_8bit", "int8"}}) {
      if (!bits_and_bytes) continue;
      const size_t before = sites->size();
      finder.AddArgument(known, name, -1, BoolEffect, sites, "quantized");
      for (size_t i = before; i < sites->size(); ++i) {
        if ((*sites)[i].effect == Effect::kOn) (*sites)[i].value = value;
        (*sites)[i].guards = guards;
      }
    }
    if (!bits_and_bytes) {
      Site site;
      site.node = keyword == nullptr ? made->node : keyword;
      site.effect = Effect::kOn;
      site.value = ValueText(config.value, nullptr);
      site.guards = guards;
      site.variant = "quantized";
      sites->push_back(std::move(site));
    }
    for (size_t i = first; i < sites->size(); ++i) (*sites)[i].rank = 1;
  }
}

// Loaders of other packages kept load_in_4bit when transformers dropped it.
bool IsForeignLoader(const KnownCall& call) {
  return std::any_of(call.paths.begin(), call.paths.end(), [](const std::string& path) {
    return path.starts_with("unsloth.") || path.starts_with("auto_gptq.") ||
           path.starts_with("awq.") || path.starts_with("gptqmodel.");
  });
}

// Engines that take a model and give it back in another dtype.
void FindWrappers(SiteFinder& finder, Sites* sites) {
  for (const KnownCall& call : finder.calls()) {
    if (call.IsAny({"deepspeed.init_inference", "intel_extension_for_pytorch.optimize",
                    "intel_extension_for_pytorch.llm.optimize"})) {
      finder.AddArgument(call, "dtype", -1, DtypeEffect, sites);
    }
  }
}

void FindLoads(SiteFinder& finder, Sites* sites) {
  for (const KnownCall& call : finder.calls()) {
    if (call.target != Target::kModelLoad && call.target != Target::kPipeline) continue;
    const std::string_view in_bits = IsForeignLoader(call) ? "quantized" : "load_in_bits";
    for (const std::string_view name : {"torch_dtype", "dtype"}) {
      finder.AddArgument(call, name, -1, DtypeEffect, sites);
      finder.AddNested(call, "model_kwargs", name, DtypeEffect, sites);
    }
    for (const auto& [name, value] :
         {std::pair<std::string_view, std::string_view>("load_in_8bit", "int8"),
          {"load_in_4bit", "int4"}}) {
      const size_t first = sites->size();
      const auto effect = [](const ScriptValue& given) {
        const Effect plain = BoolEffect(given);
        return plain == Effect::kOff ? Effect::kNone : plain;
      };
      finder.AddArgument(call, name, -1, effect, sites, in_bits);
      finder.AddNested(call, "model_kwargs", name, effect, sites, in_bits);
      for (size_t i = first; i < sites->size(); ++i) {
        (*sites)[i].rank = 1;
        if ((*sites)[i].effect == Effect::kOn) (*sites)[i].value = value;
      }
    }
    const auto* keyword = call.call->Find("quantization_config");
    AddQuantization(finder, call, finder.evaluator().Argument(*call.call, "quantization_config"),
                    keyword == nullptr ? nullptr : keyword->node, sites);
    if (const auto* nested = call.call->Find("model_kwargs")) {
      AddQuantization(finder, call, finder.evaluator().LookUp(nested->value, "quantization_config"),
                      nested->node, sites);
    }
  }
}

void AddMethod(SiteFinder& finder, const CallSite& call, std::string_view method, Sites* sites) {
  Evaluator& evaluator = finder.evaluator();
  if (method == "half" || method == "bfloat16" || method == "float" || method == "double") {
    if (!call.positional.empty() || !call.keywords.empty()) return;
    const bool narrow = method == "half" || method == "bfloat16";
    const std::string value = method == "half"       ? "torch.float16"
                              : method == "bfloat16" ? "torch.bfloat16"
                                                     : "torch.float32";
    sites->push_back(finder.CallSiteOf(call, narrow ? Effect::kOn : Effect::kOff, value));
    return;
  }
  // .to(torch.bfloat16), .to(device, dtype), .to(dtype=...), .type(torch.float16)
  std::vector<const SyntaxNode*> arguments(call.positional);
  if (const auto* keyword = call.Find("dtype")) arguments.push_back(keyword->value);
  for (const SyntaxNode* argument : arguments) {
    for (const Alternative& value : evaluator.Evaluate(argument)) {
      const Effect effect = ToEffect(value.value);
      if (effect == Effect::kNone) continue;
      Site site = finder.CallSiteOf(call, effect, ValueText(value.value, value.origin));
      site.guards.insert(site.guards.end(), value.guards.begin(), value.guards.end());
      site.option = value.option;
      sites->push_back(std::move(site));
    }
  }
}

void FindMethods(SiteFinder& finder, Sites* sites) {
  static constexpr auto kMethods =
      std::to_array<std::string_view>({"half", "bfloat16", "float", "double", "to", "type"});
  for (const KnownCall& call : finder.calls()) {
    const SyntaxNode* callee = Unwrap(call.call->callee);
    if (call.own || callee == nullptr || !callee->Is(SyntaxKind::kAttribute)) continue;
    const std::string_view method = callee->Child(SyntaxField::kAttribute)->text;
    if (std::find(kMethods.begin(), kMethods.end(), method) == kMethods.end()) continue;
    if (finder.IsModel(callee->Child(SyntaxField::kObject))) {
      AddMethod(finder, *call.call, method, sites);
    }
  }
}

void FindDefaults(SiteFinder& finder, Sites* sites) {
  const size_t first = sites->size();
  for (const KnownCall& call : finder.calls()) {
    if (!call.IsAny({"torch.set_default_dtype", "torch.set_default_tensor_type"})) continue;
    for (const Alternative& value : finder.evaluator().Argument(*call.call, "d", 0)) {
      const Effect effect = DtypeEffect(value.value);
      if (effect != Effect::kOn) continue;  // float32 is the default: often a reset
      Site site = finder.CallSiteOf(*call.call, effect, ValueText(value.value, value.origin));
      site.guards.insert(site.guards.end(), value.guards.begin(), value.guards.end());
      site.rank = 1;
      sites->push_back(std::move(site));
    }
  }
  (void)first;
}

void Find(SiteFinder& finder, Sites* sites) {
  FindLoads(finder, sites);
  FindWrappers(finder, sites);
  const size_t loads = sites->size();
  FindMethods(finder, sites);
  // The model has one dtype: a conversion without condition replaces what stood before it.
  for (size_t i = loads; i < sites->size(); ++i) (*sites)[i].slot = "dtype";
  FindDefaults(finder, sites);
  SetVariants(sites, 0);
}

}  // namespace

const Row& row_11_dtype() {
  static const Row row = {11, "dtype", "torch_dtype", "FTH011", "bfloat16", Find};
  return row;
}

}  // namespace fathom
