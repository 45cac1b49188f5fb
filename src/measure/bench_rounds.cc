#include "measure/bench_rounds.h"

#include <fmt/format.h>

#include <chrono>
#include <utility>

namespace fathom {
namespace {

using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

std::vector<int32_t> RandomIds(int64_t count, int64_t vocab_size, std::mt19937_64& random) {
  std::uniform_int_distribution<int32_t> pick(0, static_cast<int32_t>(vocab_size) - 1);
  std::vector<int32_t> ids(count);
  for (int32_t& id : ids) id = pick(random);
  return ids;
}

}  // namespace

Result<BenchRound> PrefillRound(Engine& engine, int64_t batch, int64_t length, double seconds,
                                std::mt19937_64& random) {
  BenchRound round;
  while (round.tokens == 0 || round.seconds < seconds) {
    for (int64_t i = 0; i < batch; ++i) {
      Request request;
      request.prompt_ids = RandomIds(length, engine.model().vocab_size(), random);
      request.max_new_tokens = 1;
      request.want_text = false;
      FATHOM_TRY(engine.Submit(std::move(request)).status());
    }
    const auto start = Clock::now();
    while (engine.has_work()) FATHOM_TRY(engine.Step().status());
    round.seconds += SecondsSince(start);
    round.tokens += static_cast<double>(batch * length);
  }
  return round;
}

Decoding::~Decoding() { Stop(); }

void Decoding::Stop() {
  for (const RequestId id : ids_) engine_.Cancel(id);
  ids_.clear();
}

Result<BenchRound> Decoding::Run(double seconds, std::mt19937_64& random) {
  BenchRound round;
  while (round.tokens == 0 || round.seconds < seconds) {
    if (steps_left_ == 0) FATHOM_TRY(Restart(random));
    const auto start = Clock::now();
    FATHOM_TRY(engine_.Step().status());
    round.seconds += SecondsSince(start);
    round.tokens += static_cast<double>(batch_);
    --steps_left_;
  }
  return round;
}

Status Decoding::Restart(std::mt19937_64& random) {
  Stop();
  for (int64_t i = 0; i < batch_; ++i) {
    Request request;
    request.prompt_ids = RandomIds(depth_, engine_.model().vocab_size(), random);
    request.max_new_tokens = kStepsOfARun + 2 + batch_;
    request.ignore_eos = true;
    request.want_text = false;
    FATHOM_ASSIGN(const RequestId id, engine_.SubmitAtDepth(std::move(request), random()));
    ids_.push_back(id);
  }
  // The first step ends every prompt: all sequences then run in each that is counted.
  const int64_t before = engine_.stats().prompt_tokens;
  FATHOM_TRY(engine_.Step().status());
  const int64_t started = engine_.stats().prompt_tokens - before;
  if (started < batch_) {
    return Status::RunTime(
        fmt::format("bench: memory holds {} sequences of {} tokens at once, not {}", started,
                    depth_, batch_),
        "take a smaller --batch or --context");
  }
  steps_left_ = kStepsOfARun;
  return Status::Ok();
}

}  // namespace fathom
