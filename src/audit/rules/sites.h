// Sites: the places of a script that bear on a row, found through calls, attributes and methods.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "audit/analysis/evaluator.h"

namespace fathom {

enum class Effect : uint8_t { kNone, kOn, kOff, kUnknown };

// A place that sets a row, and to what.
struct Site {
  const SyntaxNode* node = nullptr;  // whose lines count
  uint32_t begin = 0, end = 0;       // where they differ from the node's; end 0: they do not
  Effect effect = Effect::kNone;
  Guards guards;
  std::string value;    // "True", "torch.bfloat16", "flash_attention_2"
  std::string option;   // the option of the script whose default that is
  std::string variant;  // which fact tells of it: "high", "tf32", "static_cache"; "" the row's own
  std::string slot;     // writes to one slot: the last one holds
  int rank = 0;         // the main site is one of the lowest rank
  bool aside = false;   // works beside the main site: changes nothing of what that is guarded by
  uint32_t origin = 0;  // where the value is written: orders several of one node
};
using Sites = std::vector<Site>;

// What a call is to transformers or torch.
enum class Target : uint8_t {
  kOther,
  kModelLoad,  // X.from_pretrained, from_config
  kTokenizerLoad,
  kProcessorLoad,  // images, audio: never a tokenizer alone
  kConfigLoad,     // AutoConfig.from_pretrained, LlamaConfig(...)
  kGenerationConfig,
  kPipeline,  // pipeline(...)
  kGenerate,  // model.generate, a pipeline's call, llm.generate
  kForward,   // model(...)
  kSampler,   // SamplingParams, TopKLogitsWarper: made to sample
  kFunction   // a function of torch or another library: see path
};

struct KnownCall {
  const CallSite* call = nullptr;
  Target target = Target::kOther;
  std::vector<std::string> paths;
  bool own = false;  // reaches a function of the file: followed inside instead

  // One of the paths is this one, or ends in "." and this one where it starts with '.'.
  bool IsAny(std::initializer_list<std::string_view> wanted) const;
};

class SiteFinder {
 public:
  explicit SiteFinder(Evaluator& evaluator);

  Evaluator& evaluator() { return evaluator_; }
  const Script& script() const { return evaluator_.script(); }
  const std::vector<KnownCall>& calls() const { return calls_; }

  // What a value means for a row. kNone: as if it were not written.
  using Classify = std::function<Effect(const ScriptValue&)>;

  // The keyword (or position) of a call, through variables, dictionaries and **.
  void AddArgument(const KnownCall& call, std::string_view name, int position,
                   const Classify& classify, Sites* sites, std::string_view variant = {});
  // Writes to an attribute: `object` gets the paths and the text of the object.
  using IsObject =
      std::function<bool(const std::vector<std::string>& paths, std::string_view text)>;
  void AddWrites(std::string_view attribute, const IsObject& is_object, const Classify& classify,
                 Sites* sites, std::string_view variant = {});
  // The call as a whole.
  Site CallSiteOf(const CallSite& call, Effect effect, std::string value);
  // One site for each thing that `values` can be.
  void AddValues(const Alternatives& values, const SyntaxNode* node, const Guards& around,
                 const Classify& classify, Sites* sites, std::string_view variant = {});
  // `model_kwargs={...}` of a pipeline, spread over the call.
  void AddNested(const KnownCall& call, std::string_view outer, std::string_view name,
                 const Classify& classify, Sites* sites, std::string_view variant = {});
  // output_attentions and the like: True asks for what costs memory, wherever it is given.
  void AddReturned(std::string_view name, Sites* sites);
  // Whether the expression is a model, by what made it or by its name.
  bool IsModel(const SyntaxNode* expression);

 private:
  Target TargetOf(const CallSite& call, const std::vector<std::string>& paths);
  Evaluator& evaluator_;
  std::vector<KnownCall> calls_;
};

// True is on, False off, None as if not written.
Effect BoolEffect(const ScriptValue& value);
Effect Inverted(Effect effect);
// Whether what is written to is a configuration of any kind; a generation config in particular.
bool IsConfig(const std::vector<std::string>& paths, std::string_view text);
bool IsGenerationConfig(const std::vector<std::string>& paths, std::string_view text);
// What the value is called in the report.
std::string ValueText(const ScriptValue& value, const SyntaxNode* expression);

// The parts of "a.b.c".
std::string_view LastComponent(std::string_view path);
std::string_view ParentComponent(std::string_view path);
bool HasWord(std::string_view text, std::string_view word);

}  // namespace fathom
