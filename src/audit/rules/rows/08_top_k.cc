// top_k that reaches a sampler. What a script computes by itself is in custom_top_k.cc.
#include <algorithm>

#include "audit/rules/custom_top_k.h"
#include "audit/rules/row.h"

namespace fathom {
namespace {

Effect TopKEffect(const ScriptValue& value) {
  switch (value.kind) {
    case ScriptValue::Kind::kNumber:
      return value.number > 0 ? Effect::kOn : Effect::kOff;
    case ScriptValue::Kind::kNone:
    case ScriptValue::Kind::kBool:
      return Effect::kOff;
    case ScriptValue::Kind::kAbsent:
      return Effect::kNone;
    default:
      return Effect::kUnknown;
  }
}

// In a GenerationConfig None is the default of 50.
Effect ConfigEffect(const ScriptValue& value) {
  return value.Is(ScriptValue::Kind::kNone) ? Effect::kNone : TopKEffect(value);
}

bool IsSampling(const std::vector<std::string>& paths, std::string_view text) {
  return IsGenerationConfig(paths, text) || HasWord(text, "sampling_params") ||
         std::any_of(paths.begin(), paths.end(),
                     [](const std::string& path) { return HasWord(path, "SamplingParams"); });
}

// Greedy, beam and contrastive search do not sample, whatever top_k says.
bool NeverSamples(Evaluator& evaluator, const CallSite& call) {
  bool said = false;
  for (const Alternative& value : evaluator.Argument(call, "do_sample", -1)) {
    if (value.value.Is(ScriptValue::Kind::kAbsent)) continue;
    said = true;
    if (BoolEffect(value.value) != Effect::kOff) return false;
  }
  if (said) return true;
  // Beam search, contrastive search.
  for (const auto& [name, least] :
       {std::pair<std::string_view, double>("num_beams", 1), {"penalty_alpha", 0}}) {
    for (const Alternative& value : evaluator.Argument(call, name, -1)) {
      if (value.value.Is(ScriptValue::Kind::kNumber) && value.value.number > least) return true;
    }
  }
  return false;
}

bool Generates(std::string_view task) {
  return HasWord(task, "generation") || HasWord(task, "image-text-to-text") ||
         HasWord(task, "any-to-any") || HasWord(task, "conversational") ||
         HasWord(task, "summarization") || HasWord(task, "translation");
}

// A pipeline that classifies takes a top_k too: how many labels it shows.
bool PipelineGenerates(Evaluator& evaluator, const KnownCall& call) {
  const auto task_generates = [&](const CallSite& made) {
    for (const Alternative& task : evaluator.Argument(made, "task", 0)) {
      if (task.value.Is(ScriptValue::Kind::kString) && !Generates(task.value.text)) return false;
    }
    return true;
  };
  if (call.target == Target::kPipeline) return task_generates(*call.call);
  for (const Alternative& made : evaluator.Evaluate(call.call->callee)) {
    if (!made.value.text.ends_with("pipeline()") || made.value.node == nullptr) continue;
    const CallSite* site = evaluator.script().CallAt(made.value.node);
    if (site != nullptr && !task_generates(*site)) return false;
  }
  return true;
}

void Find(SiteFinder& finder, Sites* sites) {
  Evaluator& evaluator = finder.evaluator();
  for (const KnownCall& call : finder.calls()) {
    const bool update = !call.own && !call.paths.empty() &&
                        LastComponent(call.paths[0]) == "update" && IsSampling(call.paths, "");
    const bool generates = call.target == Target::kGenerate || call.target == Target::kPipeline;
    const bool configures = call.target == Target::kGenerationConfig || update;
    if (!generates && !configures && call.target != Target::kSampler) continue;
    if (NeverSamples(evaluator, *call.call)) continue;
    if (generates && !PipelineGenerates(evaluator, call)) continue;
    const bool warper = call.target == Target::kSampler && !call.paths.empty() &&
                        LastComponent(call.paths[0]).starts_with("TopK");
    finder.AddArgument(call, "top_k", warper ? 0 : -1, configures ? ConfigEffect : TopKEffect,
                       sites);
    finder.AddNested(call, "generate_kwargs", "top_k", TopKEffect, sites);
  }
  finder.AddWrites("top_k", IsSampling, ConfigEffect, sites);
  FindCustomTopK(finder, sites);
}

}  // namespace

const Row& row_08_top_k() {
  static const Row row = {8, "top_k", "top_k", "FTH008", "", Find};
  return row;
}

}  // namespace fathom
