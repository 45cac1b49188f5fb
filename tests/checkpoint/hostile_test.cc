// Hostile files: each is refused by a message of its own, in little time and memory.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <malloc.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <functional>

#include "checkpoint/checkpoint.h"
#include "checkpoint/generation_config.h"
#include "checkpoint/model_config.h"
#include "tests/checkpoint/defaults.h"
#include "tests/checkpoint/files.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define FATHOM_SANITIZED 1
#else
#define FATHOM_SANITIZED 0
#endif

namespace fathom {
namespace {

// A line of /proc/self/status in bytes.
size_t ProcStatus(const std::string& name) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(name)) return std::stoull(line.substr(name.size())) * 1024;
  }
  return 0;
}

// Runs `open` and checks that the peak of resident memory grows by no more than the file and 64 MB.
Status Measured(std::string_view what, size_t file_bytes, const std::function<Status()>& open) {
  malloc_trim(0);  // freed memory goes back, or what is read next would hide in it
  std::ofstream("/proc/self/clear_refs") << "5";  // the peak counts from now
  const size_t before = ProcStatus("VmRSS:");
  const auto start = std::chrono::steady_clock::now();
  Status status = open();
  const double ms =
      std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  const size_t peak = ProcStatus("VmHWM:");
  const size_t grown = peak > before ? peak - before : 0;
  if (ms > 20 || grown > (size_t{8} << 20)) {
    std::printf("  %-45s %7.1f ms  +%.1f MB for %.1f MB\n", std::string(what).c_str(), ms,
                grown / 1e6, file_bytes / 1e6);
  }
  if (!FATHOM_SANITIZED) {
    EXPECT_LE(grown, file_bytes + (size_t{64} << 20)) << what;
  }
  return status;
}

Status OpenWeights(const std::string& path) {
  auto checkpoint = Checkpoint::Open(path);
  return checkpoint.ok() ? Status::Ok() : checkpoint.status();
}

struct Hostile {
  std::string what;
  std::string bytes;
  std::vector<std::string> parts;  // of the message
};

std::string OneTensor(std::string_view fields) { return fmt::format(R"({{"t":{{{}}}}})", fields); }

void CheckAll(const std::vector<Hostile>& cases) {
  const TempFolder folder;
  for (const Hostile& hostile : cases) {
    SCOPED_TRACE(hostile.what);
    const std::string path = folder.Write("model.safetensors", hostile.bytes);
    const Status status =
        Measured(hostile.what, hostile.bytes.size(), [&] { return OpenWeights(path); });
    ExpectRefused(status, path, {});
    for (const std::string& part : hostile.parts) ExpectRefused(status, path, {part});
    EXPECT_LT(status.message().size(), 3000u);
  }
}

TEST(Hostile, HeaderThatIsNone) {  // rows 1 to 4
  const std::string good = OneTensor(R"("dtype":"U8","shape":[2],"data_offsets":[0,2])");
  CheckAll({
      {"empty file", "", {"truncated header"}},
      {"7 bytes", "1234567", {"truncated header", "7 bytes"}},
      {"header beyond the file", U64(100) + "{}", {"truncated header", "100 bytes", "2 left"}},
      {"header of 2^64-1 bytes", U64(UINT64_MAX) + "{}", {"18446744073709551615", "100000000"}},
      {"header of 100,000,001 bytes", U64(100'000'001) + "{}", {"100000001", "limit of 100000000"}},
      {"empty header", U64(0), {"'{'"}},
      {"not an object", Safetensors("[1]", 0), {"'{'"}},
      {"space first", Safetensors(" {}", 0), {"'{'"}},
      {"byte order mark", Safetensors("\xEF\xBB\xBF{}", 0), {"'{'"}},
      {"invalid UTF-8", Safetensors("{\"\xff\":1}", 0), {"invalid UTF-8 at byte 2"}},
      {"bad JSON", Safetensors("{\"a\":}", 0), {"bad JSON"}},
      {"cut JSON", Safetensors("{\"a\":{", 0), {"bad JSON"}},
      {"trailing text", Safetensors(good + "x", 2), {"bad JSON"}},
      {"trailing NUL", Safetensors(good + std::string(1, '\0'), 2), {"bad JSON"}},
      {"two objects", Safetensors(good + good, 4), {"bad JSON"}},
      {"[ a million times", Safetensors(std::string(1'000'000, '['), 0), {"'{'"}},
      {"[ a million times inside",
       Safetensors(R"({"t":{"x":)" + std::string(1'000'000, '['), 0),
       {"deeper", "64"}},
      {"[ a million times as shape",
       Safetensors(R"({"t":{"shape":)" + std::string(1'000'000, '['), 0),
       {"t.shape"}},
      {"{ a million times", Safetensors(std::string(1'000'000, '{'), 0), {"bad JSON"}},
      {"a pickle", "PK\x03\x04zip of torch.save", {"pickle"}},
      {"a git-lfs pointer", "version https://git-lfs.github.com/spec/v1\n", {"git lfs pull"}},
  });
}

