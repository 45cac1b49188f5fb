// Integer weights, made while loading: --dtype int8 and int4. Never chosen by itself.
//
// Every matrix of a linear operation becomes kInt8Panel16 or kInt4Panel16 (tensor/
// quantized_weight.h), but the head is int8 in both: each of its errors goes straight into a logit.
// Embeddings, norms and biases keep the checkpoint's type; so do the caches. A head tied to the
// embedding becomes a weight of its own beside it: the embedding is looked up in the mapped file,
// of which only the rows that are asked for are read.
#pragma once

#include <cstdint>
#include <string_view>

#include "backends/backend.h"
#include "base/log.h"
#include "fathom/status.h"
#include "graph/plan.h"

namespace fathom {

enum class Quantization : uint8_t { kNone, kInt8, kInt4 };

// "int8", "int4"; kNone for every other dtype.
Quantization QuantizationOf(std::string_view dtype);

// Gives each linear operation that multiplies by an embedding a weight of its own with the same
// sources. Before weights are located.
void SplitTiedHead(Graph& graph);

// Sets the formats of plan.weights; the embedding's type is plan.cache_dtype, the checkpoint's. A
// notice tells the widths that the preferred group does not divide. kUsage where the backend has no
// such weights.
Status QuantizePlan(Quantization quantization, const Backend& backend, Plan& plan,
                    NoticeSink* notices);

// Row float32_matmul_precision: whether "high" or "medium" is asked for, the model runs in float32,
// and the backend multiplies bf16. Elsewhere products stay those of "highest".
bool WantsBf16Products(std::string_view precision, DType dtype, const Backend& backend);
// Sets the formats of plan.weights for plan.float32_matmul_precision; a tied head is split off
// before.
void SplitProducts(Plan& plan);

}  // namespace fathom
