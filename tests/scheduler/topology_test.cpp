#include "scheduler/topology.hpp"

#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>

namespace weft::inline v0::scheduler {
namespace {

namespace fs = std::filesystem;

/// A directory that plays the root of the file system.
class Topology : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "weft_topology_XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) throw std::system_error(errno, std::generic_category(), "mkdtemp");
    root_ = pattern;
  }
  void TearDown() override {
    std::error_code ignored;
    fs::remove_all(root_, ignored);
  }

  void file(const fs::path& path, std::string_view text) const {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  void only_v2(std::string_view own) const {
    file("proc/self/mountinfo",
         "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
         "31 22 0:26 / /sys/fs/cgroup rw,nosuid shared:9 master:2 - cgroup2 cgroup2 rw,nsdelegate\n");
    file("proc/self/cgroup", "0::" + std::string(own) + "\n");
  }
  void only_v1(std::string_view mounted_root, std::string_view own) const {
    file("proc/self/mountinfo", "33 31 0:29 " + std::string(mounted_root) +
                                    " /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
                                    "34 31 0:30 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n");
    file("proc/self/cgroup", "5:cpuset:/elsewhere\n4:cpu,cpuacct:" + std::string(own) + "\n");
  }

  fs::path root_;
};

TEST_F(Topology, WhatCannotBeReadLimitsNothing) {
  EXPECT_EQ(cgroup_core_limit(root_), kNoCoreLimit);
  EXPECT_EQ(cgroup_core_limit(root_ / "missing"), kNoCoreLimit);
  EXPECT_EQ(usable_cores(root_), affinity_cores());
}

TEST_F(Topology, AVersion2QuotaIsRoundedUpToWholeCores) {
  only_v2("/job");
  file("sys/fs/cgroup/job/cpu.max", "250000 100000\n");
  EXPECT_EQ(cgroup_core_limit(root_), 3U);
  file("sys/fs/cgroup/job/cpu.max", "200000 100000\n");
  EXPECT_EQ(cgroup_core_limit(root_), 2U);
  file("sys/fs/cgroup/job/cpu.max", "1000 100000\n");
  EXPECT_EQ(cgroup_core_limit(root_), 1U);
  file("sys/fs/cgroup/job/cpu.max", "400000\n");
  EXPECT_EQ(cgroup_core_limit(root_), 4U);
  file("sys/fs/cgroup/job/cpu.max", "max 100000\n");
  EXPECT_EQ(cgroup_core_limit(root_), kNoCoreLimit);
}

TEST_F(Topology, TheTightestQuotaAroundTheProcessCounts) {
  only_v2("/slice/service/inner");
  file("sys/fs/cgroup/slice/service/inner/cpu.max", "800000 100000\n");
  file("sys/fs/cgroup/slice/service/cpu.max", "max 100000\n");
  file("sys/fs/cgroup/slice/cpu.max", "300000 100000\n");
  file("sys/fs/cgroup/slice/other/cpu.max", "100000 100000\n");
  EXPECT_EQ(cgroup_core_limit(root_), 3U);
}

TEST_F(Topology, AContainerSeesItsOwnQuotaAtTheMountPoint) {
  only_v2("/");
  file("sys/fs/cgroup/cpu.max", "150000 50000\n");
  EXPECT_EQ(cgroup_core_limit(root_), 3U);
  only_v1("/docker/abc", "/docker/abc");  // Without a cgroup namespace the host's path shows.
  file("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "200000\n");
  file("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(cgroup_core_limit(root_), 2U);
}

TEST_F(Topology, AVersion1QuotaIsFollowedThroughTheParents) {
  only_v1("/docker", "/docker/abc/def");
  file("sys/fs/cgroup/cpu,cpuacct/abc/def/cpu.cfs_quota_us", "-1\n");
  file("sys/fs/cgroup/cpu,cpuacct/abc/def/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(cgroup_core_limit(root_), kNoCoreLimit);
  file("sys/fs/cgroup/cpu,cpuacct/abc/cpu.cfs_quota_us", "50000\n");
  file("sys/fs/cgroup/cpu,cpuacct/abc/cpu.cfs_period_us", "20000\n");
  EXPECT_EQ(cgroup_core_limit(root_), 3U);
}

TEST_F(Topology, BothVersionsInOneSystemAreRead) {
  file("proc/self/mountinfo",
       "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
       "41 31 0:38 / /sys/fs/my\\040cgroups rw - cgroup2 cgroup2 rw\n");
  file("proc/self/cgroup", "1:cpu:/a\n0::/b\n");
  file("sys/fs/cgroup/cpu/a/cpu.cfs_quota_us", "500000\n");
  file("sys/fs/cgroup/cpu/a/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(cgroup_core_limit(root_), 5U);
  file("sys/fs/my cgroups/b/cpu.max", "400000 100000\n");
  EXPECT_EQ(cgroup_core_limit(root_), 4U);
}

TEST_F(Topology, BrokenFilesLimitNothing) {
  only_v2("/../../job");
  for (const char* text : {"", "nonsense\n", "0 100000\n", "100000 0\n", "99999999999999999999 100000\n"}) {
    file("sys/fs/cgroup/cpu.max", text);
    EXPECT_EQ(cgroup_core_limit(root_), kNoCoreLimit) << text;
  }
  file("proc/self/cgroup", "no colons\n::\n0:\n");
  file("proc/self/mountinfo", "\n31\n31 22 0:26 / - -\n");
  EXPECT_EQ(cgroup_core_limit(root_), kNoCoreLimit);
}

TEST_F(Topology, TheSmallerOfAffinityAndQuotaCounts) {
  only_v2("/job");
  file("sys/fs/cgroup/job/cpu.max", "100000 100000\n");
  EXPECT_EQ(usable_cores(root_), 1U);
  file("sys/fs/cgroup/job/cpu.max", "900000000 100000\n");
  EXPECT_EQ(usable_cores(root_), affinity_cores());
}

TEST_F(Topology, APinnedThreadCountsOneCore) {
  unsigned pinned = 0;
  std::thread([&] {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(static_cast<unsigned>(std::max(sched_getcpu(), 0)), &one);
    ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
    pinned = usable_cores(root_);
  }).join();
  EXPECT_EQ(pinned, 1U);
}

TEST_F(Topology, ThisMachineHasACore) { EXPECT_GE(usable_cores(), 1U); }

}  // namespace
}  // namespace weft::scheduler
