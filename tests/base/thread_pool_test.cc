#include "base/thread_pool.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <memory>
#include <numeric>
#include <thread>
#include <vector>

#include "base/affinity.h"

namespace fathom {
namespace {

constexpr int kMaxThreads = 8;

// Where a thread runs that this one starts: what the system has for this one, whatever pools say.
std::vector<int> InheritedCpus() {
  std::vector<int> cpus;
  std::thread([&] { cpus = AffinityCpus(); }).join();
  return cpus;
}

class ThreadPoolOf : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Threads, ThreadPoolOf, testing::Values(1, 2, 3, kMaxThreads));

TEST_P(ThreadPoolOf, RunsOnceOnEveryWorker) {
  ThreadPool pool(GetParam());
  ASSERT_EQ(pool.count(), GetParam());
  std::array<int, kMaxThreads> calls = {};
  for (int round = 1; round <= 500; ++round) {
    pool.Run([&](const Worker& worker) {
      EXPECT_EQ(worker.count, GetParam());
      ++calls[static_cast<size_t>(worker.index)];
    });
    for (int i = 0; i < kMaxThreads; ++i) {
      ASSERT_EQ(calls[static_cast<size_t>(i)], i < GetParam() ? round : 0) << "worker " << i;
    }
  }
}

TEST_P(ThreadPoolOf, CallerIsWorkerZero) {
  ThreadPool pool(GetParam());
  std::thread::id zero;
  pool.Run([&](const Worker& worker) {
    if (worker.index == 0) zero = std::this_thread::get_id();
  });
  EXPECT_EQ(zero, std::this_thread::get_id());
}

// Each round every worker writes its cell from all the cells of the round before: one barrier that
// lets a worker through early gives a wrong sum (and a race under the thread sanitizer).
TEST_P(ThreadPoolOf, BarriersOrderAllWrites) {
  ThreadPool pool(GetParam());
  constexpr int kRounds = 3000;
  const uint64_t count = static_cast<uint64_t>(GetParam());
  std::array<std::array<uint64_t, kMaxThreads>, 2> cells = {};
  for (uint64_t i = 0; i < count; ++i) cells[0][i] = i + 1;
  std::array<std::array<uint64_t, kMaxThreads>, 2> expected = cells;
  for (int round = 0; round < kRounds; ++round) {
    const auto& from = expected[round % 2];
    const uint64_t sum = std::accumulate(from.begin(), from.begin() + GetParam(), uint64_t{0});
    for (uint64_t i = 0; i < count; ++i) expected[(round + 1) % 2][i] = sum * 31 + i;
  }
  pool.Run([&](const Worker& worker) {
    for (int round = 0; round < kRounds; ++round) {
      const auto& from = cells[round % 2];
      uint64_t sum = 0;
      for (int i = 0; i < worker.count; ++i) sum += from[static_cast<size_t>(i)];
      cells[(round + 1) % 2][static_cast<size_t>(worker.index)] =
          sum * 31 + static_cast<uint64_t>(worker.index);
      worker.Barrier();
    }
  });
  EXPECT_EQ(cells, expected);
}

TEST_P(ThreadPoolOf, TheLastOneInDoesTheWorkOnce) {
  ThreadPool pool(GetParam());
  std::array<int, kMaxThreads> parts = {};
  int total = 0;
  std::atomic<int> wrong = 0;
  pool.Run([&](const Worker& worker) {
    for (int round = 1; round <= 2000; ++round) {
      parts[static_cast<size_t>(worker.index)] = round;
      worker.BarrierThen([&] { total += std::accumulate(parts.begin(), parts.end(), 0); });
      if (total != worker.count * round * (round + 1) / 2) ++wrong;
      worker.Barrier();
    }
  });
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(total, GetParam() * 2000 * 2001 / 2);
}

TEST_P(ThreadPoolOf, WakesAfterItParked) {
  ThreadPool pool(GetParam());
  std::atomic<int> calls = 0;
  for (int round = 0; round < 5; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    pool.Run([&](const Worker& worker) {
      // One worker comes late, so that the others park inside the barrier too.
      if (worker.index == round % worker.count) {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
      }
      worker.Barrier();
      ++calls;
    });
  }
  EXPECT_EQ(calls, 5 * GetParam());
}

TEST_P(ThreadPoolOf, EndsAtOnceWhetherUsedOrNot) {
  for (int i = 0; i < 50; ++i) {
    ThreadPool pool(GetParam());
    if (i % 2 == 0) pool.Run([](const Worker&) {});
  }
}

TEST(ThreadPool, PinsAndGivesTheCallerItsCpusBack) {
  const std::vector<int> before = AffinityCpus();
  if (before.size() < 2) GTEST_SKIP() << "needs 2 CPUs";
  {
    ThreadPool pool(2, {before[0], before[1]});
    EXPECT_TRUE(pool.pinned());
    std::array<std::vector<int>, 2> seen;
    pool.Run(
        [&](const Worker& worker) { seen[static_cast<size_t>(worker.index)] = InheritedCpus(); });
    EXPECT_EQ(seen[0], std::vector<int>{before[0]});
    EXPECT_EQ(seen[1], std::vector<int>{before[1]});
  }
  EXPECT_EQ(AffinityCpus(), before);
}

TEST(ThreadPool, ASecondPoolHasTheWholeMachineAndAnyOrderGivesItBack) {
  const std::vector<int> before = AffinityCpus();
  if (before.size() < 2) GTEST_SKIP() << "needs 2 CPUs";
  const auto nothing = [](const Worker&) {};
  auto first = std::make_unique<ThreadPool>(2, before);
  first->Run(nothing);
  EXPECT_EQ(AffinityCpus(), before);
  {
    const UnpinnedScope unpinned;
    EXPECT_EQ(InheritedCpus(), before);
  }
  EXPECT_EQ(InheritedCpus(), std::vector<int>{before[0]});  // the scope gave it back
  auto second = std::make_unique<ThreadPool>(2, before);
  second->Run(nothing);
  first.reset();
  EXPECT_EQ(InheritedCpus(), std::vector<int>{before[0]});  // the second one holds it still
  second.reset();
  EXPECT_EQ(InheritedCpus(), before);
}

TEST(ThreadPool, PinsNothingWithTooFewCpus) {
  const std::vector<int> before = AffinityCpus();
  ThreadPool pool(3, {0, 1});
  EXPECT_FALSE(pool.pinned());
  pool.Run([&](const Worker&) { EXPECT_EQ(AffinityCpus(), before); });
}

TEST(ThreadPool, RunsFromSeveralThreadsInTurn) {
  ThreadPool pool(2);
  std::atomic<int> calls = 0;
  for (int i = 0; i < 4; ++i) {
    std::thread([&] { pool.Run([&](const Worker&) { ++calls; }); }).join();
  }
  EXPECT_EQ(calls, 8);
}

TEST(ThreadPoolDeathTest, RefusesANestedRun) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_DEATH(
      {
        ThreadPool pool(2);
        pool.Run([&](const Worker& worker) {
          if (worker.index == 0) pool.Run([](const Worker&) {});
        });
      },
      "broken invariant");
}

