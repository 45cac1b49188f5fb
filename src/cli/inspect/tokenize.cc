#include <memory>
#include <optional>

#include "base/json.h"
#include "base/mapped_file.h"
#include "cli/inspect/inspect.h"
#include "cli/model_options.h"
#include "cli/terminal.h"
#include "fathom/text.h"

namespace fathom {
namespace {

struct TokenizeArguments {
  std::string model;
  std::optional<std::string> text;
  std::optional<std::string> text_file;
  bool no_special = false;
  bool parse_special = false;
  std::vector<std::string> disabled;
};

Status Tokenize(const TokenizeArguments& arguments) {
  FATHOM_ASSIGN(const std::string path, ResolveModelPath(arguments.model));
  FATHOM_ASSIGN(const Tokenizer tokenizer, Tokenizer::Open(path));
  std::string text = arguments.text.value_or("");
  if (arguments.text_file) {
    auto read = ReadInput(*arguments.text_file);
    if (!read.ok()) return std::move(read).status();
    text = *std::move(read);
  }
  EncodeOptions options{.add_special_tokens = !arguments.no_special,
                        .parse_special = arguments.parse_special};
  options.use_fast = !EngineOptions::Contains(arguments.disabled, "use_fast");
  FATHOM_ASSIGN(const std::vector<int32_t> ids, tokenizer.Encode(text, options));
  JsonArray list;
  for (const int32_t id : ids) list.push_back(id);
  return WriteOut(WriteJson(std::move(list)) + "\n");
}

}  // namespace

CommandAction SetupInspectTokenize(CLI::App& app) {
  auto arguments = std::make_shared<TokenizeArguments>();
  app.add_option("model", arguments->model, "a model folder or a tokenizer.json")->required();
  auto* text = app.add_option("--text", arguments->text, "the text");
  auto* file =
      app.add_option("--text-file", arguments->text_file, "a file with the text, - for stdin");
  text->excludes(file);
  app.add_flag("--no-special", arguments->no_special, "without what the post-processor adds");
  app.add_flag("--parse-special", arguments->parse_special,
               "special tokens inside the text count as such");
  app.add_option("--disable", arguments->disabled, "use_fast: the plain reference tokenizer")
      ->check(CLI::IsMember({"use_fast"}));
  return [arguments] {
    if (!arguments->text && !arguments->text_file) {
      return Status::Usage("tokenize", "needs --text or --text-file");
    }
    return Tokenize(*arguments);
  };
}

CommandAction SetupInspectDetokenize(CLI::App& app) {
  auto model = std::make_shared<std::string>();
  auto ids = std::make_shared<std::string>();
  auto skip = std::make_shared<bool>(false);
  app.add_option("model", *model, "a model folder or a tokenizer.json")->required();
  app.add_option("--ids", *ids, "token ids: 1,2,3")->required();
  app.add_flag("--skip-special", *skip, "leave special tokens out");
  return [model, ids, skip]() -> Status {
    FATHOM_ASSIGN(const std::vector<int32_t> list, ParseIds(*ids, "--ids"));
    FATHOM_ASSIGN(const std::string path, ResolveModelPath(*model));
    FATHOM_ASSIGN(const Tokenizer tokenizer, Tokenizer::Open(path));
    return WriteOut(tokenizer.Decode(list, *skip));
  };
}

}  // namespace fathom
