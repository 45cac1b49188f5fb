// llama.cpp with a loaded model that takes turns, by its own library alone.
//
//   llama_turns turns MODEL.gguf THREADS FLASH(0|1)          orders and answers of `fathom
//                                                            bench-turns` (decode, prefill)
//   llama_turns start MODEL.gguf THREADS FLASH(0|1) TEXT     one token of a text, then the end
//   llama_turns quantize FROM.gguf TO.gguf THREADS Q8_0|Q4_0
//
// What a turn times is what llama-bench times: batches of random tokens, one call of llama_decode a
// token and nothing sampled. Settings are the library's defaults, but for threads and attention.
#include <llama.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

constexpr int kSteps = 16;  // after each prompt
constexpr int kContext = 4096;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

[[noreturn]] void Fail(const std::string& what) {
  std::fprintf(stderr, "llama_turns: %s\n", what.c_str());
  std::exit(1);
}

struct Loaded {
  llama_model* model = nullptr;
  llama_context* context = nullptr;
  const llama_vocab* vocabulary = nullptr;
  double load_ms = 0;

  Loaded(const char* path, int threads, bool flash, int length) {
    const auto start = Clock::now();
    llama_model_params model_params = llama_model_default_params();
    model = llama_model_load_from_file(path, model_params);
    if (model == nullptr) Fail(std::string("cannot load ") + path);
    llama_context_params params = llama_context_default_params();
    params.n_ctx = length;
    params.n_batch = 2048;
    params.n_ubatch = 512;
    params.n_threads = params.n_threads_batch = threads;
    params.flash_attn_type = flash ? LLAMA_FLASH_ATTN_TYPE_ENABLED : LLAMA_FLASH_ATTN_TYPE_DISABLED;
    context = llama_init_from_model(model, params);
    if (context == nullptr) Fail("cannot make a context");
    vocabulary = llama_model_get_vocab(model);
    load_ms = 1e3 * SecondsSince(start);
  }

  void Decode(llama_token* tokens, int count) {
    if (llama_decode(context, llama_batch_get_one(tokens, count)) != 0) Fail("llama_decode failed");
  }
};

class Turns {
 public:
  explicit Turns(Loaded& loaded)
      : loaded_(loaded), pick_(0, llama_vocab_n_tokens(loaded.vocabulary) - 1) {}

  void Run(const std::string& what, int length, double seconds) {
    if (length < 1 || length + kSteps > kContext) Fail("a context that this program has not");
    double tokens = 0, spent = 0;
    std::vector<llama_token> ids(length);
    while (spent < seconds) {
      llama_memory_clear(llama_get_memory(loaded_.context), false);
      for (llama_token& id : ids) id = pick_(random_);
      auto start = Clock::now();
      for (int at = 0; at < length; at += 2048) {
        loaded_.Decode(ids.data() + at, std::min(2048, length - at));
      }
      llama_synchronize(loaded_.context);
      if (what == "prefill") {
        tokens += length;
        spent += SecondsSince(start);
        continue;
      }
      llama_token id = pick_(random_);
      start = Clock::now();
      for (int i = 0; i < kSteps; ++i) {
        loaded_.Decode(&id, 1);
        llama_synchronize(loaded_.context);
        id = pick_(random_);
      }
      tokens += kSteps;
      spent += SecondsSince(start);
    }
    std::printf("{\"tokens\":%.0f,\"seconds\":%.9f}\n", tokens, spent);
    std::fflush(stdout);
  }

 private:
  Loaded& loaded_;
  std::uniform_int_distribution<llama_token> pick_;
  std::mt19937_64 random_{std::random_device{}()};
};

int TakeTurns(Loaded& loaded) {
  Turns turns(loaded);
  llama_token id = 1;
  loaded.Decode(&id, 1);  // warms pages and kernels
  std::printf("{\"ready\":true}\n");
  std::fflush(stdout);
  char what[16];
  int length = 0;
  double seconds = 0;
  while (std::scanf("%15s %d %lf", what, &length, &seconds) == 3) {
    turns.Run(what, length, seconds);
  }
  return 0;
}

int OneToken(Loaded& loaded, const char* text) {
  std::vector<llama_token> ids(4096);
  const int count = llama_tokenize(loaded.vocabulary, text, static_cast<int>(std::strlen(text)),
                                   ids.data(), static_cast<int>(ids.size()), true, true);
  if (count < 1) Fail("cannot encode the text");
  loaded.Decode(ids.data(), count);
  const float* logits = llama_get_logits_ith(loaded.context, -1);
  const int size = llama_vocab_n_tokens(loaded.vocabulary);
  const int best = static_cast<int>(std::max_element(logits, logits + size) - logits);
  std::printf("{\"load_ms\":%.3f,\"prompt_tokens\":%d,\"id\":%d}\n", loaded.load_ms, count, best);
  return 0;
}

int Quantize(const char* from, const char* to, int threads, const std::string& kind) {
  llama_model_quantize_params params = llama_model_quantize_default_params();
  params.nthread = threads;
  params.ftype = kind == "Q8_0" ? LLAMA_FTYPE_MOSTLY_Q8_0 : LLAMA_FTYPE_MOSTLY_Q4_0;
  return llama_model_quantize(from, to, &params) == 0 ? 0 : 1;
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 5) Fail("turns|start MODEL THREADS FLASH [TEXT], quantize FROM TO THREADS KIND");
  const std::string mode = arguments[1];
  llama_backend_init();
  if (mode == "quantize") {
    if (count < 6) Fail("quantize FROM TO THREADS KIND");
    return Quantize(arguments[2], arguments[3], std::atoi(arguments[4]), arguments[5]);
  }
  llama_log_set([](ggml_log_level, const char*, void*) {}, nullptr);
  const bool start = mode == "start" && count > 5;
  Loaded loaded(arguments[2], std::atoi(arguments[3]), arguments[4][0] == '1',
                start ? 512 : kContext);
  return start ? OneToken(loaded, arguments[5]) : TakeTurns(loaded);
}
