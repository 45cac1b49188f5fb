// generation_config.json -> what a request asks for, by the rules of transformers' `generate`.
#pragma once

#include <cstdint>

#include "checkpoint/generation_config.h"
#include "checkpoint/model_config.h"
#include "fathom/request.h"
#include "fathom/sampling.h"
#include "fathom/status.h"

namespace fathom {

// `config` as read; what it leaves open takes generate's defaults. Ids beyond int32 are dropped: no
// vocabulary has them.
SamplingParams SamplingParamsFrom(const GenerationConfig& config);

// The request that `generate` would run for a config and no arguments.
Request RequestFrom(const GenerationConfig& config);

// Most tokens of the sequence, prompt included (_prepare_generated_length): the prompt plus
// max_new_tokens, else max_length, else the prompt plus 20 but no more than max_positions (0:
// unknown). until_context gives `context_length`. Never beyond context_length.
int64_t LengthLimit(const Request& request, int64_t max_positions, int64_t context_length);

}  // namespace fathom
