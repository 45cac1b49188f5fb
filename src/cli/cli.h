// The command line: `fathom COMMAND ...`.
#pragma once

namespace fathom {

// Runs one command; returns its exit code (include/fathom/status.h, StatusCode). Answers go to
// stdout, all else to stderr.
int RunCli(int argc, char** argv);

}  // namespace fathom
