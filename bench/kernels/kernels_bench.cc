// The kernel lab (lab.h) as a program:
//   kernels_bench [--family gemv|gemm] [--isa LEVEL] [--op NAME] [--kernel PART] [--shape 135m|1b]
//                 [--rows M,M] [--threads N,N] [--rounds N] [--bytes N] [--json FILE]
// --bytes: what a memory-bound pass reads; 1 is one layer, which the caches then hold.
#include <fmt/format.h>

#include <cstdlib>
#include <sstream>

#include "lab.h"

namespace fathom {
namespace {

struct Family {
  std::string_view name;
  void (*run)(Lab& lab);
};
constexpr Family kFamilies[] = {{"gemv", RunLinearGemv}, {"gemm", RunLinearGemm}};

template <typename T>
std::vector<T> Numbers(const std::string& list) {
  std::vector<T> numbers;
  std::istringstream stream(list);
  for (std::string item; std::getline(stream, item, ',');) {
    numbers.push_back(static_cast<T>(std::atoll(item.c_str())));
  }
  return numbers;
}

int Main(int argc, char** argv) {
  LabOptions options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i], value = argv[i + 1];
    if (name == "--family") options.family = value;
    if (name == "--isa") options.isa = value;
    if (name == "--op") options.op = value;
    if (name == "--kernel") options.kernel = value;
    if (name == "--shape") options.shape = value;
    if (name == "--rows") options.rows = Numbers<int64_t>(value);
    if (name == "--threads") options.threads = Numbers<int>(value);
    if (name == "--rounds") options.rounds = std::max(1, std::atoi(value.c_str()));
    if (name == "--bytes") options.stream_bytes = std::atof(value.c_str());
    if (name == "--json") options.json = value;
  }
  auto lab = Lab::Create(options);
  if (!lab.ok()) {
    fmt::print(stderr, "{}\n", lab.status().message());
    return 1;
  }
  for (const Family& family : kFamilies) {
    if (options.family.empty() || options.family == family.name) family.run(*lab);
  }
  const Status status = lab->WriteJson();
  if (!status.ok()) fmt::print(stderr, "{}\n", status.message());
  return status.ok() ? 0 : 1;
}

}  // namespace
}  // namespace fathom

int main(int argc, char** argv) { return fathom::Main(argc, argv); }
