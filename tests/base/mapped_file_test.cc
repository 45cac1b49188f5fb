#include "base/mapped_file.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace fathom {
namespace {

class MappedFileTest : public testing::Test {
 protected:
  MappedFileTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "fathom_XXXXXX").string();
    folder_ = mkdtemp(pattern.data()) != nullptr ? pattern : "";
  }
  ~MappedFileTest() override { std::filesystem::remove_all(folder_); }
  std::string Write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ + "/" + name, std::ios::binary) << text;
    return folder_ + "/" + name;
  }
  std::string folder_;
};

TEST_F(MappedFileTest, ShowsTheBytes) {
  const std::string path = Write("f", "hello");
  auto file = MappedFile::Open(path);
  ASSERT_TRUE(file.ok());
  EXPECT_EQ(file->text(), "hello");
  EXPECT_EQ(file->path(), path);
  const std::byte* data = file->data();
  MappedFile moved = *std::move(file);
  EXPECT_EQ(moved.data(), data);
  EXPECT_EQ(moved.text(), "hello");
  MappedFile assigned;
  assigned = std::move(moved);
  EXPECT_EQ(assigned.text(), "hello");
}

TEST_F(MappedFileTest, AnEmptyFileIsFine) {
  auto file = MappedFile::Open(Write("empty", ""));
  ASSERT_TRUE(file.ok());
  EXPECT_EQ(file->size(), 0u);
  EXPECT_TRUE(file->text().empty());
  file->WillNeed(0, 0);
  file->Drop(0, 0);
}

TEST_F(MappedFileTest, RefusesWhatIsNoFile) {
  for (const std::string& path : {folder_, folder_ + "/nowhere", std::string("/dev/null")}) {
    auto file = MappedFile::Open(path);
    ASSERT_FALSE(file.ok()) << path;
    EXPECT_EQ(file.status().code(), StatusCode::kBadFile);
    EXPECT_NE(file.status().message().find(path), std::string::npos);
  }
  const std::string fifo = folder_ + "/fifo";
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_FALSE(MappedFile::Open(fifo).ok()) << "and does not wait for a writer";
}

TEST_F(MappedFileTest, PageHintsChangeNoByte) {
  const std::string text(100'000, 'a');
  auto file = MappedFile::Open(Write("large", text));
  ASSERT_TRUE(file.ok());
  for (const auto& [offset, size] :
       std::initializer_list<std::pair<size_t, size_t>>{{0, 100'000}, {1, 4095}, {4097, 50'000}}) {
    file->WillNeed(offset, size);
    EXPECT_EQ(std::count(file->text().begin(), file->text().end(), 'a'), 100'000);
    file->Drop(offset, size);
    EXPECT_EQ(std::count(file->text().begin(), file->text().end(), 'a'), 100'000);
  }
}

TEST_F(MappedFileTest, ReadsTextUpToALimit) {
  const std::string path = Write("f", "12345");
  auto text = ReadTextFile(path, 5);
  ASSERT_TRUE(text.ok());
  EXPECT_EQ(*text, "12345");
  auto refused = ReadTextFile(path, 4);
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.status().message().find("5 bytes"), std::string::npos);
}

}  // namespace
}  // namespace fathom
