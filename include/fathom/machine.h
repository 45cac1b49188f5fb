// Machine: what the computer at hand is, each fact with its evidence. Plain data: detected here, or
// read from a JSON file that describes another computer.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fathom/status.h"

namespace fathom {

// One instruction set extension. The names in JSON are Linux's (/proc/cpuinfo) on x86; on Arm:
// neon, fp16, dotprod, i8mm, bf16, sve, sve2. A feature counts as present only where the operating
// system saves its registers too.
enum class CpuFeature : uint8_t {
  kSse2,
  kSsse3,
  kSse41,
  kSse42,
  kPopcnt,
  kAvx,
  kF16c,
  kFma,
  kBmi1,
  kBmi2,
  kAvx2,
  kAvxVnni,
  kAvxVnniInt8,
  kAvx512f,
  kAvx512cd,
  kAvx512bw,
  kAvx512dq,
  kAvx512vl,
  kAvx512Vbmi,
  kAvx512Vbmi2,
  kAvx512Vnni,
  kAvx512Bf16,
  kAvx512Fp16,
  kAmxTile,
  kAmxInt8,
  kAmxBf16,
  kAmxFp16,
  kNeon,
  kFp16,
  kDotprod,
  kI8mm,
  kBf16,
  kSve,
  kSve2
};
inline constexpr int kCpuFeatureCount = static_cast<int>(CpuFeature::kSve2) + 1;

// A set of them.
class CpuFeatures {
 public:
  constexpr CpuFeatures() = default;
  constexpr CpuFeatures(std::initializer_list<CpuFeature> features) {
    for (const CpuFeature feature : features) Add(feature);
  }
  constexpr void Add(CpuFeature feature) { bits_ |= uint64_t{1} << static_cast<int>(feature); }
  constexpr bool Has(CpuFeature feature) const { return HasAll({feature}); }
  constexpr bool HasAll(CpuFeatures needed) const { return (needed.bits_ & ~bits_) == 0; }
  constexpr bool empty() const { return bits_ == 0; }
  constexpr CpuFeatures operator|(CpuFeatures other) const { return FromBits(bits_ | other.bits_); }
  constexpr CpuFeatures operator&(CpuFeatures other) const { return FromBits(bits_ & other.bits_); }
  constexpr CpuFeatures Without(CpuFeatures other) const { return FromBits(bits_ & ~other.bits_); }
  friend constexpr bool operator==(CpuFeatures, CpuFeatures) = default;

  std::vector<std::string_view> Names() const;  // in the order of the enum
  std::string ToString() const;                 // the names, separated by spaces

 private:
  static constexpr CpuFeatures FromBits(uint64_t bits) {
    CpuFeatures features;
    features.bits_ = bits;
    return features;
  }
  uint64_t bits_ = 0;
};

std::string_view CpuFeatureName(CpuFeature feature);
// False where no feature has this name.
bool CpuFeatureFromName(std::string_view name, CpuFeature* feature);

// What --isa forces: everything up to a level. baseline is what every CPU of the architecture has
// (SSE2; NEON without its extensions); avx2 adds Haswell's set and avx_vnni; avx512 adds all of
// AVX-512; amx adds the tiles; neon is all that an Arm CPU has.
enum class Isa : uint8_t { kBaseline, kAvx2, kAvx512, kAmx, kNeon };

std::string_view IsaName(Isa isa);
// kUsage for a name that is none of baseline, avx2, avx512, amx, neon.
Result<Isa> ParseIsa(std::string_view name);
// Without these a CPU is not of the level.
CpuFeatures FeaturesRequired(Isa isa);
// All features that belong to the level or to one below it.
CpuFeatures FeaturesOfLevel(Isa isa);
// The highest level that these features allow.
Isa BestIsa(CpuFeatures features);
// `features` limited to a level; kUsage, naming what is missing, where they do not reach it.
Result<CpuFeatures> FeaturesAllowed(CpuFeatures features, Isa isa);

struct CacheInfo {
  int level = 0;
  std::string type;  // "data", "instruction" or "unified"
  uint64_t size_bytes = 0;
  int line_bytes = 0;
  int shared_by_cpus = 0;  // 0: not told
  friend bool operator==(const CacheInfo&, const CacheInfo&) = default;
};

struct CpuInfo {
  std::string architecture;       // "x86_64", "aarch64"
  std::string vendor;             // "GenuineIntel", "AuthenticAMD", "Arm", "Apple"
  std::string brand;              // as the CPU gives it; generic on many virtual machines
  std::string microarchitecture;  // "Zen 5"; "Sapphire Rapids-class" where told by its features
  std::string model;              // brand and microarchitecture in one line
  int family = 0, model_number = 0, stepping = 0;
  bool virtual_machine = false;

