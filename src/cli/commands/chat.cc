// `fathom chat [MODEL]`: a conversation in the terminal.
#include <fmt/format.h>

#include <cstdio>
#include <memory>
#include <optional>

#include "base/utf8.h"
#include "cli/command.h"
#include "cli/conversation.h"
#include "cli/line_reader.h"
#include "cli/model_options.h"
#include "cli/sampling_options.h"
#include "cli/terminal.h"
#include "fathom/engine.h"

namespace fathom {
namespace {

constexpr std::string_view kHelp =
    "  /help           this list\n"
    "  /clear          forget the conversation (the system message stays)\n"
    "  /system TEXT    set the system message and start anew; without TEXT show it\n"
    "  /history        what was said\n"
    "  /exit           leave (so does Ctrl-D)\n"
    "  Several lines: end a line with \\, or write \"\"\" alone before and after them.\n"
    "  Ctrl-C stops an answer, or empties the line.\n";

struct ChatArguments {
  ModelArguments model;
  SamplingArguments sampling;
  std::string system;
};

class Chat {
 public:
  Chat(const ChatArguments& arguments, std::shared_ptr<const Model> model,
       std::unique_ptr<Engine> engine, Conversation conversation)
      : arguments_(arguments),
        model_(std::move(model)),
        engine_(std::move(engine)),
        conversation_(std::move(conversation)),
        system_(arguments.system),
        interactive_(StdoutIsTerminal() && StdinIsTerminal()) {}

  Status Loop() {
    if (interactive_ && !arguments_.model.quiet) Greet();
    LineReader reader(interactive_);
    while (true) {
      InterruptGuard::Clear();
      const std::optional<std::string> message = reader.ReadMessage();
      if (!message) break;  // end of input
      if (message->empty()) continue;
      if ((*message)[0] == '/') {
        if (!Obey(*message)) break;
        continue;
      }
      FATHOM_TRY(Answer(*message));
    }
    return Status::Ok();
  }

 private:
  void Greet() const {
    std::fprintf(stderr, "%s   %s, %s   /help lists the commands, Ctrl-D leaves\n",
                 EscapeForTerminal(model_->path()).c_str(), model_->options().dtype.c_str(),
                 conversation_.has_template() ? "its own chat template"
                                              : "no chat template: turns are joined plainly");
  }

  // False: leave.
  bool Obey(const std::string& command) {
    if (command == "/exit" || command == "/quit") return false;
    if (command == "/clear") {
      messages_.clear();
    } else if (command == "/history") {
      for (const JsonValue& message : messages_) {
        std::fprintf(stderr, "%s: %s\n", message.Find("role")->as_string().c_str(),
                     message.Find("content")->as_string().c_str());
      }
    } else if (command == "/system") {
      std::fprintf(stderr, "%s\n", system_.empty() ? "(no system message)" : system_.c_str());
    } else if (command.starts_with("/system ")) {
      system_ = command.substr(8);
      messages_.clear();
    } else {
      if (command != "/help")
        std::fprintf(stderr, "no command %s\n", EscapeForTerminal(command).c_str());
      std::fwrite(kHelp.data(), 1, kHelp.size(), stderr);
    }
    return true;
  }

  // All messages with the system message before them.
  JsonValue Messages() const {
    JsonArray all;
    if (!system_.empty()) all.push_back(ChatMessage("system", system_));
    all.insert(all.end(), messages_.begin(), messages_.end());
    return all;
  }

  // What fails one answer (the context is full, the template refuses) is told, and the talk goes on
  // without that message; a failed write ends it.
  Status Answer(const std::string& text) {
    messages_.push_back(ChatMessage("user", text));
    auto ids = conversation_.EncodeMessages(Messages());
    if (!ids.ok()) return Forget(ids.status());
    Request request = model_->NewRequest(*std::move(ids));
    if (!request.max_new_tokens) request.until_context = true;
    request.use_cache = model_->options().IsOn("use_cache");
    ApplySampling(arguments_.sampling, request);
    request.num_return_sequences = 1;
    const InterruptGuard guard;
    std::string answer;
    Status written;
    auto sequences = engine_->Generate(std::move(request), [&](const StepEvent& event) {
      answer += event.text;
      written = WriteOut(event.text);
      return written.ok() && !InterruptGuard::interrupted();
    });
    if (!written.ok()) return written;
    FATHOM_TRY(WriteOut("\n"));
    if (!sequences.ok()) return Forget(sequences.status());
    if (!(*sequences)[0].status.ok()) return Forget((*sequences)[0].status);
    messages_.push_back(ChatMessage("assistant", std::move(answer)));
    const bool whole = (*sequences)[0].finish_reason != FinishReason::kCancelled;
    if (interactive_ && !arguments_.model.quiet && whole) Close((*sequences)[0]);
    return Status::Ok();
  }

  Status Forget(const Status& status) {
    messages_.pop_back();
    std::fprintf(stderr, "fathom: %s\n", status.message().c_str());
    return Status::Ok();
  }

  static void Close(const GeneratedSequence& sequence) {
    const RequestTimings& timings = sequence.timings;
    const double rate = timings.decode_ms > 0
                            ? 1000 * static_cast<double>(timings.new_tokens - 1) / timings.decode_ms
                            : 0;
    std::fprintf(stderr, "[%lld + %lld tokens, %.0f tok/s%s]\n",
                 static_cast<long long>(timings.prompt_tokens),
                 static_cast<long long>(timings.new_tokens), rate,
                 sequence.finish_reason == FinishReason::kLength ? ", the length limit" : "");
  }

  const ChatArguments& arguments_;
  std::shared_ptr<const Model> model_;
  std::unique_ptr<Engine> engine_;
  Conversation conversation_;
  std::string system_;
  JsonArray messages_;
  bool interactive_;
};

Status Run(ChatArguments& arguments) {
  arguments.model.engine.max_sequences = arguments.sampling.num_beams.value_or(1);
  FATHOM_ASSIGN(auto model, LoadModel(arguments.model));
  FATHOM_ASSIGN(Conversation conversation, Conversation::Create(*model));
  NoticeList notices;
  FATHOM_ASSIGN(auto engine, Engine::Create(model, &notices));
  PrintNotices(notices, arguments.model.quiet);
  // Each turn begins with all that was said before.
  engine->KeepPrefixes(true);
  return Chat(arguments, std::move(model), std::move(engine), std::move(conversation)).Loop();
}

CommandAction Setup(CLI::App& app) {
  auto arguments = std::make_shared<ChatArguments>();
  app.add_option("model", arguments->model.model, "a model folder (default: the demo model)");
  app.add_option("--system", arguments->system, "the system message");
  AddSamplingOptions(app, arguments->sampling);
  AddModelOptions(app, arguments->model);
  app.add_flag("--quiet", arguments->model.quiet, "nothing on stderr but errors");
  return [arguments] { return Run(*arguments); };
}

}  // namespace

const Command& command_chat() {
  static const Command command = {"chat", "a conversation in the terminal", 20, Setup};
  return command;
}

}  // namespace fathom
