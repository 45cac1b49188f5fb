// `fathom inspect model | tokenize | detokenize | template | logits | sample`.
#include "cli/inspect/inspect.h"

#include <memory>
#include <vector>

namespace fathom {
namespace {

CommandAction Setup(CLI::App& app) {
  struct Step {
    const char* name;
    const char* summary;
    CommandAction (*setup)(CLI::App& app);
  };
  static constexpr Step kSteps[] = {
      {"model", "config, tensors and memory of a model or a .safetensors file", SetupInspectModel},
      {"tokenize", "a text's token ids", SetupInspectTokenize},
      {"detokenize", "the text of token ids", SetupInspectDetokenize},
      {"template", "messages as the chat template renders them", SetupInspectTemplate},
      {"logits", "the scores of every position, as a .npy file", SetupInspectLogits},
      {"sample", "what the sampling settings keep of given scores", SetupInspectSample},
  };
  app.require_subcommand(1);
  auto actions = std::make_shared<std::vector<std::pair<CLI::App*, CommandAction>>>();
  for (const Step& step : kSteps) {
    CLI::App* sub = app.add_subcommand(step.name, step.summary);
    actions->emplace_back(sub, step.setup(*sub));
  }
  return [actions] {
    for (const auto& [sub, action] : *actions) {
      if (sub->parsed()) return action();
    }
    return Status::Usage("inspect", "names no step");
  };
}

}  // namespace

const Command& command_inspect() {
  static const Command command = {"inspect", "each step alone: model, tokenize, logits ...", 70,
                                  Setup};
  return command;
}

}  // namespace fathom
