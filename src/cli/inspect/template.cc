#include <memory>

#include "base/json.h"
#include "cli/inspect/inspect.h"
#include "cli/model_options.h"
#include "cli/terminal.h"
#include "text/chat_template.h"

namespace fathom {
namespace {

struct TemplateArguments {
  std::string model;
  std::string messages;
  std::string tools;
  std::string kwargs;
  bool no_generation_prompt = false;
};

Status Render(const TemplateArguments& arguments) {
  FATHOM_ASSIGN(const std::string path, ResolveModelPath(arguments.model));
  FATHOM_ASSIGN(const ChatTemplate chat_template, ChatTemplate::OpenFolder(path));
  FATHOM_ASSIGN(const JsonValue messages, ParseJsonFile(arguments.messages));
  ChatOptions options{.add_generation_prompt = !arguments.no_generation_prompt};
  JsonValue tools, kwargs;
  if (!arguments.tools.empty()) {
    FATHOM_ASSIGN(tools, ParseJsonFile(arguments.tools));
    options.tools = &tools;
  }
  if (!arguments.kwargs.empty()) {
    auto parsed = ParseJson(arguments.kwargs, "--chat-template-kwargs");
    if (!parsed.ok()) {
      return Status::Usage("--chat-template-kwargs",
                           parsed.status().detail().value + " " + parsed.status().detail().limit,
                           "give a JSON object");
    }
    kwargs = *std::move(parsed);
    options.kwargs = &kwargs;
  }
  FATHOM_ASSIGN(const RenderedChat chat, chat_template.Render(messages, options));
  return WriteOut(chat.text);
}

}  // namespace

CommandAction SetupInspectTemplate(CLI::App& app) {
  auto arguments = std::make_shared<TemplateArguments>();
  app.add_option("model", arguments->model, "a model folder")->required();
  app.add_option("--messages", arguments->messages, "a JSON file: [{\"role\", \"content\"}, ...]")
      ->required();
  app.add_option("--tools", arguments->tools, "a JSON file: the tools offered");
  app.add_option("--chat-template-kwargs", arguments->kwargs,
                 "a JSON object: more variables for the template");
  app.add_flag("--no-generation-prompt", arguments->no_generation_prompt,
               "without the beginning of the answer");
  return [arguments] { return Render(*arguments); };
}

}  // namespace fathom
