#include "engine/weight_cache_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <vector>

#include "base/cache_file.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kWeights = ".weights";
constexpr std::string_view kTemporary = ".weights.tmp";
constexpr std::string_view kUsed = ".used";
// What stays free on the disk: a twentieth of it, or this where that is less.
constexpr uint64_t kSpareBytes = uint64_t{2} << 30;
// A file whose times are younger than this may change again without showing it.
constexpr int64_t kSettledNs = 2'000'000'000;
// A file that a process which died left behind.
constexpr auto kStale = std::chrono::hours(24);

struct Kept {
  std::string path;
  uint64_t bytes = 0;
  fs::file_time_type used;
};

// NAME-DTYPE-PATH of NAME-DTYPE-PATH-FILES-KEY.weights, and the same with FILES.
std::pair<std::string_view, std::string_view> Stems(std::string_view file_name) {
  const size_t key = file_name.rfind('-');
  const size_t files = key == file_name.npos || key == 0 ? key : file_name.rfind('-', key - 1);
  if (files == file_name.npos) return {};
  return {file_name.substr(0, files), file_name.substr(0, key)};
}

fs::file_time_type TimeOf(const std::string& path) {
  std::error_code error;
  const fs::file_time_type time = fs::last_write_time(path, error);
  return error ? fs::file_time_type::min() : time;
}

// The files in the folder; temporary ones that nobody works on any more are removed.
std::vector<Kept> List(const std::string& folder) {
  std::vector<Kept> kept;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::string path = it->path().string();
    std::error_code failed;
    if (!it->is_regular_file(failed)) continue;
    if (path.ends_with(kTemporary) && TimeOf(path) + kStale < fs::file_time_type::clock::now()) {
      fs::remove(path, failed);
    }
    if (!path.ends_with(kWeights)) continue;
    const uint64_t bytes = it->file_size(failed);
    if (failed) continue;
    kept.push_back({path, bytes, std::max(TimeOf(path), TimeOf(path + std::string(kUsed)))});
  }
  std::ranges::sort(kept, {}, &Kept::used);
  return kept;
}

// Changes with every start of the machine; empty where the system does not tell. Not by
// ReadTextFile, which maps: files of /proc do not allow it.
std::string BootId() {
  std::FILE* file = std::fopen("/proc/sys/kernel/random/boot_id", "rb");
  if (file == nullptr) return "";
  char buffer[64];
  const size_t count = std::fread(buffer, 1, sizeof(buffer), file);
  std::fclose(file);
  return std::string(buffer, count);
}

std::string StateOf(const MappedFile& file) {
  const std::string boot = BootId();
  if (boot.empty()) return "";
  const FileIdentity& identity = file.identity();
  return fmt::format("checked {} {} {} {} {} in boot {}", identity.device, identity.inode,
                     file.size(), identity.modified_ns, identity.changed_ns, boot);
}

}  // namespace

std::string WeightCacheFolderPath() {
  const std::string folder = CacheFolder();
  return folder.empty() ? folder : folder + "/weights";
}

WeightCacheFolder::WeightCacheFolder(std::string path, int64_t limit_bytes)
    : path_(std::move(path)), limit_bytes_(limit_bytes) {}

Status WeightCacheFolder::MakeRoom(const std::string& file_name, uint64_t bytes) const {
  std::error_code error;
  fs::create_directories(path_, error);
  if (error) return Status::RunTime(fmt::format("{}: {}", path_, error.message()));
  const fs::space_info disk = fs::space(path_, error);
  if (error) return Status::RunTime(fmt::format("{}: {}", path_, error.message()));
  const uint64_t limit = limit_bytes_ >= 0 ? static_cast<uint64_t>(limit_bytes_)
                                           : static_cast<uint64_t>(disk.capacity / 10);
  if (bytes > limit) {
    return Status::RunTime(fmt::format("{:.1f} GB are more than the {:.1f} GB that may be kept",
                                       static_cast<double>(bytes) / 1e9,
                                       static_cast<double>(limit) / 1e9));
  }
  const auto [same_path, same_files] = Stems(file_name);
  uint64_t total = bytes, freed = 0;
  std::vector<Kept> kept = List(path_);
  const auto drop = [&](const Kept& file) {
    Remove(file.path);
    freed += file.bytes;
  };
  std::erase_if(kept, [&](const Kept& file) {
    const std::string name = fs::path(file.path).filename().string();
    const bool outdated = Stems(name).first == same_path && Stems(name).second != same_files;
    if (outdated || name == file_name) drop(file);
    return outdated || name == file_name;
  });
  for (const Kept& file : kept) total += file.bytes;
  for (const Kept& file : kept) {
    if (total <= limit) break;
    drop(file);
    total -= file.bytes;
  }
  const uint64_t spare = std::min<uint64_t>(disk.capacity / 20, kSpareBytes);
  if (disk.available + freed < bytes || disk.available + freed - bytes < spare) {
    return Status::RunTime(fmt::format("the disk has {:.1f} GB left, which is too little",
                                       static_cast<double>(disk.available + freed) / 1e9));
  }
  return Status::Ok();
}

bool WeightCacheFolder::WasChecked(const MappedFile& file) {
  const std::string state = StateOf(file);
  const auto text = ReadTextFile(file.path() + std::string(kUsed), 4096);
  return !state.empty() && text.ok() && *text == state;
}

void WeightCacheFolder::RememberChecked(const MappedFile& file) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const int64_t now_ns = std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
  if (now_ns - file.identity().changed_ns < kSettledNs) return;
  const std::string state = StateOf(file);
  if (!state.empty()) WriteCacheFile(file.path() + std::string(kUsed), state);
}

void WeightCacheFolder::RememberUsed(const std::string& file_path) {
  const std::string used = file_path + std::string(kUsed);
  if (utimensat(AT_FDCWD, used.c_str(), nullptr, 0) != 0) WriteCacheFile(used, "");
}

void WeightCacheFolder::Remove(const std::string& file_path) {
  std::error_code ignored;
  fs::remove(file_path, ignored);
  fs::remove(file_path + std::string(kUsed), ignored);
}

}  // namespace fathom
