// Cores, caches and memory under folders made up to look like /proc and /sys.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "machine/cgroup.h"
#include "machine/detect.h"

namespace fathom {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr uint64_t kGiB = uint64_t{1} << 30;

class FakeSystem : public testing::Test {
 protected:
  FakeSystem() {
    root_ = testing::TempDir() + "fathom_system_" + std::to_string(getpid()) + "_" +
            testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(root_);
  }
  ~FakeSystem() override { std::filesystem::remove_all(root_); }

  void Write(const std::string& path, const std::string& text) {
    const std::filesystem::path file = root_ + path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  // The unified hierarchy at /sys/fs/cgroup, with `top` as the group at its top.
  void MountV2(const std::string& group, const std::string& top = "/") {
    Write("/proc/self/cgroup", "0::" + group + "\n");
    Write("/proc/self/mountinfo",
          "22 1 0:20 / /proc rw - proc proc rw\n"
          "31 23 0:26 " +
              top + " /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup rw\n");
  }
  void MountV1(const std::string& group, const std::string& top = "/") {
    Write("/proc/self/cgroup",
          "9:name=systemd:/x\n5:cpuacct,cpu:" + group + "\n4:memory:" + group + "\n0::/\n");
    Write("/proc/self/mountinfo",
          "31 23 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"
          "32 31 0:29 " +
              top +
              " /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
              "35 31 0:32 " +
              top +
              " /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
              "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n");
  }

  std::string root_;
};

TEST_F(FakeSystem, NothingThereMeansNoLimit) {
  EXPECT_FALSE(ReadCgroupMemory(root_));
  EXPECT_FALSE(ReadCgroupCpu(root_));
  Machine machine;
  DetectMemory(root_, machine);
  EXPECT_EQ(machine.memory, MemoryInfo());
  DetectCores(root_, {0, 1, 2}, machine);
  EXPECT_EQ(machine.cpu.cores, 3);
}

TEST_F(FakeSystem, V2TakesTheSmallestLimitOfTheHierarchy) {
  MountV2("/app/worker");
  Write("/sys/fs/cgroup/app/worker/memory.max", "max\n");
  Write("/sys/fs/cgroup/app/worker/memory.high", "max\n");
  Write("/sys/fs/cgroup/app/memory.max", std::to_string(4 * kGiB) + "\n");
  Write("/sys/fs/cgroup/app/memory.current", std::to_string(3 * kGiB) + "\n");
  Write("/sys/fs/cgroup/app/memory.stat", "anon 1\ninactive_file_x 7\ninactive_file " +
                                              std::to_string(2 * kGiB) + "\nactive_file 5\n");
  Write("/sys/fs/cgroup/memory.max", std::to_string(8 * kGiB) + "\n");
  const auto memory = ReadCgroupMemory(root_);
  ASSERT_TRUE(memory);
  EXPECT_EQ(memory->limit_bytes, 4 * kGiB);
  EXPECT_EQ(memory->free_bytes, 3 * kGiB);  // 4 - (3 in use - 2 of page cache)
  EXPECT_THAT(memory->evidence, HasSubstr("/app/memory.max"));
}

TEST_F(FakeSystem, TheFullestLevelDecidesWhatIsFree) {
  MountV2("/a");
  Write("/sys/fs/cgroup/a/memory.max", std::to_string(4 * kGiB));
  Write("/sys/fs/cgroup/a/memory.current", std::to_string(1 * kGiB));
  Write("/sys/fs/cgroup/memory.max", std::to_string(8 * kGiB));
  Write("/sys/fs/cgroup/memory.current", std::to_string(7 * kGiB));
  const auto memory = ReadCgroupMemory(root_);
  ASSERT_TRUE(memory);
  EXPECT_EQ(memory->limit_bytes, 4 * kGiB);
  EXPECT_EQ(memory->free_bytes, 1 * kGiB);
}

TEST_F(FakeSystem, MoreInUseThanTheLimitLeavesNothing) {
  MountV2("/");
  Write("/sys/fs/cgroup/memory.high", "1000");
  Write("/sys/fs/cgroup/memory.current", "5000");
  const auto memory = ReadCgroupMemory(root_);
  ASSERT_TRUE(memory);
  EXPECT_EQ(memory->limit_bytes, 1000u);
  EXPECT_EQ(memory->free_bytes, 0u);
}

TEST_F(FakeSystem, V1LimitsAndItsNoLimit) {
  MountV1("/docker/abc");
  Write("/sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes", std::to_string(2 * kGiB));
  Write("/sys/fs/cgroup/memory/docker/abc/memory.usage_in_bytes", std::to_string(kGiB));
  Write("/sys/fs/cgroup/memory/docker/abc/memory.stat",
        "total_inactive_file " + std::to_string(kGiB / 2) + "\n");
  Write("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  const auto memory = ReadCgroupMemory(root_);
  ASSERT_TRUE(memory);
  EXPECT_EQ(memory->limit_bytes, 2 * kGiB);
  EXPECT_EQ(memory->free_bytes, 2 * kGiB - kGiB / 2);

  Write("/sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes", "9223372036854771712\n");
  EXPECT_FALSE(ReadCgroupMemory(root_));
}

TEST_F(FakeSystem, AContainersMountBeginsBelowTheHostsRoot) {
  MountV2("/kubepods/pod1/c1", "/kubepods/pod1");
  Write("/sys/fs/cgroup/c1/cpu.max", "250000 100000\n");
  const auto cpu = ReadCgroupCpu(root_);
  ASSERT_TRUE(cpu);
  EXPECT_DOUBLE_EQ(cpu->cores, 2.5);
  // A group that is not below the mount's top: only the top can be seen. "/kubepods/pod10" begins
  // with "/kubepods/pod1" as text alone.
  MountV2("/kubepods/pod10/c1", "/kubepods/pod1");
  Write("/sys/fs/cgroup/cpu.max", "150000 100000\n");
  EXPECT_DOUBLE_EQ(ReadCgroupCpu(root_)->cores, 1.5);
}

TEST_F(FakeSystem, QuotaOfEitherVersionTheSmallestWins) {
  MountV2("/a/b");
  Write("/sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
  EXPECT_FALSE(ReadCgroupCpu(root_));
  Write("/sys/fs/cgroup/a/cpu.max", "400000 100000\n");
  Write("/sys/fs/cgroup/a/b/cpu.max", "600000 100000\n");
  EXPECT_DOUBLE_EQ(ReadCgroupCpu(root_)->cores, 4);

  MountV1("/job");
  Write("/sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us", "-1\n");
  Write("/sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_period_us", "100000\n");
  EXPECT_FALSE(ReadCgroupCpu(root_));
  Write("/sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us", "50000\n");
  EXPECT_DOUBLE_EQ(ReadCgroupCpu(root_)->cores, 0.5);
}

TEST_F(FakeSystem, SurvivesNonsense) {
  MountV2("/../../etc");
  Write("/sys/fs/cgroup/cpu.max", "x y\n");
  Write("/sys/fs/cgroup/memory.max", "-3\n");
  EXPECT_FALSE(ReadCgroupCpu(root_));
  EXPECT_FALSE(ReadCgroupMemory(root_));
  Write("/sys/fs/cgroup/cpu.max", "100000 0\n");
  EXPECT_FALSE(ReadCgroupCpu(root_));
  Write("/sys/fs/cgroup/cpu.max", "");
  EXPECT_FALSE(ReadCgroupCpu(root_));
  Write("/proc/self/cgroup", "no colons\n:\n\n");
  Write("/proc/self/mountinfo", " - \nx - cgroup2\n");
  EXPECT_FALSE(ReadCgroupMemory(root_));
}

TEST_F(FakeSystem, AQuotaIsRoundedDownButNeverBelowOne) {
  const std::pair<const char*, int> cases[] = {{"10000 100000", 1},  {"100000 100000", 1},
                                               {"199000 100000", 2}, {"150000 100000", 1},
                                               {"399000 100000", 4}, {"990000000 100000", 8}};
  for (const auto& [quota, cores] : cases) {
    MountV2("/");
    Write("/sys/fs/cgroup/cpu.max", quota);
    Machine machine;
    DetectCores(root_, {0, 1, 2, 3, 4, 5, 6, 7}, machine);
    EXPECT_EQ(machine.cpu.cores, cores) << quota;
    EXPECT_EQ(machine.cpu.logical_cpus, 8);
    EXPECT_THAT(machine.EvidenceOf("cpu.cores"), HasSubstr(quota));
  }
}

TEST_F(FakeSystem, CountsPhysicalCoresAndPinsToThemFirst) {
  for (int cpu = 0; cpu < 8; ++cpu) {  // four cores of two threads: 0 and 4, 1 and 5 ...
    Write("/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/thread_siblings_list",
          std::to_string(cpu % 4) + "," + std::to_string(cpu % 4 + 4) + "\n");
  }
  Machine machine;
  DetectCores(root_, {0, 1, 2, 3, 4, 5, 6, 7}, machine);
  EXPECT_EQ(machine.cpu.cores, 4);
  EXPECT_EQ(machine.cpu.logical_cpus, 8);
  EXPECT_THAT(machine.cpu.pin_order, ElementsAre(0, 1, 2, 3, 4, 5, 6, 7));
  Machine part;
  DetectCores(root_, {1, 3, 5, 6}, part);  // 1 and 5 share a core
  EXPECT_EQ(part.cpu.cores, 3);
  EXPECT_THAT(part.cpu.pin_order, ElementsAre(1, 3, 6, 5));
}

TEST_F(FakeSystem, MemoryIsTheSmallerOfMachineAndLimit) {
  Write("/proc/meminfo",
        "MemTotal:       16777216 kB\nMemFree: 1 kB\nMemAvailable:   8388608 kB\n");
  Machine free;
  DetectMemory(root_, free);
  EXPECT_EQ(free.memory.total_bytes, 16 * kGiB);
  EXPECT_EQ(free.memory.usable_bytes, 8 * kGiB);
  EXPECT_EQ(free.memory.limit_bytes, 0u);

  MountV2("/");
  Write("/sys/fs/cgroup/memory.max", std::to_string(2 * kGiB));
  Write("/sys/fs/cgroup/memory.current", std::to_string(kGiB / 2));
  Machine limited;
  DetectMemory(root_, limited);
  EXPECT_EQ(limited.memory.total_bytes, 16 * kGiB);
  EXPECT_EQ(limited.memory.limit_bytes, 2 * kGiB);
  EXPECT_EQ(limited.memory.usable_bytes, 2 * kGiB - kGiB / 2);

  Write("/sys/fs/cgroup/memory.max", std::to_string(64 * kGiB));  // more than there is
  Machine loose;
  DetectMemory(root_, loose);
  EXPECT_EQ(loose.memory.limit_bytes, 0u);
  EXPECT_EQ(loose.memory.usable_bytes, 8 * kGiB);
}

TEST_F(FakeSystem, MemoryOfAKernelWithoutMemAvailable) {
  Write("/proc/meminfo",
        "MemTotal: 4194304 kB\nMemFree: 1048576 kB\nSwapCached: 5 kB\nCached: 1048576 kB\n");
  Machine machine;
  DetectMemory(root_, machine);
  EXPECT_EQ(machine.memory.usable_bytes, 2 * kGiB);
  EXPECT_THAT(machine.EvidenceOf("memory.usable_bytes"), HasSubstr("MemFree"));
}

TEST_F(FakeSystem, CachesFromSysfs) {
  const std::string folder = "/sys/devices/system/cpu/cpu3/cache/";
  Write(folder + "index0/level", "1\n");
  Write(folder + "index0/type", "Data\n");
  Write(folder + "index0/size", "48K\n");
  Write(folder + "index0/coherency_line_size", "64\n");
  Write(folder + "index0/shared_cpu_list", "3,7\n");
  Write(folder + "index1/level", "2\n");
  Write(folder + "index1/type", "Unified\n");
  Write(folder + "index1/size", "2M\n");
  Machine machine;
  machine.cpu.pin_order = {3, 7};
  DetectCaches(root_, machine);
  ASSERT_EQ(machine.cpu.caches.size(), 2u);
  EXPECT_EQ(machine.cpu.caches[0], (CacheInfo{1, "data", 48 << 10, 64, 2}));
  EXPECT_EQ(machine.cpu.caches[1], (CacheInfo{2, "unified", 2 << 20, 0, 0}));
  EXPECT_EQ(machine.cpu.CacheBytes(2), uint64_t{2} << 20);
  EXPECT_EQ(machine.cpu.CacheBytes(3), 0u);
}

TEST(ParseCpuList, ReadsTheKernelsForm) {
  EXPECT_THAT(ParseCpuList("0"), ElementsAre(0));
  EXPECT_THAT(ParseCpuList("0-3,8"), ElementsAre(0, 1, 2, 3, 8));
  EXPECT_THAT(ParseCpuList(""), IsEmpty());
  EXPECT_THAT(ParseCpuList("x"), IsEmpty());
  EXPECT_THAT(ParseCpuList("1,x"), ElementsAre(1));
  EXPECT_THAT(ParseCpuList("0-99999999999"), IsEmpty());
  EXPECT_THAT(ParseCpuList("5-2"), IsEmpty());
}

TEST(ParseUint, ReadsDecimalsOnly) {
  EXPECT_EQ(ParseUint("  12 kB"), 12u);
  EXPECT_EQ(ParseUint("18446744073709551615"), UINT64_MAX);
  EXPECT_FALSE(ParseUint("18446744073709551616"));
  EXPECT_FALSE(ParseUint("max"));
  EXPECT_FALSE(ParseUint("-1"));
  EXPECT_FALSE(ParseUint(""));
}

}  // namespace
}  // namespace fathom
