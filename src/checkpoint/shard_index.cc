#include "checkpoint/shard_index.h"

#include <fmt/format.h>
#include <stdlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>
#include <memory>
#include <numeric>

#include "base/json.h"
#include "base/mapped_file.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxTensorNameBytes = 4096;
constexpr size_t kMaxShardNameBytes = 1024;

std::string Shown(std::string_view text) { return std::string(text.substr(0, 200)); }

// Whether the spelling alone keeps the file inside the folder.
Status CheckShardName(const std::string& path, std::string_view name) {
  const auto refuse = [&](std::string_view why, std::string remedy = {}) {
    return Status::BadFile(path, "weight_map", fmt::format("\"{}\"", Shown(name)), std::string(why),
                           std::move(remedy));
  };
  if (name.empty()) return refuse("is no file name");
  if (name.size() > kMaxShardNameBytes) return refuse("is too long for a file name");
  if (name.find('\0') != std::string_view::npos) return refuse("holds a NUL");
  if (name.front() == '/' || name.front() == '\\') return refuse("is an absolute path");
  for (const fs::path& part : fs::path(name)) {
    if (part == "..") return refuse("leaves the model's folder");
  }
  if (!name.ends_with(".safetensors")) {
    return refuse("is no .safetensors file", "convert the checkpoint to safetensors");
  }
  return Status::Ok();
}

// Takes weight_map out of the index; passes over everything else.
class IndexReader final : public JsonHandler {
 public:
  IndexReader(const std::string& path, ShardIndex& index) : path_(path), index_(index) {}

  Status OnNull() override { return Other("null"); }
  Status OnBool(bool) override { return Other("a boolean"); }
  Status OnInt(int64_t) override { return Other("a number"); }
  Status OnUint(uint64_t) override { return Other("a number"); }
  Status OnDouble(double) override { return Other("a number"); }
  Status OnString(std::string& value) override {
    if (!in_map_ || depth_ != 2) return Other("a string");
    if (index_.entries.size() == kMaxCheckpointTensors) {
      return Status::BadFile(path_, "weight_map", "number of tensors",
                             fmt::format("exceeds the limit of {}", kMaxCheckpointTensors));
    }
    auto found = shards_.find(value);
    if (found == shards_.end()) {
      FATHOM_TRY(CheckShardName(path_, value));
      if (shards_.size() == kMaxShards) {
        return Status::BadFile(path_, "weight_map", "number of shards",
                               fmt::format("exceeds the limit of {}", kMaxShards));
      }
      found = shards_.emplace(std::move(value), static_cast<uint32_t>(shards_.size())).first;
    }
    index_.entries.push_back({std::move(key_), found->second});
    return Status::Ok();
  }
  Status OnKey(std::string& key) override {
    if (depth_ == 1) {
      in_map_ = key == "weight_map";
      if (in_map_ && seen_) return Status::BadFile(path_, "weight_map", "stands twice");
      seen_ |= in_map_;
    } else if (in_map_ && key.size() > kMaxTensorNameBytes) {
      return Status::BadFile(path_, "weight_map", fmt::format("a name of {} bytes", key.size()),
                             fmt::format("exceeds the limit of {}", kMaxTensorNameBytes));
    }
    key_ = std::move(key);
    return Status::Ok();
  }
  Status OnStartObject() override {
    if (in_map_ && depth_ != 1) return Other("an object");
    ++depth_;
    return Status::Ok();
  }
  Status OnStartArray() override {
    if (depth_ == 0 || in_map_) return Other("an array");
    ++depth_;
    return Status::Ok();
  }
  Status OnEndObject() override { return Leave(); }
  Status OnEndArray() override { return Leave(); }

