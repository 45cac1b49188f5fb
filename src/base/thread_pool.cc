#include "base/thread_pool.h"

#include <chrono>
#include <climits>
#include <system_error>

#include "base/affinity.h"
#include "base/check.h"

#ifdef __linux__
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace fathom {
namespace {

// How long a waiter spins before it yields, and how often it yields before it parks. A wake-up from
// the kernel costs 5 to 50 us (a virtual machine's halted core is the slow end), so a wait shorter
// than that is better spun through.
constexpr int kSpinMicroseconds = 50;
constexpr int kYields = 200;
// More threads than CPUs: whoever is waited for may need the CPU that the waiter spins on.
constexpr int kSpinsOversubscribed = 20;

inline void Pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("isb" ::: "memory");  // "yield" is a no-op on most cores; isb waits some 10 ns
#endif
}

// A pause takes 5 to 140 cycles, depending on the core: measured once.
int SpinsFor(int microseconds) {
  static const double spins_per_us = [] {
    constexpr int kPauses = 256;
    double best = 0;
    for (int round = 0; round < 3; ++round) {
      const auto start = std::chrono::steady_clock::now();
      for (int i = 0; i < kPauses; ++i) Pause();
      const std::chrono::duration<double, std::micro> us = std::chrono::steady_clock::now() - start;
      best = std::max(best, kPauses / std::max(us.count(), 0.1));
    }
    return best;
  }();
  return std::clamp(static_cast<int>(spins_per_us * microseconds), 100, 100'000);
}

#ifdef __linux__

void ParkWhile(std::atomic<uint32_t>& word, uint32_t value) {
  static_assert(sizeof(word) == sizeof(uint32_t));
  syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, value, nullptr, nullptr, 0);
}
void WakeAll(std::atomic<uint32_t>& word) {
  syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
}

#else

void ParkWhile(std::atomic<uint32_t>& word, uint32_t value) { word.wait(value); }
void WakeAll(std::atomic<uint32_t>& word) { word.notify_all(); }

#endif

}  // namespace

ThreadPool::ThreadPool(int threads, std::vector<int> cpus) {
  FATHOM_CHECK(threads >= 1);
  if (threads == 1) return;
  if (cpus.size() >= static_cast<size_t>(threads)) cpus_ = std::move(cpus);
  const size_t usable = AffinityCpus().size();
  const bool oversubscribed = usable > 0 && static_cast<size_t>(threads) > usable;
  spins_ = oversubscribed ? kSpinsOversubscribed : SpinsFor(kSpinMicroseconds);
  // Workers wait at start_ until the first Run, and read count_ only behind it.
  const UnpinnedScope unpinned;
  threads_.reserve(static_cast<size_t>(threads) - 1);
  for (int index = 1; index < threads; ++index) {
    try {
      threads_.emplace_back([this, index] { WorkerLoop(index); });
    } catch (const std::system_error&) {
      break;
    }
  }
  count_ = static_cast<int>(threads_.size()) + 1;
}

ThreadPool::~ThreadPool() {
  stop_ = true;
  Open(start_);
  for (std::thread& thread : threads_) thread.join();
  if (!caller_cpus_.empty() && pinned_caller_ == std::this_thread::get_id()) UnpinThread();
}

void ThreadPool::RunErased(Erased call, void* callable) {
  FATHOM_CHECK(!busy_.exchange(true, std::memory_order_acquire));
  if (pinned() && pinned_caller_ != std::this_thread::get_id()) PinCaller();
  call_ = call;
  callable_ = callable;
  Open(start_);
  const Worker worker{0, count_, this};
  call(callable, worker);
  worker.Barrier();
  busy_.store(false, std::memory_order_release);
}

void ThreadPool::WorkerLoop(int index) {
  if (pinned()) SetAffinity({cpus_[static_cast<size_t>(index)]});
  for (uint32_t generation = 0;; ++generation) {
    WaitPast(start_, generation);
    if (stop_) return;
    const Worker worker{index, count_, this};
    call_(callable_, worker);
    worker.Barrier();
  }
}

void ThreadPool::PinCaller() {
  caller_cpus_ = AffinityCpus();
  pinned_caller_ = std::this_thread::get_id();
  PinThread(cpus_[0]);
}

bool ThreadPool::Arrive(uint32_t* generation) {
  // Read before arriving: the generation cannot go up while this worker is missing.
  *generation = barrier_.generation.load(std::memory_order_relaxed);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 < count_) return false;
  arrived_.store(0, std::memory_order_relaxed);  // published by Open
  return true;
}

void ThreadPool::WaitPast(Gate& gate, uint32_t generation) {
  for (int i = 0; i < spins_; ++i) {
    if (gate.generation.load(std::memory_order_acquire) != generation) return;
    Pause();
  }
  for (int i = 0; i < kYields; ++i) {
    if (gate.generation.load(std::memory_order_acquire) != generation) return;
    std::this_thread::yield();
  }
  // Sequentially consistent on both sides: either Open sees `parked` and wakes, or this load sees
  // the new generation.
  gate.parked.fetch_add(1, std::memory_order_seq_cst);
  while (gate.generation.load(std::memory_order_seq_cst) == generation) {
    ParkWhile(gate.generation, generation);
  }
  gate.parked.fetch_sub(1, std::memory_order_relaxed);
}

void ThreadPool::Open(Gate& gate) {
  gate.generation.fetch_add(1, std::memory_order_seq_cst);
  if (gate.parked.load(std::memory_order_seq_cst) > 0) WakeAll(gate.generation);
}

}  // namespace fathom
