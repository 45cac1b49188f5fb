#include "base/affinity.h"

#include <algorithm>

#include "base/thread_pool.h"

#ifdef __linux__
#include <pthread.h>
#include <sched.h>
#endif

namespace fathom {
namespace {

// What was made of this thread: how many have pinned it, and where it ran before the first.
struct ThreadPin {
  int holders = 0;
  std::vector<int> cpus;
};
thread_local ThreadPin thread_pin;

#ifdef __linux__
std::vector<int> SystemAffinity() {
  // The kernel refuses a mask smaller than its own (EINVAL): grown until it fits.
  for (int size_cpus = 1024; size_cpus <= (1 << 20); size_cpus *= 2) {
    cpu_set_t* set = CPU_ALLOC(size_cpus);
    if (set == nullptr) return {};
    const size_t size = CPU_ALLOC_SIZE(size_cpus);
    CPU_ZERO_S(size, set);
    std::vector<int> cpus;
    if (sched_getaffinity(0, size, set) == 0) {
      for (int cpu = 0; cpu < size_cpus; ++cpu) {
        if (CPU_ISSET_S(cpu, size, set)) cpus.push_back(cpu);
      }
    }
    CPU_FREE(set);
    if (!cpus.empty()) return cpus;
  }
  return {};
}
#else
std::vector<int> SystemAffinity() { return {}; }
#endif

}  // namespace

#ifdef __linux__
bool SetAffinity(const std::vector<int>& cpus) {
  const int highest = *std::max_element(cpus.begin(), cpus.end());
  cpu_set_t* set = CPU_ALLOC(highest + 1);
  if (set == nullptr) return false;
  const size_t size = CPU_ALLOC_SIZE(highest + 1);
  CPU_ZERO_S(size, set);
  for (const int cpu : cpus) CPU_SET_S(cpu, size, set);
  const bool done = pthread_setaffinity_np(pthread_self(), size, set) == 0;
  CPU_FREE(set);
  return done;
}
#else
bool SetAffinity(const std::vector<int>&) { return false; }
#endif

std::vector<int> AffinityCpus() {
  return thread_pin.holders > 0 ? thread_pin.cpus : SystemAffinity();
}

void PinThread(int cpu) {
  if (thread_pin.holders++ == 0) thread_pin.cpus = SystemAffinity();
  SetAffinity({cpu});
}

void UnpinThread() {
  if (thread_pin.holders == 0 || --thread_pin.holders > 0) return;
  if (!thread_pin.cpus.empty()) SetAffinity(thread_pin.cpus);
}

UnpinnedScope::UnpinnedScope() {
  if (thread_pin.holders == 0 || thread_pin.cpus.empty()) return;
  pinned_cpus_ = SystemAffinity();
  SetAffinity(thread_pin.cpus);
}
UnpinnedScope::~UnpinnedScope() {
  if (!pinned_cpus_.empty()) SetAffinity(pinned_cpus_);
}

}  // namespace fathom
