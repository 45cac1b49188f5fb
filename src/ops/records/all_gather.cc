#include "ops/identity.h"
#include "ops/op.h"

namespace fathom {

// Tensor parallelism: after a layer whose rows are split. One rank: the identity.
const OpRecord& op_all_gather() {
  static const OpRecord record =
      MakeIdentityRecord("all_gather", "y = columns of x of all ranks, side by side");
  return record;
}

}  // namespace fathom