TEST(Hostile, TensorsThatContradict) {  // rows 5 and 6
  const auto two = [](std::string_view a, std::string_view b, std::string_view name = "b") {
    return fmt::format(R"({{"a":{{"dtype":"U8","shape":[4],"data_offsets":{}}},)"
                       R"("{}":{{"dtype":"U8","shape":[4],"data_offsets":{}}}}})",
                       a, name, b);
  };
  CheckAll({
      {"a tensor twice", Safetensors(two("[0,4]", "[4,8]", "a"), 8), {": a: ", "twice"}},
      {"dtype twice",
       Safetensors(OneTensor(R"("dtype":"U8","dtype":"U8","shape":[2],"data_offsets":[0,2])"), 2),
       {"t.dtype", "twice"}},
      {"shape twice",
       Safetensors(OneTensor(R"("dtype":"U8","shape":[2],"shape":[2],"data_offsets":[0,2])"), 2),
       {"t.shape", "twice"}},
      {"data_offsets twice",
       Safetensors(
           OneTensor(R"("dtype":"U8","data_offsets":[0,2],"shape":[2],"data_offsets":[0,2])"), 2),
       {"t.data_offsets", "twice"}},
      {"metadata twice",
       Safetensors(R"({"__metadata__":{},"__metadata__":{}})", 0),
       {"__metadata__", "twice"}},
      {"metadata of a number",
       Safetensors(R"({"__metadata__":{"a":1}})", 0),
       {"__metadata__.a", "string"}},
      {"metadata of an object",
       Safetensors(R"({"__metadata__":{"a":{}}})", 0),
       {"__metadata__.a", "string"}},
      {"metadata is a string", Safetensors(R"({"__metadata__":"x"})", 0), {"__metadata__"}},
      {"overlap", Safetensors(two("[0,4]", "[3,7]"), 7), {": b: ", "overlaps a"}},
      {"same place", Safetensors(two("[0,4]", "[0,4]"), 4), {"overlaps"}},
      {"gap", Safetensors(two("[0,4]", "[5,9]"), 9), {": b: ", "gap of 1 bytes"}},
      {"gap at the start", Safetensors(two("[1,5]", "[5,9]"), 9), {": a: ", "gap of 1 bytes"}},
      {"end before begin",
       Safetensors(two("[0,4]", "[8,4]"), 8),
       {"b.data_offsets", "end 4", "begin 8"}},
      {"bytes after the last", Safetensors(two("[0,4]", "[4,8]"), 9), {"1 bytes after the last"}},
      {"bytes without tensors", Safetensors("{}", 3), {"3 bytes after the last"}},
      {"past the end", Safetensors(two("[0,4]", "[4,8]"), 7), {": b: ", "truncated", "holds 7"}},
      {"end of 2^64-1",
       Safetensors(OneTensor(R"("dtype":"U8","shape":[2],)"
                             R"("data_offsets":[18446744073709551613,18446744073709551615])"),
                   2),
       {": t: ", "truncated"}},
      {"one offset",
       Safetensors(OneTensor(R"("dtype":"U8","shape":[2],"data_offsets":[0])"), 2),
       {"t.data_offsets", "two"}},
      {"three offsets",
       Safetensors(OneTensor(R"("dtype":"U8","shape":[2],"data_offsets":[0,2,2])"), 2),
       {"t.data_offsets", "two"}},
  });
}

