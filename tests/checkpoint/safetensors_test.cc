#include "checkpoint/safetensors.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <functional>
#include <random>
#include <vector>

#include "tests/checkpoint/files.h"

namespace fathom {
namespace {

TEST(Safetensors, OpensEveryElementType) {
  const TempFolder folder;
  struct Case {
    DType dtype;
    int64_t elements;
    uint64_t bytes;
  };
  std::vector<Case> cases;
  for (int i = 0; i < kDTypeCount; ++i) {
    const DType dtype = static_cast<DType>(i);
    cases.push_back({dtype, 8, static_cast<uint64_t>(BitsOf(dtype))});
  }
  std::string header = "{\"__metadata__\":{\"format\":\"pt\"}";
  uint64_t end = 0;
  for (const Case& c : cases) {
    header += fmt::format(R"(,"t.{0}":{{"dtype":"{0}","shape":[2,{1}],"data_offsets":[{2},{3}]}})",
                          SafetensorsName(c.dtype), c.elements / 2, end, end + c.bytes);
    end += c.bytes;
  }
  header += "}   ";
  const std::string path = folder.Write("all.safetensors", Safetensors(header, end));
  auto file = SafetensorsFile::Open(path);
  ASSERT_TRUE(file.ok()) << file.status().message();
  ASSERT_EQ(file->tensors().size(), cases.size());
  ASSERT_EQ(file->metadata().size(), 1u);
  EXPECT_EQ(file->metadata()[0].second, "pt");
  uint64_t offset = 0;
  for (size_t i = 0; i < cases.size(); ++i) {
    const CheckpointTensor& tensor = file->tensors()[i];
    EXPECT_EQ(tensor.name, fmt::format("t.{}", SafetensorsName(cases[i].dtype)));
    EXPECT_EQ(tensor.dtype, cases[i].dtype);
    EXPECT_TRUE(tensor.HasShape({2, 4}));
    EXPECT_FALSE(tensor.HasShape({4, 2}));
    EXPECT_FALSE(tensor.HasShape({8}));
    EXPECT_EQ(tensor.elements(), 8);
    EXPECT_EQ(tensor.size_bytes, cases[i].bytes);
    EXPECT_EQ(tensor.offset, 8 + header.size() + offset);
    for (uint64_t b = 0; b < tensor.size_bytes; ++b) {
      ASSERT_EQ(static_cast<uint8_t>(tensor.data[b]), static_cast<uint8_t>(offset + b));
    }
    offset += tensor.size_bytes;
  }
}

TEST(Safetensors, AcceptsWhatTheReferenceAccepts) {
  const TempFolder folder;
  const struct {
    std::string_view header;
    size_t data_size;
    size_t tensors;
  } cases[] = {
      {"{}", 0, 0},
      {R"({"__metadata__":null})", 0, 0},
      {R"({"__metadata__":{}})", 0, 0},
      // Empty tensors and tensors without axes, also between others.
      {R"({"e":{"dtype":"F32","shape":[0,4],"data_offsets":[0,0]}})", 0, 1},
      {R"({"s":{"dtype":"F32","shape":[],"data_offsets":[0,4]}})", 4, 1},
      {R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},)"
       R"("e":{"dtype":"U8","shape":[0],"data_offsets":[2,2]},)"
       R"("b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}})",
       3, 3},
      // Data in another order than the header, an odd offset, an empty name, many axes, a field
      // that the format does not know.
      {R"({"b":{"dtype":"F16","shape":[1],"data_offsets":[1,3]},)"
       R"("":{"data_offsets":[0,1],"shape":[1,1,1,1,1,1,1],"dtype":"I8",)"
       R"("x":{"y":[{"z":1}]},"w":2}})",
       3, 2},
      {"{\"\\u00e9\\n\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}  \n", 1, 1},
  };
  for (const auto& c : cases) {
    auto file =
        SafetensorsFile::Open(folder.Write("x.safetensors", Safetensors(c.header, c.data_size)));
    ASSERT_TRUE(file.ok()) << c.header << ": " << file.status().message();
    EXPECT_EQ(file->tensors().size(), c.tensors) << c.header;
  }
}

