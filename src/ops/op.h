// Operations: one record each (src/ops/records/NAME.cc): what it computes, its shapes, its plain
// reference, its test cases and its cost. Graphs are made of them, backends bring kernels for them,
// tests and benchmarks iterate over them.
#pragma once

#include <cstdint>
#include <functional>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "fathom/status.h"
#include "tensor/tensor.h"
#include "tensor/weight.h"

namespace fathom {

// Constants of a node, by name: a short list, so that a search is a few compares.
class Attributes {
 public:
  using Value = std::variant<int64_t, double, std::string, std::vector<float>>;

  Attributes() = default;
  Attributes(std::initializer_list<std::pair<std::string, Value>> items) : items_(items) {}

  void Set(std::string_view name, Value value);
  bool Has(std::string_view name) const { return Find(name) != nullptr; }
  // The attribute is there with that type, or (the second form) the default is taken.
  int64_t Int(std::string_view name) const;
  int64_t Int(std::string_view name, int64_t otherwise) const;
  double Double(std::string_view name) const;
  double Double(std::string_view name, double otherwise) const;
  const std::string& String(std::string_view name) const;
  const std::vector<float>& Floats(std::string_view name) const;
  const std::vector<std::pair<std::string, Value>>& items() const { return items_; }

 private:
  const Value* Find(std::string_view name) const;
  std::vector<std::pair<std::string, Value>> items_;
};

// One input or output of a call: a tensor, or a weight; neither where an optional input is absent.
struct Operand {
  Tensor tensor;
  const Weight* weight = nullptr;
  bool present() const { return weight != nullptr || tensor.data != nullptr; }
};

// One call of an operation. Shapes are the step's true sizes, buffers may be larger.
struct OpCall {
  const Attributes* attributes = nullptr;
  std::span<const Operand> inputs;
  std::span<Operand> outputs;
  // A kernel's own scratch, as large as its row asked for; the reference has none.
  std::byte* scratch = nullptr;
  // Which of the settings of the kernel's row runs; 0: the fixed choice.
  int tuning = 0;
};

enum class PortKind : uint8_t {
  kActivation,  // float32 [num_tokens or num_logit_rows, ...]
  kIndex,       // int32
  kMatrix,      // Weight [out_features, in_features]
  kVector,      // float32 vector of the checkpoint (norm weight, bias)
  kCache,  // F32, F16 or BF16 [num_blocks, num_key_value_heads, block_size, head_dim], in place
};

struct Port {
  std::string_view name;
  PortKind kind;
  std::string_view axes;  // "[num_tokens, hidden_size]"
  bool optional = false;
  bool repeated = false;  // the ports so marked, all at the end, may stand several times in turn
};

// One test of an operation: the inputs are made by the record, so that indices are meaningful.
struct OpTestCase {
  std::string name;
  Attributes attributes;
  // Inputs in port order. Absent optional inputs have rank 0.
  struct Input {
    DType dtype = DType::kF32;
    Shape shape;                   // matrix: [rows, cols]
    std::vector<int32_t> indices;  // kIndex
    double low = -1, high = 1;     // others: uniform random
  };
  std::vector<Input> inputs;
  std::vector<Shape> output_shapes;
};

// What one call must do at least: every operand read or written once. Matrices and caches are
// counted in elements, for their type is the plan's choice.
struct OpCost {
  double flops = 0;
  double bytes = 0;            // of activations, indices and vectors
  double weight_elements = 0;  // read of matrices
  double cache_elements = 0;   // read and written of caches

  double TotalBytes(double bytes_per_weight, double bytes_per_cache_element) const {
    return bytes + weight_elements * bytes_per_weight + cache_elements * bytes_per_cache_element;
  }
};

struct OpRecord {
  std::string_view name;
  std::string_view formula;
  std::vector<Port> inputs;
  std::vector<Port> outputs;
  // Shapes of the outputs from those of the inputs; a mismatch is a broken graph
  // (FATHOM_CHECK-worthy, but a Status so that the verifier names the node). Matrices come as
  // [rows, cols].
  Result<std::vector<Shape>> (*infer_shapes)(const Attributes&, std::span<const Shape> inputs);
  // Plain loops in float32: the oracle. Reads any weight format and any cache type.
  void (*reference)(const OpCall& call);
  OpCost (*cost)(const Attributes&, std::span<const Shape> inputs, std::span<const Shape> outputs);
  std::vector<OpTestCase> (*test_cases)();
  // |kernel - reference| <= (tolerance_ulps * 2^-23 + e) * magnitude, where the magnitude bounds
  // the sum of magnitudes that went into an element (for a dot product ||row|| * ||x||) and e is
  // the epsilon of the type to which the kernel rounds operands, if that is coarser than float32
  // (ops/op_testing.h).
  double tolerance_ulps = 8;
  // Fills `magnitudes` (float32, shaped as the outputs). Runs after the reference, on the same
  // call. Null: the largest absolute value of the element's row of the output.
  void (*magnitudes)(const OpCall& call, std::span<const Tensor> magnitudes) = nullptr;
  // Inputs changed in place by the call (indices of ports): caches.
  std::vector<int> in_place_inputs = {};
};

// All records, by name. The list is written by the build from the files of src/ops/records.
std::span<const OpRecord* const> AllOps();
const OpRecord* FindOp(std::string_view name);
// The record must exist.
const OpRecord& GetOp(std::string_view name);

// attention, or attention_with_weights: the same inputs and first output.
inline bool IsAttention(const OpRecord& op) {
  return op.name == "attention" || op.name == "attention_with_weights";
}

// The port of input `index` (output likewise): repeated ports take turns from the first one so
// marked. Null where the record has no port for it.
const Port* FindPort(std::span<const Port> ports, size_t index);

}  // namespace fathom
