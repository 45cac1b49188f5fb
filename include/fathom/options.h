// EngineOptions: how a model is loaded and run. Plain data: the command line fills it, the
// optimizations change it, the engine obeys it. What is asked of one text is in request.h.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fathom {

struct EngineOptions {
  // Where it runs. An isa that this machine lacks is an error, never a quiet step down.
  std::string backend = "cpu";  // a folder of src/backends: "cpu", "reference"
  std::string device;           // "", "auto": the backend's; "cpu", "cuda", "cuda:N", "mps"
  std::string isa;              // "": the best here; else amx, avx512, avx2, baseline, neon
  int threads = 0;              // 0: the cores this process may use

  // How it computes: the spellings of transformers.
  // "auto": the checkpoint's; "float32", "bfloat16", "float16"; "int8", "int4": integer weights
  // with a scale a group, made at load, all else in the checkpoint's type.
  std::string dtype = "auto";
  std::string attn_implementation;  // "": the backend's best; "flash_attention_2", "sdpa", "eager"
  std::string float32_matmul_precision = "highest";  // "high", "medium"
  // True: the scores of every layer are materialized and returned (needs "eager" attention), or
  // the hidden states; the off-arms of the rows of these names.
  bool output_attentions = false;
  bool output_hidden_states = false;
  // Where the layers lie: "": as the row decides ("auto" where it is on); "auto", "balanced",
  // "balanced_low_0", "sequential"; "cpu": all on this one device; a JSON map of modules to
  // devices. What the budgets do not hold stays on disk, mapped.
  std::string device_map;
  std::string max_memory;  // "": what is usable; "cpu=8GiB", R"({"0": "10GiB", "cpu": "30GiB"})"

  // Rows of the optimization table by id, as switched by the user. `required` fails the load where
  // the row would not be on.
  std::vector<std::string> disabled;
  std::vector<std::string> enabled;
  std::vector<std::string> required;

  // Sizes. Tokens count the prompt and what is generated.
  int64_t context_length = 0;  // 0: max_position_embeddings of config.json
  int64_t max_sequences = 8;   // sequences alive in one engine, several of one request counted each
  int64_t chunk_tokens = 512;  // most tokens of one step; longer prompts go in chunks
  // Bytes the caches of one engine may take; 0: what memory is usable beside the weights allows.
  int64_t cache_bytes = 0;
  // Most that packed weights kept for the next start may take on the disk, all models together:
  // "": a tenth of the disk; "20GiB"; "0GB": nothing new is kept. Row weight_cache.
  std::string weight_cache_limit;

  bool load_tokenizer = true;  // false: ids in, ids out

  // Asked for by id: a row is on by default; `enabled` wins over `disabled` where both name it.
  bool IsOn(std::string_view row) const {
    return !Contains(disabled, row) || Contains(enabled, row);
  }
  static bool Contains(const std::vector<std::string>& rows, std::string_view row) {
    return std::find(rows.begin(), rows.end(), row) != rows.end();
  }
};

}  // namespace fathom
