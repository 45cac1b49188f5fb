// `fathom run [MODEL] [PROMPT]`: one answer, streamed.
#include <fmt/format.h>

#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "backends/backend.h"
#include "base/json.h"
#include "base/utf8.h"
#include "cli/command.h"
#include "cli/conversation.h"
#include "cli/model_options.h"
#include "cli/npz.h"
#include "cli/sampling_options.h"
#include "cli/terminal.h"
#include "fathom/engine.h"
#include "measure/bench.h"
#include "measure/roof_cache.h"

namespace fathom {
namespace {

// What the demo model goes on from where nobody said anything.
constexpr std::string_view kDemoPrompt = "Once upon a time";

struct RunArguments {
  ModelArguments model;
  SamplingArguments sampling;
  std::optional<std::string> prompt;
  std::optional<std::string> prompt_file;
  std::optional<std::string> ids;
  std::string system;
  bool raw = false;
  std::string format = "text";
  std::optional<std::string> output_attentions;  // .npz files
  std::optional<std::string> output_hidden_states;
};

// The prompt's ids, and the text to show before a raw continuation.
struct Prompt {
  std::vector<int32_t> ids;
  std::string shown;
};

Result<Prompt> MakePrompt(const RunArguments& arguments, const Model& model) {
  Prompt prompt;
  if (arguments.ids) {
    FATHOM_ASSIGN(prompt.ids, ParseIds(*arguments.ids, "--ids"));
    return prompt;
  }
  std::string text = arguments.prompt.value_or(std::string(kDemoPrompt));
  if (arguments.prompt_file) {
    FATHOM_ASSIGN(text, ReadInput(*arguments.prompt_file));
  }
  FATHOM_ASSIGN(const Conversation conversation, Conversation::Create(model));
  if (arguments.raw || !conversation.has_template()) {
    if (!arguments.system.empty()) text = arguments.system + "\n\n" + text;
    FATHOM_ASSIGN(prompt.ids, conversation.EncodeRaw(text));
    prompt.shown = std::move(text);
    return prompt;
  }
  JsonArray messages;
  if (!arguments.system.empty()) messages.push_back(ChatMessage("system", arguments.system));
  messages.push_back(ChatMessage("user", std::move(text)));
  FATHOM_ASSIGN(prompt.ids, conversation.EncodeMessages(std::move(messages)));
  return prompt;
}

double PerSecond(int64_t count, double ms) { return ms > 0 ? 1000 * count / ms : 0; }

// Names of the kernels that ran, each once, by operation.
JsonValue KernelsJson(const Engine& engine) {
  std::map<std::string, std::vector<std::string>> by_op;
  for (const KernelChoice& choice : engine.kernels()) {
    std::vector<std::string>& names = by_op[choice.op];
    if (std::find(names.begin(), names.end(), choice.kernel) == names.end()) {
      names.push_back(choice.kernel);
    }
  }
  JsonObject kernels;
  for (const auto& [op, names] : by_op) {
    kernels.emplace_back(op, JsonArray(names.begin(), names.end()));
  }
  return kernels;
}

JsonValue SequenceJson(const Engine& engine, const GeneratedSequence& sequence) {
  const RequestTimings& timings = sequence.timings;
  const BackendInfo& info = engine.model().backend().info();
  JsonArray instruction_sets(info.instruction_sets.begin(), info.instruction_sets.end());
  const int64_t decoded = timings.new_tokens > 0 ? timings.new_tokens - 1 : 0;
  return JsonObject{
      {"ids", JsonArray(sequence.ids.begin(), sequence.ids.end())},
      {"text", sequence.text},
      {"finish_reason", FinishReasonName(sequence.finish_reason)},
      {"timings",
       JsonObject{{"load_ms", engine.model().load_ms()},
                  {"prefill_ms", timings.prefill_ms},
                  {"decode_ms", timings.decode_ms},
                  {"prefill_tokens_per_s", PerSecond(timings.prompt_tokens, timings.prefill_ms)},
                  {"decode_tokens_per_s", PerSecond(decoded, timings.decode_ms)}}},
      {"backend", info.name},
      {"isa", info.isa},
      {"instruction_sets", std::move(instruction_sets)},
      {"dtype", engine.model().options().dtype},
      {"kernels", KernelsJson(engine)}};
}

// "131 + 200 tokens   first token 84 ms   decode 168 tok/s = 45.1 GB/s = 91 % of this
// machine's 49.6 GB/s"
std::string ClosingLine(const Engine& engine, const std::vector<GeneratedSequence>& sequences) {
  const RequestTimings& timings = sequences[0].timings;
  int64_t new_tokens = 0;
  for (const GeneratedSequence& sequence : sequences) new_tokens += sequence.timings.new_tokens;
  std::string line = fmt::format("{} + {} tokens   first token {:.0f} ms", timings.prompt_tokens,
                                 new_tokens, timings.queue_ms + timings.prefill_ms);
  const auto batch = static_cast<int64_t>(sequences.size());
  const double rate = PerSecond(new_tokens - batch, timings.decode_ms);
  if (rate <= 0) return line;
  const int64_t depth = timings.prompt_tokens + timings.new_tokens / 2;
  const double gb_per_s = rate * DecodeBytesPerToken(engine.model(), batch, depth) / 1e9;
  line += fmt::format("   decode {:.0f} tok/s = {:.1f} GB/s", rate, gb_per_s);
  const Machine machine = DetectMachine({.gpus = false});
  const double roof = RememberedReadStream(machine, engine.model().backend().info());
  if (roof <= 0) return line;
  line += fmt::format(" = {:.0f} % of this machine's {:.1f} GB/s", 100 * gb_per_s / roof, roof);
  // Weights that fit a cache stream faster than memory does.
  if (gb_per_s > roof) line += " (from its caches)";
  return line;
}

Status FirstError(const std::vector<GeneratedSequence>& sequences) {
  for (const GeneratedSequence& sequence : sequences) {
    if (!sequence.status.ok()) return sequence.status;
  }
  return Status::Ok();
}

Request MakeRequest(const RunArguments& arguments, const Model& model, std::vector<int32_t> ids) {
  Request request = model.NewRequest(std::move(ids));
  // A person wants the whole answer; programs (--ids, json) get generate's default length.
  const bool person = !arguments.ids && arguments.format == "text";
  if (person && !request.max_new_tokens) request.until_context = true;
  request.use_cache = model.options().IsOn("use_cache");
  request.want_text = model.tokenizer() != nullptr;
  ApplySampling(arguments.sampling, request);
  return request;
}

Status PrintText(const Engine& engine, const RunArguments& arguments,
                 const std::vector<GeneratedSequence>& sequences, bool streamed) {
  if (!streamed) {
    for (const GeneratedSequence& sequence : sequences) {
      FATHOM_TRY(WriteOut(sequence.text + "\n"));
    }
  } else {
    FATHOM_TRY(WriteOut("\n"));
  }
  FATHOM_TRY(FirstError(sequences));
  // An answer that was broken off has no timings.
  const bool whole = sequences[0].finish_reason != FinishReason::kCancelled;
  if (!arguments.model.quiet && whole) {
    std::fprintf(stderr, "%s\n", ClosingLine(engine, sequences).c_str());
  }
  return InterruptGuard::interrupted() ? Status::Interrupted() : Status::Ok();
}

// Names in the .npz: "attentions.step0.layer3", "hidden_states.step0.layer0" (the embeddings);
// behind "sequence1." where there are several.
Status SaveOutputs(const std::string& path, std::string_view kind,
                   std::vector<OutputArray> StepOutputs::*arrays,
                   const std::vector<GeneratedSequence>& sequences) {
  NpzWriter writer;
  FATHOM_TRY(writer.Open(path));
  for (size_t s = 0; s < sequences.size(); ++s) {
    const std::string prefix = sequences.size() > 1 ? fmt::format("sequence{}.", s) : "";
    for (size_t step = 0; step < sequences[s].outputs.size(); ++step) {
      const std::vector<OutputArray>& layers = sequences[s].outputs[step].*arrays;
      for (size_t layer = 0; layer < layers.size(); ++layer) {
        FATHOM_TRY(writer.Add(fmt::format("{}{}.step{}.layer{}", prefix, kind, step, layer),
                              layers[layer].shape, layers[layer].values));
      }
    }
  }
  return writer.Close();
}

Status SaveAllOutputs(const RunArguments& arguments,
                      const std::vector<GeneratedSequence>& sequences) {
  if (arguments.output_attentions) {
    FATHOM_TRY(SaveOutputs(*arguments.output_attentions, "attentions", &StepOutputs::attentions,
                           sequences));
  }
  if (arguments.output_hidden_states) {
    FATHOM_TRY(SaveOutputs(*arguments.output_hidden_states, "hidden_states",
                           &StepOutputs::hidden_states, sequences));
  }
  return Status::Ok();
}

Status Run(RunArguments arguments) {
  // From here on an interruption ends the answer, not the program in the middle of a write.
  const InterruptGuard guard;
  arguments.model.engine.max_sequences =
      std::max({int64_t{1}, int64_t{arguments.sampling.num_return_sequences.value_or(1)},
                int64_t{arguments.sampling.num_beams.value_or(1)}});
  arguments.model.engine.output_attentions = arguments.output_attentions.has_value();
  arguments.model.engine.output_hidden_states = arguments.output_hidden_states.has_value();
  FATHOM_ASSIGN(const auto model, LoadModel(arguments.model));
  FATHOM_ASSIGN(Prompt prompt, MakePrompt(arguments, *model));
  NoticeList notices;
  FATHOM_ASSIGN(const auto engine, Engine::Create(model, &notices));
  PrintNotices(notices, arguments.model.quiet);
  Request request = MakeRequest(arguments, *model, std::move(prompt.ids));
  const bool text = arguments.format == "text";
  const bool stream = text && request.num_return_sequences == 1 && request.want_text;
  Status written;
  FATHOM_ASSIGN(const auto sequences,
                engine->Generate(std::move(request), [&](const StepEvent& event) {
                  // The prompt is shown once something follows it: a refusal prints nothing.
                  if (stream) written = WriteOut(std::exchange(prompt.shown, "") + event.text);
                  return written.ok() && !InterruptGuard::interrupted();
                }));
  FATHOM_TRY(written);
  FATHOM_TRY(SaveAllOutputs(arguments, sequences));
  if (text && model->tokenizer() != nullptr) {
    return PrintText(*engine, arguments, sequences, stream);
  }
  FATHOM_TRY(FirstError(sequences));
  if (InterruptGuard::interrupted()) return Status::Interrupted();
  JsonArray list;
  for (const GeneratedSequence& sequence : sequences) {
    list.push_back(SequenceJson(*engine, sequence));
  }
  return WriteOut(WriteJson(list.size() == 1 ? list[0] : JsonValue(std::move(list))) + "\n");
}

Status CheckArguments(const RunArguments& arguments) {
  if (arguments.output_attentions &&
      arguments.output_attentions == arguments.output_hidden_states) {
    return Status::Usage("--output-hidden-states", "names the file of --output-attentions",
                         "give another file");
  }
  const int given =
      arguments.prompt.has_value() + arguments.prompt_file.has_value() + arguments.ids.has_value();
  if (given > 1) {
    return Status::Usage("run", "has more than one prompt",
                         "give one of PROMPT, --prompt-file, --ids");
  }
  if (given == 0 && !arguments.model.model.empty() && arguments.model.model != "fathom-tales") {
    return Status::Usage("run", "has no prompt",
                         "give PROMPT, --prompt-file FILE (- for stdin), or --ids; or take "
                         "`fathom chat`");
  }
  return Status::Ok();
}

CommandAction Setup(CLI::App& app) {
  auto arguments = std::make_shared<RunArguments>();
  app.add_option("model", arguments->model.model,
                 "a model folder (default: the demo model, fathom-tales)");
  app.add_option("prompt", arguments->prompt, "what to answer");
  app.add_option("--prompt-file", arguments->prompt_file, "a file with the prompt, - for stdin");
  app.add_option("--ids", arguments->ids, "the prompt as token ids: 1,2,3");
  app.add_option("--system", arguments->system, "the system message");
  app.add_flag("--raw", arguments->raw, "continue the prompt as it is, without the chat template");
  AddSamplingOptions(app, arguments->sampling);
  AddModelOptions(app, arguments->model);
  app.add_option("--output-attentions", arguments->output_attentions,
                 "write the attention weights of every step and layer to FILE.npz");
  app.add_option("--output-hidden-states", arguments->output_hidden_states,
                 "write the hidden states of every step and layer to FILE.npz");
  app.add_option("--format", arguments->format, "text or json")
      ->check(CLI::IsMember({"text", "json"}));
  app.add_flag("--quiet", arguments->model.quiet, "nothing on stderr but errors");
  return [arguments] {
    const Status status = CheckArguments(*arguments);
    return status.ok() ? Run(*arguments) : status;
  };
}

}  // namespace

const Command& command_run() {
  static const Command command = {"run", "one answer, streamed", 10, Setup};
  return command;
}

}  // namespace fathom
