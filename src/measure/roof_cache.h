// The machine's read stream, remembered between runs, so that every answer can say which share of
// it was reached.
#pragma once

#include <string>

#include "backends/backend.h"
#include "fathom/machine.h"

namespace fathom {

// GB/s of the read stream with these threads and instruction sets: from the cache where this
// machine was probed before, else probed for a few tenths of a second and stored. 0 where it cannot
// be told.
double RememberedReadStream(const Machine& machine, const BackendInfo& info);

// Stores what a longer probe (`fathom machine`) found.
void RememberReadStream(const Machine& machine, const std::string& isa, int threads,
                        double gb_per_s);

}  // namespace fathom
