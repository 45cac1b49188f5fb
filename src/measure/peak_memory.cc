#include "measure/peak_memory.h"

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "base/json.h"
#include "measure/arm_runner.h"
#include "measure/engine_options_json.h"
#include "measure/subprocess.h"

namespace fathom {

int64_t ResidentPeakBytes() {
  std::FILE* file = std::fopen("/proc/self/status", "r");
  if (file == nullptr) return 0;
  int64_t kilobytes = 0;
  char line[256];
  while (std::fgets(line, sizeof(line), file) != nullptr) {
    if (std::strncmp(line, "VmHWM:", 6) == 0) kilobytes = std::atoll(line + 6);
  }
  std::fclose(file);
  return kilobytes * 1024;
}

Result<PeakMemory> RunPeakWork(const std::string& model_path, const EngineOptions& options,
                               const PeakWork& work) {
  FATHOM_ASSIGN(const auto arm, OpenEngineArm(model_path, options, nullptr));
  RoundWork round;
  round.decode_tokens = work.decode_tokens;
  for (int64_t i = 0; i < work.prompt_tokens; ++i) {
    round.prompt_ids.push_back(static_cast<int32_t>((i * 7919) % arm->vocab_size()));
  }
  FATHOM_TRY(arm->Run(round).status());
  return PeakMemory{ResidentPeakBytes(), arm->load_seconds() * 1e3};
}

Result<PeakMemory> MeasurePeakMemory(const std::string& program, const std::string& model_path,
                                     const EngineOptions& options, const PeakWork& work,
                                     const std::function<bool()>& stop) {
  SubprocessOptions process;
  process.arguments = {program,
                       "measure-peak",
                       model_path,
                       "--options",
                       WriteJson(EngineOptionsToJson(options)),
                       "--prompt-tokens",
                       std::to_string(work.prompt_tokens),
                       "--decode-tokens",
                       std::to_string(work.decode_tokens)};
  process.stop = stop;
  FATHOM_ASSIGN(const SubprocessResult result, RunSubprocess(process));
  if (result.timed_out) return Status::RunTime("a fresh process of the arm did not come to an end");
  if (result.exit_code != 0) {
    std::string line = result.err.substr(0, result.err.find('\n'));
    if (line.starts_with("fathom: ")) line.erase(0, 8);
    return Status::RunTime(fmt::format("a fresh process of the arm ended with {}{}{}",
                                       result.exit_code, line.empty() ? "" : ": ", line));
  }
  FATHOM_ASSIGN(const JsonValue answer, ParseJson(result.out, "measure-peak"));
  const JsonValue* bytes = answer.Find("peak_resident_bytes");
  const JsonValue* load = answer.Find("load_ms");
  if (bytes == nullptr || !bytes->is_int() || load == nullptr || !load->is_number()) {
    return Status::RunTime("a fresh process of the arm gave no figure");
  }
  return PeakMemory{bytes->as_int(), load->as_double()};
}

}  // namespace fathom
