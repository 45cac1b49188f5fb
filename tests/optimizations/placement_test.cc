// device_map: placements against accelerate's on simulated machines, and the options as text.
#include "optimizations/placement.h"

#include <gtest/gtest.h>

#include "base/json.h"

namespace fathom {
namespace {

JsonValue Golden() {
  auto value = ParseJsonFile(std::string(FATHOM_SOURCE_DIR) + "/tests/goldens/placements.json");
  EXPECT_TRUE(value.ok()) << value.status().message();
  return value.ok() ? *std::move(value) : JsonValue();
}

std::vector<DeviceBudget> Budgets(const JsonValue& list) {
  std::vector<DeviceBudget> budgets;
  for (const JsonValue& entry : list.as_array()) {
    budgets.push_back({entry.as_array()[0].as_string(), entry.as_array()[1].as_int()});
  }
  return budgets;
}

// All layers are alike: those of layer 0 stand for all.
PlacementModel ModelOf(const JsonValue& test) {
  PlacementModel model;
  const int64_t layers = test.Find("num_layers")->as_int();
  const JsonArray& tensors = test.Find("tensors")->as_array();
  const std::string first = ".layers.0.";
  const auto in_layer = [&](size_t i) {
    return i < tensors.size() &&
           tensors[i].as_array()[0].as_string().find(first) != std::string::npos;
  };
  for (size_t i = 0; i < tensors.size();) {
    size_t end = i;
    while (in_layer(end)) ++end;
    for (int64_t layer = 0; layer < (end > i ? layers : 1); ++layer) {
      for (size_t k = i; k < std::max(end, i + 1); ++k) {
        std::string name = tensors[k].as_array()[0].as_string();
        if (end > i)
          name.replace(name.find(first), first.size(), ".layers." + std::to_string(layer) + ".");
        model.tensors.push_back({name, tensors[k].as_array()[1].as_int()});
      }
    }
    i = std::max(end, i + 1);
  }
  for (int64_t layer = 0; layer < layers; ++layer) {
    model.whole.push_back("model.layers." + std::to_string(layer));
  }
  for (const JsonValue& group : test.Find("tied")->as_array()) {
    model.tied.emplace_back();
    for (const JsonValue& name : group.as_array()) model.tied.back().push_back(name.as_string());
  }
  return model;
}

TEST(Placement, IsAcceleratesOnSimulatedMachines) {
  const JsonValue golden = Golden();
  const JsonArray& cases = golden.Find("cases")->as_array();
  ASSERT_GE(cases.size(), 200u);
  std::map<std::string, int> devices;
  for (size_t i = 0; i < cases.size(); ++i) {
    SCOPED_TRACE(i);
    const JsonValue& test = cases[i];
    const PlacementModel model = ModelOf(test);
    const std::string mode = test.Find("mode")->as_string();
    std::vector<DeviceBudget> budgets = Budgets(*test.Find("budgets"));
    if (mode != "sequential") {
      budgets = BalancedBudgets(model, std::move(budgets), mode == "balanced_low_0");
    }
    EXPECT_EQ(budgets, Budgets(*test.Find("balanced"))) << mode;
    DeviceMap expected;
    for (const auto& [module, device] : test.Find("device_map")->as_object()) {
      expected[module] = device.as_string();
      ++devices[device.as_string()];
    }
    EXPECT_EQ(InferDeviceMap(model, budgets), expected) << mode;
  }
  for (const char* device : {"0", "1", "7", "cpu", "disk"}) EXPECT_GT(devices[device], 0) << device;
}

TEST(Placement, DeviceOfATensorIsThatOfItsInnermostModule) {
  const DeviceMap map = {{"", "cpu"}, {"model.layers.1", "disk"}, {"model.layers.1.mlp", "0"}};
  EXPECT_EQ(DeviceOf(map, "lm_head.weight"), "cpu");
  EXPECT_EQ(DeviceOf(map, "model.layers.10.mlp.up_proj.weight"), "cpu");
  EXPECT_EQ(DeviceOf(map, "model.layers.1.self_attn.q_proj.weight"), "disk");
  EXPECT_EQ(DeviceOf(map, "model.layers.1.mlp.up_proj.weight"), "0");
  EXPECT_EQ(DeviceOf({{"model", "0"}}, "lm_head.weight"), "");
}

// As accelerate's convert_file_size_to_int.
TEST(Placement, SizesAsText) {
  const std::pair<const char*, int64_t> known[] = {
      {"10GiB", 10737418240}, {"1.5MIB", 1572864},  {"2kib", 2048},
      {"10GB", 10000000000},  {"100MB", 100000000}, {"8Gb", 1000000000},
      {"0.5KB", 500},         {"8gb", 1000000000},  {"1 GB", 1000000000}};
  for (const auto& [text, bytes] : known) {
    const auto parsed = ParseByteSize(text, "--max-memory");
    ASSERT_TRUE(parsed.ok()) << text << ": " << parsed.status().message();
    EXPECT_EQ(*parsed, bytes) << text;
  }
  for (const char* bad : {"", "GB", "10", "10XB", "-1GB", "1e99GiB", "nanGB", "1.2.3MB"}) {
    EXPECT_EQ(ParseByteSize(bad, "--max-memory").status().code(), StatusCode::kUsage) << bad;
  }
}

TEST(Placement, MaxMemoryAsText) {
  const auto parsed = ParseMaxMemory(R"({"cpu": "1GB", 1: "2GiB", "0": 5, "disk": "3GB"})");
  ASSERT_TRUE(parsed.ok()) << parsed.status().message();
  EXPECT_EQ(*parsed, (std::vector<DeviceBudget>{
                         {"0", 5}, {"1", 2147483648}, {"cpu", 1000000000}, {"disk", 3000000000}}));
  EXPECT_EQ(*ParseMaxMemory("cpu=8GiB,0=1GB"),
            (std::vector<DeviceBudget>{{"0", 1000000000}, {"cpu", 8589934592}}));
  for (const char* bad :
       {"", "10GB", "cpu=", "cpu=1GB,", "[1]", R"({"gpu": "1GB"})", R"({"cpu": -1})",
        R"({"cpu": true})", R"({"cpu": "much"})", R"({"cpu":)"}) {
    EXPECT_EQ(ParseMaxMemory(bad).status().code(), StatusCode::kUsage) << bad;
  }
}

TEST(Placement, DeviceMapAsText) {
  for (const char* mode : {"auto", "balanced", "balanced_low_0", "sequential"}) {
    const auto parsed = ParseDeviceMap(mode);
    ASSERT_TRUE(parsed.ok());
    EXPECT_EQ(parsed->mode, mode);
  }
  EXPECT_EQ(ParseDeviceMap("cpu")->map, (DeviceMap{{"", "cpu"}}));
  EXPECT_EQ(ParseDeviceMap("cuda:1")->map, (DeviceMap{{"", "1"}}));
  EXPECT_EQ(ParseDeviceMap(R"({"model": 0, "lm_head": "cpu"})")->map,
            (DeviceMap{{"model", "0"}, {"lm_head", "cpu"}}));
  for (const char* bad : {"", "gpu", "autos", "{", R"({"model": null})", R"({"model": "x"})"}) {
    EXPECT_EQ(ParseDeviceMap(bad).status().code(), StatusCode::kUsage) << bad;
  }
}

}  // namespace
}  // namespace fathom
