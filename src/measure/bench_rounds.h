// Rounds of work that `fathom bench` times: prompts of random tokens, and texts that grow.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "fathom/engine.h"

namespace fathom {

// One round of work: tokens run and the seconds they took.
struct BenchRound {
  double tokens = 0;
  double seconds = 0;
};

// Prompts of `length`, `batch` at a time, to their first token, until the time is over; one at
// least.
Result<BenchRound> PrefillRound(Engine& engine, int64_t batch, int64_t length, double seconds,
                                std::mt19937_64& random);

// `batch` sequences that decode, at about `depth` tokens in the cache; started anew as they grow.
class Decoding {
 public:
  Decoding(Engine& engine, int64_t batch, int64_t depth)
      : engine_(engine), batch_(batch), depth_(depth) {}
  // What still runs is cancelled: the next work on the engine is alone in its steps.
  ~Decoding();
  Decoding(const Decoding&) = delete;
  Decoding& operator=(const Decoding&) = delete;

  // Steps until the time is over, one at least.
  Result<BenchRound> Run(double seconds, std::mt19937_64& random);

 private:
  static constexpr int64_t kStepsOfARun = 64;

  Status Restart(std::mt19937_64& random);
  void Stop();

  Engine& engine_;
  int64_t batch_, depth_, steps_left_ = 0;
  std::vector<RequestId> ids_;
};

}  // namespace fathom
