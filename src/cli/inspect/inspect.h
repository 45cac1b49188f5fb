// `fathom inspect STEP`: each step of a run alone. The forms of output are fixed: other programs
// read them.
#pragma once

#include "cli/command.h"

namespace fathom {

CommandAction SetupInspectModel(CLI::App& app);
CommandAction SetupInspectTokenize(CLI::App& app);
CommandAction SetupInspectDetokenize(CLI::App& app);
CommandAction SetupInspectTemplate(CLI::App& app);
CommandAction SetupInspectLogits(CLI::App& app);
CommandAction SetupInspectSample(CLI::App& app);

}  // namespace fathom
