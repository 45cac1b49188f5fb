// Command: one file of src/cli/commands a command.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <span>
#include <string_view>

#include "fathom/status.h"

namespace fathom {

// What a parsed command line does; the Status becomes one line on stderr and the exit code.
using CommandAction = std::function<Status()>;

struct Command {
  std::string_view name;
  std::string_view summary;
  int order = 0;  // place in --help
  // Declares options on `app` and returns the action over what they will hold.
  CommandAction (*setup)(CLI::App& app);
};

std::span<const Command* const> AllCommands();

}  // namespace fathom
