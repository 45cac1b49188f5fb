#include "measure/roof_cache.h"

#include <fmt/format.h>

#include "base/cache_file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/thread_pool.h"
#include "machine/roofs.h"

namespace fathom {
namespace {

constexpr uint64_t kQuickReadBytes = uint64_t{512} << 20;
constexpr double kQuickProbeMs = 150;

std::string CacheFile() {
  const std::string folder = CacheFolder();
  return folder.empty() ? "" : folder + "/roofs.json";
}

std::string KeyOf(const Machine& machine, const std::string& isa, int threads) {
  return fmt::format("{} | {} | {} threads", machine.cpu.model, isa, threads);
}

JsonValue ReadCache() {
  const std::string path = CacheFile();
  if (path.empty()) return {};
  auto cache = ParseJsonFile(path);
  return cache.ok() && cache->is_object() ? *std::move(cache) : JsonValue();
}

double Probe(const Machine& machine, const BackendInfo& info) {
  NoticeList notices;
  RoofProbeOptions options{.features = machine.cpu.features,
                           .usable_bytes = machine.memory.usable_bytes,
                           .read_bytes = kQuickReadBytes};
  if (!info.isa.empty()) {
    const auto isa = ParseIsa(info.isa);
    if (!isa.ok()) return 0;
    const auto features = FeaturesAllowed(machine.cpu.features, *isa);
    if (!features.ok()) return 0;
    options.features = *features;
  }
  auto probe = RoofProbe::Create(options, notices);
  if (!probe.ok()) return 0;
  ThreadPool pool(info.threads, machine.cpu.pin_order);
  return probe->ReadStream(pool, kQuickProbeMs).best;
}

}  // namespace

double RememberedReadStream(const Machine& machine, const BackendInfo& info) {
  const JsonValue cache = ReadCache();
  const JsonValue* known = cache.Find(KeyOf(machine, info.isa, info.threads));
  if (known != nullptr && known->is_number() && known->as_double() > 0) return known->as_double();
  const double rate = Probe(machine, info);
  if (rate > 0) RememberReadStream(machine, info.isa, info.threads, rate);
  return rate;
}

void RememberReadStream(const Machine& machine, const std::string& isa, int threads,
                        double gb_per_s) {
  const std::string path = CacheFile();
  if (path.empty()) return;
  JsonValue cache = ReadCache();
  cache.Set(KeyOf(machine, isa, threads), gb_per_s);
  // A cache that cannot be written is no failure of the run.
  WriteCacheFile(path, WriteJsonIndented(cache) + "\n");
}

}  // namespace fathom
