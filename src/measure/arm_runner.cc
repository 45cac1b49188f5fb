#include "measure/arm_runner.h"

#include <chrono>

#include "fathom/engine.h"
#include "fathom/model.h"
#include "fathom/text.h"
#include "measure/bench.h"
#include "measure/statistics.h"

namespace fathom {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kTokenizePasses = 3;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

class EngineArm final : public ArmRunner {
 public:
  static Result<std::unique_ptr<ArmRunner>> Open(const std::string& model_path,
                                                 const EngineOptions& options,
                                                 NoticeSink* notices) {
    const auto start = Clock::now();
    auto arm = std::make_unique<EngineArm>();
    // What is tried for a measurement alone is not kept on the user's disk.
    EngineOptions own = options;
    own.weight_cache_limit = "0GB";
    FATHOM_ASSIGN(arm->model_, Model::Load(model_path, own, notices));
    FATHOM_ASSIGN(arm->engine_, Engine::Create(arm->model_, notices));
    arm->load_seconds_ = SecondsSince(start);
    return std::unique_ptr<ArmRunner>(std::move(arm));
  }

  Result<RoundTimes> Run(const RoundWork& work) override {
    const auto start = Clock::now();
    for (std::vector<double>* steps : {&prefill_, &decode_, &sampling_, &tokenize_}) steps->clear();
    // Apart: one thread reads the text, and the pool's others would come back to their first steps
    // from sleep, which is no property of the tokenizer.
    FATHOM_TRY(WakeUp(work));
    FATHOM_TRY(Generate(work));
    FATHOM_TRY(Tokenize(work.text));
    RoundTimes times;
    times.prefill = Median(prefill_) / static_cast<double>(work.prompt_ids.size());
    times.decode = Median(decode_);
    times.sampling = Median(sampling_);
    times.tokenize = Median(tokenize_);
    times.total = SecondsSince(start);
    return times;
  }

  Status Score(std::span<const int32_t> ids,
               const std::function<void(int64_t, std::span<const float>)>& on_rows) override {
    return engine_->Score(ids, on_rows);
  }

  Result<std::vector<int32_t>> Encode(const std::string& text) override {
    const Tokenizer* tokenizer = model_->tokenizer();
    if (tokenizer == nullptr) return std::vector<int32_t>();
    return tokenizer->Encode(text, {.use_fast = model_->options().IsOn("use_fast")});
  }

  int64_t vocab_size() const override { return model_->vocab_size(); }
  int64_t context_length() const override { return model_->context_length(); }
  double DecodeBytes(int64_t depth) const override {
    return DecodeBytesPerToken(*model_, 1, depth);
  }
  double load_seconds() const override { return load_seconds_; }

 private:
  // The other arm ran before: its weights are in the caches, or the pool's threads went to sleep
  // while it did something else. A few steps that are not timed, so that it does not matter.
  Status WakeUp(const RoundWork& work) {
    Request request;
    const size_t count = std::min<size_t>(work.prompt_ids.size(), 4);
    request.prompt_ids.assign(work.prompt_ids.begin(), work.prompt_ids.begin() + count);
    request.max_new_tokens = 2;
    request.ignore_eos = true;
    request.want_text = false;
    FATHOM_ASSIGN(const auto sequences, engine_->Generate(std::move(request)));
    return sequences[0].status;
  }

  Status Tokenize(const std::string& text) {
    if (text.empty() || model_->tokenizer() == nullptr) return Status::Ok();
    // What generation left in the caches is no property of the tokenizer either: the first pass
    // brings its tables back and is not counted.
    for (int i = 0; i <= kTokenizePasses; ++i) {
      const auto start = Clock::now();
      FATHOM_TRY(Encode(text).status());
      if (i > 0) tokenize_.push_back(SecondsSince(start));
    }
    return Status::Ok();
  }

  Status Generate(const RoundWork& work) {
    Request request;
    request.prompt_ids = work.prompt_ids;
    request.sampling.do_sample = true;
    request.sampling.top_k = 50;
    request.seed = work.seed;
    request.max_new_tokens = work.decode_tokens + 1;
    request.ignore_eos = true;
    request.want_text = false;
    int64_t tokens = 0;
    double sampled = engine_->stats().sampling_seconds;
    auto last = Clock::now();
    const auto on_token = [&](const StepEvent&) {
      const auto now = Clock::now();
      const double seconds = std::chrono::duration<double>(now - last).count();
      (tokens++ == 0 ? prefill_ : decode_).push_back(seconds);
      sampling_.push_back(engine_->stats().sampling_seconds - sampled);
      sampled = engine_->stats().sampling_seconds;
      last = now;
      return true;
    };
    FATHOM_ASSIGN(const auto sequences, engine_->Generate(std::move(request), on_token));
    FATHOM_TRY(sequences[0].status);
    if (tokens == work.decode_tokens + 1) return Status::Ok();
    return Status::RunTime("the text ended before its time");
  }

  // Seconds of each prompt, token, draw and text of the round. Their medians are taken: a moment in
  // which the system ran something else is no property of the arm.
  std::vector<double> prefill_, decode_, sampling_, tokenize_;
  std::shared_ptr<const Model> model_;
  std::unique_ptr<Engine> engine_;
  double load_seconds_ = 0;
};

}  // namespace

Result<std::unique_ptr<ArmRunner>> OpenEngineArm(const std::string& model_path,
                                                 const EngineOptions& options,
                                                 NoticeSink* notices) {
  return EngineArm::Open(model_path, options, notices);
}

}  // namespace fathom
