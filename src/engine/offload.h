// Row device_map on a machine whose one device is the CPU: what the budget does not hold stays on
// disk, mapped, and runs from there.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/log.h"
#include "engine/weight_sources.h"
#include "fathom/machine.h"
#include "fathom/options.h"
#include "fathom/status.h"
#include "graph/plan.h"

namespace fathom {

// Module -> device by options.device_map and options.max_memory for the weights of `graph` as
// `plans` hold them; empty where neither is given. Without a max_memory the CPU's budget is 0.9 of
// what is usable (transformers' get_max_memory). kUsage for options that cannot be read; kRunTime
// for a device that this machine lacks.
Result<std::map<std::string, std::string>> PlaceWeights(const Graph& graph,
                                                        std::span<const WeightPlan> plans,
                                                        const EngineOptions& options,
                                                        const Machine& machine);

// Marks the weights that the map puts on disk as mapped, dense, in the checkpoint's type. One that
// is not held in the file as it runs (of a wider type than is asked for, joined, transposed) stays
// in memory, with a notice.
void LeaveOnDisk(const std::map<std::string, std::string>& map, const Graph& graph,
                 std::span<const LocatedWeight> located, std::vector<WeightPlan>& plans,
                 NoticeSink* notices);

}  // namespace fathom
