// Placement (row device_map): which module of a model lies on which device, as a pure function of
// the modules' sizes and the devices' budgets. Gives what accelerate's infer_auto_device_map and
// get_balanced_memory give (accelerate 1.15, utils/modeling.py), for models whose tied tensors are
// leaves (a head tied to the embedding).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "fathom/status.h"

namespace fathom {

// Of the memory that is usable, what a device may hold by default (transformers).
inline constexpr double kUsableShare = 0.9;

struct PlacementTensor {
  std::string name;   // "model.layers.0.mlp.up_proj.weight"
  int64_t bytes = 0;  // 0: tied to one that stands before it
};

struct PlacementModel {
  // In the order of the modules: parameters, then buffers (the rotary frequencies).
  std::vector<PlacementTensor> tensors;
  std::vector<std::string> whole;              // modules that are never split: decoder layers
  std::vector<std::vector<std::string>> tied;  // names of tensors that are one
};

// Devices are "0", "1" ... (GPUs), "mps", "cpu", "disk"; in the order in which they are filled.
struct DeviceBudget {
  std::string device;
  int64_t bytes = 0;
  friend bool operator==(const DeviceBudget&, const DeviceBudget&) = default;
};

// Module (or tensor) -> device; "" is the whole model.
using DeviceMap = std::map<std::string, std::string>;

// The budgets that even out the use of the GPUs; low_zero keeps GPU 0 as empty as can be. The last
// GPU and the other devices keep theirs. Without a GPU: the budgets as they are.
std::vector<DeviceBudget> BalancedBudgets(const PlacementModel& model,
                                          std::vector<DeviceBudget> budgets, bool low_zero);

// Fills the devices in order, in the order of the modules; what is left goes to "disk". The first
// GPU and the CPU keep room for the largest layer that may have to visit them.
DeviceMap InferDeviceMap(const PlacementModel& model, const std::vector<DeviceBudget>& budgets);

// Device of a tensor under a map: that of the longest module name that holds it; empty: none.
std::string_view DeviceOf(const DeviceMap& map, std::string_view tensor);

// "10GiB", "500MB", "1.5kib"; as accelerate, "Gb" counts bits. kUsage naming `option`.
Result<int64_t> ParseByteSize(const std::string& text, const std::string& option);
// {"0": "10GiB", "cpu": 30000000000}, keys of GPUs also without quotation marks, or
// 0=10GiB,cpu=30GiB. In the order in
// which devices are filled: GPUs by number, mps, cpu, disk. kUsage for anything else.
Result<std::vector<DeviceBudget>> ParseMaxMemory(const std::string& text);

// --device-map: "auto", "balanced", "balanced_low_0", "sequential", or a map as JSON.
struct DeviceMapChoice {
  std::string mode;  // empty: `map` is given
  DeviceMap map;     // a device for all ("cpu") is {"": "cpu"}
};
Result<DeviceMapChoice> ParseDeviceMap(const std::string& text);

}  // namespace fathom
