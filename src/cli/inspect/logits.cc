#include <fmt/format.h>

#include <memory>

#include "cli/inspect/inspect.h"
#include "cli/model_options.h"
#include "cli/npy.h"
#include "cli/terminal.h"
#include "fathom/engine.h"

namespace fathom {
namespace {

struct LogitsArguments {
  ModelArguments model;
  std::string ids;
  std::string out;
};

Status WriteLogits(LogitsArguments arguments) {
  FATHOM_ASSIGN(const std::vector<int32_t> ids, ParseIds(arguments.ids, "--ids"));
  arguments.model.engine.load_tokenizer = false;
  arguments.model.engine.max_sequences = 1;
  FATHOM_ASSIGN(const auto model, LoadModel(arguments.model));
  NoticeList notices;
  FATHOM_ASSIGN(const auto engine, Engine::Create(model, &notices));
  PrintNotices(notices, arguments.model.quiet);
  NpyWriter writer;
  FATHOM_TRY(writer.Open(arguments.out, static_cast<int64_t>(ids.size()), model->vocab_size()));
  Status written;
  FATHOM_TRY(engine->Score(ids, [&](int64_t, std::span<const float> rows) {
    if (written.ok()) written = writer.Append(rows);
  }));
  FATHOM_TRY(written);
  return writer.Close();
}

}  // namespace

CommandAction SetupInspectLogits(CLI::App& app) {
  auto arguments = std::make_shared<LogitsArguments>();
  arguments->model.engine.dtype = "float32";
  app.add_option("model", arguments->model.model, "a model folder")->required();
  app.add_option("--ids", arguments->ids, "token ids: 1,2,3")->required();
  app.add_option("--out", arguments->out, "the file to write: float32 [ids, vocabulary]")
      ->required();
  AddModelOptions(app, arguments->model);
  app.add_flag("--quiet", arguments->model.quiet, "nothing on stderr");
  return [arguments] { return WriteLogits(*arguments); };
}

}  // namespace fathom
