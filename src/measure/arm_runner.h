// ArmRunner: one arm of a row, loaded and ready to work. measure sees arms through this alone, so
// that tests can put a slower one in its place.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/log.h"
#include "fathom/options.h"
#include "fathom/status.h"

namespace fathom {

// The work of one round: read a text, take in a prompt, go on from it by drawing from the k most
// likely tokens (generate's do_sample and top_k = 50), so that every row has something to act on.
struct RoundWork {
  std::string text;                 // to tokenize; empty: none
  std::vector<int32_t> prompt_ids;  // the prompt
  int64_t decode_tokens = 16;       // steps after the first token, at least 1
  uint64_t seed = 0;
};

// Seconds; of what happens more than once in a round, the median.
struct RoundTimes {
  double prefill = 0;   // a token of the prompt
  double decode = 0;    // a token after the first one
  double sampling = 0;  // a draw
  double tokenize = 0;  // the text; 0: none
  double total = 0;     // the round, wall clock
};

class ArmRunner {
 public:
  virtual ~ArmRunner() = default;
  // Fails where the model cannot go on: NaN or infinities among the logits, too long a prompt.
  virtual Result<RoundTimes> Run(const RoundWork& work) = 0;
  // Logits of every position, chunk by chunk: float32 rows [n, vocab_size] (Engine::Score).
  virtual Status Score(
      std::span<const int32_t> ids,
      const std::function<void(int64_t first, std::span<const float> rows)>& on_rows) = 0;
  // Ids of a text with the special tokens of the model; empty where it has no tokenizer.
  virtual Result<std::vector<int32_t>> Encode(const std::string& text) = 0;
  virtual int64_t vocab_size() const = 0;
  virtual int64_t context_length() const = 0;
  // What decode must read for a token at `depth` tokens in the cache; 0: not known.
  virtual double DecodeBytes(int64_t depth) const = 0;
  // Seconds from nothing to here.
  virtual double load_seconds() const = 0;
};

using ArmFactory = std::function<Result<std::unique_ptr<ArmRunner>>(const EngineOptions& options)>;

// Loads the folder with the options and makes an engine of it. `notices` may be null.
Result<std::unique_ptr<ArmRunner>> OpenEngineArm(const std::string& model_path,
                                                 const EngineOptions& options, NoticeSink* notices);

}  // namespace fathom
