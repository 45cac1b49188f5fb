// Machines described by a name, so that a report for a Mac or a GPU server can be made elsewhere.
#include <array>

#include "machine/detect.h"

namespace fathom {
namespace {

// A laptop with an M-series chip, as sold with 16 GB.
Machine MacMps() {
  using enum CpuFeature;
  Machine machine;
  machine.source = "preset mac-mps";
  CpuInfo& cpu = machine.cpu;
  cpu.architecture = "aarch64";
  cpu.vendor = "Apple";
  cpu.brand = cpu.model = "Apple M3";
  cpu.cores = 4;
  cpu.logical_cpus = 8;
  cpu.features = {kNeon, kFp16, kDotprod, kI8mm, kBf16};
  machine.memory.total_bytes = uint64_t{16} << 30;
  machine.memory.usable_bytes = uint64_t{12} << 30;
  machine.gpus.push_back({.kind = "mps",
                          .name = "Apple M3",
                          .total_bytes = machine.memory.total_bytes,
                          .usable_bytes = uint64_t{11} << 30});
  AddEvidence(machine, "cpu.isa", "preset mac-mps");
  AddEvidence(machine, "gpus.mps", "preset mac-mps: Metal");
  AddEvidence(machine, "gpus.cuda", "none: macOS has no CUDA");
  return machine;
}

// A server with one H100.
Machine CudaServer() {
  using enum CpuFeature;
  Machine machine;
  machine.source = "preset cuda";
  CpuInfo& cpu = machine.cpu;
  cpu.architecture = "x86_64";
  cpu.vendor = "GenuineIntel";
  cpu.brand = "Intel Xeon Platinum 8480+";
  cpu.microarchitecture = "Sapphire Rapids";
  cpu.model = "Intel Xeon Platinum 8480+ (Sapphire Rapids)";
  cpu.cores = 56;
  cpu.logical_cpus = 112;
  cpu.features =
      FeaturesRequired(Isa::kAmx) |
      CpuFeatures{kSse2,    kSsse3,      kSse41,       kSse42,      kPopcnt,     kAvx,
                  kAvxVnni, kAvx512Vbmi, kAvx512Vbmi2, kAvx512Vnni, kAvx512Bf16, kAvx512Fp16};
  machine.memory.total_bytes = uint64_t{512} << 30;
  machine.memory.usable_bytes = uint64_t{480} << 30;
  machine.gpus.push_back({.kind = "cuda",
                          .name = "NVIDIA H100 80GB HBM3",
                          .total_bytes = uint64_t{80} << 30,
                          .usable_bytes = uint64_t{79} << 30,
                          .compute_capability = "9.0",
                          .multiprocessors = 132,
                          .driver = "CUDA 13.0"});
  AddEvidence(machine, "cpu.isa.avx512_bf16", "preset cuda");
  AddEvidence(machine, "cpu.isa.amx_bf16", "preset cuda");
  AddEvidence(machine, "gpus.cuda", "preset cuda: 1 device");
  AddEvidence(machine, "gpus.mps", "none: Metal is on macOS only");
  return machine;
}

}  // namespace

Result<Machine> DescribedMachine(const std::string& name_or_path) {
  if (name_or_path == "mac-mps") return MacMps();
  if (name_or_path == "cuda") return CudaServer();
  return ReadMachineFile(name_or_path);
}

}  // namespace fathom
