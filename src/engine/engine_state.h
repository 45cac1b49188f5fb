// Engine::State: what engine.cc and engine_beams.cc share.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "engine/engine_limits.h"
#include "engine/kv_cache.h"
#include "engine/scheduler.h"
#include "engine/sequence.h"
#include "engine/step_runner.h"
#include "fathom/engine.h"
#include "sampling/sampler.h"

namespace fathom {

struct Engine::State {
  std::shared_ptr<const Model> model;
  EngineLimits limits;
  std::shared_ptr<CacheStore> store;
  std::unique_ptr<KvCache> cache;
  std::unique_ptr<StepRunner> runner;
  std::unique_ptr<Scheduler> scheduler;
  EngineStats stats;
  RequestId next_id = 1;
  std::vector<StepEvent> kept;  // events that Generate saw of other requests
  std::vector<ScheduledTokens> step;
  ScoreRow row;
  TokenDistribution distribution;
  SamplingArm arm = SamplingArm::kPartial;
  std::vector<int64_t> windows;  // of each attention that the graph keeps

  Status CheckRequest(const Request& request) const;
  Status CheckSequences(const Request& request) const;
  Status CheckPrompt(std::span<const int32_t> ids, int64_t room) const;
  Result<RequestId> Queue(Request request, std::optional<uint64_t> random_prefix);
  Result<int32_t> Choose(const Sequence& sequence, std::span<float> logits);
  Result<int32_t> ChooseFromRow(const Sequence& sequence);
  void Advance(Sequence& sequence, std::span<float> logits, std::vector<StepEvent>& events);

  // engine_beams.cc
  void StartBeams(RequestState& request) const;
  Status ProcessBeamRow(const Sequence& sequence, const SamplingParams& params,
                        std::span<const LogitsProcessor* const> processors,
                        std::span<const float> logits);
  Status AddBeamRow(const Sequence& sequence, std::span<const float> logits);
  void AdvanceBeam(Sequence& sequence, std::span<const float> logits,
                   std::vector<StepEvent>& events);
  bool BeamEnds(const Sequence& sequence, int32_t id) const;
  void MoveBeams(RequestState& request);
  void FinishBeams(RequestState& request, const Status& status, std::vector<StepEvent>& events);

  bool IsEos(const RequestState& request, int32_t id) const;
  void Finish(Sequence& sequence, FinishReason reason, StepEvent& event);
  void CountStep(double seconds);
  void CollectOutputs();
  void StartCache(const Sequence& sequence);
  RequestTimings TimingsOf(const Sequence& sequence, int64_t new_tokens) const;
};

}  // namespace fathom
