#include <fmt/format.h>
#ifdef __APPLE__
#include <sys/sysctl.h>
#endif

#include <algorithm>
#include <thread>

#include "base/thread_pool.h"
#include "fathom/machine.h"
#include "machine/cgroup.h"
#include "machine/detect.h"

namespace fathom {
namespace {

// A quota this close below a whole number counts as that number.
constexpr double kQuotaSlack = 0.05;

// The lowest CPU that shares a physical core with `cpu`; itself where that is not told.
int CoreOf(const std::string& root, int cpu) {
  const std::string folder = fmt::format("{}/sys/devices/system/cpu/cpu{}/topology/", root, cpu);
  for (const char* file : {"core_cpus_list", "thread_siblings_list"}) {
    const auto line = ReadSystemLine(folder + file);
    const std::vector<int> siblings = line ? ParseCpuList(*line) : std::vector<int>();
    if (!siblings.empty()) return siblings.front();
  }
  return cpu;
}

int PhysicalCoresWithoutAffinity() {
#ifdef __APPLE__
  // Performance cores: a slow core at a barrier holds up the fast ones.
  for (const char* name : {"hw.perflevel0.physicalcpu", "hw.physicalcpu"}) {
    int count = 0;
    size_t size = sizeof(count);
    if (sysctlbyname(name, &count, &size, nullptr, 0) == 0 && count > 0) return count;
  }
#endif
  return static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
}

}  // namespace

void AddEvidence(Machine& machine, std::string fact, std::string text) {
  machine.evidence.emplace_back(std::move(fact), std::move(text));
}

std::string_view Machine::EvidenceOf(std::string_view fact) const {
  for (const auto& [name, text] : evidence) {
    if (name == fact) return text;
  }
  return "";
}

uint64_t CpuInfo::CacheBytes(int level) const {
  for (const CacheInfo& cache : caches) {
    if (cache.level == level && cache.type != "instruction") return cache.size_bytes;
  }
  return 0;
}

void DetectCores(const std::string& root, const std::vector<int>& affinity, Machine& machine) {
  CpuInfo& cpu = machine.cpu;
  std::vector<int> cores_seen;
  std::vector<int> second_threads;
  cpu.pin_order.clear();
  for (const int id : affinity) {
    const int core = CoreOf(root, id);
    const bool fresh = std::find(cores_seen.begin(), cores_seen.end(), core) == cores_seen.end();
    if (fresh) cores_seen.push_back(core);
    (fresh ? cpu.pin_order : second_threads).push_back(id);
  }
  cpu.cores = static_cast<int>(cores_seen.size());
  cpu.logical_cpus = static_cast<int>(affinity.size());
  std::string evidence =
      fmt::format("sched_getaffinity: {} CPUs on {} physical cores", cpu.logical_cpus, cpu.cores);
  if (affinity.empty()) {
    cpu.cores = PhysicalCoresWithoutAffinity();
    cpu.logical_cpus = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
    evidence = fmt::format("the system's count: {} CPUs on {} physical cores", cpu.logical_cpus,
                           cpu.cores);
  }
  cpu.pin_order.insert(cpu.pin_order.end(), second_threads.begin(), second_threads.end());
  if (const auto quota = ReadCgroupCpu(root)) {
    cpu.quota_cores = quota->cores;
    const int whole = std::max(1, static_cast<int>(std::min(quota->cores + kQuotaSlack, 1e6)));
    cpu.cores = std::min(cpu.cores, whole);
    evidence +=
        fmt::format("; quota of {:.2f} cores, rounded down ({})", quota->cores, quota->evidence);
  }
  AddEvidence(machine, "cpu.cores", std::move(evidence));
}

Machine DetectMachine(const DetectOptions& options) {
  Machine machine;
#if defined(__x86_64__)
  DetectCpuX86(machine);
#elif defined(__aarch64__)
  DetectCpuArm(options.root, machine);
#endif
  CpuInfo& cpu = machine.cpu;
  cpu.model = cpu.brand;
  if (!cpu.microarchitecture.empty() &&
      cpu.brand.find(cpu.microarchitecture) == std::string::npos) {
    cpu.model = cpu.brand.empty() ? cpu.microarchitecture
                                  : fmt::format("{} ({})", cpu.brand, cpu.microarchitecture);
  }
  if (cpu.model.empty()) cpu.model = cpu.vendor.empty() ? "unknown" : cpu.vendor;
  DetectCores(options.root, AffinityCpus(), machine);
  DetectCaches(options.root, machine);
  DetectMemory(options.root, machine);
  DetectGpus(options.gpus, machine);
  return machine;
}

CpuFeatures HostCpuFeatures() {
#if defined(__x86_64__)
  static const CpuFeatures features = DetectFeaturesX86(nullptr);
#elif defined(__aarch64__)
  static const CpuFeatures features = DetectFeaturesArm(nullptr);
#else
  static const CpuFeatures features;
#endif
  return features;
}

}  // namespace fathom