  // Threads worth starting: physical cores that this process may run on, within the CPU quota. A
  // quota that is no whole number is rounded down (never below 1; 3.95 and more count as 4):
  // threads that spin at a barrier use all of their time, and one thread too many stops all for the
  // rest of a quota period.
  int cores = 1;
  int logical_cpus = 1;        // CPUs in the affinity mask
  double quota_cores = 0;      // 0: no quota
  std::vector<int> pin_order;  // CPUs to pin threads to: one of each physical core first
  CpuFeatures features;
  std::vector<CacheInfo> caches;

  // Size of one data or unified cache of the level; 0 where not told.
  uint64_t CacheBytes(int level) const;
  friend bool operator==(const CpuInfo&, const CpuInfo&) = default;
};

struct MemoryInfo {
  uint64_t total_bytes = 0;   // of the machine
  uint64_t limit_bytes = 0;   // of this process's cgroups, the smallest of the hierarchy; 0: none
  uint64_t usable_bytes = 0;  // free or reclaimable now, within the limit
  friend bool operator==(const MemoryInfo&, const MemoryInfo&) = default;
};

struct GpuInfo {
  std::string kind;  // "cuda" or "mps"
  std::string name;
  uint64_t total_bytes = 0;
  uint64_t usable_bytes = 0;       // free now; mps: what the system recommends at most
  std::string compute_capability;  // cuda: "9.0"
  int multiprocessors = 0;         // cuda
  std::string driver;              // cuda: the driver's version and its CUDA version
  friend bool operator==(const GpuInfo&, const GpuInfo&) = default;
};

// Measured limits of the machine; 0: not measured. A rate is the best of several samples on random
// data, over all `threads`.
struct Roofs {
  double read_stream_gb_per_s = 0;  // memory, read once in order; best over 1..threads threads
  double fp32_peak_tflops = 0;      // multiply-adds from registers, each counted as 2
  double bf16_peak_tflops = 0;      // with fp32 sums
  double int8_peak_tops = 0;        // with int32 sums

  std::string isa;  // the level measured
  int threads = 0;
  std::string read_stream_variant, fp32_unit, bf16_unit, int8_unit;  // which code was fastest
  uint64_t read_stream_bytes = 0;                                    // read over and over
  // What fewer threads read: {threads, GB/s}.
  std::vector<std::pair<int, double>> read_stream_by_threads;
  friend bool operator==(const Roofs&, const Roofs&) = default;
};

struct Machine {
  std::string source = "detected";  // or the file that it was read from
  CpuInfo cpu;
  MemoryInfo memory;
  std::vector<GpuInfo> gpus;
  Roofs roofs;
  // Fact -> how it is known. Facts are spelled as in the JSON ("cpu.cores", "cpu.isa.avx512f",
  // "memory.usable_bytes", "gpus.cuda"); an absent one says why where that is worth knowing
  // ("gpus.cuda", "cpu.isa.amx_tile").
  std::vector<std::pair<std::string, std::string>> evidence;

  std::string_view EvidenceOf(std::string_view fact) const;  // empty: none
  friend bool operator==(const Machine&, const Machine&) = default;
};

struct DetectOptions {
  // Put before /proc, /sys and the cgroup mounts; for tests.
  std::string root;
  // Asking the GPU driver takes up to some tenths of a second.
  bool gpus = true;
};

// Never fails: what cannot be found out stays at its default. On Linux it asks the kernel for the
// permission to use AMX tiles, which holds for the whole process from then on.
Machine DetectMachine(const DetectOptions& options = {});

// The features of the CPU that this process runs on, found out once. What a kernel needs is asked
// here; a Machine may describe another computer.
CpuFeatures HostCpuFeatures();

// A JSON object over several lines. Reading it back gives an equal Machine.
std::string MachineToJson(const Machine& machine);
// kBadFile: no JSON, a wrong type, an unknown instruction set, a negative count. Every field may be
// missing but cpu.isa; unknown fields are ignored. `what` names the text in errors.
Result<Machine> MachineFromJson(std::string_view text, std::string_view what);
Result<Machine> ReadMachineFile(const std::string& path);
// What --machine names: "mac-mps" (a laptop with an M3), "cuda" (a server with an H100), else a
// file.
Result<Machine> DescribedMachine(const std::string& name_or_path);

}  // namespace fathom
