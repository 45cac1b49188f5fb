#include "fathom/model.h"

#include "engine/generation_settings.h"
#include "engine/model_state.h"

namespace fathom {

Model::Model(std::unique_ptr<State> state) : state_(std::move(state)) {}
Model::~Model() = default;

const std::string& Model::path() const { return state_->path; }
const EngineOptions& Model::options() const { return state_->options; }
const ModelConfig& Model::config() const { return state_->config; }
const GenerationConfig& Model::generation_config() const { return state_->generation_config; }
const Architecture& Model::architecture() const { return *state_->architecture; }
const Tokenizer* Model::tokenizer() const {
  return state_->tokenizer.has_value() ? &*state_->tokenizer : nullptr;
}
std::span<const OptimizationReport> Model::optimizations() const { return state_->optimizations; }
const Graph& Model::graph() const { return *state_->plan.graph; }
const Plan& Model::plan() const { return state_->plan; }
Backend& Model::backend() const { return *state_->backend; }
const std::shared_ptr<const WeightStore>& Model::weights() const { return state_->weights; }
int64_t Model::vocab_size() const { return state_->vocab_size; }
int64_t Model::context_length() const { return state_->context_length; }
const ModelMemory& Model::memory() const { return state_->memory; }
double Model::load_ms() const { return state_->load_ms; }

Request Model::NewRequest(std::vector<int32_t> prompt_ids) const {
  Request request = RequestFrom(state_->generation_config);
  request.prompt_ids = std::move(prompt_ids);
  return request;
}

}  // namespace fathom
