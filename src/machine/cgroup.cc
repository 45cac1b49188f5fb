// Where the limits stand:
//   /proc/self/cgroup     "0::/a/b" (v2), "4:memory:/a/b" (v1): the process's group per hierarchy
//   /proc/self/mountinfo  "... ROOT MOUNT_POINT ... - cgroup2|cgroup ...": where it is mounted, and
//                         which group is at the top of the mount (ROOT, in containers)
// The group's folder is MOUNT_POINT + (group without ROOT). Each level may limit, so all folders
// from there up to the mount point are read. A group outside ROOT (a container without its own
// cgroup namespace) cannot be seen: the mount point is then the nearest folder that is.
#include "machine/cgroup.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <vector>

#include "machine/detect.h"

namespace fathom {
namespace {

// v1 writes "no limit" as the largest number of pages: anything near it is none.
constexpr uint64_t kNoLimit = uint64_t{1} << 60;

std::vector<std::string_view> SplitBy(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const size_t at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

bool Contains(std::string_view list, std::string_view item) {
  const auto items = SplitBy(list, ',');
  return std::find(items.begin(), items.end(), item) != items.end();
}

// The kernel writes space, tab, newline and backslash in a path as \ooo.
std::string UnescapeOctal(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      int code = 0;
      for (size_t k = 1; k <= 3; ++k) code = code * 8 + (text[i + k] - '0');
      out += static_cast<char>(code);
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

// The process's group in the hierarchy of `controller` (v1), or in the unified one (v2: empty).
std::optional<std::string> GroupOf(const std::string& proc_cgroup, std::string_view controller) {
  for (const std::string_view line : SplitBy(proc_cgroup, '\n')) {
    const size_t first = line.find(':');
    const size_t second = first == std::string_view::npos ? first : line.find(':', first + 1);
    if (second == std::string_view::npos) continue;
    const std::string_view controllers = line.substr(first + 1, second - first - 1);
    if (controller.empty() ? controllers.empty() : Contains(controllers, controller)) {
      return std::string(line.substr(second + 1));
    }
  }
  return std::nullopt;
}

struct Mount {
  std::string top;    // the group at the top of the mount
  std::string point;  // the folder
};

std::optional<Mount> MountOf(const std::string& mountinfo, std::string_view controller) {
  for (const std::string_view line : SplitBy(mountinfo, '\n')) {
    const size_t dash = line.find(" - ");
    if (dash == std::string_view::npos) continue;
    const auto head = SplitBy(line.substr(0, dash), ' ');
    const auto tail = SplitBy(line.substr(dash + 3), ' ');
    if (head.size() < 5 || tail.empty()) continue;
    const bool wanted = controller.empty() ? tail[0] == "cgroup2"
                                           : tail[0] == "cgroup" && tail.size() >= 3 &&
                                                 Contains(tail[2], controller);
    if (wanted) return Mount{UnescapeOctal(head[3]), UnescapeOctal(head[4])};
  }
  return std::nullopt;
}

// The folders whose limits hold, innermost first, with `root` before them.
std::vector<std::string> Folders(const std::string& root, std::string_view controller) {
  const auto groups = ReadSystemFile(root + "/proc/self/cgroup");
  const auto mounts = ReadSystemFile(root + "/proc/self/mountinfo");
  if (!groups || !mounts) return {};
  const auto group = GroupOf(*groups, controller);
  const auto mount = MountOf(*mounts, controller);
  if (!group || !mount) return {};
  std::string below;  // the group's path below the mount point
  const std::string top = mount->top == "/" ? "" : mount->top;
  if (group->starts_with(top) && (group->size() == top.size() || (*group)[top.size()] == '/')) {
    below = group->substr(top.size());
  }
  if (below.find("..") != std::string::npos) below.clear();
  while (below.ends_with('/')) below.pop_back();
  std::vector<std::string> folders;
  while (true) {
    folders.push_back(root + mount->point + below);
    if (below.empty()) return folders;
    below.resize(below.rfind('/'));
  }
}

// nullopt: no such file, or no number in it ("max", "-1").
std::optional<uint64_t> ReadUint(const std::string& path) {
  const auto line = ReadSystemLine(path);
  if (!line) return std::nullopt;
  return ParseUint(*line);
}

// "name value" lines of memory.stat.
uint64_t StatField(const std::string& folder, std::string_view name) {
  const auto stat = ReadSystemFile(folder + "/memory.stat");
  if (!stat) return 0;
  for (const std::string_view line : SplitBy(*stat, '\n')) {
    if (line.size() > name.size() && line.starts_with(name) && line[name.size()] == ' ') {
      return ParseUint(line.substr(name.size() + 1)).value_or(0);
    }
  }
  return 0;
}

struct MemoryFiles {
  std::vector<std::string_view> limits;
  std::string_view usage;
  std::string_view reclaimable;  // of memory.stat
};

void ReadMemoryLevels(const std::vector<std::string>& folders, const MemoryFiles& files,
                      std::optional<CgroupMemory>& found) {
  for (const std::string& folder : folders) {
    for (const std::string_view file : files.limits) {
      const std::string path = fmt::format("{}/{}", folder, file);
      const uint64_t limit = ReadUint(path).value_or(kNoLimit);
      if (limit >= kNoLimit) continue;
      const uint64_t usage = ReadUint(fmt::format("{}/{}", folder, files.usage)).value_or(0);
      const uint64_t held = usage - std::min(usage, StatField(folder, files.reclaimable));
      const uint64_t free = limit - std::min(limit, held);
      if (!found) found = CgroupMemory{UINT64_MAX, UINT64_MAX, ""};
      if (limit < found->limit_bytes) {
        found->limit_bytes = limit;
        found->evidence = fmt::format("{}: {}", path, limit);
      }
      found->free_bytes = std::min(found->free_bytes, free);
    }
  }
}

void KeepSmaller(double cores, std::string evidence, std::optional<CgroupCpu>& found) {
  if (!found || cores < found->cores) found = CgroupCpu{cores, std::move(evidence)};
}

}  // namespace

std::optional<CgroupMemory> ReadCgroupMemory(const std::string& root) {
  std::optional<CgroupMemory> found;
  // memory.high slows a process down instead of killing it, to the same effect for us.
  ReadMemoryLevels(Folders(root, ""),
                   {{"memory.max", "memory.high"}, "memory.current", "inactive_file"}, found);
  ReadMemoryLevels(Folders(root, "memory"),
                   {{"memory.limit_in_bytes"}, "memory.usage_in_bytes", "total_inactive_file"},
                   found);
  return found;
}

std::optional<CgroupCpu> ReadCgroupCpu(const std::string& root) {
  std::optional<CgroupCpu> found;
  for (const std::string& folder : Folders(root, "")) {
    const auto line = ReadSystemLine(folder + "/cpu.max");  // "QUOTA|max PERIOD", microseconds
    if (!line) continue;
    const auto parts = SplitBy(*line, ' ');
    const auto quota = ParseUint(parts[0]);
    const uint64_t period = parts.size() > 1 ? ParseUint(parts[1]).value_or(0) : 100'000;
    if (!quota || period == 0) continue;
    KeepSmaller(static_cast<double>(*quota) / static_cast<double>(period),
                fmt::format("{}/cpu.max: {}", folder, *line), found);
  }
  for (const std::string& folder : Folders(root, "cpu")) {
    const auto quota = ReadUint(folder + "/cpu.cfs_quota_us");  // -1: none
    const uint64_t period = ReadUint(folder + "/cpu.cfs_period_us").value_or(0);
    if (!quota.has_value() || period == 0) continue;
    KeepSmaller(static_cast<double>(quota.value()) / static_cast<double>(period),
                fmt::format("{}/cpu.cfs_quota_us: {} of {}", folder, quota.value(), period), found);
  }
  return found;
}

}  // namespace fathom
