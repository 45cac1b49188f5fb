// Linear kernels of the cpu backend against the machine's roofs, in turns in the same process:
//   kernels_bench [--isa LEVEL] [--op NAME] [--kernel PART] [--rows M] [--rounds N] [--threads N]
//
// A row: one kernel over the matrices of a model's layer (qkv, o, gate and up, down), enough layers
// to pass the caches by. Rows up to 16: GB/s of weights against the read stream. More: TFLOP/s
// against the peak of the type that it multiplies in. The ratio is the median of (kernel / probe
// before it).
#include <fmt/format.h>

#include <algorithm>
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
#include "machine/roofs.h"
#include "ops/op.h"
#include "tensor/convert.h"

namespace fathom {
namespace {

struct Shape2 {
  const char* name;
  int64_t hidden, heads_dim, kv_dim, ffn;
};
constexpr Shape2 kShapes[] = {{"135m", 576, 576, 192, 1536}, {"1b", 2048, 2048, 512, 8192}};

// What many rows are held against.
constexpr std::string_view kFp32 = "fp32 peak", kBf16 = "bf16 peak", kInt8 = "int8 peak";

struct Options {
  std::string isa, op, kernel, shape;
  int64_t rows = 0;
  int rounds = 7;
  int threads = 0;
};

// Random bf16 or so numbers: the bytes of one block repeated, so that filling is quick.
void Fill(std::byte* data, size_t size, DType dtype, std::mt19937& random) {
  std::vector<float> block(1 << 16);
  std::normal_distribution<float> normal(0.0f, 0.05f);
  for (float& value : block) value = normal(random);
  std::vector<std::byte> bytes(block.size() * BytesOf(dtype));
  ConvertFromFloat(dtype, block.data(), static_cast<int64_t>(block.size()), bytes.data());
  for (size_t i = 0; i < size; i += bytes.size()) {
    std::memcpy(data + i, bytes.data(), std::min(bytes.size(), size - i));
  }
}

// The same of integer weights: random panels of 16 rows, over again.
void FillQuantized(const Weight& weight, std::byte* data, std::mt19937& random) {
  std::normal_distribution<float> normal(0.0f, 0.05f);
  const int64_t panels = std::min<int64_t>(weight.panels(), 4);
  std::vector<float> block(static_cast<size_t>(panels * 16 * weight.cols));
  for (float& value : block) value = normal(random);
  Weight some = weight;
  some.rows = panels * 16;
  PackWeightRows(some, DType::kF32, block.data(), weight.cols, 0, some.rows, data);
  for (int64_t p = panels; p < weight.panels(); ++p) {
    std::memcpy(data + p * weight.stride, data + p % panels * weight.stride,
                static_cast<size_t>(weight.stride));
  }
}

// One call over its own weight.
struct Call {
  std::vector<Weight> weights;
  AlignedBuffer bytes;
  std::vector<Operand> inputs, outputs;
  Attributes attributes{{"activation", std::string("silu")}};
  OpCall call;
  double flops = 0;
  double weight_bytes = 0;
};

struct Bench {
  AlignedBuffer x, y, scratch;
  std::vector<std::unique_ptr<Call>> calls;
};

void AddCall(Bench& bench, const CpuKernel& kernel, int64_t rows, int64_t in,
             std::vector<int64_t> outs, std::mt19937& random) {
  auto call = std::make_unique<Call>();
  size_t size = 0;
  for (const int64_t out : outs) {
    Weight weight = *kernel.weight_format != WeightFormat::kDense
                        ? PlanPacked(*kernel.weight_format, *kernel.weight_dtype, out, in)
                        : Weight{.dtype = *kernel.weight_dtype,
                                 .rows = out,
                                 .cols = in,
                                 .stride = in,
                                 .size_bytes = out * in * BytesOf(*kernel.weight_dtype)};
    call->weights.push_back(weight);
    size += static_cast<size_t>(weight.size_bytes);
  }
  call->bytes = *AlignedBuffer::Allocate(size);
  const bool integers = IsQuantized(*kernel.weight_format);
  if (!integers) Fill(call->bytes.data(), size, *kernel.weight_dtype, random);
  call->inputs.push_back({.tensor = Tensor::Dense(DType::kF32, {rows, in}, bench.x.data())});
  std::byte* at = call->bytes.data();
  float* y = bench.y.as<float>();
  for (Weight& weight : call->weights) {
    weight.data = at;
    if (integers) FillQuantized(weight, at, random);
    at += weight.size_bytes;
    call->inputs.push_back({.weight = &weight});
    call->inputs.push_back({});
    call->outputs.push_back({.tensor = Tensor::Dense(DType::kF32, {rows, weight.rows}, y)});
    y += rows * weight.rows;
    call->flops += 2.0 * rows * weight.rows * in;
    call->weight_bytes += weight.payload_bytes();
  }
  if (kernel.op == "linear_gated") call->outputs.resize(1);
  call->call = {.attributes = &call->attributes, .inputs = call->inputs, .outputs = call->outputs};
  bench.calls.push_back(std::move(call));
}

// The layer's calls of the kernel's operation, over again until the weights are `bytes`.
Bench MakeBench(const CpuKernel& kernel, const Shape2& shape, int64_t rows, double bytes,
                int workers) {
  std::mt19937 random(1);
  Bench bench;
  const int64_t widest = std::max(shape.ffn, shape.hidden);
  bench.x = *AlignedBuffer::Allocate(static_cast<size_t>(rows * widest * 4));
  bench.y = *AlignedBuffer::Allocate(static_cast<size_t>(rows * widest * 3 * 4));
  Fill(bench.x.data(), bench.x.size(), DType::kF32, random);
  double total = 0;
  while (total < bytes) {
    if (kernel.op == "linear_group") {
      AddCall(bench, kernel, rows, shape.hidden, {shape.heads_dim, shape.kv_dim, shape.kv_dim},
              random);
    } else if (kernel.op == "linear_gated") {
      AddCall(bench, kernel, rows, shape.hidden, {shape.ffn, shape.ffn}, random);
    } else {
      AddCall(bench, kernel, rows, shape.heads_dim, {shape.hidden}, random);
      AddCall(bench, kernel, rows, shape.ffn, {shape.hidden}, random);
    }
    total = 0;
    for (const auto& call : bench.calls) total += call->weight_bytes;
  }
  size_t scratch = 64;
  for (const auto& call : bench.calls) {
    if (kernel.scratch_bytes != nullptr) {
      scratch = std::max(scratch, kernel.scratch_bytes(call->call, workers));
    }
  }
  bench.scratch = *AlignedBuffer::Allocate(scratch);
  for (const auto& call : bench.calls) call->call.scratch = bench.scratch.data();
  return bench;
}

// One thread is timed by its own processor time: fair on a machine that others use too. (The
// probe's best sample is the roof then.)
double Now(bool alone) {
  timespec now{};
  clock_gettime(alone ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

double Seconds(const Bench& bench, const CpuKernel& kernel, ThreadPool& pool) {
  const double start = Now(pool.count() == 1);
  pool.Run([&](const Worker& worker) {
    for (const auto& call : bench.calls) {
      kernel.run(call->call, worker);
      worker.Barrier();
    }
  });
  return Now(pool.count() == 1) - start;
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void RunOne(const CpuKernel& kernel, const Shape2& shape, int64_t rows, const Options& options,
            RoofProbe& probe, ThreadPool& pool) {
  const bool memory = rows <= 16;
  const bool integers =
      IsQuantized(*kernel.weight_format) && kernel.name.find("_dot_") != std::string::npos;
  const std::string_view peak = integers ? kInt8 : kernel.compute_epsilon == 0x1p-7 ? kBf16 : kFp32;
  const Bench bench = MakeBench(kernel, shape, rows,
                                getenv("WB") ? atof(getenv("WB"))
                                : memory     ? 4e8
                                             : 3e7,
                                pool.count());
  double bytes = 0, flops = 0;
  for (const auto& call : bench.calls) {
    bytes += call->weight_bytes;
    flops += call->flops;
  }
  Seconds(bench, kernel, pool);
  std::vector<double> ratios, rates;
  for (int round = 0; round < options.rounds; ++round) {
    const ProbeRate probed = memory          ? probe.ReadStream(pool, 60)
                             : peak == kBf16 ? probe.Bf16Peak(pool, 30)
                             : peak == kInt8 ? probe.Int8Peak(pool, 30)
                                             : probe.Fp32Peak(pool, 30);
    const double roof = pool.count() == 1 ? probed.best : probed.median;
    const double seconds = Seconds(bench, kernel, pool);
    const double rate = memory ? bytes / seconds / 1e9 : flops / seconds / 1e12;
    rates.push_back(rate);
    ratios.push_back(rate / roof);
  }
  fmt::print("{:<44} {:<5} M={:<4} {:>8.3f} {} {:>6.3f} of the {}\n", kernel.name, shape.name, rows,
             Median(rates), memory ? "GB/s   " : "TFLOP/s", Median(ratios),
             memory ? "read stream" : peak);
  std::fflush(stdout);
}

bool Wanted(const CpuKernel& kernel, const Options& options) {
  return kernel.op.starts_with("linear") && HostCpuFeatures().HasAll(kernel.features) &&
         (options.op.empty() || kernel.op == options.op) &&
         kernel.name.find(options.kernel) != std::string::npos &&
         (options.isa.empty() || kernel.name.ends_with("_" + options.isa));
}

int Main(int argc, char** argv) {
  Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i], value = argv[i + 1];
    if (name == "--isa") options.isa = value;
    if (name == "--op") options.op = value;
    if (name == "--kernel") options.kernel = value;
    if (name == "--shape") options.shape = value;
    if (name == "--rows") options.rows = std::atoll(value.c_str());
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
  for (const Shape2& shape : kShapes) {
    if (!options.shape.empty() && options.shape != shape.name) continue;
    for (const CpuKernel& kernel : CpuKernels()) {
      if (!Wanted(kernel, options)) continue;
      std::vector<int64_t> rows = {1, 4, 16, 512};
      if (kernel.variant == KernelVariant::kGemm) rows = {64, 512};
      if (options.rows > 0) rows = {options.rows};
      for (const int64_t m : rows) {
        if (kernel.max_rows > 0 && m > kernel.max_rows) continue;
        RunOne(kernel, shape, m, options, *probe, pool);
      }
    }
  }
  return 0;
}

}  // namespace
}  // namespace fathom

int main(int argc, char** argv) { return fathom::Main(argc, argv); }
