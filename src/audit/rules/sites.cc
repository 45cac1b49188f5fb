#include "audit/rules/sites.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace fathom {
namespace {

using Kind = SyntaxKind;
using Field = SyntaxField;

bool Contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// What `X` of X.from_pretrained makes.
Target LoadedBy(std::string_view name) {
  const std::string lower = Lower(name);
  if (Contains(lower, "imageprocessor") || Contains(lower, "videoprocessor") ||
      Contains(lower, "featureextractor") || Contains(lower, "image_processor")) {
    return Target::kProcessorLoad;
  }
  if (Contains(lower, "tok") || Contains(lower, "processor")) return Target::kTokenizerLoad;
  if (Contains(lower, "generationconfig") || Contains(lower, "generation_config")) {
    return Target::kGenerationConfig;
  }
  if (Contains(lower, "config")) return Target::kConfigLoad;
  return Target::kModelLoad;
}

// What gives the model itself or a part of it that stands for it: model.eval(), model.base_model.
bool StaysModel(std::string_view name) {
  static constexpr auto kNames = std::to_array<std::string_view>(
      {"eval()", "train()", "to()", "cuda()", "cpu()", "half()", "float()", "bfloat16()",
       "requires_grad_()", "merge_and_unload()", "to_bettertransformer()", "module", "model",
       "base_model", "language_model", "_orig_mod", "llm", "unwrap_model()"});
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

// Of "a().b.c()": whether each part is one that leaves a model a model.
bool StaysModelThrough(std::string_view parts) {
  while (!parts.empty()) {
    if (parts[0] != '.') return false;  // the result of a call of the model
    parts.remove_prefix(1);
    const std::string_view name = parts.substr(0, parts.find('.'));
    if (!StaysModel(name)) return false;
    parts.remove_prefix(name.size());
  }
  return true;
}

bool IsModelPath(std::string_view path) {
  // The result of a load, of compile(), of a wrapper around a model.
  for (const std::string_view made :
       {"from_pretrained()", "from_config()", "torch.compile()", "get_peft_model()", "prepare()",
        "merge_and_unload()", "from_single_file()", "load_checkpoint_and_dispatch()"}) {
    const size_t place = path.rfind(made);
    if (place == std::string_view::npos) continue;
    if (!StaysModelThrough(path.substr(place + made.size()))) continue;
    if (made != "from_pretrained()") return true;
    const std::string_view before = path.substr(0, place == 0 ? 0 : place - 1);
    if (LoadedBy(LastComponent(before)) == Target::kModelLoad) return true;
  }
  for (const std::string_view made : {"ForCausalLM()", "LMHeadModel()"}) {
    const size_t place = path.rfind(made);
    if (place != std::string_view::npos && StaysModelThrough(path.substr(place + made.size()))) {
      return true;
    }
  }
  return false;
}

std::string_view ParentPath(std::string_view path) {
  const size_t dot = path.rfind('.');
  return dot == std::string_view::npos ? std::string_view() : path.substr(0, dot);
}

// A name that stands for a model where nothing else is known of it.
bool IsModelName(std::string_view name) {
  const std::string lower = Lower(name);
  if (Contains(lower, "name") || Contains(lower, "path") || Contains(lower, "_id") ||
      Contains(lower, "input") || Contains(lower, "config") || Contains(lower, "kwargs") ||
      Contains(lower, "embed") || Contains(lower, "tokenizer") || Contains(lower, "size") ||
      Contains(lower, "type") || Contains(lower, "device") || Contains(lower, "output")) {
    return false;
  }
  return Contains(lower, "model") || lower == "llm" || lower == "lm" || lower == "net" ||
         lower == "gpt" || lower == "gpt2" || lower == "transformer" || lower == "decoder" ||
         lower == "draft" || lower == "backbone" || lower == "llama";
}

bool IsPipelinePath(std::string_view path) { return path.ends_with("pipeline()"); }

bool IsPipelineName(std::string_view name) {
  const std::string lower = Lower(name);
  return lower == "pipe" || lower == "pipeline" || lower == "generator" ||
         lower.ends_with("_pipe") || lower.ends_with("_pipeline") || lower.ends_with("_generator");
}

std::string_view Stripped(std::string_view path) {
  if (path.starts_with('?')) path.remove_prefix(1);
  return path;
}

}  // namespace

std::string_view LastComponent(std::string_view path) {
  path = Stripped(path);
  const size_t dot = path.rfind('.');
  return dot == std::string_view::npos ? path : path.substr(dot + 1);
}

std::string_view ParentComponent(std::string_view path) {
  path = Stripped(path);
  const size_t dot = path.rfind('.');
  return dot == std::string_view::npos ? std::string_view() : LastComponent(path.substr(0, dot));
}

bool HasWord(std::string_view text, std::string_view word) { return Contains(text, word); }

Effect BoolEffect(const ScriptValue& value) {
  switch (value.kind) {
    case ScriptValue::Kind::kBool:
    case ScriptValue::Kind::kNumber:
      return value.number != 0 ? Effect::kOn : Effect::kOff;
    case ScriptValue::Kind::kNone:
    case ScriptValue::Kind::kAbsent:
      return Effect::kNone;
    case ScriptValue::Kind::kString:
      if (Lower(value.text) == "true") return Effect::kOn;
      if (Lower(value.text) == "false") return Effect::kOff;
      return Effect::kUnknown;
    default:
      return Effect::kUnknown;
  }
}

Effect Inverted(Effect effect) {
  if (effect == Effect::kOn) return Effect::kOff;
  return effect == Effect::kOff ? Effect::kOn : effect;
}

bool IsConfig(const std::vector<std::string>& paths, std::string_view text) {
  return HasWord(text, "config") || (!paths.empty() && HasWord(paths[0], "onfig"));
}

bool IsGenerationConfig(const std::vector<std::string>& paths, std::string_view text) {
  return HasWord(text, "generation_config") || HasWord(text, "gen_config") ||
         HasWord(text, "gen_cfg") ||
         std::any_of(paths.begin(), paths.end(), [](const std::string& path) {
           return HasWord(path, "generation_config") || HasWord(path, "GenerationConfig");
         });
}

std::string ValueText(const ScriptValue& value, const SyntaxNode* expression) {
  if (value.IsConstant() && !value.text.empty()) return value.text;
  if (value.Is(ScriptValue::Kind::kPath) && !value.text.ends_with("()")) return value.text;
  const SyntaxNode* node = value.node != nullptr ? value.node : expression;
  std::string text(node == nullptr ? std::string_view(value.text) : node->text);
  for (size_t at = text.find('\n'); at != std::string::npos; at = text.find('\n', at)) {
    const size_t next = text.find_first_not_of(" \t\r\n", at);  // a line break and its indent
    text.replace(at, (next == std::string::npos ? text.size() : next) - at, " ");
  }
  if (text.size() > 120) text = text.substr(0, 117) + "...";
  return text;
}

bool KnownCall::IsAny(std::initializer_list<std::string_view> wanted) const {
  for (const std::string& path : paths) {
    for (const std::string_view name : wanted) {
      if (name.starts_with('.') ? path.ends_with(name) : path == name) return true;
    }
  }
  return false;
}

SiteFinder::SiteFinder(Evaluator& evaluator) : evaluator_(evaluator) {
  for (const CallSite& call : evaluator.script().calls()) {
    KnownCall known;
    known.call = &call;
    known.paths = evaluator.Paths(call.callee);
    known.own = !evaluator.Callees(call).empty();
    known.target = known.own ? Target::kOther : TargetOf(call, known.paths);
    calls_.push_back(std::move(known));
  }
}

Target SiteFinder::TargetOf(const CallSite& call, const std::vector<std::string>& paths) {
  const SyntaxNode* callee = Unwrap(call.callee);
  std::vector<std::string> names = paths;
  if (const std::string dotted = DottedText(callee); !dotted.empty()) names.push_back(dotted);
  if (names.empty() && callee->Is(Kind::kAttribute)) {
    names.push_back("?." + std::string(callee->Child(Field::kAttribute)->text));
  }
  for (const std::string& path : names) {
    const std::string_view last = LastComponent(path);
    const std::string_view parent = ParentComponent(path);
    if (last == "from_pretrained" || last == "from_config" || last == "_from_config" ||
        last == "from_single_file" || last == "load_checkpoint_and_dispatch" ||
        last == "from_quantized") {
      return LoadedBy(parent.empty() ? "model" : parent);
    }
    if (last == "pipeline" && parent != "self") return Target::kPipeline;
    if (last == "GenerationConfig") return Target::kGenerationConfig;
    if (last == "SamplingParams" || last.starts_with("TopKLogits")) return Target::kSampler;
    if (last == "LLM" || last == "AsyncEngineArgs" || last == "EngineArgs") {
      return Target::kModelLoad;
    }
    if (last == "generate" || last == "generate_stream" || last == "stream_generate") {
      return Target::kGenerate;
    }
    const bool method_of_model = IsModelPath(ParentPath(path)) || IsModelName(parent);
    if ((last == "chat" || last == "stream_chat" || last == "chat_stream" || last == "sample" ||
         last == "_sample" || last == "assisted_decoding") &&
        method_of_model) {
      return Target::kGenerate;
    }
    if (IsPipelinePath(path) || IsPipelineName(last)) return Target::kGenerate;
    if (path.ends_with("()") && IsModelPath(path)) return Target::kForward;
    if (last == "forward" && method_of_model) return Target::kForward;
    if (path.starts_with('?') || callee->Is(Kind::kIdentifier) || callee->Is(Kind::kAttribute)) {
      if (!path.starts_with("torch") && IsModelName(last) && std::islower(last[0])) {
        return Target::kForward;
      }
    }
    if (last.ends_with("Config") && !last.starts_with("BitsAndBytes")) return Target::kConfigLoad;
  }
  return paths.empty() ? Target::kOther : Target::kFunction;
}

bool SiteFinder::IsModel(const SyntaxNode* expression) {
  if (expression == nullptr) return false;
  for (const Alternative& value : evaluator_.Evaluate(expression)) {
    const std::string& path = value.value.text;
    if (value.value.Is(ScriptValue::Kind::kPath) || value.value.Is(ScriptValue::Kind::kUnknown)) {
      if (IsModelPath(path)) return true;
    }
    if (value.value.Is(ScriptValue::Kind::kInstance)) {
      const SyntaxNode* bases = value.value.node->Child(Field::kSuperclasses);
      if (bases != nullptr && (Contains(bases->text, "Module") || Contains(bases->text, "Model"))) {
        return true;
      }
    }
  }
  const SyntaxNode* node = Unwrap(expression);
  // model.eval().to(...): what the chain starts with.
  for (int i = 0; i < 12 && node != nullptr && node->Is(Kind::kCall); ++i) {
    const SyntaxNode* callee = Unwrap(node->Child(Field::kFunction));
    const SyntaxNode* object = callee == nullptr ? nullptr : callee->Child(Field::kObject);
    if (object == nullptr) {
      if (callee == nullptr || !callee->Is(Kind::kIdentifier)) return false;
      const std::string lower = Lower(callee->text);
      return lower.ends_with("model") || Contains(callee->text, "ForCausalLM");
    }
    node = Unwrap(object);
  }
  if (node == nullptr) return false;
  if (node->Is(Kind::kAttribute)) return IsModelName(node->Child(Field::kAttribute)->text);
  return node->Is(Kind::kIdentifier) && IsModelName(node->text);
}

void SiteFinder::AddValues(const Alternatives& values, const SyntaxNode* node, const Guards& around,
                           const Classify& classify, Sites* sites, std::string_view variant) {
  for (const Alternative& value : values) {
    if (value.value.Is(ScriptValue::Kind::kAbsent)) continue;
    Site site;
    site.node = node;
    site.effect = classify(value.value);
    if (site.effect == Effect::kNone) continue;
    site.guards = around;
    site.guards.insert(site.guards.end(), value.guards.begin(), value.guards.end());
    site.value = ValueText(value.value, value.origin);
    site.option = value.option;
    site.variant = variant;
    site.origin = value.origin == nullptr ? 0 : value.origin->begin;
    sites->push_back(std::move(site));
  }
}

void SiteFinder::AddArgument(const KnownCall& known, std::string_view name, int position,
                             const Classify& classify, Sites* sites, std::string_view variant) {
  const CallSite& call = *known.call;
  const Alternatives values = evaluator_.Argument(call, name, position);
  const bool absent = std::all_of(values.begin(), values.end(), [](const Alternative& value) {
    return value.value.Is(ScriptValue::Kind::kAbsent);
  });
  if (absent) return;
  const Guards around = evaluator_.GuardsOf(call.node);
  if (const auto* keyword = call.Find(name)) {
    AddValues(values, keyword->node, around, classify, sites, variant);
    return;
  }
  const bool by_position = position >= 0 && static_cast<size_t>(position) < call.positional.size();
  for (const Alternative& value : values) {
    const SyntaxNode* node = by_position ? call.node : value.origin;
    AddValues({value}, node == nullptr ? call.node : node, around, classify, sites, variant);
  }
}

void SiteFinder::AddNested(const KnownCall& known, std::string_view outer, std::string_view name,
                           const Classify& classify, Sites* sites, std::string_view variant) {
  const auto* keyword = known.call->Find(outer);
  if (keyword == nullptr) return;
  const Guards around = evaluator_.GuardsOf(known.call->node);
  for (const Alternative& value : evaluator_.LookUp(keyword->value, name)) {
    const SyntaxNode* node = value.origin == nullptr ? keyword->node : value.origin;
    AddValues({value}, node, around, classify, sites, variant);
  }
}

void SiteFinder::AddWrites(std::string_view attribute, const IsObject& is_object,
                           const Classify& classify, Sites* sites, std::string_view variant) {
  for (const AttributeWrite& write : script().writes()) {
    if (write.attribute != attribute || write.object == nullptr) continue;
    const std::vector<std::string> paths = evaluator_.Paths(write.object);
    const std::string text = DottedText(write.object);
    if (!is_object(paths, text)) continue;
    const size_t first = sites->size();
    Alternatives values = evaluator_.Evaluate(write.value);
    // saved = object.attribute; ...; object.attribute = saved: puts back what was there.
    std::erase_if(values, [&](const Alternative& value) {
      return !value.value.IsConstant() && value.value.node != nullptr && !text.empty() &&
             DottedText(value.value.node) == text + "." + std::string(attribute);
    });
    AddValues(values, write.node, evaluator_.GuardsOf(write.node), classify, sites, variant);
    for (size_t i = first; i < sites->size(); ++i) {
      (*sites)[i].slot = (paths.empty() ? text : paths[0]) + "." + std::string(attribute);
    }
  }
}

void SiteFinder::AddReturned(std::string_view name, Sites* sites) {
  const auto asked = [](const ScriptValue& value) { return Inverted(BoolEffect(value)); };
  for (const KnownCall& call : calls_) {
    if (call.own) continue;
    AddArgument(call, name, -1, asked, sites);
    for (const std::string_view outer : {"model_kwargs", "generate_kwargs"}) {
      AddNested(call, outer, name, asked, sites);
    }
  }
  AddWrites(name, IsConfig, asked, sites);
}

Site SiteFinder::CallSiteOf(const CallSite& call, Effect effect, std::string value) {
  Site site;
  site.node = call.node;
  site.begin = call.node->begin;
  site.end = call.node->end;
  const SyntaxNode* callee = Unwrap(call.callee);
  // Of a chain over several lines: from the method's own name.
  const SyntaxNode* attribute = callee == nullptr ? nullptr : callee->Child(Field::kAttribute);
  const SyntaxNode* object = callee == nullptr ? nullptr : Unwrap(callee->Child(Field::kObject));
  if (!call.indirect && attribute != nullptr && object != nullptr && object->Is(Kind::kCall)) {
    site.begin = attribute->begin;
  }
  site.effect = effect;
  site.guards = evaluator_.GuardsOf(call.node);
  site.value = std::move(value);
  return site;
}

}  // namespace fathom