TEST(Hostile, ShapesAndTypes) {  // rows 7 and 8
  const auto shaped = [](std::string_view dtype, std::string_view shape, size_t size) {
    return Safetensors(OneTensor(fmt::format(R"("dtype":"{}","shape":{},"data_offsets":[0,{}])",
                                             dtype, shape, size)),
                       size);
  };
  std::string axes = "[2";
  for (int i = 0; i < 64; ++i) axes += ",1";
  axes += "]";
  CheckAll({
      {"product beyond u64", shaped("U8", "[4294967296,4294967296,2]", 2), {": t: ", "overflows"}},
      {"product times bits beyond u64", shaped("F64", "[1152921504606846976]", 8), {"overflows"}},
      {"product wraps to the size", shaped("U8", "[4611686018427387904,4,1]", 0), {"overflows"}},
      {"product beyond u64 beside a 0",
       shaped("U8", "[4294967296,4294967296,0]", 0),
       {"overflows"}},
      {"dimension of 2^64-1", shaped("U8", "[18446744073709551615]", 2), {"t.shape", "2^63"}},
      {"dimension of 2^64", shaped("U8", "[18446744073709551616]", 2), {"t.shape", "integer"}},
      {"size too large", shaped("F32", "[2]", 9), {": t: ", "9 bytes", "takes 8"}},
      {"size too small", shaped("F32", "[2]", 7), {": t: ", "7 bytes", "takes 8"}},
      {"F4 in the middle of a byte", shaped("F4", "[3]", 2), {"3 elements of F4", "byte"}},
      {"F6 in the middle of a byte",
       shaped("F6_E3M2", "[2]", 2),
       {"2 elements of F6_E3M2", "byte"}},
      {"F6 of a wrong size", shaped("F6_E2M3", "[4]", 4), {"takes 3"}},
      {"negative dimension", shaped("U8", "[-2]", 2), {"t.shape", "-2", "non-negative"}},
      {"fractional dimension", shaped("U8", "[1.5]", 2), {"t.shape", "1.5", "integer"}},
      {"2.0", shaped("U8", "[2.0]", 2), {"t.shape", "integer"}},
      {"1e400", shaped("U8", "[1e400]", 2), {"t", "1e400", "beyond a double"}},
      {"NaN", shaped("U8", "[NaN]", 2), {"bad JSON"}},
      {"string dimension", shaped("U8", "[\"2\"]", 2), {"t.shape", "\"2\""}},
      {"null dimension", shaped("U8", "[null]", 2), {"t.shape", "null"}},
      {"shape is a number", shaped("U8", "2", 2), {"t.shape", "array"}},
      {"65 axes", shaped("U8", axes, 2), {"t.shape", "limit of 64"}},
      {"unknown dtype", shaped("F128", "[2]", 2), {"t.dtype", "\"F128\""}},
      {"dtype in lower case", shaped("f32", "[2]", 8), {"t.dtype", "\"f32\""}},
      {"empty dtype", shaped("", "[2]", 8), {"t.dtype", "\"\""}},
      {"dtype is a number",
       Safetensors(OneTensor(R"("dtype":7,"shape":[2],"data_offsets":[0,2])"), 2),
       {"t.dtype", "string"}},
      {"no dtype",
       Safetensors(OneTensor(R"("shape":[2],"data_offsets":[0,2])"), 2),
       {": t: ", "dtype is missing"}},
      {"no shape",
       Safetensors(OneTensor(R"("dtype":"U8","data_offsets":[0,2])"), 2),
       {": t: ", "shape is missing"}},
      {"no data_offsets",
       Safetensors(OneTensor(R"("dtype":"U8","shape":[2])"), 2),
       {": t: ", "data_offsets is missing"}},
      {"tensor is an array", Safetensors(R"({"t":["U8",[2],[0,2]]})", 2), {": t: ", "object"}},
      {"tensor is a number", Safetensors(R"({"t":1})", 0), {": t: ", "object"}},
      {"terminal escapes in a name", Safetensors("{\"\\u001b[31m\\n\":1}", 0), {"\\x1b[31m\\n"}},
  });
}

