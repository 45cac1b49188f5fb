#include "measure/shape_folder.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <vector>

#include "base/json.h"
#include "engine/random_weights.h"
#include "models/architecture.h"

namespace fathom {
namespace {

constexpr size_t kHeaderAlignment = 8;
constexpr int64_t kElementBytes = 2;  // bfloat16

int64_t ElementsOf(const WeightRecipe& recipe) {
  return recipe.role == WeightRole::kVector ? recipe.rows : recipe.rows * recipe.cols;
}

Status CannotWrite(const std::string& path) {
  return Status::RunTime(fmt::format("{}: cannot be written: {}", path, std::strerror(errno)),
                         "set TMPDIR to a folder with room for the weights");
}

// A file that says when it could not be written whole.
class OutputFile {
 public:
  explicit OutputFile(const std::string& path)
      : path_(path), file_(std::fopen(path.c_str(), "wb"), std::fclose) {}

  Status Write(const void* data, size_t size) {
    if (file_ == nullptr || std::fwrite(data, 1, size, file_.get()) != size) {
      return CannotWrite(path_);
    }
    return Status::Ok();
  }
  Status Close() {
    if (file_ == nullptr || std::fclose(file_.release()) != 0) return CannotWrite(path_);
    return Status::Ok();
  }

 private:
  std::string path_;
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_;
};

Result<std::string> HeaderOf(const std::vector<WeightRecipe>& weights) {
  JsonObject header;
  int64_t offset = 0;
  for (const WeightRecipe& recipe : weights) {
    if (recipe.sources.size() != 1 || recipe.transpose || !recipe.source_rows.empty()) {
      return Status::RunTime(
          fmt::format("{}: made of parts, which no shape's folder is written for", recipe.name));
    }
    JsonArray shape = {recipe.rows};
    if (recipe.role != WeightRole::kVector) shape.emplace_back(recipe.cols);
    const int64_t end = offset + kElementBytes * ElementsOf(recipe);
    header.emplace_back(recipe.sources[0], JsonObject{{"dtype", "BF16"},
                                                      {"shape", std::move(shape)},
                                                      {"data_offsets", JsonArray{offset, end}}});
    offset = end;
  }
  std::string text = WriteJson(header);
  while (text.size() % kHeaderAlignment != 0) text += ' ';
  return text;
}

Status WriteWeights(const std::vector<WeightRecipe>& weights, uint64_t seed,
                    const std::string& path) {
  FATHOM_ASSIGN(const std::string header, HeaderOf(weights));
  OutputFile file(path);
  uint8_t size[8];
  for (int i = 0; i < 8; ++i) size[i] = static_cast<uint8_t>(uint64_t{header.size()} >> (8 * i));
  FATHOM_TRY(file.Write(size, sizeof(size)));
  FATHOM_TRY(file.Write(header.data(), header.size()));
  std::vector<uint16_t> values;
  for (size_t i = 0; i < weights.size(); ++i) {
    values.resize(static_cast<size_t>(ElementsOf(weights[i])));
    FillRandomWeight(weights[i], seed + i, values.data());
    FATHOM_TRY(file.Write(values.data(), values.size() * sizeof(uint16_t)));
  }
  return file.Close();
}

}  // namespace

Status WriteShapeFolder(const NamedShape& shape, uint64_t seed, const std::string& folder) {
  OutputFile config_file(folder + "/config.json");
  FATHOM_TRY(config_file.Write(shape.config.data(), shape.config.size()));
  FATHOM_TRY(config_file.Close());
  FATHOM_ASSIGN(const ConfigFile file, ConfigFile::Open(folder));
  FATHOM_ASSIGN(const Architecture* architecture, FindArchitecture(file));
  FATHOM_ASSIGN(const ModelConfig config, architecture->parse_config(file));
  FATHOM_ASSIGN(const Graph graph, architecture->build_graph(config, Parallel{}));
  return WriteWeights(graph.weights, seed, folder + "/model.safetensors");
}

}  // namespace fathom
