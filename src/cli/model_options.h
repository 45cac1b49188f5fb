// The options of every command that loads a model.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "base/log.h"
#include "fathom/model.h"
#include "fathom/options.h"

namespace fathom {

// Where the model is and how it is loaded, as the command line said.
struct ModelArguments {
  std::string model;  // empty: the demo model
  EngineOptions engine;
  bool quiet = false;
};

// Declares --backend, --isa, --threads, --dtype, --attn-implementation, --float32-matmul-precision,
// --enable, --disable, --require, --context-length on `app`.
void AddModelOptions(CLI::App& app, ModelArguments& arguments);

// The folder of the demo model that ships with the program: beside the binary's build folder, or in
// ../share/fathom of an installation. kBadFile where neither is there.
Result<std::string> DemoModelPath();

// A file of the repository's `folder` ("data") that ships with the program: beside the binary's
// build folder, or in ../share/fathom of an installation. kBadFile where it is in neither.
Result<std::string> ShippedFilePath(const std::string& folder, const std::string& name);

// The argument as a path: empty and "fathom-tales" (where no such path exists) mean the demo model.
Result<std::string> ResolveModelPath(const std::string& argument);

// Loads what the arguments say; notices go to stderr unless quiet.
Result<std::shared_ptr<const Model>> LoadModel(const ModelArguments& arguments);

// Prints and empties the list, a line each.
void PrintNotices(NoticeList& notices, bool quiet);

// A text file whole, or stdin for "-". kRunTime where it cannot be read.
Result<std::string> ReadInput(const std::string& path);

// "1,2,3" -> ids; kUsage naming `option`.
Result<std::vector<int32_t>> ParseIds(const std::string& text, const std::string& option);

}  // namespace fathom
