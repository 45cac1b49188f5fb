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
  if (!error) return Status::Ok();
  return Status::RunTime(
      fmt::format("{}: the measurement cannot be kept: {}", path, error.message()),
      "set XDG_CACHE_HOME to a folder that can be written");
}

}  // namespace fathom
