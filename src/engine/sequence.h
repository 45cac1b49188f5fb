// Sequence: one text in the making. Request state that its sequences share is in RequestState.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/beam_search.h"
#include "engine/kv_cache.h"
#include "engine/output_pieces.h"
#include "engine/stop_matcher.h"
#include "fathom/engine.h"
#include "fathom/text.h"
#include "sampling/processor.h"

namespace fathom {

using Clock = std::chrono::steady_clock;

inline double MillisecondsBetween(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double, std::milli>(to - from).count();
}

struct Sequence;

struct RequestState {
  RequestId id = 0;
  Request request;
  std::vector<const LogitsProcessor*> processors;
  int64_t prompt_length = 0;
  int64_t length_limit = 0;               // of each sequence, prompt included
  int64_t reserved_blocks = 0;            // of each group, for all its sequences
  int64_t reused_tokens = 0;              // of the prompt
  int num_sequences = 1;                  // run at once: those to return, or the beams
  int alive = 0;                          // sequences not finished
  std::optional<uint64_t> random_prefix;  // Engine::SubmitAtDepth: its seed
  Clock::time_point submitted;
  std::optional<BeamSearch> beam_search;  // num_beams > 1
  std::vector<Sequence*> beams;           // by index; from the end of the prompt on
  Status beam_status;                     // of the first row that failed
};

// The text of the ids, as far as it is certain.
class TextStream {
 public:
  TextStream(const Tokenizer* tokenizer, const Request& request);

  std::string Push(int32_t id);
  std::string Finish();
  bool stopped() const { return stops_.matched(); }

 private:
  std::optional<StreamDecoder> decoder_;
  StopMatcher stops_;
};

struct Sequence {
  std::shared_ptr<RequestState> state;
  int index = 0;  // within the request
  std::vector<int32_t> ids;
  KvCache::Handle cache = -1;
  TextStream text;
  OutputPieces outputs;  // of the tokens since the last new id
  Clock::time_point started, first_token;

  Sequence(std::shared_ptr<RequestState> request, int sequence_index, const Tokenizer* tokenizer)
      : state(std::move(request)),
        index(sequence_index),
        ids(state->request.prompt_ids),
        text(tokenizer, state->request) {}

  int64_t length() const { return static_cast<int64_t>(ids.size()); }
  bool in_prompt() const { return length() == state->prompt_length; }
};

}  // namespace fathom
