#include "cli/model_options.h"

#include <fmt/format.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "backends/backend.h"
#include "base/utf8.h"

namespace fathom {
namespace {

constexpr std::string_view kDemoName = "fathom-tales";
constexpr size_t kMaxInputBytes = size_t{1} << 30;

// "cpu (what it is), reference (what it is)"
std::string BackendNames() {
  std::string names;
  for (const BackendRecord* backend : AllBackends()) {
    if (!names.empty()) names += ", ";
    names += fmt::format("{} ({})", backend->name, backend->description);
  }
  return names;
}

}  // namespace

void AddModelOptions(CLI::App& app, ModelArguments& arguments) {
  EngineOptions& engine = arguments.engine;
  app.add_option("--backend", engine.backend, BackendNames());
  app.add_option("--device", engine.device, "cpu, cuda, cuda:N or mps (default: the cpu)");
  app.add_option("--isa", engine.isa,
                 "force an instruction set: amx, avx512, avx2, baseline, neon");
  app.add_option("--threads", engine.threads, "threads (default: the cores usable)")
      ->check(CLI::Range(1, 1024));
  app.add_option("--dtype", engine.dtype,
                 "auto (the checkpoint's), float32, bfloat16, float16, int8, int4");
  app.add_option("--attn-implementation", engine.attn_implementation,
                 "flash_attention_2, sdpa, eager");
  app.add_option("--float32-matmul-precision", engine.float32_matmul_precision,
                 "highest, high, medium");
  app.add_option("--device-map", engine.device_map,
                 "auto, balanced, balanced_low_0, sequential, cpu, or a map as JSON; what does not "
                 "fit runs mapped from disk");
  app.add_option("--max-memory", engine.max_memory,
                 "budget of each device: {\"cpu\": \"8GiB\"} or cpu=8GiB");
  app.add_option(
      "--weight-cache-limit", engine.weight_cache_limit,
      "most that packed weights kept for the next start may take on the disk: 20GiB; 0GB "
      "keeps nothing new (default: a tenth of the disk)");
  app.add_option("--enable", engine.enabled, "switch an optimization on, by its id");
  app.add_option("--disable", engine.disabled, "switch an optimization off, by its id");
  app.add_option("--require", engine.required,
                 "fail, with the reason, where an optimization would not be on");
  app.add_option("--context-length", engine.context_length,
                 "most tokens of a sequence (default: the model's)")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 31));
}

Result<std::string> DemoModelPath() {
  std::error_code error;
  const std::filesystem::path binary = std::filesystem::read_symlink("/proc/self/exe", error);
  const std::filesystem::path folder = binary.parent_path().parent_path();
  for (const auto& path : {folder / "models" / kDemoName, folder / "share/fathom" / kDemoName}) {
    if (!error && std::filesystem::exists(path / "config.json", error)) return path.string();
  }
  return Status::BadFile(std::string(kDemoName), "", "the demo model is not beside the program", "",
                         "give the folder of a model");
}

Result<std::string> ShippedFilePath(const std::string& folder_name, const std::string& name) {
  std::error_code error;
  const std::filesystem::path binary = std::filesystem::read_symlink("/proc/self/exe", error);
  const std::filesystem::path folder = binary.parent_path().parent_path();
  for (const auto& path : {folder / folder_name / name, folder / "share/fathom" / name}) {
    if (!error && std::filesystem::exists(path, error)) return path.string();
  }
  return Status::BadFile(name, "", "is not beside the program, where it ships");
}

Result<std::string> ResolveModelPath(const std::string& argument) {
  if (argument.empty()) return DemoModelPath();
  std::error_code error;
  if (argument == kDemoName && !std::filesystem::exists(argument, error)) return DemoModelPath();
  return argument;
}

void PrintNotices(NoticeList& notices, bool quiet) {
  for (const Notice& notice : notices.Take()) {
    if (quiet) continue;
    std::fprintf(stderr, "fathom: %s%s\n", notice.level == NoticeLevel::kWarning ? "warning: " : "",
                 EscapeForTerminal(notice.text).c_str());
  }
}

Result<std::shared_ptr<const Model>> LoadModel(const ModelArguments& arguments) {
  FATHOM_ASSIGN(const std::string path, ResolveModelPath(arguments.model));
  NoticeList notices;
  auto model = Model::Load(path, arguments.engine, &notices);
  PrintNotices(notices, arguments.quiet);
  return model;
}

Result<std::string> ReadInput(const std::string& path) {
  std::FILE* file = path == "-" ? stdin : std::fopen(path.c_str(), "rb");
  const auto failed = [&] {
    return Status::RunTime(fmt::format("{}: cannot be read: {}", path, std::strerror(errno)));
  };
  if (file == nullptr) return failed();
  std::string text;
  char buffer[1 << 16];
  size_t count = 0;
  while ((count = std::fread(buffer, 1, sizeof(buffer), file)) > 0) {
    text.append(buffer, count);
    if (text.size() > kMaxInputBytes) break;
  }
  const bool bad = std::ferror(file) != 0;
  if (file != stdin) std::fclose(file);
  if (bad) return failed();
  if (text.size() > kMaxInputBytes) {
    return Status::RunTime(fmt::format("{}: is larger than {} MB", path, kMaxInputBytes >> 20));
  }
  return text;
}

Result<std::vector<int32_t>> ParseIds(const std::string& text, const std::string& option) {
  std::vector<int32_t> ids;
  const char* at = text.data();
  const char* end = at + text.size();
  while (at < end) {
    int32_t id = 0;
    const auto [next, error] = std::from_chars(at, end, id);
    const bool separated = next == end || (*next == ',' && next + 1 < end);
    if (error != std::errc() || !separated || id < 0) {
      return Status::Usage(
          option, fmt::format("\"{}\" is no list of token ids", text.substr(0, 80)), "write 1,2,3");
    }
    ids.push_back(id);
    at = next == end ? end : next + 1;
  }
  if (ids.empty()) return Status::Usage(option, "is empty", "write 1,2,3");
  return ids;
}

}  // namespace fathom
