#include "fathom/engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "backends/backend.h"
#include "base/log.h"
#include "checkpoint/model_config.h"
#include "engine/engine_state.h"
#include "engine/generation_settings.h"
#include "engine/output_pieces.h"
#include "engine/plan_builder.h"
#include "engine/random_cache.h"

namespace fathom {

std::string_view FinishReasonName(FinishReason reason) {
  switch (reason) {
    case FinishReason::kNone:
      break;
    case FinishReason::kStop:
      return "stop";
    case FinishReason::kLength:
      return "length";
    case FinishReason::kError:
      return "error";
    case FinishReason::kCancelled:
      return "cancelled";
  }
  return "";
}

Engine::Engine(std::unique_ptr<State> state) : state_(std::move(state)) {}
Engine::~Engine() = default;

Result<std::unique_ptr<Engine>> Engine::Create(std::shared_ptr<const Model> model,
                                               NoticeSink* notices) {
  auto state = std::make_unique<State>();
  state->model = std::move(model);
  const Model& loaded = *state->model;
  FATHOM_ASSIGN(state->limits, ComputeLimits(loaded, notices));
  const EngineLimits& limits = state->limits;
  // The caches know their number of blocks; a bucket's capacity is no matter of theirs.
  const Plan plan = PlanForBucket(loaded.plan(), loaded.options(), {}, limits.num_blocks);
  FATHOM_ASSIGN(state->store, loaded.backend().CreateCaches(plan));
  CacheStore* store = state->store.get();
  state->cache =
      std::make_unique<KvCache>(loaded.graph().groups, limits.num_blocks,
                                [store](int group, int64_t from, int64_t to, int64_t rows) {
                                  store->CopyBlock(group, from, to, rows);
                                });
  FATHOM_ASSIGN(state->runner, StepRunner::Create(loaded, *state->cache, state->store,
                                                  limits.buckets, limits.max_sequences,
                                                  KvCache::BlocksFor(limits.context_length)));
  const std::string tuning_notice = loaded.backend().tuning().notice;
  if (notices != nullptr && !tuning_notice.empty()) notices->Warn(tuning_notice);
  state->scheduler = std::make_unique<Scheduler>(
      SchedulerLimits{.max_tokens = limits.buckets.back(),
                      .max_sequences = limits.max_sequences,
                      .max_blocks = limits.num_blocks},
      *state->cache, [raw = state.get()](const Sequence& sequence) { raw->StartCache(sequence); });
  state->arm = loaded.options().IsOn("top_k") ? SamplingArm::kPartial : SamplingArm::kFullSort;
  if (!loaded.options().isa.empty()) {
    const Result<Isa> isa = ParseIsa(loaded.options().isa);
    if (isa.ok()) state->row.UseKernels(RowKernelsFor(HostCpuFeatures() & FeaturesOfLevel(*isa)));
  }
  state->windows = AttentionWindows(loaded.graph());
  return std::unique_ptr<Engine>(new Engine(std::move(state)));
}

const Model& Engine::model() const { return *state_->model; }
const EngineStats& Engine::stats() const { return state_->stats; }
bool Engine::has_work() const { return state_->scheduler->has_work() || !state_->kept.empty(); }
std::span<const KernelChoice> Engine::kernels() const { return state_->runner->kernels(); }
int64_t Engine::cache_bytes() const { return state_->store->size_bytes(); }
int64_t Engine::activation_bytes() const { return state_->runner->arena_bytes(); }

// `room`: tokens that must fit behind the prompt.
Status Engine::State::CheckPrompt(std::span<const int32_t> ids, int64_t room) const {
  if (ids.empty()) return Status::Usage("prompt", "is empty", "give at least one token");
  for (const int32_t id : ids) {
    if (id >= 0 && id < model->vocab_size()) continue;
    return Status::Usage("ids", fmt::format("token id {} is not below the vocabulary's {}", id,
                                            model->vocab_size()));
  }
  const auto length = static_cast<int64_t>(ids.size());
  if (length + room > limits.context_length) {
    return Status::RunTime(fmt::format("the prompt has {} tokens, the context {}{}", length,
                                       limits.context_length, room > 0 ? " with the answer" : ""),
                           "shorten the prompt, or raise --context-length where the model allows");
  }
  return Status::Ok();
}

Status Engine::State::CheckRequest(const Request& request) const {
  FATHOM_TRY(CheckPrompt(request.prompt_ids, 1));
  FATHOM_TRY(ValidateSampling(request.sampling, model->vocab_size()));
  if (request.max_new_tokens.value_or(1) < 1) {
    return Status::Usage("max_new_tokens", fmt::format("{} is below 1", *request.max_new_tokens));
  }
  FATHOM_TRY(CheckSequences(request));
  if (!request.stop_strings.empty() && model->tokenizer() == nullptr) {
    return Status::Usage("stop", "a stop string needs a tokenizer, and the model has none");
  }
  return Status::Ok();
}

Status Engine::State::CheckSequences(const Request& request) const {
  const int sequences = request.num_return_sequences, beams = request.num_beams;
  for (const auto& [field, value] :
       {std::pair("num_return_sequences", sequences), std::pair("num_beams", beams)}) {
    if (value >= 1 && value <= limits.max_sequences) continue;
    return Status::Usage(field,
                         fmt::format("{} is not between 1 and {}", value, limits.max_sequences));
  }
  if (beams == 1) {
    if (sequences == 1 || request.sampling.do_sample) return Status::Ok();
    return Status::Usage("num_return_sequences",
                         fmt::format("{}, but greedy decoding yields 1", sequences),
                         "switch on do_sample, or give as many num_beams");
  }
  if (sequences > beams) {
    return Status::Usage("num_return_sequences",
                         fmt::format("{} exceeds num_beams, {}", sequences, beams));
  }
  if (!std::isfinite(request.length_penalty)) {
    return Status::Usage("length_penalty", "is no finite number");
  }
  const SamplingParams& sampling = request.sampling;
  if (sampling.do_sample && (sampling.typical_p < 1 || sampling.top_h)) {
    return Status::Usage("num_beams", "cannot draw with typical_p or top_h", "take num_beams 1");
  }
  const auto eos = static_cast<int64_t>(request.sampling.eos_token_id.size());
  if (BeamSearch::Candidates(beams, eos) > model->vocab_size()) {
    return Status::Usage("num_beams",
                         fmt::format("{} want {} candidates of a vocabulary of {}", beams,
                                     BeamSearch::Candidates(beams, eos), model->vocab_size()));
  }
  const Graph& graph = model->graph();
  if (!graph.attentions.empty() || graph.keeps_hidden_states) {
    return Status::Usage("num_beams", "cannot go with output_attentions or output_hidden_states",
                         "take num_beams 1");
  }
  return Status::Ok();
}

Result<RequestId> Engine::Submit(Request request) {
  return state_->Queue(std::move(request), std::nullopt);
}

Result<RequestId> Engine::SubmitAtDepth(Request request, uint64_t seed) {
  return state_->Queue(std::move(request), seed);
}

void Engine::KeepPrefixes(bool keep) {
  const Graph& graph = state_->model->graph();
  const bool possible =
      !graph.cache_depends_on_length && graph.attentions.empty() && !graph.keeps_hidden_states;
  state_->cache->KeepPrefixes(keep && possible);
}

// What a sequence's cache holds before its first step.
void Engine::State::StartCache(const Sequence& sequence) {
  RequestState& request = *sequence.state;
  if (!request.random_prefix) {
    if (request.request.use_cache) {
      request.reused_tokens = cache->Reuse(sequence.cache, sequence.ids);
    }
    return;
  }
  // The scheduler starts what fits to its end.
  FATHOM_CHECK(cache->Extend(sequence.cache, sequence.length() - 1));
  FillRandomCache(model->graph(), *store, *cache, sequence.cache, *request.random_prefix);
}

Result<RequestId> Engine::State::Queue(Request request, std::optional<uint64_t> random_prefix) {
  FATHOM_TRY(CheckRequest(request));
  auto entry = std::make_shared<RequestState>();
  entry->random_prefix = random_prefix;
  entry->prompt_length = static_cast<int64_t>(request.prompt_ids.size());
  entry->length_limit =
      LengthLimit(request, model->config().max_position_embeddings, limits.context_length);
  if (entry->length_limit <= entry->prompt_length) {
    return Status::Usage("max_length",
                         fmt::format("{} leaves no room after a prompt of {} tokens",
                                     entry->length_limit, entry->prompt_length),
                         "give max_new_tokens");
  }
  entry->num_sequences = std::max(request.num_return_sequences, request.num_beams);
  entry->reserved_blocks = entry->num_sequences * KvCache::BlocksFor(entry->length_limit);
  if (entry->reserved_blocks > limits.num_blocks) {
    return Status::RunTime(
        fmt::format("{} sequences of {} tokens need {} cache blocks, there are {}",
                    entry->num_sequences, entry->length_limit, entry->reserved_blocks,
                    limits.num_blocks),
        "ask for fewer or shorter sequences");
  }
  request.sampling.max_length = entry->length_limit;
  request.use_cache = request.use_cache && model->options().IsOn("use_cache");
  entry->processors = ActiveProcessors(request.sampling);
  entry->request = std::move(request);
  if (entry->request.num_beams > 1) StartBeams(*entry);
  entry->id = next_id++;
  entry->submitted = Clock::now();
  scheduler->Add(entry);
  return entry->id;
}

void Engine::Cancel(RequestId id) { state_->scheduler->Cancel(id); }

RequestTimings Engine::State::TimingsOf(const Sequence& sequence, int64_t new_tokens) const {
  const RequestState& request = *sequence.state;
  const auto now = Clock::now();
  const bool any = new_tokens > 0;
  return {
      .prompt_tokens = request.prompt_length,
      .new_tokens = new_tokens,
      .reused_tokens = request.reused_tokens,
      .queue_ms = MillisecondsBetween(request.submitted, sequence.started),
      .prefill_ms = MillisecondsBetween(sequence.started, any ? sequence.first_token : now),
      .decode_ms = any ? MillisecondsBetween(sequence.first_token, now) : 0,
  };
}

// The next token of a sequence from its row of logits.
Result<int32_t> Engine::State::Choose(const Sequence& sequence, std::span<float> logits) {
  row.Borrow(logits);
  Result<int32_t> chosen = ChooseFromRow(sequence);
  row.Release();  // the prompt's logits serve several sequences
  return chosen;
}

Result<int32_t> Engine::State::ChooseFromRow(const Sequence& sequence) {
  const RequestState& request = *sequence.state;
  const SamplingParams& params = request.request.sampling;
  if (!params.remove_invalid_values) FATHOM_TRY(CheckFinite(row));
  if (!params.do_sample && request.processors.empty()) return Argmax(row);
  const RowContext context{params, sequence.ids, request.prompt_length};
  FATHOM_TRY(ProcessRow(request.processors, context, arm, row));
  if (!params.do_sample) return Argmax(row);
  const double u = UniformDraw(request.request.seed, sequence.index, sequence.ids.size());
  return DrawToken(row, u, distribution);
}

void Engine::State::Finish(Sequence& sequence, FinishReason reason, StepEvent& event) {
  const RequestState& request = *sequence.state;
  event.finish_reason = reason;
  if (request.request.want_text) event.text += sequence.text.Finish();
  event.timings = TimingsOf(sequence, sequence.length() - request.prompt_length);
  scheduler->Remove(sequence);
}

bool Engine::State::IsEos(const RequestState& request, int32_t id) const {
  const std::vector<int32_t>& eos = request.request.sampling.eos_token_id;
  return !request.request.ignore_eos && std::ranges::find(eos, id) != eos.end();
}

void Engine::State::Advance(Sequence& sequence, std::span<float> logits,
                            std::vector<StepEvent>& events) {
  const RequestState& request = *sequence.state;
  StepEvent& event = events.emplace_back();
  event.request = request.id;
  event.sequence = sequence.index;
  const Result<int32_t> chosen = Choose(sequence, logits);
  if (!chosen.ok()) {
    event.status = chosen.status();
    return Finish(sequence, FinishReason::kError, event);
  }
  const int32_t id = *chosen;
  if (!sequence.outputs.empty()) {
    event.outputs = JoinOutputs(windows, sequence.outputs);
    sequence.outputs.clear();
  }
  if (sequence.in_prompt()) sequence.first_token = Clock::now();
  sequence.ids.push_back(id);
  event.new_ids.push_back(id);
  const bool eos = IsEos(request, id);
  // The token that ends a text is no part of it, special to the tokenizer or not.
  if (!eos || !request.request.skip_special_tokens) {
    std::string text = sequence.text.Push(id);
    if (request.request.want_text) event.text = std::move(text);
  }
  if (eos || sequence.text.stopped()) return Finish(sequence, FinishReason::kStop, event);
  if (sequence.length() >= request.length_limit) {
    return Finish(sequence, FinishReason::kLength, event);
  }
  if (!request.request.use_cache) cache->Truncate(sequence.cache, 0);
}

void Engine::State::CountStep(double seconds) {
  int64_t prompt_tokens = 0, decode_tokens = 0;
  for (const ScheduledTokens& tokens : step) {
    const bool decode = tokens.count == 1 && !tokens.sequence->in_prompt();
    (decode ? decode_tokens : prompt_tokens) += tokens.count;
  }
  ++stats.steps;
  stats.prompt_tokens += prompt_tokens;
  stats.decode_tokens += decode_tokens;
  (prompt_tokens > 0 ? stats.prefill_seconds : stats.decode_seconds) += seconds;
}

// Copies what the graph keeps out of the step, for each sequence by itself.
void Engine::State::CollectOutputs() {
  const Graph& graph = model->graph();
  if (graph.attentions.empty() && !graph.keeps_hidden_states) return;
  int64_t first = 0;
  for (size_t i = 0; i < step.size(); ++i) {
    const auto read = [&](ValueId id) { return runner->Kept(id); };
    step[i].sequence->outputs.push_back(
        CopyOutputs(graph, read, {first, step[i].count, runner->offset(i)}));
    first += step[i].count;
  }
}

Result<std::vector<StepEvent>> Engine::Step() {
  State& state = *state_;
  std::vector<StepEvent> events = std::exchange(state.kept, {});
  const Tokenizer* tokenizer = state.model->tokenizer();
  state.scheduler->Schedule(tokenizer, state.step);
  if (state.step.empty()) return events;
  const auto begin = Clock::now();
  FATHOM_ASSIGN(const std::span<float> logits, state.runner->Run(state.step));
  const auto ran = Clock::now();
  state.CountStep(MillisecondsBetween(begin, ran) / 1e3);
  state.CollectOutputs();
  const auto vocab = static_cast<size_t>(state.model->vocab_size());
  size_t row = 0;
  for (const ScheduledTokens& tokens : state.step) {
    if (!tokens.wants_logits) continue;
    const auto row_logits = logits.subspan(row++ * vocab, vocab);
    // The prompt ran once; each further sequence starts from its cache and its last logits.
    Sequence& first = *tokens.sequence;
    if (first.state->beam_search) {
      state.AdvanceBeam(first, row_logits, events);
      continue;
    }
    std::vector<Sequence*> sequences = {&first};
    if (first.in_prompt() && first.index == 0) {
      for (int i = 1; i < first.state->request.num_return_sequences; ++i) {
        sequences.push_back(&state.scheduler->Fork(first, i, tokenizer));
        sequences.back()->outputs = first.outputs;
      }
    }
    for (Sequence* sequence : sequences) state.Advance(*sequence, row_logits, events);
  }
  state.stats.sampling_seconds += MillisecondsBetween(ran, Clock::now()) / 1e3;
  return events;
}

Result<std::vector<GeneratedSequence>> Engine::Generate(
    Request request, const std::function<bool(const StepEvent&)>& on_event) {
  std::vector<GeneratedSequence> results(std::max(request.num_return_sequences, 1));
  FATHOM_ASSIGN(const RequestId id, Submit(std::move(request)));
  size_t finished = 0;
  std::vector<StepEvent> others;
  while (finished < results.size()) {
    auto events = Step();
    if (!events.ok()) {
      Cancel(id);
      state_->kept = std::move(others);
      return std::move(events).status();
    }
    bool cancelled = false;
    for (StepEvent& event : *events) {
      if (event.request != id) {
        others.push_back(std::move(event));
        continue;
      }
      GeneratedSequence& result = results[event.sequence];
      result.ids.insert(result.ids.end(), event.new_ids.begin(), event.new_ids.end());
      result.text += event.text;
      result.finish_reason = event.finish_reason;
      result.status = event.status;
      result.timings = event.timings;
      if (!event.outputs.empty()) result.outputs.push_back(std::move(event.outputs));
      finished += event.finished();
      if (on_event && !cancelled) cancelled = !on_event(event);
    }
    if (!cancelled) continue;
    Cancel(id);
    for (GeneratedSequence& result : results) {
      if (result.finish_reason == FinishReason::kNone) {
        result.finish_reason = FinishReason::kCancelled;
      }
    }
    break;
  }
  state_->kept = std::move(others);
  return results;
}

Status Engine::Score(std::span<const int32_t> ids,
                     const std::function<void(int64_t, std::span<const float>)>& on_rows) {
  State& state = *state_;
  FATHOM_TRY(state.CheckPrompt(ids, 0));
  const int64_t needed = KvCache::BlocksFor(static_cast<int64_t>(ids.size()));
  if (state.scheduler->reserved_blocks() + needed > state.limits.num_blocks) {
    return Status::RunTime(
        fmt::format("{} tokens need {} cache blocks, {} are free", ids.size(), needed,
                    state.limits.num_blocks - state.scheduler->reserved_blocks()),
        "wait for the running requests");
  }
  auto request = std::make_shared<RequestState>();
  request->request.prompt_ids.assign(ids.begin(), ids.end());
  Sequence sequence(request, 0, nullptr);
  sequence.cache = state.cache->Create();
  Status status;
  while (state.cache->length(sequence.cache) < sequence.length() && status.ok()) {
    const int64_t first = state.cache->length(sequence.cache);
    const int64_t count = std::min(sequence.length() - first, state.runner->scoring_tokens());
    const ScheduledTokens tokens{&sequence, count, false};
    const auto rows = state.runner->Run({&tokens, 1}, true);
    status = rows.status();
    if (rows.ok()) on_rows(first, *rows);
  }
  state.cache->Free(sequence.cache);
  return status;
}

}  // namespace fathom
