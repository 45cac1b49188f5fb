// Memory and caches of the machine.
#include <fmt/format.h>
#ifdef __APPLE__
#include <mach/mach.h>
#include <sys/sysctl.h>
#endif
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include <algorithm>

#include "base/thread_pool.h"
#include "machine/cgroup.h"
#include "machine/detect.h"

namespace fathom {
namespace {

// "MemTotal:       24684084 kB" -> bytes; 0 where missing.
uint64_t MeminfoField(std::string_view meminfo, std::string_view name) {
  size_t at = meminfo.find(name);
  while (at != std::string_view::npos) {
    const bool line_start = at == 0 || meminfo[at - 1] == '\n';
    const size_t colon = at + name.size();
    if (line_start && colon < meminfo.size() && meminfo[colon] == ':') {
      const uint64_t kilobytes = ParseUint(meminfo.substr(colon + 1)).value_or(0);
      return std::min(kilobytes, UINT64_MAX / 1024) * 1024;
    }
    at = meminfo.find(name, at + 1);
  }
  return 0;
}

// "48K", "2M" of sysfs.
uint64_t ParseCacheSize(std::string_view text) {
  const uint64_t value = ParseUint(text).value_or(0);
  const uint64_t unit = text.ends_with('K') ? 1 << 10 : text.ends_with('M') ? 1 << 20 : 1;
  return value > (uint64_t{1} << 40) ? 0 : value * unit;
}

bool CachesFromSysfs(const std::string& root, int cpu, Machine& machine) {
  const std::string folder = fmt::format("{}/sys/devices/system/cpu/cpu{}/cache", root, cpu);
  for (int index = 0; index < 16; ++index) {
    const std::string path = fmt::format("{}/index{}/", folder, index);
    const auto level = ReadSystemLine(path + "level");
    const auto size = ReadSystemLine(path + "size");
    if (!level || !size) break;
    CacheInfo cache;
    cache.level = static_cast<int>(std::min<uint64_t>(ParseUint(*level).value_or(0), 9));
    cache.type = ReadSystemLine(path + "type").value_or("unified");
    std::transform(cache.type.begin(), cache.type.end(), cache.type.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    cache.size_bytes = ParseCacheSize(*size);
    const std::string line = ReadSystemLine(path + "coherency_line_size").value_or("");
    cache.line_bytes = static_cast<int>(std::min<uint64_t>(ParseUint(line).value_or(0), 4096));
    const std::string shared = ReadSystemLine(path + "shared_cpu_list").value_or("");
    cache.shared_by_cpus = static_cast<int>(ParseCpuList(shared).size());
    if (cache.level > 0 && cache.size_bytes > 0) machine.cpu.caches.push_back(std::move(cache));
  }
  if (machine.cpu.caches.empty()) return false;
  AddEvidence(machine, "cpu.caches", folder);
  return true;
}

#if defined(__x86_64__)
void CachesFromCpuid(Machine& machine) {
  const bool amd = machine.cpu.vendor == "AuthenticAMD" || machine.cpu.vendor == "HygonGenuine";
  const uint32_t leaf = amd ? 0x8000001D : 4;
  for (uint32_t index = 0; index < 16; ++index) {
    uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
    if (!__get_cpuid_count(leaf, index, &eax, &ebx, &ecx, &edx) || (eax & 31) == 0) break;
    constexpr std::string_view kTypes[] = {"", "data", "instruction", "unified"};
    const uint32_t type = eax & 31;
    if (type > 3) continue;
    CacheInfo cache;
    cache.level = static_cast<int>((eax >> 5) & 7);
    cache.type = kTypes[type];
    cache.line_bytes = static_cast<int>((ebx & 0xFFF) + 1);
    const uint64_t partitions = ((ebx >> 12) & 0x3FF) + 1;
    const uint64_t ways = ((ebx >> 22) & 0x3FF) + 1;
    cache.size_bytes =
        static_cast<uint64_t>(cache.line_bytes) * partitions * ways * (uint64_t{ecx} + 1);
    machine.cpu.caches.push_back(std::move(cache));
  }
  if (!machine.cpu.caches.empty()) {
    AddEvidence(machine, "cpu.caches", fmt::format("cpuid {:#x}", leaf));
  }
}
#endif

#ifdef __APPLE__
uint64_t SysctlUint(const char* name) {
  uint64_t value = 0;
  size_t size = sizeof(value);
  return sysctlbyname(name, &value, &size, nullptr, 0) == 0 ? value : 0;
}

void CachesFromSysctl(Machine& machine) {
  const int line = static_cast<int>(SysctlUint("hw.cachelinesize"));
  const std::pair<int, const char*> kNames[] = {{1, "hw.perflevel0.l1dcachesize"},
                                                {2, "hw.perflevel0.l2cachesize"}};
  for (const auto& [level, name] : kNames) {
    const uint64_t size = SysctlUint(name);
    if (size == 0) continue;
    machine.cpu.caches.push_back({level, level == 1 ? "data" : "unified", size, line, 0});
  }
  AddEvidence(machine, "cpu.caches", "sysctl hw.perflevel0");
}

void MemoryFromMach(Machine& machine) {
  machine.memory.total_bytes = SysctlUint("hw.memsize");
  vm_statistics64_data_t info = {};
  mach_msg_type_number_t count = HOST_VM_INFO64_COUNT;
  if (host_statistics64(mach_host_self(), HOST_VM_INFO64, reinterpret_cast<host_info64_t>(&info),
                        &count) == KERN_SUCCESS) {
    const uint64_t pages = uint64_t{info.free_count} + info.inactive_count + info.purgeable_count;
    machine.memory.usable_bytes = pages * vm_kernel_page_size;
  }
  AddEvidence(machine, "memory.total_bytes", "sysctl hw.memsize");
  AddEvidence(machine, "memory.usable_bytes", "host_statistics64: free, inactive, purgeable pages");
}
#endif

}  // namespace

void DetectCaches(const std::string& root, Machine& machine) {
#ifdef __APPLE__
  CachesFromSysctl(machine);
#else
  const int cpu = machine.cpu.pin_order.empty() ? 0 : machine.cpu.pin_order.front();
  if (CachesFromSysfs(root, cpu, machine)) return;
#if defined(__x86_64__)
  CachesFromCpuid(machine);
#endif
#endif
  if (machine.cpu.caches.empty()) AddEvidence(machine, "cpu.caches", "the system does not tell");
}

void DetectMemory(const std::string& root, Machine& machine) {
#ifdef __APPLE__
  MemoryFromMach(machine);
#else
  const std::string meminfo = ReadSystemFile(root + "/proc/meminfo").value_or("");
  MemoryInfo& memory = machine.memory;
  memory.total_bytes = MeminfoField(meminfo, "MemTotal");
  memory.usable_bytes = MeminfoField(meminfo, "MemAvailable");
  std::string evidence = "/proc/meminfo: MemAvailable";
  if (memory.usable_bytes == 0) {  // kernels before 3.14
    memory.usable_bytes = MeminfoField(meminfo, "MemFree") + MeminfoField(meminfo, "Cached");
    evidence = "/proc/meminfo: MemFree + Cached";
  }
  AddEvidence(machine, "memory.total_bytes", "/proc/meminfo: MemTotal");
  const auto group = ReadCgroupMemory(root);
  // A limit above what the machine has is none.
  if (group && (memory.total_bytes == 0 || group->limit_bytes < memory.total_bytes)) {
    memory.limit_bytes = group->limit_bytes;
    AddEvidence(machine, "memory.limit_bytes", group->evidence);
  } else {
    AddEvidence(machine, "memory.limit_bytes", "no cgroup sets one");
  }
  if (group && group->free_bytes < memory.usable_bytes) {
    memory.usable_bytes = group->free_bytes;
    evidence = fmt::format("cgroup limit less what is in use ({})", group->evidence);
  }
  AddEvidence(machine, "memory.usable_bytes", std::move(evidence));
#endif
}

}  // namespace fathom
