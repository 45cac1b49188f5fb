// GPUs, through libraries loaded at run time: one binary for machines with and without them.
#include <dlfcn.h>
#include <fmt/format.h>
#ifdef __APPLE__
#include <objc/message.h>
#include <objc/runtime.h>
#endif

#include <array>
#include <cstdlib>
#include <memory>

#include "machine/detect.h"

namespace fathom {
namespace {

struct CloseLibrary {
  void operator()(void* handle) const { dlclose(handle); }
};
using Library = std::unique_ptr<void, CloseLibrary>;

template <typename Fn>
Fn Symbol(const Library& library, const char* name) {
  return reinterpret_cast<Fn>(dlsym(library.get(), name));
}

// The CUDA driver's interface, as far as it is used here (cuda.h: CUresult, CUdevice are int).
struct CudaDriver {
  int (*init)(unsigned) = nullptr;
  int (*version)(int*) = nullptr;
  int (*count)(int*) = nullptr;
  int (*device)(int*, int) = nullptr;
  int (*name)(char*, int, int) = nullptr;
  int (*total)(size_t*, int) = nullptr;
  int (*attribute)(int*, int, int) = nullptr;
  int (*bus_id)(char*, int, int) = nullptr;
  int (*error_name)(int, const char**) = nullptr;

  explicit CudaDriver(const Library& library)
      : init(Symbol<decltype(init)>(library, "cuInit")),
        version(Symbol<decltype(version)>(library, "cuDriverGetVersion")),
        count(Symbol<decltype(count)>(library, "cuDeviceGetCount")),
        device(Symbol<decltype(device)>(library, "cuDeviceGet")),
        name(Symbol<decltype(name)>(library, "cuDeviceGetName")),
        total(Symbol<decltype(total)>(library, "cuDeviceTotalMem_v2")),
        attribute(Symbol<decltype(attribute)>(library, "cuDeviceGetAttribute")),
        bus_id(Symbol<decltype(bus_id)>(library, "cuDeviceGetPCIBusId")),
        error_name(Symbol<decltype(error_name)>(library, "cuGetErrorName")) {}
  bool complete() const {
    return init && version && count && device && name && total && attribute && bus_id && error_name;
  }
  std::string ErrorName(int error) const {
    const char* text = nullptr;
    error_name(error, &text);
    return text != nullptr ? text : fmt::format("error {}", error);
  }
};

constexpr int kAttributeMultiprocessors = 16;  // cuda.h: CUdevice_attribute
constexpr int kAttributeMajor = 75;
constexpr int kAttributeMinor = 76;

// The management library tells the free memory without a context on the device, which would take
// some hundred megabytes of it.
class Nvml {
 public:
  Nvml() : library_(dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL)) {
    if (library_ == nullptr) return;
    const auto init = Symbol<int (*)()>(library_, "nvmlInit_v2");
    ready_ = init != nullptr && init() == 0;
  }
  ~Nvml() {
    if (!ready_) return;
    if (const auto shutdown = Symbol<int (*)()>(library_, "nvmlShutdown")) shutdown();
  }
  Nvml(const Nvml&) = delete;
  Nvml& operator=(const Nvml&) = delete;

  std::string DriverVersion() const {
    if (!ready_) return "";
    const auto get = Symbol<int (*)(char*, unsigned)>(library_, "nvmlSystemGetDriverVersion");
    std::array<char, 80> text = {};
    return get != nullptr && get(text.data(), text.size() - 1) == 0 ? text.data() : "";
  }
  // 0 where it cannot be told.
  uint64_t FreeBytes(const char* bus_id) const {
    if (!ready_) return 0;
    const auto find =
        Symbol<int (*)(const char*, void**)>(library_, "nvmlDeviceGetHandleByPciBusId_v2");
    const auto get = Symbol<int (*)(void*, void*)>(library_, "nvmlDeviceGetMemoryInfo");
    struct {
      unsigned long long total, free, used;
    } memory = {};
    void* device = nullptr;
    if (find == nullptr || get == nullptr || find(bus_id, &device) != 0) return 0;
    return get(device, &memory) == 0 ? memory.free : 0;
  }

