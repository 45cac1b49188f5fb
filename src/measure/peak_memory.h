// The most memory an arm keeps resident: VmHWM of a process of its own, which loads the model and
// generates from it, so that no other arm's pages count. Mapped pages of the checkpoint count while
// they are resident, as the system counts them.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "fathom/options.h"
#include "fathom/status.h"

namespace fathom {

struct PeakWork {
  int64_t prompt_tokens = 64;
  int64_t decode_tokens = 8;
};

struct PeakMemory {
  int64_t resident_bytes = 0;
  double load_ms = 0;
};

// VmHWM of this process; 0 where the system does not tell.
int64_t ResidentPeakBytes();

// In this process: load, generate, look. What the hidden command measure-peak does.
Result<PeakMemory> RunPeakWork(const std::string& model_path, const EngineOptions& options,
                               const PeakWork& work);

// In a fresh process of `program` (fathom's own binary). The Status of the process where it fails.
Result<PeakMemory> MeasurePeakMemory(const std::string& program, const std::string& model_path,
                                     const EngineOptions& options, const PeakWork& work,
                                     const std::function<bool()>& stop = {});

}  // namespace fathom
