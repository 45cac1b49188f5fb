// Where threads run. A pool pins the thread that calls it to one CPU; what that thread starts
// meanwhile (another pool's workers, a process) and what it asks of the machine must not be of that
// one CPU. So the CPUs from before are remembered by thread, over all pools.
#pragma once

#include <vector>

namespace fathom {

// Puts this thread, as it is, on these CPUs; false where the system refuses.
bool SetAffinity(const std::vector<int>& cpus);

// Pins this thread to `cpu` for one more holder, and lets go of it for one: the last one gives the
// thread its CPUs back, in whatever order holders come and go.
void PinThread(int cpu);
void UnpinThread();

// While one lives, this thread runs on all its CPUs though it is pinned: whatever it starts
// inherits them.
class UnpinnedScope {
 public:
  UnpinnedScope();
  ~UnpinnedScope();
  UnpinnedScope(const UnpinnedScope&) = delete;
  UnpinnedScope& operator=(const UnpinnedScope&) = delete;

 private:
  std::vector<int> pinned_cpus_;  // to go back to; empty: it was not pinned
};

}  // namespace fathom
