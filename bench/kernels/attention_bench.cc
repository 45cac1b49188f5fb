// Attention kernels of the cpu backend against the machine's roofs, in turns in the same process:
//   attention_bench [--isa LEVEL] [--kernel PART] [--case PART] [--shape PART] [--rounds N]
//                   [--threads N]
//
// A row: one kernel over one step of one model's attention, on layers enough to pass the caches by,
// keys and values random. Decode: GB/s of cache against the read stream. Prefill: TFLOP/s of causal
// products (the keys that a query sees, no others) against the peak of the type that the kernel
// multiplies in. The ratio is the median of (kernel / probe before it).
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "backends/cpu/kernel.h"
#include "base/arena.h"
#include "base/log.h"
#include "base/thread_pool.h"
#include "fathom/machine.h"
#include "graph/plan.h"
#include "machine/roofs.h"
#include "ops/op.h"
#include "tensor/convert.h"

namespace fathom {
namespace {

struct HeadShape {
  const char* name;
  int64_t heads, kv_heads, head_dim;
};
constexpr HeadShape kShapes[] = {
    {"135m", 9, 3, 64}, {"0.5b", 14, 2, 64}, {"1b", 32, 8, 64}, {"8b", 32, 8, 128}};

struct StepCase {
  std::string name;
  std::vector<int64_t> tokens, offsets;  // a sequence each
};

std::vector<StepCase> Cases() {
  StepCase ragged{"decode_ragged16", {}, {}};
  for (int64_t i = 0; i < 16; ++i) {
    ragged.tokens.push_back(1);
    ragged.offsets.push_back(i == 3 ? 6000 : 37 + 41 * i);
  }
  return {{"decode_512", {1}, {511}},    {"decode_4k", {1}, {4095}},
          {"decode_32k", {1}, {32767}},  ragged,
          {"prefill_2048", {2048}, {0}}, {"prefill_512_at_3584", {512}, {3584}}};
}

struct Options {
  std::string isa, kernel, shape, only;
  int rounds = 5;
  int threads = 0;
};

// Normal random numbers of a cache type, one block of them over again.
void Fill(std::byte* data, size_t size, DType dtype, std::mt19937& random) {
  std::vector<float> block(1 << 16);
  std::normal_distribution<float> normal(0.0f, 1.0f);
  for (float& value : block) value = normal(random);
  std::vector<std::byte> bytes(block.size() * BytesOf(dtype));
  ConvertFromFloat(dtype, block.data(), static_cast<int64_t>(block.size()), bytes.data());
  for (size_t i = 0; i < size; i += bytes.size()) {
    std::memcpy(data + i, bytes.data(), std::min(bytes.size(), size - i));
  }
}

// The caches of one layer.
struct Layer {
  AlignedBuffer keys, values;
  std::vector<Operand> inputs, outputs;
  OpCall call;
};

struct Bench {
  Attributes attributes;
  std::vector<int32_t> block_table, sequence_start, cache_offset;
  AlignedBuffer q, y, scratch;
  std::vector<std::unique_ptr<Layer>> layers;
  double cache_bytes = 0, flops = 0;  // of one layer
};

int64_t BlocksOf(const StepCase& step, size_t s) {
  return (step.offsets[s] + step.tokens[s] + kCacheBlockSize - 1) / kCacheBlockSize;
}

void FillStep(Bench& bench, const HeadShape& shape, const StepCase& step, DType dtype) {
  int64_t max_blocks = 0, next = 0;
  for (size_t s = 0; s < step.tokens.size(); ++s) {
    max_blocks = std::max(max_blocks, BlocksOf(step, s));
  }
  bench.sequence_start = {0};
  for (size_t s = 0; s < step.tokens.size(); ++s) {
    for (int64_t b = 0; b < max_blocks; ++b) {
      bench.block_table.push_back(b < BlocksOf(step, s) ? static_cast<int32_t>(next++) : -1);
    }
    bench.sequence_start.push_back(bench.sequence_start.back() +
                                   static_cast<int32_t>(step.tokens[s]));
    bench.cache_offset.push_back(static_cast<int32_t>(step.offsets[s]));
    const auto tokens = static_cast<double>(step.tokens[s]);
    const double keys = tokens * static_cast<double>(step.offsets[s]) + tokens * (tokens + 1) / 2;
    const auto dim = static_cast<double>(shape.head_dim);
    bench.flops += 4 * keys * static_cast<double>(shape.heads) * dim;
    bench.cache_bytes += 2 * static_cast<double>(step.offsets[s] + step.tokens[s]) *
                         static_cast<double>(shape.kv_heads) * dim * BytesOf(dtype);
  }
}

Operand Indices(std::vector<int32_t>& values, Shape shape) {
  return {.tensor = Tensor::Dense(DType::kI32, shape, values.data())};
}

Bench MakeBench(const CpuKernel& kernel, const HeadShape& shape, const StepCase& step,
                int workers) {
  std::mt19937 random(1);
  Bench bench;
  const DType dtype = *kernel.cache_dtype;
  FillStep(bench, shape, step, dtype);
  bench.attributes = {{"num_heads", shape.heads},
                      {"scale", 1 / std::sqrt(static_cast<double>(shape.head_dim))}};
  const auto sequences = static_cast<int64_t>(step.tokens.size());
  const int64_t tokens = bench.sequence_start.back();
  const Shape rows = {tokens, shape.heads * shape.head_dim};
  bench.q = *AlignedBuffer::Allocate(static_cast<size_t>(rows.elements() * 4));
  bench.y = *AlignedBuffer::Allocate(static_cast<size_t>(rows.elements() * 4));
  Fill(bench.q.data(), bench.q.size(), DType::kF32, random);
  const int64_t max_blocks = static_cast<int64_t>(bench.block_table.size()) / sequences;
  const Shape cache = {max_blocks * sequences, shape.kv_heads, kCacheBlockSize, shape.head_dim};
  const auto bytes = static_cast<size_t>(cache.elements() * BytesOf(dtype));
  const bool decode = tokens == sequences;
  const double wanted = decode ? 4e8 : 0;
  for (double total = 0; total == 0 || total < wanted; total += bench.cache_bytes) {
    auto layer = std::make_unique<Layer>();
    layer->keys = *AlignedBuffer::Allocate(bytes);
    layer->values = *AlignedBuffer::Allocate(bytes);
    Fill(layer->keys.data(), bytes, dtype, random);
    Fill(layer->values.data(), bytes, dtype, random);
    layer->inputs = {{.tensor = Tensor::Dense(DType::kF32, rows, bench.q.data())},
                     {.tensor = Tensor::Dense(dtype, cache, layer->keys.data())},
                     {.tensor = Tensor::Dense(dtype, cache, layer->values.data())},
                     Indices(bench.block_table, {sequences, max_blocks}),
                     Indices(bench.sequence_start, {sequences + 1}),
                     Indices(bench.cache_offset, {sequences})};
    layer->outputs = {{.tensor = Tensor::Dense(DType::kF32, rows, bench.y.data())}};
    bench.layers.push_back(std::move(layer));
  }
  for (auto& layer : bench.layers) {
    layer->call = {
        .attributes = &bench.attributes, .inputs = layer->inputs, .outputs = layer->outputs};
    if (bench.scratch.empty()) {
      bench.scratch = *AlignedBuffer::Allocate(kernel.scratch_bytes(layer->call, workers) + 64);
    }
    layer->call.scratch = bench.scratch.data();
  }
  return bench;
}

// One thread is timed by its own processor time: fair on a machine that others use too.
double Now(bool alone) {
  timespec now{};
  clock_gettime(alone ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

double Seconds(const Bench& bench, const CpuKernel& kernel, ThreadPool& pool) {
  const double start = Now(pool.count() == 1);
  pool.Run([&](const Worker& worker) {
    for (const auto& layer : bench.layers) {
      kernel.run(layer->call, worker);
      worker.Barrier();
    }
  });
  return Now(pool.count() == 1) - start;
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void RunOne(const CpuKernel& kernel, const HeadShape& shape, const StepCase& step,
            const Options& options, RoofProbe& probe, ThreadPool& pool) {
  const Bench bench = MakeBench(kernel, shape, step, pool.count());
  const bool decode = step.name.starts_with("decode");
  const bool bf16 = kernel.compute_epsilon == 0x1p-7;
  const double work = static_cast<double>(bench.layers.size()) *
                      (decode ? bench.cache_bytes / 1e9 : bench.flops / 1e12);
  Seconds(bench, kernel, pool);
  std::vector<double> ratios, rates;
  for (int round = 0; round < options.rounds; ++round) {
    const ProbeRate roof = decode ? probe.ReadStream(pool, 50)
                           : bf16 ? probe.Bf16Peak(pool, 30)
                                  : probe.Fp32Peak(pool, 30);
    rates.push_back(work / Seconds(bench, kernel, pool));
    ratios.push_back(rates.back() / (pool.count() == 1 ? roof.best : roof.median));
  }
  fmt::print("{:<34} {:<5} {:<20} {:>8.3f} {} {:>6.3f} of the {}\n", kernel.name, shape.name,
             step.name, Median(rates), decode ? "GB/s   " : "TFLOP/s", Median(ratios),
             decode ? "read stream"
             : bf16 ? "bf16 peak"
                    : "fp32 peak");
  std::fflush(stdout);
}

bool Wanted(const CpuKernel& kernel, const Options& options) {
  return kernel.op == "attention" && kernel.variant == KernelVariant::kFlash &&
         HostCpuFeatures().HasAll(kernel.features) &&
         kernel.name.find(options.kernel) != std::string::npos &&
         (options.isa.empty() || kernel.name.ends_with("_" + options.isa));
}

int Main(int argc, char** argv) {
  Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i], value = argv[i + 1];
    if (name == "--isa") options.isa = value;
    if (name == "--kernel") options.kernel = value;
    if (name == "--case") options.only = value;
    if (name == "--shape") options.shape = value;
    if (name == "--rounds") options.rounds = std::atoi(value.c_str());
    if (name == "--threads") options.threads = std::atoi(value.c_str());
  }
  const Machine machine = DetectMachine({.gpus = false});
  ThreadPool pool(options.threads > 0 ? options.threads : machine.cpu.cores, machine.cpu.pin_order);
  NoticeList notices;
  auto probe =
      RoofProbe::Create({.features = HostCpuFeatures(), .read_bytes = uint64_t{1} << 29}, notices);
  if (!probe.ok()) {
    fmt::print(stderr, "{}\n", probe.status().message());
    return 1;
  }
  for (const HeadShape& shape : kShapes) {
    if (std::string_view(shape.name).find(options.shape) == std::string_view::npos) continue;
    for (const StepCase& step : Cases()) {
      if (step.name.find(options.only) == std::string::npos) continue;
      for (const CpuKernel& kernel : CpuKernels()) {
        if (Wanted(kernel, options)) RunOne(kernel, shape, step, options, *probe, pool);
      }
    }
  }
  return 0;
}

}  // namespace
}  // namespace fathom

int main(int argc, char** argv) { return fathom::Main(argc, argv); }
