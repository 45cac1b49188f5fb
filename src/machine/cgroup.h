// Limits that Linux control groups (v1 and v2) put on this process.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace fathom {

struct CgroupMemory {
  uint64_t limit_bytes = 0;  // the smallest limit from the process's group up to the root
  uint64_t free_bytes = 0;   // the smallest limit - usage of a level, its page cache not counted
  std::string evidence;      // the file with the smallest limit, and what it says
};

struct CgroupCpu {
  double cores = 0;  // quota / period, the smallest of the hierarchy
  std::string evidence;
};

// `root` stands before /proc/self/cgroup, /proc/self/mountinfo and the mount points found there.
// nullopt: no limit.
std::optional<CgroupMemory> ReadCgroupMemory(const std::string& root);
std::optional<CgroupCpu> ReadCgroupCpu(const std::string& root);

}  // namespace fathom
