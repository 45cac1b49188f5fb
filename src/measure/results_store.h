// Where the last measurement of each model on this machine is kept, for explain, audit and report.
//
//   $XDG_CACHE_HOME/fathom/measure/KEY.json   (~/.cache where that is not set)
//
// KEY is a hash of machine (CPU, instruction sets, threads usable, memory), model
// (path-independent: names, sizes and times of its files) and program version, so that nothing
// measured elsewhere, of another model or by another version is ever shown. A file that cannot be
// read is ignored with a notice; writing goes through a rename, so that a reader never sees half a
// file.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "base/log.h"
#include "fathom/machine.h"
#include "fathom/status.h"
#include "measure/measurement.h"

namespace fathom {

// Changes with anything that makes a measurement another one's.
std::string MachineFingerprint(const Machine& machine);
// Of a model folder: config.json whole, names and sizes and modification times of the rest.
// kBadFile where there is no config.json.
Result<std::string> ModelFingerprint(const std::string& model_path);

// The file of a measurement; empty where neither XDG_CACHE_HOME nor HOME is set.
Result<std::string> MeasurementFile(const Machine& machine, const std::string& model_path,
                                    const std::string& stack = "fathom");

// The last measurement of the model on this machine by this version. Nothing where there is none;
// where there is one that cannot be read, `notices` (may be null) hears why.
std::optional<Measurement> LoadMeasurement(const Machine& machine, const std::string& model_path,
                                           NoticeSink* notices,
                                           const std::string& stack = "fathom");

// The one of `stack` that was measured last on this machine by this version, of whatever model;
// nothing where there is none that can be read.
std::optional<Measurement> LastMeasurement(const Machine& machine,
                                           const std::string& stack = "fathom");

// Keeps it. Entries of an earlier measurement that this one has not (another mode, other --rows)
// stay. kRunTime where the file cannot be written.
Status StoreMeasurement(const Machine& machine, const std::string& model_path,
                        const Measurement& measurement);

// Rows by id: what they bought, in a line that names stack, model and day, as an audit shows it.
// Empty for no measurement.
std::map<std::string, std::string, std::less<>> MeasuredGains(
    const std::optional<Measurement>& measurement, Language language);

}  // namespace fathom
