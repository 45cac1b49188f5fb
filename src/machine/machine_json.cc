#include "machine/machine_json.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

namespace fathom {
namespace {

JsonValue CpuToJson(const CpuInfo& cpu) {
  JsonArray isa, pin_order, caches;
  for (const std::string_view name : cpu.features.Names()) isa.emplace_back(name);
  for (const int id : cpu.pin_order) pin_order.emplace_back(id);
  for (const CacheInfo& cache : cpu.caches) {
    caches.emplace_back(JsonObject{{"level", cache.level},
                                   {"type", cache.type},
                                   {"size_bytes", cache.size_bytes},
                                   {"line_bytes", cache.line_bytes},
                                   {"shared_by_cpus", cache.shared_by_cpus}});
  }
  return JsonObject{{"model", cpu.model},
                    {"architecture", cpu.architecture},
                    {"vendor", cpu.vendor},
                    {"brand", cpu.brand},
                    {"microarchitecture", cpu.microarchitecture},
                    {"family", cpu.family},
                    {"model_number", cpu.model_number},
                    {"stepping", cpu.stepping},
                    {"virtual_machine", cpu.virtual_machine},
                    {"cores", cpu.cores},
                    {"logical_cpus", cpu.logical_cpus},
                    {"quota_cores", cpu.quota_cores},
                    {"pin_order", std::move(pin_order)},
                    {"isa", std::move(isa)},
                    {"isa_level", IsaName(BestIsa(cpu.features))},
                    {"caches", std::move(caches)}};
}

JsonValue GpuToJson(const GpuInfo& gpu) {
  return JsonObject{{"kind", gpu.kind},
                    {"name", gpu.name},
                    {"total_bytes", gpu.total_bytes},
                    {"usable_bytes", gpu.usable_bytes},
                    {"compute_capability", gpu.compute_capability},
                    {"multiprocessors", gpu.multiprocessors},
                    {"driver", gpu.driver}};
}

// Takes fields out of JSON objects; the first thing that is wrong is kept as the Status.
class FieldReader {
 public:
  explicit FieldReader(std::string_view what) : what_(what) {}

  // The object's member, or nullptr where the object or the member is missing or null.
  const JsonValue* Find(const JsonValue* object, std::string_view key) {
    if (object == nullptr) return nullptr;
    const JsonValue* value = object->Find(key);
    return value == nullptr || value->is_null() ? nullptr : value;
  }
  const JsonValue* Object(const JsonValue* object, std::string_view key) {
    const JsonValue* value = Find(object, key);
    if (value == nullptr || value->is_object()) return value;
    WrongType(key, *value, "an object");
    return nullptr;
  }
  const JsonArray& Array(const JsonValue* object, std::string_view key) {
    static const JsonArray kEmpty;
    const JsonValue* value = Find(object, key);
    if (value == nullptr) return kEmpty;
    if (value->is_array()) return value->as_array();
    WrongType(key, *value, "an array");
    return kEmpty;
  }
  void Read(const JsonValue* object, std::string_view key, std::string& out) {
    const JsonValue* value = Find(object, key);
    if (value == nullptr) return;
    if (!value->is_string()) return WrongType(key, *value, "a string");
    out = value->as_string();
  }
  void Read(const JsonValue* object, std::string_view key, bool& out) {
    const JsonValue* value = Find(object, key);
    if (value == nullptr) return;
    if (!value->is_bool()) return WrongType(key, *value, "a boolean");
    out = value->as_bool();
  }
  void Read(const JsonValue* object, std::string_view key, int& out) {
    const JsonValue* value = Find(object, key);
    if (value != nullptr) out = ToInt(key, *value);
  }
  void Read(const JsonValue* object, std::string_view key, uint64_t& out) {
    const JsonValue* value = Find(object, key);
    if (value == nullptr) return;
    if (value->is_uint()) {
      out = value->as_uint();
    } else if (value->is_int() && value->as_int() >= 0) {
      out = static_cast<uint64_t>(value->as_int());
    } else {
      WrongType(key, *value, "an integer >= 0");
    }
  }
  void Read(const JsonValue* object, std::string_view key, double& out) {
    const JsonValue* value = Find(object, key);
    if (value != nullptr) out = ToDouble(key, *value);
  }
  int ToInt(std::string_view key, const JsonValue& value) {
    if (value.is_int() && value.as_int() >= 0 &&
        value.as_int() <= std::numeric_limits<int>::max()) {
      return static_cast<int>(value.as_int());
    }
    WrongType(key, value, "an integer from 0 to 2147483647");
    return 0;
  }
  double ToDouble(std::string_view key, const JsonValue& value) {
    if (value.is_number() && value.as_double() >= 0) return value.as_double();
    WrongType(key, value, "a number >= 0");
    return 0;
  }
  void Refuse(std::string_view key, std::string value, std::string limit) {
    if (!status_.ok()) return;
    status_ =
        Status::BadFile(std::string(what_), std::string(key), std::move(value), std::move(limit));
  }
  Status TakeStatus() { return std::move(status_); }

