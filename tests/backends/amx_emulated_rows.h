// Rows of the AMX GEMMs that run on emulated tiles, compiled from the kernels' own source.
#pragma once

#include "backends/cpu/kernel.h"

namespace fathom {

// Empty on other architectures. Named as the rows of the table, with "_emulated" behind.
const CpuKernelTable& EmulatedAmxRows();

}  // namespace fathom
