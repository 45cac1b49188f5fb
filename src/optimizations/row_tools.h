// What the rows share: switching a row, the devices this build cannot use, the type that runs.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/units.h"
#include "optimizations/optimization.h"

namespace fathom {

// `options` with the row neither enabled, disabled nor required by name.
EngineOptions WithoutNaming(const EngineOptions& options, std::string_view id);

// Whether --enable ID, --disable ID stand (enable wins over disable).
bool IsEnabled(const EngineOptions& options, std::string_view id);
bool IsDisabled(const EngineOptions& options, std::string_view id);

// The CPU features that may be used: the machine's, limited by --isa.
CpuFeatures UsableFeatures(const RowInput& input);

// "float32", "bfloat16", "int8" ...: what the weights run in, before the row dtype was applied too.
// "" where that hangs on a model and none is named.
std::string DTypeAsRun(const RowInput& input);

// Of a linear layer, with its scales; 32 for "".
double BitsPerWeight(std::string_view dtype);

// The status of "mps" or "cuda" for a row that runs on the device: unavailable, naming the device
// that is missing, the backend that is missing, or both.
DeviceStatus DeviceWithoutBackend(const RowInput& input, std::string_view device);
// What would provide what is missing for `device`.
std::string RemedyForDevices(const RowInput& input);

// A detection with `cpu` as given and the other devices as this build finds them. Evidence: how it
// is known that there are or are no GPUs.
Detection DetectOn(const RowInput& input, DeviceStatus cpu, std::vector<std::string> evidence = {});

// Adds "FACT: how" of the machine, where it says so.
void AddMachineEvidence(const Machine& machine, std::string_view fact,
                        std::vector<std::string>& evidence);

// The two arms of a row that is a switch (EngineOptions::IsOn): off, on.
std::vector<Arm> SwitchArms(const RowInput& input, std::string_view device, const Optimization& row,
                            std::string_view on_value = "True",
                            std::string_view off_value = "False");

// The outcome of a row that is a switch: unavailable, off, no_effect or on, with `reason` where it
// is on.
RowOutcome SwitchOutcome(const RowInput& input, std::string_view device, const Optimization& row,
                         std::string reason, std::string_view on_value = "True",
                         std::string_view off_value = "False");

// "turned off by --disable ID".
std::string DisabledReason(const RowInput& input, std::string_view id);

// kUsage: `--a x` and `--b y` contradict each other, with the reason.
Status Contradiction(std::string_view one, std::string_view other, std::string why);

}  // namespace fathom