  // The shards sorted by name, the entries pointing at them, no tensor twice.
  Status Finish() {
    if (!seen_) return Status::BadFile(path_, "weight_map", "is missing");
    std::vector<uint32_t> place(shards_.size());
    for (auto& [name, number] : shards_) {
      place[number] = static_cast<uint32_t>(index_.shards.size());
      index_.shards.push_back(name);
    }
    for (ShardIndex::Entry& entry : index_.entries) entry.shard = place[entry.shard];
    std::vector<uint32_t> order(index_.entries.size());
    std::iota(order.begin(), order.end(), 0);
    const auto name = [&](size_t i) -> const std::string& {
      return index_.entries[order[i]].tensor;
    };
    std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
      return index_.entries[a].tensor < index_.entries[b].tensor;
    });
    for (size_t i = 1; i < order.size(); ++i) {
      if (name(i) != name(i - 1)) continue;
      return Status::BadFile(path_, "weight_map", Shown(name(i)),
                             fmt::format("stands twice, in {} and {}",
                                         Shown(index_.shards[index_.entries[order[i - 1]].shard]),
                                         Shown(index_.shards[index_.entries[order[i]].shard])));
    }
    return Status::Ok();
  }

 private:
  Status Other(std::string_view what) const {
    if (depth_ == 0)
      return Status::BadFile(path_, "", std::string(what), "where an object is required");
    if (!in_map_) return Status::Ok();
    return Status::BadFile(
        path_, depth_ == 1 ? "weight_map" : "weight_map." + Shown(key_), std::string(what),
        depth_ == 1 ? "where an object is required" : "where a file name is required");
  }
  Status Leave() {
    if (--depth_ == 1) in_map_ = false;
    return Status::Ok();
  }

  const std::string& path_;
  ShardIndex& index_;
  int depth_ = 0;
  bool in_map_ = false;
  bool seen_ = false;
  std::string key_;
  std::map<std::string, uint32_t> shards_;  // to the order in which they came
};

// The path with every link followed; empty where it does not exist.
std::string RealPath(const std::string& path) {
  const std::unique_ptr<char, decltype(&free)> real(realpath(path.c_str(), nullptr), &free);
  return real ? std::string(real.get()) : std::string();
}

// Whether the link from a snapshot of Hugging Face's cache leads to a blob of the same model.
bool IsBlobOfSnapshot(const fs::path& folder, const fs::path& target) {
  const fs::path model = folder.parent_path().parent_path();
  return folder.parent_path().filename() == "snapshots" &&
         model.filename().string().starts_with("models--") &&
         target.parent_path() == model / "blobs";
}

}  // namespace

Result<ShardIndex> ReadShardIndex(const std::string& path) {
  FATHOM_ASSIGN(const MappedFile file, MappedFile::Open(path));
  if (file.size() > kMaxIndexBytes) {
    return Status::BadFile(path, "size", fmt::format("{} bytes", file.size()),
                           fmt::format("exceed the limit of {}", kMaxIndexBytes));
  }
  ShardIndex index;
  IndexReader reader(path, index);
  FATHOM_TRY(ReadJson(file.text(), path, JsonLimits{}, reader));
  FATHOM_TRY(reader.Finish());
  return index;
}

Result<std::string> ResolveShard(const std::string& folder, const std::string& name) {
  const std::string path = (fs::path(folder) / name).string();
  FATHOM_TRY(CheckShardName(path, name));
  const std::string real_folder = RealPath(folder);
  if (real_folder.empty()) return Status::BadFile(folder, "", "cannot be opened: no such folder");
  const std::string target = RealPath(path);
  if (target.empty()) {
    return Status::BadFile(path, "", fmt::format("the shard is missing: {}", strerror(errno)), "",
                           "download the model again");
  }
  const std::string inside = real_folder == "/" ? "/" : real_folder + "/";
  if (target.starts_with(inside) || IsBlobOfSnapshot(real_folder, target)) return target;
  return Status::BadFile(path, "", "the link leads out of the model's folder", "",
                         "copy the shard into the folder");
}

}  // namespace fathom