TEST(Hostile, HeadersOfManyMegabytes) {  // row 9, and what else could take memory or time
  std::string tiny = "{";
  for (int i = 0; i < 1'000'000; ++i) {
    tiny += fmt::format(R"({}"tensor.{}":{{"dtype":"U8","shape":[1],"data_offsets":[{},{}]}})",
                        i == 0 ? "" : ",", i, i, i + 1);
  }
  tiny += "}";
  ASSERT_LT(tiny.size(), 100'000'000u);
  CheckAll({{"a million tensors", Safetensors(tiny, 1'000'000), {"limit of 200000"}}});
  tiny = std::string();

  const auto fill = [](std::string_view begin, char c, std::string_view end) {
    std::string header(begin);
    header.append(90'000'000, c);
    return header += end;
  };
  CheckAll({
      {"a name of 90 MB", Safetensors(fill("{\"", 'x', "\":1}"), 0), {"a string", "4000000"}},
      {"a number of 90 MB", Safetensors(fill("{\"a\":", '1', "}"), 0), {"number", "4000000"}},
      {"spaces of 90 MB", Safetensors(fill("{", ' ', "}"), 0), {"4000000"}},
      {"quotes of 90 MB", Safetensors(fill("{\"__metadata__\":", '"', "}"), 0), {"__metadata__"}},
      {"escapes of 90 MB", Safetensors(fill("{\"", '\\', "\":1}"), 0), {"4000000"}},
  });
  std::string shape = R"({"t":{"shape":[1)";
  for (int i = 0; i < 40'000'000; ++i) shape += ",1";
  CheckAll({{"40 million axes", Safetensors(shape, 0), {"t.shape", "limit of 64"}}});
  shape = std::string();
  std::string metadata = R"({"__metadata__":{"a":"")";
  for (int i = 0; i < 5'000'000; ++i) metadata += R"(,"b":"x")";
  CheckAll({{"5 million metadata entries", Safetensors(metadata, 0), {"limit of"}}});
  metadata = std::string();

  // Many long names; then the most and longest names and the most metadata that are read to the
  // end, where only the last tensor is bad.
  const auto named = [](std::string begin, size_t name_bytes) {
    const std::string filler(name_bytes - 6, 'x');
    for (int i = 100'000; i < 299'000; ++i) {
      begin += fmt::format(R"("{}{}":{{"dtype":"U8","shape":[1],"data_offsets":[{},{}]}},)", filler,
                           i, i - 100'000, i - 99'999);
    }
    return begin += R"("z":{"dtype":"U8","shape":[1],"data_offsets":[199001,199002]}})";
  };
  CheckAll({{"99 MB of long names", Safetensors(named("{", 430), 199'002), {"names", "16000000"}}});
  const std::string text(3'900'000, 'm');
  const std::string begin = fmt::format(R"({{"__metadata__":{{"a":"{}","b":"{}"}},)", text, text);
  CheckAll({{"the longest header", Safetensors(named(begin, 80), 199'002), {": z: ", "gap of 1"}}});
}

TEST(Hostile, PaddingOfManyMegabytesIsNoHarm) {
  const TempFolder folder;
  const std::string path =
      folder.Write("model.safetensors", Safetensors("{}" + std::string(90'000'000, ' '), 0));
  EXPECT_TRUE(Measured("padding of 90 MB", 90'000'000, [&] { return OpenWeights(path); }).ok());
}

constexpr std::string_view kIndexName = "model.safetensors.index.json";

std::string Shard(std::string_view tensor) {
  return Safetensors(
      fmt::format(R"({{"{}":{{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}}})", tensor), 2);
}

TEST(Hostile, WeightMapThatLeavesTheFolder) {  // row 10
  const TempFolder outside;
  // A good file: nothing but its place is wrong.
  outside.Write("outside.safetensors", Shard("a"));
  const TempFolder folder;
  folder.Write("inside.safetensors", Shard("a"));
  const std::string target = outside.Path("outside.safetensors");
  std::filesystem::create_symlink(target, folder.Path("link.safetensors"));
  std::filesystem::create_symlink(outside.path(), folder.Path("linked_folder"));
  std::filesystem::create_symlink("link.safetensors", folder.Path("chain.safetensors"));
  std::filesystem::create_symlink("loop.safetensors", folder.Path("loop.safetensors"));
  const std::string up = "../" + std::filesystem::path(outside.path()).filename().string();
  const struct {
    std::string shard;
    std::vector<std::string_view> parts;
  } cases[] = {
      {"../../etc/passwd", {"../../etc/passwd", "leaves the model's folder"}},
      {up + "/outside.safetensors", {"outside.safetensors", "leaves the model's folder"}},
      {"sub/../../x.safetensors", {"leaves the model's folder"}},
      {"/etc/passwd", {"/etc/passwd", "absolute"}},
      {target, {"absolute"}},
      {"inside.safetensors\\u0000.safetensors", {"NUL"}},
      {"link.safetensors", {"link.safetensors", "leads out of the model's folder"}},
      {"chain.safetensors", {"chain.safetensors", "leads out of the model's folder"}},
      {"linked_folder/outside.safetensors", {"leads out of the model's folder"}},
      {"loop.safetensors", {"loop.safetensors", "missing"}},
      {"", {"no file name"}},
      {"pytorch_model.bin", {"pytorch_model.bin", "safetensors"}},
      {std::string(2000, 'x') + ".safetensors", {"too long"}},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.shard);
    folder.Write(std::string(kIndexName),
                 fmt::format(R"({{"metadata":{{}},"weight_map":{{"a":"{}"}}}})", c.shard));
    const Status status = Measured(c.shard, 0, [&] { return OpenWeights(folder.path()); });
    for (const std::string_view part : c.parts) ExpectRefused(status, folder.path(), {part});
  }
  // The same target inside the folder is fine.
  std::filesystem::create_symlink("inside.safetensors", folder.Path("good_link.safetensors"));
  folder.Write(std::string(kIndexName), R"({"weight_map":{"a":"good_link.safetensors"}})");
  EXPECT_TRUE(OpenWeights(folder.path()).ok()) << OpenWeights(folder.path()).message();
}

TEST(Hostile, LinkTargetIsNeverOpened) {  // row 10
  // Were this FIFO opened, the message would be that it is no regular file.
  const TempFolder outside;
  ASSERT_EQ(mkfifo(outside.Path("fifo.safetensors").c_str(), 0600), 0);
  const TempFolder folder;
  std::filesystem::create_symlink(outside.Path("fifo.safetensors"),
                                  folder.Path("link.safetensors"));
  folder.Write(std::string(kIndexName), R"({"weight_map":{"a":"link.safetensors"}})");
  ExpectRefused(OpenWeights(folder.path()), "link.safetensors", {"leads out"});
}

TEST(Hostile, ShardsThatContradict) {  // row 11
  const std::string one = "model-00001-of-00002.safetensors";
  const std::string two = "model-00002-of-00002.safetensors";
  const std::string map = fmt::format(R"({{"weight_map":{{"a":"{}","b":"{}"}}}})", one, two);
  const struct {
    std::string what, first, second, index;
    std::vector<std::string> parts;
  } cases[] = {
      {"missing", Shard("a"), "", map, {two, "missing"}},
      {"truncated", Shard("a"), Shard("b").substr(0, 20), map, {two, "truncated"}},
      {"a byte short",
       Shard("a"),
       Shard("b").substr(0, Shard("b").size() - 1),
       map,
       {two, "truncated", ": b: "}},
      {"one tensor in two shards",
       Shard("a"),
       Shard("a"),
       fmt::format(R"({{"weight_map":{{"a":"{}","a":"{}"}}}})", one, two),
       {one, two, "twice"}},
      {"one tensor in two files",
       Shard("a"),
       Safetensors(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},)"
                   R"("b":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}})",
                   4),
       map,
       {one, two, "two shards", ": a: "}},
      {"a shard lacks its tensor", Shard("a"), Shard("c"), map, {"weight_map.b", two, "lacks"}},
      {"tensors changed places", Shard("b"), Shard("a"), map, {"weight_map.a", one, "lacks"}},
      {"no weight_map", Shard("a"), Shard("b"), "{}", {"weight_map", "missing"}},
      {"weight_map is an array", Shard("a"), Shard("b"), R"({"weight_map":[]})", {"weight_map"}},
      {"shard is a number", Shard("a"), Shard("b"), R"({"weight_map":{"a":1}})", {"weight_map.a"}},
      {"shard is an object",
       Shard("a"),
       Shard("b"),
       R"({"weight_map":{"a":{}}})",
       {"weight_map.a"}},
      {"weight_map twice",
       Shard("a"),
       Shard("b"),
       R"({"weight_map":{},"weight_map":{}})",
       {"weight_map", "twice"}},
      {"index is an array", Shard("a"), Shard("b"), "[]", {"object"}},
      {"index is no JSON", Shard("a"), Shard("b"), "{", {"bad JSON"}},
      {"depth bomb",
       Shard("a"),
       Shard("b"),
       "{\"metadata\":" + std::string(1'000'000, '['),
       {"deeper", "64"}},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.what);
    const TempFolder folder;
    folder.Write(one, c.first);
    if (!c.second.empty()) folder.Write(two, c.second);
    folder.Write(std::string(kIndexName), c.index);
    const Status status =
        Measured(c.what, c.index.size() + 200, [&] { return OpenWeights(folder.path()); });
    for (const std::string& part : c.parts) ExpectRefused(status, folder.path(), {part});
  }
}

TEST(Hostile, IndexOfAMillionTensors) {
  const TempFolder folder;
  std::string index = R"({"weight_map":{"a":"x.safetensors")";
  for (int i = 0; i < 1'000'000; ++i) index += fmt::format(R"(,"{}":"x.safetensors")", i);
  folder.Write(std::string(kIndexName), index + "}}");
  ExpectRefused(
      Measured("index of a million", index.size(), [&] { return OpenWeights(folder.path()); }),
      folder.path(), {"number of tensors", "400000"});
  index = R"({"weight_map":{"a":"x.safetensors")";
  for (int i = 0; i < 100'000; ++i) index += fmt::format(R"(,"{}":"{}.safetensors")", i, i);
  folder.Write(std::string(kIndexName), index + "}}");
  ExpectRefused(
      Measured("100,000 shards", index.size(), [&] { return OpenWeights(folder.path()); }),
      folder.path(), {"number of shards", "10000"});
}

TEST(Hostile, PicklesAreRefusedUnread) {  // row 24
  for (const std::string name : {"pytorch_model.bin", "model.pt", "consolidated.00.pth",
                                 "weights.ckpt", "model.pkl", "model.pickle"}) {
    const TempFolder folder;
    // A FIFO: a reader would be told apart by its message.
    ASSERT_EQ(mkfifo(folder.Path(name).c_str(), 0600), 0);
    ExpectRefused(OpenWeights(folder.path()), folder.path(), {name, "not read", "convert"});
    ExpectRefused(OpenWeights(folder.Path(name)), folder.Path(name), {"not read", "convert"});
  }
  const TempFolder folder;
  ExpectRefused(OpenWeights(folder.path()), folder.path(), {"model.safetensors", "config.json"});
  ExpectRefused(OpenWeights(folder.Path("nowhere")), "nowhere", {"no such file or folder"});
  folder.Write("other.safetensors", Shard("a"));
  ExpectRefused(OpenWeights(folder.path()), folder.path(), {"other.safetensors", "rename"});
}

struct BadConfig {
  std::string json;  // members that come on top of a good llama
  std::vector<std::string> parts;
};

Status ParseAs(std::string_view json, const ConfigDefaults& defaults) {
  auto file = ConfigFile::Parse(json, "DIR/config.json");
  if (!file.ok()) return file.status();
  auto config = ParseModelConfig(*file, defaults);
  return config.ok() ? Status::Ok() : config.status();
}

TEST(Hostile, Hyperparameters) {  // row 21
  std::vector<BadConfig> cases;
  for (const std::string field :
       {"vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers",
        "num_attention_heads", "num_key_value_heads", "head_dim", "max_position_embeddings"}) {
    for (const std::string value : {"0", "-1", "2147483648", "9223372036854775807",
                                    "18446744073709551615", "-9223372036854775808"}) {
      cases.push_back({fmt::format("\"{}\":{}", field, value), {field, value, "limits"}});
    }
    for (const std::string value : {"1e300", "1.5", "\"32\"", "true", "[1]", "{}"}) {
      cases.push_back({fmt::format("\"{}\":{}", field, value), {field, "is no integer"}});
    }
    cases.push_back({fmt::format("\"{}\":NaN", field), {"bad JSON"}});
    cases.push_back({fmt::format("\"{}\":1e400", field), {"beyond a double"}});
    if (field != "num_key_value_heads" && field != "head_dim") {
      cases.push_back({fmt::format("\"{}\":null", field), {field, "null", "is no integer"}});
    }
  }
  const std::vector<BadConfig> more = {
      {R"("hidden_size":4095)", {"hidden_size", "4095", "multiple of num_attention_heads, 32"}},
      {R"("hidden_size":4095,"head_dim":128)", {"hidden_size", "4095", "num_attention_heads"}},
      {R"("num_key_value_heads":3)", {"num_key_value_heads", "3", "num_attention_heads, 32"}},
      {R"("num_key_value_heads":64)", {"num_key_value_heads", "64", "num_attention_heads, 32"}},
      {R"("head_dim":127)", {"head_dim", "127", "odd"}},
      {R"("num_attention_heads":16384,"hidden_size":16384,"head_dim":16384)",
       {"head_dim", "limit"}},
      {R"("rms_norm_eps":-1e-5)", {"rms_norm_eps", "-1e-05", "limits"}},
      {R"("rms_norm_eps":NaN)", {"bad JSON"}},
      {R"("rms_norm_eps":Infinity)", {"bad JSON"}},
      {R"("rms_norm_eps":"1e-5")", {"rms_norm_eps", "is no number"}},
      {R"("rms_norm_eps":null)", {"rms_norm_eps", "is no number"}},
      {R"("rope_theta":0)", {"rope_theta", "0", "limits above 0"}},
      {R"("rope_theta":-1.0)", {"rope_theta", "-1", "limits above 0"}},
      {R"("rope_theta":NaN)", {"bad JSON"}},
      {R"("rope_parameters":{"rope_theta":0.0})", {"rope_parameters.rope_theta", "limits above 0"}},
      {R"("rope_scaling":{"type":"linear","factor":0})", {"rope_scaling.factor", "limits above 0"}},
      {R"("rope_scaling":{"type":"linear"})", {"rope_scaling.factor", "missing"}},
      {R"("rope_scaling":{"type":"linear","factor":"2"})", {"rope_scaling.factor", "is no number"}},
      {R"("rope_scaling":{"type":"none"})", {"rope_scaling.type", "\"none\"", "linear"}},
      {R"("rope_scaling":{"rope_type":5})", {"rope_scaling.rope_type", "is no string"}},
      {R"("rope_scaling":[1])", {"rope_scaling", "is no object"}},
      {R"("rope_scaling":{"type":"yarn"})", {"rope_scaling.factor", "missing"}},
      {R"("rope_scaling":{"type":"yarn","factor":2.0,"rope_theta":1})", {"rope_theta", "yarn"}},
      {R"("rope_scaling":{"type":"yarn","factor":2.0,"original_max_position_embeddings":0})",
       {"rope_scaling.original_max_position_embeddings", "0"}},
      {R"("rope_scaling":{"type":"llama3","factor":2.0,"low_freq_factor":4,"high_freq_factor":4})",
       {"high_freq_factor", "low_freq_factor"}},
      {R"("rope_scaling":{"type":"llama3","factor":2.0,"high_freq_factor":4})",
       {"low_freq_factor", "missing"}},
      {R"("rope_scaling":{"type":"longrope","short_factor":[1],"long_factor":[1]})",
       {"rope_scaling.short_factor", "1 values", "64"}},
      {R"("rope_scaling":{"type":"longrope","long_factor":[1]})",
       {"rope_scaling.short_factor", "missing"}},
      {R"("rope_scaling":{"type":"dynamic","factor":2.0},"head_dim":2)", {"dynamic"}},
      {R"("rope_parameters":{"full_attention":{"rope_theta":5.0}})", {"rope_parameters"}},
      {R"("partial_rotary_factor":1.5)", {"partial_rotary_factor", "1.5"}},
  };
  cases.insert(cases.end(), more.begin(), more.end());
  for (const BadConfig& bad : cases) {
    SCOPED_TRACE(bad.json);
    const std::string json = fmt::format(R"({{"model_type":"llama",{}}})", bad.json);
    const Status status = Measured(bad.json, json.size(), [&] { return ParseAs(json, kLlama); });
    for (const std::string& part : bad.parts) ExpectRefused(status, "DIR/config.json", {part});
  }
}

TEST(Hostile, SlidingWindows) {
  const std::vector<BadConfig> cases = {
      {R"("sliding_window":0)", {"sliding_window", "0"}},
      {R"("sliding_window":-4)", {"sliding_window", "-4"}},
      {R"("max_window_layers":-1)", {"max_window_layers", "-1"}},
      {R"("use_sliding_window":1)", {"use_sliding_window", "is no boolean"}},
      {R"("num_hidden_layers":2,"layer_types":["full_attention"])",
       {"layer_types", "1 entries", "2"}},
      {R"("num_hidden_layers":1,"layer_types":["none"])", {"layer_types", "\"none\""}},
      {R"("num_hidden_layers":1,"layer_types":[1])", {"layer_types", "is no string"}},
      {R"("num_hidden_layers":1,"layer_types":["sliding_attention"])", {"layer_types", "window"}},
  };
  for (const BadConfig& bad : cases) {
    SCOPED_TRACE(bad.json);
    const Status status = ParseAs(fmt::format(R"({{"model_type":"qwen2",{}}})", bad.json), kQwen2);
    for (const std::string& part : bad.parts) ExpectRefused(status, "DIR/config.json", {part});
  }
}

TEST(Hostile, ConfigFiles) {  // row 23
  std::string many = "{\"model_type\":\"llama\"";
  for (int i = 0; i < 100'000; ++i) many += ",\"a\":1";
  std::string numbers = "{\"model_type\":\"llama\",\"a\":[1";
  for (int i = 0; i < 500'000; ++i) numbers += ",1";
  const struct {
    std::string what, json;
    std::vector<std::string> parts;  // empty: fine
  } cases[] = {
      {"empty", "", {"bad JSON"}},
      {"array", "[]", {"object"}},
      {"no model_type", "{}", {"model_type", "missing"}},
      {"model_type is null", R"({"model_type":null})", {"model_type", "missing"}},
      {"model_type is a number", R"({"model_type":5})", {"model_type", "is no string"}},
      {"architectures of a number",
       R"({"model_type":"llama","architectures":5})",
       {"architectures"}},
      {"depth bomb", "{\"a\":" + std::string(1'000'000, '['), {"deeper"}},
      {"depth bomb of objects",
       [] {
         std::string text;
         for (int i = 0; i < 100'000; ++i) text += "{\"a\":";
         return text;
       }(),
       {"deeper"}},
      {"2 MB", "{\"a\":\"" + std::string(2 << 20, 'x') + "\"}", {"size", "limit of 1048576"}},
      {"a key 100,000 times", many + "}", {}},
      {"500,000 numbers", numbers + "]}", {}},
      {"text_config is a number", R"({"model_type":"x","text_config":5})", {"text_config"}},
      {"hidden_act is a number", R"({"model_type":"llama","hidden_act":5})", {"hidden_act"}},
      {"bias is a string", R"({"model_type":"llama","attention_bias":"no"})", {"attention_bias"}},
      {"bias is null", R"({"model_type":"llama","attention_bias":null})", {"attention_bias"}},
      {"eos is a string", R"({"model_type":"llama","eos_token_id":"2"})", {"eos_token_id"}},
      {"eos is a list of strings",
       R"({"model_type":"llama","eos_token_id":["2"]})",
       {"eos_token_id"}},
      {"unknown dtype", R"({"model_type":"llama","dtype":"float128"})", {"dtype", "float128"}},
      {"unknown torch_dtype", R"({"model_type":"llama","torch_dtype":"x"})", {"torch_dtype"}},
      {"dtype is a number", R"({"model_type":"llama","dtype":16})", {"dtype", "is no string"}},
      {"invalid UTF-8", "{\"model_type\":\"\xff\"}", {"bad JSON"}},
      {"in the text part",
       R"({"model_type":"m","text_config":{"model_type":"llama","vocab_size":0}})",
       {"text_config.vocab_size", "0"}},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.what);
    const Status status = Measured(c.what, c.json.size(), [&] { return ParseAs(c.json, kLlama); });
    if (c.parts.empty()) {
      EXPECT_TRUE(status.ok()) << status.message();
    }
    for (const std::string& part : c.parts) ExpectRefused(status, "DIR/config.json", {part});
  }
  const TempFolder folder;
  auto missing = ConfigFile::Open(folder.path());
  ASSERT_FALSE(missing.ok());
  ExpectRefused(missing.status(), folder.path(), {"config.json", "No such file"});
}

TEST(Hostile, ConfigNeverRunsCode) {  // row 23, auto_map
  auto file = ConfigFile::Parse(R"({"model_type":"llama","auto_map":{"AutoModel":"evil.Model"}})",
                                "config.json");
  ASSERT_TRUE(file.ok());
  auto config = ParseModelConfig(*file, kLlama);
  ASSERT_TRUE(config.ok());
  ASSERT_EQ(config->notices.size(), 1u);
  EXPECT_NE(config->notices[0].find("auto_map"), std::string::npos);
}

TEST(Hostile, GenerationConfigs) {
  const struct {
    std::string json;
    std::vector<std::string> parts;
  } cases[] = {
      {"[]", {"object"}},
      {R"({"temperature":"1"})", {"temperature", "is no number"}},
      {R"({"temperature":NaN})", {"bad JSON"}},
      {R"({"temperature":1e400})", {"beyond a double"}},
      {R"({"top_k":1.5})", {"top_k", "is no integer"}},
      {R"({"top_k":9223372036854775807})", {"top_k", "limits"}},
      {R"({"max_length":-1})", {"max_length", "-1"}},
      {R"({"max_new_tokens":0})", {"max_new_tokens", "0"}},
      {R"({"max_new_tokens":18446744073709551615})", {"max_new_tokens", "18446744073709551615"}},
      {R"({"num_beams":0})", {"num_beams"}},
      {R"({"do_sample":"yes"})", {"do_sample", "is no boolean"}},
      {R"({"eos_token_id":"2"})", {"eos_token_id"}},
      {R"({"eos_token_id":4294967296})", {"eos_token_id", "4294967296"}},
      {R"({"bad_words_ids":[]})", {"bad_words_ids", "non-empty"}},
      {R"({"bad_words_ids":[[]]})", {"bad_words_ids", "non-empty"}},
      {R"({"bad_words_ids":[[-1]]})", {"bad_words_ids", "-1"}},
      {R"({"bad_words_ids":[5]})", {"bad_words_ids", "5"}},
      {R"({"sequence_bias":{"[1]":1.0}})", {"sequence_bias"}},
      {R"({"sequence_bias":[[[1],"x"]]})", {"sequence_bias"}},
      {R"({"sequence_bias":[[[1]]]})", {"sequence_bias"}},
      {R"({"suppress_tokens":[-1]})", {"suppress_tokens", "-1"}},
      {R"({"exponential_decay_length_penalty":[1]})", {"exponential_decay_length_penalty"}},
      {R"({"exponential_decay_length_penalty":[-1,2.0]})", {"exponential_decay_length_penalty"}},
      {R"({"early_stopping":"sometimes"})", {"early_stopping"}},
      {R"({"do_sample":true,"temperature":0})", {"temperature", "greedy"}},
      {R"({"do_sample":true,"temperature":-0.5})", {"temperature", "-0.5"}},
      {R"({"do_sample":true,"top_k":-1})", {"top_k", "-1"}},
      {R"({"do_sample":true,"top_p":1.5})", {"top_p", "1.5"}},
      {R"({"do_sample":true,"top_p":-0.1})", {"top_p", "-0.1"}},
      {R"({"do_sample":true,"min_p":2})", {"min_p", "2"}},
      {R"({"do_sample":true,"typical_p":0})", {"typical_p", "0"}},
      {R"({"do_sample":true,"top_h":0})", {"top_h", "0"}},
      {R"({"do_sample":true,"epsilon_cutoff":-1})", {"epsilon_cutoff"}},
      {R"({"do_sample":true,"eta_cutoff":7})", {"eta_cutoff"}},
      {R"({"repetition_penalty":0})", {"repetition_penalty", "above 0"}},
      {R"({"num_return_sequences":2})", {"num_return_sequences", "greedy"}},
      {R"({"num_return_sequences":3,"num_beams":2})", {"num_return_sequences", "num_beams, 2"}},
      {R"({"forced_eos_token_id":[1],"suppress_tokens":[1,2]})",
       {"forced_eos_token_id", "suppress_tokens"}},
  };
  const TempFolder folder;
  for (const auto& c : cases) {
    SCOPED_TRACE(c.json);
    const std::string path = folder.Write("generation_config.json", c.json);
    auto config = GenerationConfig::OpenFolder(folder.path());
    const Status status =
        config.ok() ? config->Validate(StatusCode::kBadFile, path) : config.status();
    for (const std::string& part : c.parts) ExpectRefused(status, path, {part});
  }
}

}  // namespace
}  // namespace fathom