TEST(Worker, ADefaultWorkerIsAlone) {
  const Worker worker;
  worker.Barrier();
  int calls = 0;
  worker.BarrierThen([&] { ++calls; });
  EXPECT_EQ(calls, 1);
  const Range all = Split(10, worker, 4);
  EXPECT_EQ(all.begin, 0u);
  EXPECT_EQ(all.end, 10u);
}

TEST(Split, CoversEverythingOnceInEqualParts) {
  for (const size_t total : {0, 1, 7, 16, 17, 100, 4097}) {
    for (const size_t grain : {1, 2, 16, 64}) {
      for (const int count : {1, 2, 3, 8}) {
        size_t next = 0, smallest = SIZE_MAX, largest = 0;
        for (int index = 0; index < count; ++index) {
          const Range part = Split(total, Worker{index, count}, grain);
          EXPECT_EQ(part.begin, next);
          EXPECT_LE(part.begin, part.end);
          EXPECT_TRUE(part.empty() || part.begin % grain == 0) << part.begin;
          const size_t grains = (part.size() + grain - 1) / grain;
          smallest = std::min(smallest, grains);
          largest = std::max(largest, grains);
          next = part.end;
        }
        EXPECT_EQ(next, total);
        EXPECT_LE(largest - smallest, 1u);
      }
    }
  }
}

TEST(Split, SurvivesTheLargestSizes) {
  const Range last = Split(SIZE_MAX, Worker{2, 3}, 4096);
  EXPECT_EQ(last.end, SIZE_MAX);
  // 2^52 grains: worker 0 takes one more than the other two.
  EXPECT_EQ(last.size(), ((size_t{1} << 52) / 3) * 4096 - 1);
}

}  // namespace
}  // namespace fathom
