// Engine: a live timeline over a loaded Model: sequences, their caches, and the steps that advance
// them. One thread calls it; each Step runs all sequences that are ready (continuous batching):
// prompts in chunks and one token of every running text together.
//
//   auto engine = Engine::Create(model, nullptr);
//   auto id = (*engine)->Submit(request);
//   while ((*engine)->has_work()) {
//     auto events = (*engine)->Step();
//     for (const StepEvent& event : *events) std::cout << event.text;
//   }
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "fathom/model.h"
#include "fathom/request.h"
#include "fathom/status.h"

namespace fathom {

struct KernelChoice;  // backends/backend.h

using RequestId = int64_t;

enum class FinishReason {
  kNone,    // not finished
  kStop,    // eos, or a stop string
  kLength,  // max_new_tokens, max_length, or the context
  kError,   // this request alone failed: see status
  kCancelled,
};
// "", "stop", "length", "error", "cancelled".
std::string_view FinishReasonName(FinishReason reason);

// What the texts of one request cost. Times are wall clock; steps shared with other requests count
// in full for each.
struct RequestTimings {
  int64_t prompt_tokens = 0;
  int64_t new_tokens = 0;
  int64_t reused_tokens = 0;  // of the prompt: found in the cache (Engine::KeepPrefixes)
  double queue_ms = 0;    // from Submit to the first step
  double prefill_ms = 0;  // from there to the first token
  double decode_ms = 0;   // from the first token to the last
};

// float32, row-major.
struct OutputArray {
  std::vector<int64_t> shape;
  std::vector<float> values;
};

// What transformers' generate returns of one step with output_attentions, output_hidden_states: the
// step is all that ran for one new token. generated_len is the prompt's length at the first step,
// then 1 (with use_cache off: the whole text); seq_len counts the tokens that are attended to, in a
// layer with a window of W no more than W - 1 + generated_len behind the first step.
struct StepOutputs {
  std::vector<OutputArray> attentions;     // per layer [num_heads, generated_len, seq_len]
  std::vector<OutputArray> hidden_states;  // embeddings, then each layer; the last one is behind
                                           // the final norm: [generated_len, hidden_size]
  bool empty() const { return attentions.empty() && hidden_states.empty(); }
};

// What one step did to one sequence. At most one event a sequence and step.
struct StepEvent {
  RequestId request = 0;
  int sequence = 0;              // 0 .. num_return_sequences - 1
  std::vector<int32_t> new_ids;  // eos included
  std::string text;              // whole UTF-8; lags behind the ids where a stop string may begin
  FinishReason finish_reason = FinishReason::kNone;
  Status status;           // kError: why
  RequestTimings timings;  // filled where finished
  StepOutputs outputs;     // of the step of new_ids; empty unless the options ask for them
  bool finished() const { return finish_reason != FinishReason::kNone; }
};

// A whole answer (Generate).
struct GeneratedSequence {
  std::vector<int32_t> ids;  // new ids, eos included
  std::string text;
  FinishReason finish_reason = FinishReason::kNone;
  Status status;
  RequestTimings timings;
  std::vector<StepOutputs> outputs;  // one a new id; empty unless the options ask for them
};

// Totals since the engine was made.
struct EngineStats {
  int64_t steps = 0;
  int64_t prompt_tokens = 0;   // tokens run as prefill, recomputation included
  int64_t decode_tokens = 0;   // tokens run one a step
  double prefill_seconds = 0;  // of steps with any prefill token
  double decode_seconds = 0;   // of steps of decode tokens alone
  double sampling_seconds = 0;
};

class Engine {
 public:
  // Allocates caches and compiles the plan for each size bucket. kRunTime where memory lacks.
  static Result<std::unique_ptr<Engine>> Create(std::shared_ptr<const Model> model,
                                                NoticeSink* notices);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  const Model& model() const;

  // Queues a request. Refused at once: an empty prompt, a bad sampling value, an id >= vocab_size
  // (kUsage); a prompt longer than the context (kRunTime, with both numbers): it is never cut.
  Result<RequestId> Submit(Request request);
  // For benchmarks at depth: the same, but all of the prompt except its last token counts as run,
  // and the cache holds random keys and values (normal, deviation 1) in its place.
  Result<RequestId> SubmitAtDepth(Request request, uint64_t seed);
  // From now on the blocks of finished texts stay in the cache as long as nothing else needs their
  // room, and a prompt that begins as one of those texts starts behind what they share (whole
  // blocks of 32 tokens): the next turn of a talk then runs its new tokens alone. Off at first, for
  // rounding differs from a run of the whole prompt. Nothing is kept of a model whose old keys
  // change as a text grows (dynamic rope, longrope), nor where options keep outputs of each token.
  void KeepPrefixes(bool keep);
  // The sequences of the request end now; their blocks are free, no event follows. Unknown:
  // nothing.
  void Cancel(RequestId id);
  bool has_work() const;
  // Runs one step. A status means that the engine cannot go on; what fails one request alone is an
  // event of that request.
  Result<std::vector<StepEvent>> Step();

  // Runs one request to its end. `on_event` (may be empty) sees each event as it comes and returns
  // false to cancel: the result then has what there is.
  Result<std::vector<GeneratedSequence>> Generate(
      Request request, const std::function<bool(const StepEvent&)>& on_event = {});

  // Logits of every position: `on_rows(first, rows)` gets float32 rows [n, vocab_size] of the
  // positions first .. first + n - 1, in order, chunk by chunk; they are valid during the call.
  // Refuses what Submit refuses.
  Status Score(std::span<const int32_t> ids,
               const std::function<void(int64_t first, std::span<const float> rows)>& on_rows);

  const EngineStats& stats() const;
  // Which kernel runs each node of the graph ("no silent fallback").
  std::span<const KernelChoice> kernels() const;
  int64_t cache_bytes() const;       // reserved for the caches (resident as they fill)
  int64_t activation_bytes() const;  // arenas of all buckets

 private:
  struct State;
  explicit Engine(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace fathom
