// The thread pool: one Run a model step, spin barriers between its operations.
//
// Run(fn) calls fn once on every worker; the caller is worker 0. Inside, workers divide each
// operation among themselves (Split) and meet at Barrier(), which costs a cache line's trip between
// cores instead of a fork and a join. Whoever waits spins for tens of microseconds, then yields,
// then parks in the kernel, so that an idle pool costs nothing and an oversubscribed machine still
// moves.
//
//   ThreadPool pool(4);
//   pool.Run([&](const Worker& worker) {
//     const auto [begin, end] = Split(rows, worker, 16);
//     Multiply(begin, end);
//     worker.Barrier();                      // all rows are written
//     worker.BarrierThen([&] { Norm(); });   // the last one in does it, then all go on
//   });
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace fathom {

class ThreadPool;

// One thread's view of a Run. A default Worker is the only worker there is: serial code needs no
// pool.
struct Worker {
  int index = 0;  // 0 .. count - 1
  int count = 1;
  ThreadPool* pool = nullptr;

  // Returns when all workers of the Run have called it. What any of them wrote before is seen by
  // all of them after. Every worker must call the same barriers.
  void Barrier() const;
  // The same, and the last worker to arrive calls fn() before any of them returns.
  template <typename Fn>
  void BarrierThen(Fn&& fn) const;
};

struct Range {
  size_t begin = 0;
  size_t end = 0;
  size_t size() const { return end - begin; }
  bool empty() const { return begin == end; }
};

// Worker's contiguous part of [0, total), begin always at a multiple of `grain` (> 0), parts equal
// to within one grain; empty where there are fewer grains than workers.
inline Range Split(size_t total, const Worker& worker, size_t grain = 1) {
  const size_t grains = total / grain + (total % grain != 0);
  const size_t count = static_cast<size_t>(worker.count);
  const size_t index = static_cast<size_t>(worker.index);
  // The first `grains % count` workers take one grain more.
  const size_t each = grains / count;
  const size_t more = grains % count;
  const size_t first = each * index + std::min(index, more);
  const size_t last = first + each + (index < more ? 1 : 0);
  return {std::min(first * grain, total), last >= grains ? total : last * grain};
}

// The CPUs that this thread may run on (sched_getaffinity), ascending; while a pool has pinned it,
// those it had before (base/affinity.h). Empty where the system does not tell (macOS).
std::vector<int> AffinityCpus();

class ThreadPool {
 public:
  // `threads` >= 1 workers, the caller of Run included. Worker i is pinned to cpus[i], worker 0
  // (the thread that calls Run) from its first Run until the pool ends; nothing is pinned where
  // `cpus` holds fewer than `threads` entries. Where the system refuses a thread the pool is
  // smaller: ask count().
  explicit ThreadPool(int threads, std::vector<int> cpus = {});
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int count() const { return count_; }
  bool pinned() const { return !cpus_.empty(); }

  // Calls fn(const Worker&) on every worker and returns when all have returned. Allocates nothing.
  // One Run at a time: never from inside a Run. fn must not throw.
  template <typename Fn>
  void Run(Fn&& fn) {
    if (count_ == 1) {
      fn(Worker{});
      return;
    }
    using Callable = std::remove_reference_t<Fn>;
    RunErased(
        [](void* callable, const Worker& worker) { (*static_cast<Callable*>(callable))(worker); },
        const_cast<void*>(static_cast<const void*>(std::addressof(fn))));
  }

 private:
  friend struct Worker;
  using Erased = void (*)(void* callable, const Worker& worker);

  // A counter that goes up once an event; waiters spin on it, then park.
  struct alignas(128) Gate {
    std::atomic<uint32_t> generation{0};
    std::atomic<int> parked{0};
  };

  void RunErased(Erased call, void* callable);
  void WorkerLoop(int index);
  void PinCaller();
  // True for the last worker in: it owes an Open(barrier_). The others get what to wait for.
  bool Arrive(uint32_t* generation);
  void WaitPast(Gate& gate, uint32_t generation);
  static void Open(Gate& gate);

  Gate start_;
  Gate barrier_;
  alignas(128) std::atomic<int> arrived_{0};
  alignas(128) std::atomic<bool> busy_{false};
  bool stop_ = false;  // these three are written before start_ opens
  Erased call_ = nullptr;
  void* callable_ = nullptr;

  int count_ = 1;
  int spins_ = 0;
  std::vector<int> cpus_;
  std::thread::id pinned_caller_;
  std::vector<int> caller_cpus_;  // of the pinned caller, as they were
  std::vector<std::thread> threads_;
};

template <typename Fn>
void Worker::BarrierThen(Fn&& fn) const {
  if (count == 1) {
    fn();
    return;
  }
  uint32_t generation = 0;
  if (pool->Arrive(&generation)) {
    fn();
    ThreadPool::Open(pool->barrier_);
  } else {
    pool->WaitPast(pool->barrier_, generation);
  }
}

inline void Worker::Barrier() const {
  BarrierThen([] {});
}

}  // namespace fathom
