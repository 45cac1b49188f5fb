#include "ops/identity.h"
#include "ops/op.h"

namespace fathom {

// Tensor parallelism: after a layer whose columns are split. One rank: the identity.
const OpRecord& op_all_reduce() {
  static const OpRecord record = MakeIdentityRecord("all_reduce", "y = sum of x over all ranks");
  return record;
}

}  // namespace fathom
