#include "cli/cli.h"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <memory>
#include <new>
#include <vector>

#include "base/utf8.h"
#include "cli/command.h"
#include "cli/terminal.h"

namespace fathom {
namespace {

constexpr int kUsageExit = static_cast<int>(StatusCode::kUsage);

// Subcommands in the order of the records, each with the action that its setup returned.
std::vector<std::pair<CLI::App*, CommandAction>> AddCommands(CLI::App& app) {
  std::vector<const Command*> commands(AllCommands().begin(), AllCommands().end());
  std::sort(commands.begin(), commands.end(),
            [](const Command* a, const Command* b) { return a->order < b->order; });
  std::vector<std::pair<CLI::App*, CommandAction>> actions;
  for (const Command* command : commands) {
    CLI::App* sub = app.add_subcommand(std::string(command->name), std::string(command->summary));
    actions.emplace_back(sub, command->setup(*sub));
  }
  return actions;
}

int Report(const Status& status) {
  if (!status.ok() && status.code() != StatusCode::kInterrupted) {
    std::fprintf(stderr, "fathom: %s\n", status.message().c_str());
  }
  return status.exit_code();
}

int Dispatch(int argc, char** argv) {
  CLI::App app(
      "Fathom runs language models on this machine with every optimization it really has,"
      " says which are on and why, and measures what each one buys.",
      "fathom");
  app.set_version_flag("--version", "fathom " FATHOM_VERSION);
  app.require_subcommand(1);
  app.get_formatter()->column_width(34);
  const auto actions = AddCommands(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    return Report(WriteOut(app.help()));
  } catch (const CLI::CallForVersion&) {
    return Report(WriteOut("fathom " FATHOM_VERSION "\n"));
  } catch (const CLI::ParseError& error) {
    std::fprintf(
        stderr, "fathom: %s; see `fathom %s--help`\n", EscapeForTerminal(error.what()).c_str(),
        app.get_subcommands().empty() ? "" : (app.get_subcommands()[0]->get_name() + " ").c_str());
    return kUsageExit;
  }
  for (const auto& [sub, action] : actions) {
    if (sub->parsed()) return Report(action());
  }
  return kUsageExit;
}

}  // namespace

int RunCli(int argc, char** argv) {
  // A reader that goes away (`| head`) ends the program through a failed write, not a signal.
  std::signal(SIGPIPE, SIG_IGN);
  try {
    return Dispatch(argc, argv);
  } catch (const std::bad_alloc&) {
    std::fputs("fathom: out of memory; a smaller --context-length or --dtype needs less\n", stderr);
    return static_cast<int>(StatusCode::kRunTime);
  }
}

}  // namespace fathom
