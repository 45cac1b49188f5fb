#include "checkpoint/checkpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "checkpoint/shard_index.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSingle = "model.safetensors";
constexpr std::string_view kIndex = "model.safetensors.index.json";

// Files of torch, TensorFlow and Flax that may run code when loaded, or that nobody reads here.
bool IsForeignWeights(std::string_view name) {
  for (const std::string_view end :
       {".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".h5", ".msgpack", ".npz", ".onnx"}) {
    if (name.ends_with(end)) return true;
  }
  return false;
}

Status RefuseForeign(const std::string& path, std::string_view name) {
  return Status::BadFile(
      path, "", fmt::format("{} is no safetensors file, and is not read", name), "",
      "convert it to safetensors, in Python: AutoModelForCausalLM.from_pretrained(DIR)"
      ".save_pretrained(NEW_DIR)");
}

// Why a folder without the two known names cannot be used.
Status ExplainFolder(const std::string& folder) {
  std::string foreign, other;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (IsForeignWeights(name) && (foreign.empty() || name < foreign)) foreign = name;
    if (name.ends_with(".safetensors") && (other.empty() || name < other)) other = name;
  }
  if (error) return Status::BadFile(folder, "", "cannot be listed: " + error.message());
  if (!other.empty()) {
    return Status::BadFile(folder, "", fmt::format("neither {} nor {} is there", kSingle, kIndex),
                           fmt::format("(but {} is)", other),
                           "rename it to model.safetensors, or download the missing index");
  }
  if (!foreign.empty()) return RefuseForeign(folder, foreign);
  return Status::BadFile(folder, "", fmt::format("neither {} nor {} is there", kSingle, kIndex), "",
                         "a model is a folder with config.json and safetensors");
}

bool Exists(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error);
}

}  // namespace

Status Checkpoint::AddFile(const std::string& path) {
  FATHOM_ASSIGN(SafetensorsFile file, SafetensorsFile::Open(path));
  const int index = static_cast<int>(files_.size());
  if (file.tensors().size() > kMaxCheckpointTensors - tensors_.size()) {
    return Status::BadFile(path_, "number of tensors",
                           fmt::format("{} and more", tensors_.size() + file.tensors().size()),
                           fmt::format("exceeds the limit of {}", kMaxCheckpointTensors));
  }
  for (CheckpointTensor& tensor : file.TakeTensors()) {
    tensor.file_index = index;
    total_bytes_ += tensor.size_bytes;
    tensors_.push_back(std::move(tensor));
  }
  files_.push_back(std::move(file).TakeFile());
  return Status::Ok();
}

Status Checkpoint::AddShards(const std::string& folder, const std::string& index_path) {
  FATHOM_ASSIGN(const ShardIndex index, ReadShardIndex(index_path));
  // All of them are there before the first is opened.
  std::vector<std::string> paths;
  for (const std::string& shard : index.shards) {
    FATHOM_ASSIGN(std::string path, ResolveShard(folder, shard));
    paths.push_back(std::move(path));
  }
  for (size_t i = 0; i < paths.size(); ++i) {
    Status status = AddFile(paths[i]);
    if (status.ok()) continue;
    // By the name that the index gives it, where the link's target has another.
    StatusDetail detail = status.detail();
    if (detail.file == paths[i]) detail.file = (fs::path(folder) / index.shards[i]).string();
    return Status(status.code(), std::move(detail));
  }
  FATHOM_TRY(Finish());
  for (const ShardIndex::Entry& entry : index.entries) {
    const CheckpointTensor* tensor = Find(entry.tensor);
    if (tensor != nullptr && tensor->file_index == static_cast<int>(entry.shard)) continue;
    return Status::BadFile(index_path, "weight_map." + entry.tensor.substr(0, 200),
                           fmt::format("the shard {} lacks the tensor", index.shards[entry.shard]),
                           "", "download the model again");
  }
  return Status::Ok();
}

Status Checkpoint::Finish() {
  by_name_ = SortedByName(tensors_);
  for (size_t i = 1; i < by_name_.size(); ++i) {
    const CheckpointTensor& a = tensors_[by_name_[i - 1]];
    const CheckpointTensor& b = tensors_[by_name_[i]];
    if (a.name != b.name) continue;
    return Status::BadFile(FilePath(b), b.name.substr(0, 200), "the tensor stands in two shards:",
                           fmt::format("also in {}", FilePath(a)));
  }
  return Status::Ok();
}

Result<Checkpoint> Checkpoint::Open(const std::string& path) {
  Checkpoint checkpoint;
  checkpoint.path_ = path;
  std::error_code error;
  checkpoint.is_folder_ = fs::is_directory(path, error);
  if (!checkpoint.is_folder_) {
    if (!Exists(path)) {
      return Status::BadFile(path, "", "no such file or folder", "",
                             "a model is a folder with config.json and safetensors");
    }
    const std::string name = fs::path(path).filename().string();
    if (IsForeignWeights(name)) return RefuseForeign(path, name);
    FATHOM_TRY(checkpoint.AddFile(path));
    FATHOM_TRY(checkpoint.Finish());
    return checkpoint;
  }
  const std::string single = (fs::path(path) / kSingle).string();
  const std::string index = (fs::path(path) / kIndex).string();
  if (Exists(single)) {
    FATHOM_TRY(checkpoint.AddFile(single));
    FATHOM_TRY(checkpoint.Finish());
  } else if (Exists(index)) {
    FATHOM_TRY(checkpoint.AddShards(path, index));
  } else {
    return ExplainFolder(path);
  }
  return checkpoint;
}

const CheckpointTensor* Checkpoint::Find(std::string_view name) const {
  const auto it = std::lower_bound(
      by_name_.begin(), by_name_.end(), name,
      [&](uint32_t i, std::string_view wanted) { return tensors_[i].name < wanted; });
  return it != by_name_.end() && tensors_[*it].name == name ? &tensors_[*it] : nullptr;
}

void Checkpoint::WillNeed(const CheckpointTensor& tensor) const {
  files_[tensor.file_index].WillNeed(tensor.offset, tensor.size_bytes);
}

void Checkpoint::Drop(const CheckpointTensor& tensor) const { Drop(tensor, 0, tensor.size_bytes); }

void Checkpoint::Drop(const CheckpointTensor& tensor, uint64_t offset, uint64_t size) const {
  files_[tensor.file_index].Drop(tensor.offset + offset, size);
}

Result<const CheckpointTensor*> ExpectTensor(const Checkpoint& checkpoint, std::string_view name,
                                             const Shape& shape) {
  const CheckpointTensor* tensor = checkpoint.Find(name);
  if (tensor == nullptr) {
    return Status::BadFile(checkpoint.path(), std::string(name), "the tensor is missing",
                           fmt::format("(shape {} is required)", shape.ToString()));
  }
  if (!tensor->HasShape(shape)) {
    return Status::BadFile(checkpoint.FilePath(*tensor), std::string(name),
                           fmt::format("shape {}", tensor->ShapeToString()),
                           fmt::format("where config.json requires {}", shape.ToString()));
  }
  return tensor;
}

}  // namespace fathom
