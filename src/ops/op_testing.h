// Runs an operation's test cases: random operands, the reference, any kernel, and the comparison.
//
//   for (const OpTestCase& test : GetOp("linear").test_cases()) {
//     OpTestOptions options{.weight_format = WeightFormat::kPanel16, .weight_dtype = DType::kBF16,
//                           .compute_epsilon = EpsilonOf(DType::kBF16)};
//     const OpTestResult result = RunOpTest(GetOp("linear"), test, options, [&](const OpCall& call)
//     {
//       pool.Run([&](const Worker& worker) { row.function(call, worker); });
//     });
//     EXPECT_TRUE(result.ok) << result.message;
//   }
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "ops/op.h"

namespace fathom {

struct OpTestOptions {
  uint64_t seed = 1;
  WeightFormat weight_format = WeightFormat::kDense;
  DType weight_dtype = DType::kF32;  // F32, F16, BF16
  DType cache_dtype = DType::kF32;   // F32, F16, BF16
  // Relative error that the kernel makes where it rounds operands before it multiplies: the epsilon
  // of the type it rounds to (EpsilonOf(kBF16) for a bf16 dot product over float32 activations).
  double compute_epsilon = 0x1p-23;
  // Dense weights start this many elements behind an aligned address, as mapped ones may.
  int64_t weight_offset = 0;
};

// Owned operands of one call. Outputs start as NaN, so that an element nobody wrote shows. Buffers
// are 64-byte aligned and end in guard bytes of ones, NaN in every float type: whole vectors may be
// read across the end, but what lies there must not reach a result.
class OpTestData {
 public:
  OpTestData(const OpRecord& record, const OpTestCase& test, const OpTestOptions& options);
  ~OpTestData();
  OpTestData(OpTestData&&) noexcept;
  OpTestData& operator=(OpTestData&&) noexcept;

  // Valid as long as this object lives. `scratch` is null: a kernel that needs some sets its own in
  // a copy of the call.
  const OpCall& call() const;
  std::span<const Operand> inputs() const;
  std::span<Operand> outputs() const;
  // Names the operand behind which something wrote; empty where nothing did.
  std::string BrokenGuard() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

struct OpTestResult {
  bool ok = true;
  // max over all elements of |kernel - reference| / allowed: <= 1 passes.
  double worst_ratio = 0;
  // One line: the operation, the case, the worst element: where, what it is, what it should be.
  std::string message;
};

using OpFunction = std::function<void(const OpCall& call)>;

// The reference and `kernel` on equal operands. Compared are all outputs and the inputs changed in
// place. An element passes where
//   |kernel - reference| <= (tolerance_ulps * 2^-23 + compute_epsilon if coarser) * magnitude
//                           + (in-place only) epsilon of the cache type * |reference|
// with OpRecord::tolerance_ulps and OpRecord::magnitudes. A reference that is not finite fails: no
// test case makes it so. Inputs that are not changed in place must stay as they were.
OpTestResult RunOpTest(const OpRecord& record, const OpTestCase& test, const OpTestOptions& options,
                       const OpFunction& kernel);

// "linear/odd_sizes panel16 BF16 cache F32": for names in messages and SCOPED_TRACE.
std::string DescribeOpTest(const OpRecord& record, const OpTestCase& test,
                           const OpTestOptions& options);

}  // namespace fathom
