// Beam search in the engine: the beams of a request are sequences like all others, which wait for
// each other after every token.
#include <algorithm>
#include <utility>

#include "base/check.h"
#include "engine/engine_state.h"

namespace fathom {

namespace {

std::function<double(int, int32_t, int64_t)> DrawsOf(const Request& request) {
  if (!request.sampling.do_sample) return {};
  const auto prompt = static_cast<uint64_t>(request.prompt_ids.size());
  // Beside the streams of sequences, whose numbers are small.
  return [seed = request.seed, prompt](int beam, int32_t token, int64_t new_tokens) {
    const uint64_t stream = static_cast<uint64_t>(beam + 1) << 32 | static_cast<uint32_t>(token);
    return UniformDraw(seed, stream, prompt + static_cast<uint64_t>(new_tokens));
  };
}

// Tokens that may end a beam.
int64_t EosTokens(const Request& request) {
  return request.ignore_eos ? 0 : static_cast<int64_t>(request.sampling.eos_token_id.size());
}

// What transformers calls min_tokens_to_keep: the cutoffs leave each beam so many.
int64_t LeastCandidates(const Request& request) {
  return std::max<int64_t>(2, 1 + EosTokens(request));
}

// The same settings with no cutoff but the best k.
SamplingParams OnlyTopK(SamplingParams params, int64_t k) {
  params.top_k = k;
  params.top_p = 1;
  params.min_p.reset();
  params.epsilon_cutoff = 0;
  params.eta_cutoff = 0;
  return params;
}

}  // namespace

void Engine::State::StartBeams(RequestState& request) const {
  const Request& asked = request.request;
  request.beam_search.emplace(
      BeamSettings{.num_beams = asked.num_beams,
                   .length_penalty = asked.length_penalty,
                   .early_stopping = asked.early_stopping,
                   .num_eos_tokens = EosTokens(asked),
                   .max_new_tokens = request.length_limit - request.prompt_length,
                   .draw = DrawsOf(asked)});
}

// log_softmax, then the processors, as `_beam_search` has them.
Status Engine::State::ProcessBeamRow(const Sequence& sequence, const SamplingParams& params,
                                     std::span<const LogitsProcessor* const> processors,
                                     std::span<const float> logits) {
  row.Assign(logits);
  if (!params.remove_invalid_values) FATHOM_TRY(CheckFinite(row));
  const float normalizer = row.LogSumExp();
  for (float& score : row.scores()) score -= normalizer;
  const RowContext context{params, sequence.ids, sequence.state->prompt_length};
  return ProcessRow(processors, context, arm, row);
}

Status Engine::State::AddBeamRow(const Sequence& sequence, std::span<const float> logits) {
  RequestState& request = *sequence.state;
  const SamplingParams& params = request.request.sampling;
  FATHOM_TRY(ProcessBeamRow(sequence, params, request.processors, logits));
  if (params.do_sample) {
    const int64_t least = LeastCandidates(request.request);
    const auto left = std::ranges::count_if(row.scores(), [](float s) { return s != kRemoved; });
    // All of these cutoffs leave the best, so what falls short of the least number is its best.
    if (left < least) {
      const SamplingParams best = OnlyTopK(params, least);
      FATHOM_TRY(ProcessBeamRow(sequence, best, ActiveProcessors(best), logits));
    }
  }
  request.beam_search->AddRow(sequence.index, row);
  return Status::Ok();
}

bool Engine::State::BeamEnds(const Sequence& sequence, int32_t id) const {
  const RequestState& request = *sequence.state;
  if (IsEos(request, id) || sequence.length() + 1 >= request.length_limit) return true;
  if (request.request.stop_strings.empty()) return false;
  TextStream text(model->tokenizer(), request.request);
  for (const int32_t past : std::span(sequence.ids).subspan(request.prompt_length)) text.Push(past);
  text.Push(id);
  return text.stopped();
}

// Each beam takes over the ids and the cache of the one that it goes on from.
void Engine::State::MoveBeams(RequestState& request) {
  const std::span<const BeamSearch::Beam> running = request.beam_search->running();
  while (request.beams.size() < running.size()) {
    const auto index = static_cast<int>(request.beams.size());
    request.beams.push_back(&scheduler->Fork(*request.beams[0], index, model->tokenizer()));
    request.beams.back()->first_token = request.beams[0]->first_token;
  }
  std::vector<std::vector<int32_t>> ids;
  std::vector<KvCache::Handle> caches;
  for (const BeamSearch::Beam& beam : running) {
    const Sequence& source = *request.beams[static_cast<size_t>(beam.source)];
    ids.push_back(source.ids);
    ids.back().push_back(beam.token);
    caches.push_back(cache->Fork(source.cache));
  }
  for (size_t i = 0; i < running.size(); ++i) {
    Sequence& beam = *request.beams[i];
    cache->Free(std::exchange(beam.cache, caches[i]));
    beam.ids = std::move(ids[i]);
    if (!request.request.use_cache) cache->Truncate(beam.cache, 0);
  }
}

void Engine::State::FinishBeams(RequestState& request, const Status& status,
                                std::vector<StepEvent>& events) {
  const std::shared_ptr<RequestState> kept = request.beams[0]->state;  // `request` outlives them
  for (int i = 0; i < request.request.num_return_sequences; ++i) {
    StepEvent& event = events.emplace_back();
    event.request = request.id;
    event.sequence = i;
    event.status = status;
    event.finish_reason = FinishReason::kError;
    if (!status.ok()) continue;
    event.new_ids = request.beam_search->finished()[static_cast<size_t>(i)].ids;
    TextStream text(model->tokenizer(), request.request);
    bool eos = false;
    for (const int32_t id : event.new_ids) {
      eos = IsEos(request, id);
      if (eos && request.request.skip_special_tokens) break;
      event.text += text.Push(id);
    }
    event.text += text.Finish();
    if (!request.request.want_text) event.text.clear();
    event.finish_reason = eos || text.stopped() ? FinishReason::kStop : FinishReason::kLength;
    event.timings = TimingsOf(*request.beams[0], static_cast<int64_t>(event.new_ids.size()));
  }
  for (Sequence* beam : std::exchange(request.beams, {})) scheduler->Remove(*beam);
}

void Engine::State::AdvanceBeam(Sequence& sequence, std::span<const float> logits,
                                std::vector<StepEvent>& events) {
  RequestState& request = *sequence.state;
  BeamSearch& search = *request.beam_search;
  if (request.beams.empty()) request.beams = {&sequence};
  // One bad row ends the request, but not before its other beams' rows of this step were seen.
  if (Status status = AddBeamRow(sequence, logits); !status.ok()) {
    request.beam_status = std::move(status);
    search.SkipRow();
  }
  if (!search.complete()) return;
  if (!request.beam_status.ok()) return FinishBeams(request, request.beam_status, events);
  if (sequence.in_prompt()) sequence.first_token = Clock::now();
  search.Advance([&](int beam, int32_t id) {
    return BeamEnds(*request.beams[static_cast<size_t>(beam)], id);
  });
  if (search.done()) return FinishBeams(request, {}, events);
  MoveBeams(request);
  // Nothing to tell yet, but the caller may want to cancel.
  StepEvent& event = events.emplace_back();
  event.request = request.id;
}

}  // namespace fathom