// A header of one good tensor of 4 bytes that a test cuts, flips and stretches.
constexpr std::string_view kGood =
    R"({"__metadata__":{"format":"pt"},)"
    R"("model.embed_tokens.weight":{"dtype":"BF16","shape":[3,2],"data_offsets":[0,12]},)"
    R"("model.norm.weight":{"dtype":"F32","shape":[2],"data_offsets":[12,20]},)"
    R"("q":{"dtype":"F6_E2M3","shape":[4],"data_offsets":[20,23]},)"
    R"("e":{"dtype":"I64","shape":[0],"data_offsets":[23,23]}})";

// Reads every byte that the tensors claim: a wrong claim is a crash here.
uint64_t Touch(const SafetensorsFile& file) {
  uint64_t sum = 0;
  for (const CheckpointTensor& tensor : file.tensors()) {
    for (uint64_t i = 0; i < tensor.size_bytes; ++i) sum += static_cast<uint8_t>(tensor.data[i]);
  }
  return sum;
}

void ExpectOpensOrRefuses(const std::string& path) {
  auto file = SafetensorsFile::Open(path);
  if (file.ok()) {
    Touch(*file);
  } else {
    EXPECT_EQ(file.status().code(), StatusCode::kBadFile);
    EXPECT_FALSE(file.status().message().empty());
  }
}

TEST(Safetensors, SurvivesRandomMutations) {
  const TempFolder folder(FastFolder());
  const std::string good = Safetensors(kGood, 23);
  ASSERT_TRUE(SafetensorsFile::Open(folder.Write("x.safetensors", good)).ok());
  std::mt19937 random(1);
  const std::string_view grammar = "{}[]\",:0123456789-.eE\\ dtypeshap_FBU\0\xff";
  for (int round = 0; round < 6000; ++round) {
    std::string bytes = good;
    const int changes = 1 + static_cast<int>(random() % 4);
    for (int i = 0; i < changes; ++i) {
      const size_t at = random() % (8 + kGood.size());
      switch (random() % 4) {
        case 0:
          bytes[at] = static_cast<char>(bytes[at] ^ (1 << (random() % 8)));
          break;
        case 1:
          bytes[at] = grammar[random() % grammar.size()];
          break;
        case 2:
          bytes.erase(at, 1 + random() % 5);
          break;
        default:
          bytes.insert(at, bytes.substr(random() % bytes.size(), random() % 20));
      }
      if (bytes.size() < 9) break;
    }
    // Half of them with a length that fits, so that the change is in the JSON and not before it.
    if (round % 2 == 0 && bytes.size() > 31) bytes.replace(0, 8, U64(bytes.size() - 31));
    ExpectOpensOrRefuses(folder.Write("x.safetensors", bytes));
  }
}

TEST(Safetensors, EveryTruncationIsRefused) {
  const TempFolder folder(FastFolder());
  const std::string good = Safetensors(kGood, 23);
  for (size_t size = 0; size < good.size(); ++size) {
    auto file = SafetensorsFile::Open(folder.Write("x.safetensors", good.substr(0, size)));
    ASSERT_FALSE(file.ok()) << size;
    EXPECT_EQ(file.status().code(), StatusCode::kBadFile);
  }
}

TEST(Safetensors, FindsByNameWhateverTheOrder) {
  std::vector<CheckpointTensor> tensors(3);
  tensors[0].name = "b";
  tensors[1].name = "c";
  tensors[2].name = "a";
  EXPECT_EQ(SortedByName(tensors), (std::vector<uint32_t>{2, 0, 1}));
}

}  // namespace
}  // namespace fathom
