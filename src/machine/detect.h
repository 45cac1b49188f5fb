// The parts of DetectMachine. Each fills its part of a Machine and adds the evidence.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fathom/machine.h"

namespace fathom {

void AddEvidence(Machine& machine, std::string fact, std::string text);

// Vendor, brand, family, features, and caches where the CPU tells: one implementation is compiled.
void DetectCpuX86(Machine& machine);
void DetectCpuArm(const std::string& root, Machine& machine);
// The feature part alone.
CpuFeatures DetectFeaturesX86(Machine* evidence);
CpuFeatures DetectFeaturesArm(Machine* evidence);

// "Zen 5", "Sapphire Rapids-class"; empty where unknown. A virtual machine may report the number of
// an older model: where the features are beyond that model, they decide, and "-class" says so.
std::string MicroarchitectureX86(std::string_view vendor, int family, int model,
                                 CpuFeatures features);
std::string MicroarchitectureArm(int implementer, int part);

void DetectCaches(const std::string& root, Machine& machine);
// Affinity, topology and quota -> cores, logical_cpus, pin_order. `affinity`: the allowed CPUs.
void DetectCores(const std::string& root, const std::vector<int>& affinity, Machine& machine);
void DetectMemory(const std::string& root, Machine& machine);
void DetectGpus(bool ask_driver, Machine& machine);

// The first line of a small file of /proc or /sys, without its newline; nullopt where unreadable.
std::optional<std::string> ReadSystemLine(const std::string& path);
// All of it, up to 1 MiB.
std::optional<std::string> ReadSystemFile(const std::string& path);
// The decimal number at the start, after blanks; nullopt where there is none or it exceeds 64 bits.
std::optional<uint64_t> ParseUint(std::string_view text);
// "0-3,8" -> {0, 1, 2, 3, 8}; stops at the first thing that is not of this form.
std::vector<int> ParseCpuList(std::string_view text);

}  // namespace fathom
