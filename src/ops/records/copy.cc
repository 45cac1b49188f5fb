#include "ops/identity.h"
#include "ops/op.h"

namespace fathom {

// From one device to another. One device: the identity.
const OpRecord& op_copy() {
  static const OpRecord record = MakeIdentityRecord("copy", "y = x");
  return record;
}

}  // namespace fathom
