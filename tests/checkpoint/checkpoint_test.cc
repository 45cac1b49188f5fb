#include "checkpoint/checkpoint.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/checkpoint/files.h"

namespace fathom {
namespace {

namespace fs = std::filesystem;

std::string File(std::string_view first, std::string_view second, char fill) {
  const std::string header =
      fmt::format(R"({{"{}":{{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]}},)"
                  R"("{}":{{"dtype":"U8","shape":[3],"data_offsets":[8,11]}}}})",
                  first, second);
  return U64(header.size()) + header + std::string(11, fill);
}

constexpr std::string_view kMap =
    R"({"metadata":{"total_size":22,"more":[1,{"x":[]}]},)"
    R"("weight_map":{"d":"model-2.safetensors","a":"model-1.safetensors",)"
    R"("b":"model-1.safetensors","c":"model-2.safetensors"}})";

void ExpectShards(const Checkpoint& checkpoint) {
  ASSERT_EQ(checkpoint.file_count(), 2);
  ASSERT_EQ(checkpoint.tensors().size(), 4u);
  const char* const names[] = {"b", "a", "d", "c"};  // shards by name, then the headers' order
  for (int i = 0; i < 4; ++i) {
    const CheckpointTensor& tensor = checkpoint.tensors()[i];
    EXPECT_EQ(tensor.name, names[i]);
    EXPECT_EQ(checkpoint.Find(names[i]), &tensor);
    EXPECT_EQ(tensor.file_index, i / 2);
    EXPECT_EQ(static_cast<char>(tensor.data[0]), i < 2 ? 'x' : 'y');
  }
  EXPECT_EQ(checkpoint.Find("e"), nullptr);
  EXPECT_EQ(checkpoint.Find(""), nullptr);
  EXPECT_EQ(checkpoint.total_bytes(), 22u);
}

TEST(Checkpoint, OpensShards) {
  const TempFolder folder;
  folder.Write("model.safetensors.index.json", kMap);
  folder.Write("model-1.safetensors", File("b", "a", 'x'));
  folder.Write("model-2.safetensors", File("d", "c", 'y'));
  auto checkpoint = Checkpoint::Open(folder.path());
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status().message();
  EXPECT_TRUE(checkpoint->is_folder());
  ExpectShards(*checkpoint);
  // The views outlive a move of their owner.
  const Checkpoint moved = *std::move(checkpoint);
  ExpectShards(moved);
}

TEST(Checkpoint, OpensTheSnapshotsOfTheHuggingFaceCache) {
  const TempFolder cache;
  const std::string model = cache.Path("models--org--name");
  cache.Write("models--org--name/blobs/aaa", kMap);
  cache.Write("models--org--name/blobs/bbb", File("b", "a", 'x'));
  cache.Write("models--org--name/blobs/ccc", File("d", "c", 'y'));
  cache.Write("models--org--other/blobs/ddd", File("d", "c", 'z'));
  const std::string snapshot = model + "/snapshots/0123";
  fs::create_directories(snapshot);
  fs::create_symlink("../../blobs/aaa", snapshot + "/model.safetensors.index.json");
  fs::create_symlink("../../blobs/bbb", snapshot + "/model-1.safetensors");
  fs::create_symlink("../../blobs/ccc", snapshot + "/model-2.safetensors");
  auto checkpoint = Checkpoint::Open(snapshot);
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.status().message();
  ExpectShards(*checkpoint);

  // Another model's blob is outside.
  fs::remove(snapshot + "/model-2.safetensors");
  fs::create_symlink("../../../models--org--other/blobs/ddd", snapshot + "/model-2.safetensors");
  auto refused = Checkpoint::Open(snapshot);
  ASSERT_FALSE(refused.ok());
  ExpectRefused(refused.status(), "model-2.safetensors", {"leads out"});

  // A broken blob is told by the name that the index has for it.
  fs::remove(snapshot + "/model-2.safetensors");
  fs::create_symlink("../../blobs/ccc", snapshot + "/model-2.safetensors");
  cache.Write("models--org--name/blobs/ccc", "short");
  refused = Checkpoint::Open(snapshot);
  ASSERT_FALSE(refused.ok());
  ExpectRefused(refused.status(), "model-2.safetensors", {"truncated header"});
}

TEST(Checkpoint, OpensOneFileByFolderAndByName) {
  const TempFolder folder;
  const std::string path = folder.Write("model.safetensors", File("b", "a", 'x'));
  // The index is not looked at where the single file is there.
  folder.Write("model.safetensors.index.json", "broken");
  for (const std::string& opened : {folder.path(), folder.path() + "/", path}) {
    auto checkpoint = Checkpoint::Open(opened);
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.status().message();
    EXPECT_EQ(checkpoint->path(), opened);
    EXPECT_EQ(checkpoint->is_folder(), opened != path);
    ASSERT_EQ(checkpoint->tensors().size(), 2u);
    EXPECT_EQ(checkpoint->tensors()[0].name, "b");
    EXPECT_EQ(fs::path(checkpoint->FilePath(checkpoint->tensors()[0])).filename(),
              "model.safetensors");
  }
}

TEST(Checkpoint, ExpectsTensorsByNameAndShape) {
  const TempFolder folder;
  const std::string path = folder.Write("model.safetensors", File("b", "a", 'x'));
  auto checkpoint = Checkpoint::Open(folder.path());
  ASSERT_TRUE(checkpoint.ok());
  auto good = ExpectTensor(*checkpoint, "b", {2, 1});
  ASSERT_TRUE(good.ok());
  EXPECT_EQ((*good)->dtype, DType::kF32);
  auto missing = ExpectTensor(*checkpoint, "model.norm.weight", {2});
  ASSERT_FALSE(missing.ok());
  ExpectRefused(missing.status(), folder.path(), {"model.norm.weight", "missing", "[2]"});
  auto wrong = ExpectTensor(*checkpoint, "b", {1, 2});
  ASSERT_FALSE(wrong.ok());
  ExpectRefused(wrong.status(), path, {": b: ", "[2, 1]", "[1, 2]"});
}

TEST(Checkpoint, DroppedPagesComeBack) {
  const TempFolder folder;
  const size_t size = 1 << 20;
  const std::string header =
      fmt::format(R"({{"t":{{"dtype":"U8","shape":[{0}],"data_offsets":[0,{0}]}}}})", size);
  folder.Write("model.safetensors", U64(header.size()) + header + std::string(size, 'q'));
  auto checkpoint = Checkpoint::Open(folder.path());
  ASSERT_TRUE(checkpoint.ok());
  const CheckpointTensor& tensor = checkpoint->tensors()[0];
  const auto count = [&] {
    return std::count(tensor.data, tensor.data + tensor.size_bytes, std::byte{'q'});
  };
  checkpoint->WillNeed(tensor);
  EXPECT_EQ(count(), static_cast<ptrdiff_t>(size));
  checkpoint->Drop(tensor);
  EXPECT_EQ(count(), static_cast<ptrdiff_t>(size));
}

}  // namespace
}  // namespace fathom