 private:
  void WrongType(std::string_view key, const JsonValue& value, std::string_view wanted) {
    Refuse(key, value.is_number() ? WriteJson(value) : std::string(value.TypeName()),
           fmt::format("is not {}", wanted));
  }

  std::string_view what_;
  Status status_;
};

CpuInfo ReadCpu(FieldReader& reader, const JsonValue* object) {
  CpuInfo cpu;
  reader.Read(object, "model", cpu.model);
  reader.Read(object, "architecture", cpu.architecture);
  reader.Read(object, "vendor", cpu.vendor);
  reader.Read(object, "brand", cpu.brand);
  reader.Read(object, "microarchitecture", cpu.microarchitecture);
  reader.Read(object, "family", cpu.family);
  reader.Read(object, "model_number", cpu.model_number);
  reader.Read(object, "stepping", cpu.stepping);
  reader.Read(object, "virtual_machine", cpu.virtual_machine);
  reader.Read(object, "cores", cpu.cores);
  if (cpu.cores < 1) reader.Refuse("cores", fmt::format("{}", cpu.cores), "is below 1");
  cpu.logical_cpus = cpu.cores;
  reader.Read(object, "logical_cpus", cpu.logical_cpus);
  reader.Read(object, "quota_cores", cpu.quota_cores);
  for (const JsonValue& id : reader.Array(object, "pin_order")) {
    cpu.pin_order.push_back(reader.ToInt("pin_order", id));
  }
  if (reader.Find(object, "isa") == nullptr) {
    reader.Refuse("cpu.isa", "is missing", "");
  }
  for (const JsonValue& name : reader.Array(object, "isa")) {
    CpuFeature feature = {};
    if (name.is_string() && CpuFeatureFromName(name.as_string(), &feature)) {
      cpu.features.Add(feature);
    } else {
      reader.Refuse("cpu.isa", WriteJson(name), "is no instruction set known here");
    }
  }
  for (const JsonValue& item : reader.Array(object, "caches")) {
    CacheInfo cache;
    reader.Read(&item, "level", cache.level);
    reader.Read(&item, "type", cache.type);
    reader.Read(&item, "size_bytes", cache.size_bytes);
    reader.Read(&item, "line_bytes", cache.line_bytes);
    reader.Read(&item, "shared_by_cpus", cache.shared_by_cpus);
    cpu.caches.push_back(std::move(cache));
  }
  return cpu;
}

GpuInfo ReadGpu(FieldReader& reader, const JsonValue* object) {
  GpuInfo gpu;
  reader.Read(object, "kind", gpu.kind);
  if (gpu.kind != "cuda" && gpu.kind != "mps") {
    reader.Refuse("gpus.kind", fmt::format("\"{}\"", gpu.kind), "is neither cuda nor mps");
  }
  reader.Read(object, "name", gpu.name);
  reader.Read(object, "total_bytes", gpu.total_bytes);
  reader.Read(object, "usable_bytes", gpu.usable_bytes);
  reader.Read(object, "compute_capability", gpu.compute_capability);
  reader.Read(object, "multiprocessors", gpu.multiprocessors);
  reader.Read(object, "driver", gpu.driver);
  return gpu;
}

Roofs ReadRoofs(FieldReader& reader, const JsonValue* object) {
  Roofs roofs;
  reader.Read(object, "read_stream_gb_per_s", roofs.read_stream_gb_per_s);
  reader.Read(object, "fp32_peak_tflops", roofs.fp32_peak_tflops);
  reader.Read(object, "bf16_peak_tflops", roofs.bf16_peak_tflops);
  reader.Read(object, "int8_peak_tops", roofs.int8_peak_tops);
  reader.Read(object, "isa", roofs.isa);
  reader.Read(object, "threads", roofs.threads);
  reader.Read(object, "read_stream_variant", roofs.read_stream_variant);
  reader.Read(object, "fp32_unit", roofs.fp32_unit);
  reader.Read(object, "bf16_unit", roofs.bf16_unit);
  reader.Read(object, "int8_unit", roofs.int8_unit);
  reader.Read(object, "read_stream_bytes", roofs.read_stream_bytes);
  for (const JsonValue& item : reader.Array(object, "read_stream_by_threads")) {
    std::pair<int, double> entry;
    reader.Read(&item, "threads", entry.first);
    reader.Read(&item, "gb_per_s", entry.second);
    roofs.read_stream_by_threads.push_back(entry);
  }
  return roofs;
}

}  // namespace

JsonValue RoofsToJsonValue(const Roofs& roofs) {
  JsonArray by_threads;
  for (const auto& [threads, rate] : roofs.read_stream_by_threads) {
    by_threads.emplace_back(JsonObject{{"threads", threads}, {"gb_per_s", rate}});
  }
  return JsonObject{{"read_stream_gb_per_s", roofs.read_stream_gb_per_s},
                    {"fp32_peak_tflops", roofs.fp32_peak_tflops},
                    {"bf16_peak_tflops", roofs.bf16_peak_tflops},
                    {"int8_peak_tops", roofs.int8_peak_tops},
                    {"isa", roofs.isa},
                    {"threads", roofs.threads},
                    {"read_stream_variant", roofs.read_stream_variant},
                    {"fp32_unit", roofs.fp32_unit},
                    {"bf16_unit", roofs.bf16_unit},
                    {"int8_unit", roofs.int8_unit},
                    {"read_stream_bytes", roofs.read_stream_bytes},
                    {"read_stream_by_threads", std::move(by_threads)}};
}

JsonValue MachineToJsonValue(const Machine& machine) {
  JsonArray gpus;
  for (const GpuInfo& gpu : machine.gpus) gpus.push_back(GpuToJson(gpu));
  JsonObject evidence;
  for (const auto& [fact, text] : machine.evidence) evidence.emplace_back(fact, text);
  return JsonObject{{"source", machine.source},
                    {"cpu", CpuToJson(machine.cpu)},
                    {"memory", JsonObject{{"total_bytes", machine.memory.total_bytes},
                                          {"usable_bytes", machine.memory.usable_bytes},
                                          {"limit_bytes", machine.memory.limit_bytes}}},
                    {"gpus", std::move(gpus)},
                    {"roofs", RoofsToJsonValue(machine.roofs)},
                    {"evidence", std::move(evidence)}};
}

Result<Machine> MachineFromJsonValue(const JsonValue& value, std::string_view what) {
  if (!value.is_object()) {
    return Status::BadFile(std::string(what), "", std::string(value.TypeName()),
                           "is not an object");
  }
  FieldReader reader(what);
  Machine machine;
  reader.Read(&value, "source", machine.source);
  machine.cpu = ReadCpu(reader, reader.Object(&value, "cpu"));
  const JsonValue* memory = reader.Object(&value, "memory");
  reader.Read(memory, "total_bytes", machine.memory.total_bytes);
  reader.Read(memory, "usable_bytes", machine.memory.usable_bytes);
  reader.Read(memory, "limit_bytes", machine.memory.limit_bytes);
  for (const JsonValue& gpu : reader.Array(&value, "gpus")) {
    machine.gpus.push_back(ReadGpu(reader, &gpu));
  }
  machine.roofs = ReadRoofs(reader, reader.Object(&value, "roofs"));
  if (const JsonValue* evidence = reader.Object(&value, "evidence")) {
    for (const auto& [fact, text] : evidence->as_object()) {
      std::string read;
      reader.Read(evidence, fact, read);
      machine.evidence.emplace_back(fact, std::move(read));
    }
  }
  FATHOM_TRY(reader.TakeStatus());
  return machine;
}

std::string MachineToJson(const Machine& machine) {
  return WriteJsonIndented(MachineToJsonValue(machine)) + "\n";
}

Result<Machine> MachineFromJson(std::string_view text, std::string_view what) {
  FATHOM_ASSIGN(const JsonValue value, ParseJson(text, what));
  return MachineFromJsonValue(value, what);
}

Result<Machine> ReadMachineFile(const std::string& path) {
  FATHOM_ASSIGN(const JsonValue value, ParseJsonFile(path));
  FATHOM_ASSIGN(Machine machine, MachineFromJsonValue(value, path));
  machine.source = path;
  return machine;
}

}  // namespace fathom
