#include "measure/results_store.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <vector>

#include "base/cache_file.h"
#include "base/json.h"
#include "base/mapped_file.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;

// FNV-1a, 64 bits: names files, guards nothing.
uint64_t Hash(std::string_view text) {
  uint64_t hash = 14695981039346656037ull;
  for (const char c : text) hash = (hash ^ static_cast<uint8_t>(c)) * 1099511628211ull;
  return hash;
}

// The name of the last one, for readers who name no model.
std::string LastFile(const Machine& machine, const std::string& stack) {
  const std::string folder = CacheFolder();
  if (folder.empty()) return "";
  const std::string key =
      fmt::format("{}\n{}\n{}", MachineFingerprint(machine), FATHOM_VERSION, stack);
  return fmt::format("{}/last-measured-{:016x}.json", folder, Hash(key));
}

// Entries of `old` whose row, mode and arm the new measurement lacks.
void KeepOthers(const Measurement& old, Measurement& measurement) {
  for (const MeasuredRow& row : old.rows) {
    const auto same = [&](const MeasuredRow& other) {
      return other.id == row.id && other.mode == row.mode && other.arm_on == row.arm_on;
    };
    if (std::none_of(measurement.rows.begin(), measurement.rows.end(), same)) {
      measurement.rows.push_back(row);
    }
  }
}

}  // namespace

std::string MachineFingerprint(const Machine& machine) {
  return fmt::format("{} | {} | {} of {} CPUs | {} GiB", machine.cpu.model,
                     machine.cpu.features.ToString(), machine.cpu.cores, machine.cpu.logical_cpus,
                     (machine.memory.total_bytes + (uint64_t{1} << 29)) >> 30);
}

Result<std::string> ModelFingerprint(const std::string& model_path) {
  FATHOM_ASSIGN(std::string text, ReadTextFile((fs::path(model_path) / "config.json").string()));
  std::vector<std::string> files;
  std::error_code error;
  for (fs::directory_iterator it(model_path, error), end; !error && it != end;
       it.increment(error)) {
    const std::string name = it->path().filename().string();
    struct stat info;
    if (!name.ends_with(".safetensors") && !name.ends_with(".json")) continue;
    if (stat(it->path().c_str(), &info) != 0 || !S_ISREG(info.st_mode)) continue;
    files.push_back(
        fmt::format("{} {} {}.{}", name, info.st_size, info.st_mtim.tv_sec, info.st_mtim.tv_nsec));
  }
  std::sort(files.begin(), files.end());
  for (const std::string& file : files) text += "\n" + file;
  return fmt::format("{:016x}", Hash(text));
}

Result<std::string> MeasurementFile(const Machine& machine, const std::string& model_path,
                                    const std::string& stack) {
  const std::string folder = CacheFolder();
  if (folder.empty()) return std::string();
  FATHOM_ASSIGN(const std::string model, ModelFingerprint(model_path));
  const std::string key =
      fmt::format("{}\n{}\n{}\n{}", MachineFingerprint(machine), model, FATHOM_VERSION, stack);
  return fmt::format("{}/measure/{:016x}.json", folder, Hash(key));
}

std::optional<Measurement> LoadMeasurement(const Machine& machine, const std::string& model_path,
                                           NoticeSink* notices, const std::string& stack) {
  const auto path = MeasurementFile(machine, model_path, stack);
  std::error_code error;
  if (!path.ok() || path->empty() || !fs::exists(*path, error)) return std::nullopt;
  auto document = ParseJsonFile(*path);
  auto measurement = document.ok() ? MeasurementFromJson(*document, *path)
                                   : Result<Measurement>(document.status());
  if (measurement.ok()) return *std::move(measurement);
  if (notices != nullptr) {
    notices->Warn(fmt::format("the last measurement of this model is ignored: {}",
                              measurement.status().message()));
  }
  return std::nullopt;
}

std::optional<Measurement> LastMeasurement(const Machine& machine, const std::string& stack) {
  const std::string path = LastFile(machine, stack);
  std::error_code error;
  if (path.empty() || !fs::exists(path, error)) return std::nullopt;
  const auto last = ParseJsonFile(path);
  const JsonValue* name = last.ok() ? last->Find("last") : nullptr;
  if (name == nullptr || !name->is_string() || name->as_string().find('/') != std::string::npos) {
    return std::nullopt;
  }
  const std::string file = (fs::path(path).parent_path() / "measure" / name->as_string()).string();
  auto document = ParseJsonFile(file);
  if (!document.ok()) return std::nullopt;
  auto measurement = MeasurementFromJson(*document, file);
  if (!measurement.ok()) return std::nullopt;
  return *std::move(measurement);
}

Status StoreMeasurement(const Machine& machine, const std::string& model_path,
                        const Measurement& measurement) {
  FATHOM_ASSIGN(const std::string path, MeasurementFile(machine, model_path, measurement.stack));
  if (path.empty()) {
    return Status::RunTime("the measurement is not kept: neither XDG_CACHE_HOME nor HOME is set");
  }
  Measurement joined = measurement;
  if (const auto old = LoadMeasurement(machine, model_path, nullptr, measurement.stack)) {
    KeepOthers(*old, joined);
  }
  const std::error_code error = WriteCacheFile(path, WriteJson(MeasurementToJson(joined)) + "\n");
  const std::string name = fs::path(path).filename().string();
  if (!error) {
    // Without it an audit shows no gain; the measurement is kept all the same.
    (void)WriteCacheFile(LastFile(machine, measurement.stack),
                         WriteJson(JsonObject{{"last", name}}) + "\n");
    return Status::Ok();
  }
  return Status::RunTime(
      fmt::format("{}: the measurement cannot be kept: {}", path, error.message()),
      "set XDG_CACHE_HOME to a folder that can be written");
}

std::map<std::string, std::string, std::less<>> MeasuredGains(
    const std::optional<Measurement>& measurement, Language language) {
  std::map<std::string, std::string, std::less<>> gains;
  if (!measurement) return gains;
  const JsonValue* path = measurement->model.Find("path");
  const fs::path folder(path != nullptr && path->is_string() ? path->as_string() : "");
  const std::string model =
      (folder.filename().empty() ? folder.parent_path() : folder).filename().string();
  const std::string day = measurement->when.substr(0, measurement->when.find('T'));
  for (const MeasuredRow& row : measurement->rows) {
    if (gains.contains(row.id)) continue;
    const std::string text = DescribeRows(*measurement, row.id, language);
    if (text.empty()) continue;
    gains[row.id] = Say(language, "{} ({} {}, {}, {})", "{}（{} {}，{}，{}）", text,
                        measurement->stack, measurement->stack_version, model, day);
  }
  return gains;
}

}  // namespace fathom