 private:
  Library library_;
  bool ready_ = false;
};

GpuInfo DescribeCuda(const CudaDriver& cuda, const Nvml& nvml, int device) {
  GpuInfo gpu;
  gpu.kind = "cuda";
  std::array<char, 256> text = {};
  if (cuda.name(text.data(), static_cast<int>(text.size() - 1), device) == 0) {
    gpu.name = text.data();
  }
  size_t total = 0;
  if (cuda.total(&total, device) == 0) gpu.total_bytes = total;
  int major = 0, minor = 0, cuda_version = 0;
  cuda.attribute(&major, kAttributeMajor, device);
  cuda.attribute(&minor, kAttributeMinor, device);
  cuda.attribute(&gpu.multiprocessors, kAttributeMultiprocessors, device);
  gpu.compute_capability = fmt::format("{}.{}", major, minor);
  cuda.version(&cuda_version);
  gpu.driver =
      fmt::format("{}{}CUDA {}.{}", nvml.DriverVersion(), nvml.DriverVersion().empty() ? "" : ", ",
                  cuda_version / 1000, cuda_version % 1000 / 10);
  text = {};
  if (cuda.bus_id(text.data(), static_cast<int>(text.size() - 1), device) == 0) {
    gpu.usable_bytes = nvml.FreeBytes(text.data());
  }
  if (gpu.usable_bytes == 0 || gpu.usable_bytes > gpu.total_bytes) {
    gpu.usable_bytes = gpu.total_bytes;
  }
  return gpu;
}

// Adds the devices; returns how it is known that they are there, or why there are none.
std::string DetectCuda(Machine& machine) {
  dlerror();
  const Library library(dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL));
  if (library == nullptr) {
    const char* error = dlerror();
    return fmt::format("none: no NVIDIA driver: dlopen {}", error != nullptr ? error : "failed");
  }
  const CudaDriver cuda(library);
  if (!cuda.complete()) return "none: libcuda.so.1 lacks functions that are needed";
  if (const int error = cuda.init(0); error != 0) {
    return fmt::format("none: libcuda.so.1 is there, cuInit: {}", cuda.ErrorName(error));
  }
  int count = 0;
  if (const int error = cuda.count(&count); error != 0) {
    return fmt::format("none: cuDeviceGetCount: {}", cuda.ErrorName(error));
  }
  const char* visible = std::getenv("CUDA_VISIBLE_DEVICES");
  const std::string hidden =
      visible == nullptr ? "" : fmt::format(", CUDA_VISIBLE_DEVICES={}", visible);
  if (count == 0) return "none: libcuda.so.1 finds no device" + hidden;
  const Nvml nvml;
  for (int i = 0; i < count; ++i) {
    int device = 0;
    if (cuda.device(&device, i) == 0) machine.gpus.push_back(DescribeCuda(cuda, nvml, device));
  }
  return fmt::format("libcuda.so.1: {} device{}{}", count, count == 1 ? "" : "s", hidden);
}

#ifdef __APPLE__
// Metal through the Objective-C runtime, so that this stays C++ and needs no framework at link
// time.
std::string DetectMps(Machine& machine) {
  void* metal = dlopen("/System/Library/Frameworks/Metal.framework/Metal", RTLD_NOW | RTLD_LOCAL);
  const auto create =
      metal == nullptr ? nullptr
                       : reinterpret_cast<id (*)()>(dlsym(metal, "MTLCreateSystemDefaultDevice"));
  if (create == nullptr) return "none: Metal.framework cannot be loaded";
  const id device = create();
  if (device == nullptr) return "none: MTLCreateSystemDefaultDevice returns no device";
  const auto send_id = reinterpret_cast<id (*)(id, SEL)>(objc_msgSend);
  const auto send_text = reinterpret_cast<const char* (*)(id, SEL)>(objc_msgSend);
  const auto send_uint = reinterpret_cast<uint64_t (*)(id, SEL)>(objc_msgSend);
  const auto send_void = reinterpret_cast<void (*)(id, SEL)>(objc_msgSend);
  GpuInfo gpu;
  gpu.kind = "mps";
  const char* name =
      send_text(send_id(device, sel_registerName("name")), sel_registerName("UTF8String"));
  gpu.name = name != nullptr ? name : "Apple GPU";
  gpu.usable_bytes = send_uint(device, sel_registerName("recommendedMaxWorkingSetSize"));
  gpu.total_bytes = machine.memory.total_bytes;  // shared with the CPU
  send_void(device, sel_registerName("release"));
  machine.gpus.push_back(std::move(gpu));
  return "MTLCreateSystemDefaultDevice";
}
#endif

}  // namespace

void DetectGpus(bool ask_driver, Machine& machine) {
  if (!ask_driver) {
    AddEvidence(machine, "gpus", "not asked for");
    return;
  }
#ifdef __APPLE__
  AddEvidence(machine, "gpus.cuda", "none: macOS has no CUDA");
  AddEvidence(machine, "gpus.mps", DetectMps(machine));
#else
  AddEvidence(machine, "gpus.cuda", DetectCuda(machine));
  AddEvidence(machine, "gpus.mps", "none: Metal is on macOS only");
#endif
}

}  // namespace fathom
