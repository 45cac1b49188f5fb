#include "fathom/machine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <iterator>
#include <set>
#include <sstream>

#include "base/json.h"
#include "base/thread_pool.h"
#include "machine/detect.h"
#include "machine/machine_json.h"

namespace fathom {
namespace {

using enum CpuFeature;
using testing::HasSubstr;

const CpuFeatures kHaswell = {kSse2, kSsse3, kSse41, kSse42, kPopcnt, kAvx,
                              kF16c, kFma,   kBmi1,  kBmi2,  kAvx2};
const CpuFeatures kSkylake =
    kHaswell | CpuFeatures{kAvx512f, kAvx512cd, kAvx512bw, kAvx512dq, kAvx512vl};
const CpuFeatures kZen5 = kSkylake | CpuFeatures{kAvxVnni, kAvx512Vnni, kAvx512Bf16};
const CpuFeatures kSapphire = kZen5 | CpuFeatures{kAvx512Fp16, kAmxTile, kAmxInt8, kAmxBf16};
const CpuFeatures kGraviton3 = {kNeon, kFp16, kDotprod, kI8mm, kBf16, kSve};

TEST(CpuFeatures, EveryNameReadsBack) {
  for (int i = 0; i < kCpuFeatureCount; ++i) {
    const CpuFeature feature = static_cast<CpuFeature>(i);
    CpuFeature read = {};
    ASSERT_FALSE(CpuFeatureName(feature).empty());
    ASSERT_TRUE(CpuFeatureFromName(CpuFeatureName(feature), &read));
    EXPECT_EQ(read, feature);
  }
  CpuFeature unused = {};
  EXPECT_FALSE(CpuFeatureFromName("avx1024", &unused));
  EXPECT_EQ((CpuFeatures{kFma, kAvx2, kAvx512Bf16}).ToString(), "fma avx2 avx512_bf16");
}

TEST(Isa, NamesReadBackAndOthersAreUsageErrors) {
  for (const Isa isa : {Isa::kBaseline, Isa::kAvx2, Isa::kAvx512, Isa::kAmx, Isa::kNeon}) {
    const auto read = ParseIsa(IsaName(isa));
    ASSERT_TRUE(read.ok());
    EXPECT_EQ(*read, isa);
  }
  const auto wrong = ParseIsa("avx9");
  ASSERT_FALSE(wrong.ok());
  EXPECT_EQ(wrong.status().code(), StatusCode::kUsage);
  EXPECT_THAT(wrong.status().message(), HasSubstr("baseline, avx2, avx512, amx, neon"));
}

TEST(Isa, TheBestLevelIsTheHighestWhole) {
  EXPECT_EQ(BestIsa({}), Isa::kBaseline);
  EXPECT_EQ(BestIsa({kSse2, kAvx2}), Isa::kBaseline);  // AVX2 without FMA is not Haswell's set
  EXPECT_EQ(BestIsa(kHaswell), Isa::kAvx2);
  EXPECT_EQ(BestIsa(kHaswell | CpuFeatures{kAvx512f}),
            Isa::kAvx2);  // AVX-512F alone: Knights Landing
  EXPECT_EQ(BestIsa(kSkylake), Isa::kAvx512);
  EXPECT_EQ(BestIsa(kSapphire), Isa::kAmx);
  EXPECT_EQ(BestIsa(kGraviton3), Isa::kNeon);
}

TEST(Isa, ALevelHidesWhatIsAboveIt) {
  const auto allowed = [](CpuFeatures features, Isa isa) {
    const auto result = FeaturesAllowed(features, isa);
    EXPECT_TRUE(result.ok());
    return result.ok() ? *result : CpuFeatures();
  };
  EXPECT_EQ(allowed(kSapphire, Isa::kAmx), kSapphire);
  EXPECT_EQ(allowed(kSapphire, Isa::kAvx512), kSapphire.Without({kAmxTile, kAmxInt8, kAmxBf16}));
  EXPECT_EQ(allowed(kSapphire, Isa::kAvx2), kHaswell | CpuFeatures{kAvxVnni});
  EXPECT_EQ(allowed(kSapphire, Isa::kBaseline), CpuFeatures{kSse2});
  EXPECT_EQ(allowed(kGraviton3, Isa::kNeon), kGraviton3);
  EXPECT_EQ(allowed(kGraviton3, Isa::kBaseline), CpuFeatures{kNeon});
}

TEST(Isa, AnAbsentLevelIsAnErrorThatNamesWhatIsMissing) {
  const auto error = [](CpuFeatures features, Isa isa) {
    const auto result = FeaturesAllowed(features, isa);
    EXPECT_FALSE(result.ok());
    EXPECT_EQ(result.status().code(), StatusCode::kUsage);
    return result.status().message();
  };
  EXPECT_EQ(error(kZen5, Isa::kAmx),
            "--isa: amx: this machine lacks amx_tile amx_int8 amx_bf16; "
            "it has baseline, avx2, avx512");
  EXPECT_THAT(error(kHaswell, Isa::kAvx512), HasSubstr("avx512f avx512cd avx512bw"));
  EXPECT_THAT(error(kHaswell, Isa::kNeon), HasSubstr("lacks neon"));
  EXPECT_THAT(error(kGraviton3, Isa::kAvx2), HasSubstr("it has baseline, neon"));
}

TEST(Microarchitecture, NamesKnownModels) {
  EXPECT_EQ(MicroarchitectureX86("GenuineIntel", 6, 0x8F, kSapphire), "Sapphire Rapids");
  EXPECT_EQ(MicroarchitectureX86("GenuineIntel", 6, 0x3C, kHaswell), "Haswell");
  EXPECT_EQ(MicroarchitectureX86("AuthenticAMD", 0x1A, 0x02, kZen5), "Zen 5");
  EXPECT_EQ(MicroarchitectureX86("AuthenticAMD", 0x19, 0x11, kZen5), "Zen 4");
  EXPECT_EQ(MicroarchitectureX86("AuthenticAMD", 0x19, 0x01, kHaswell), "Zen 3");
  EXPECT_EQ(MicroarchitectureX86("AuthenticAMD", 0x17, 0x31, kHaswell), "Zen 2");
  EXPECT_EQ(MicroarchitectureArm(0x41, 0xD40), "Neoverse V1");
  EXPECT_EQ(MicroarchitectureArm(0x41, 0x123), "");
}

TEST(Microarchitecture, FeaturesDecideWhereTheModelNumberCannotBeTrue) {
  // A hypervisor that reports Rocket Lake's number on a CPU with tiles.
  EXPECT_EQ(MicroarchitectureX86("GenuineIntel", 6, 0xA7, kSapphire), "Sapphire Rapids-class");
  EXPECT_EQ(MicroarchitectureX86("GenuineIntel", 6, 0xA7, kSkylake), "Rocket Lake");
  // One that hides tiles leaves the number true.
  EXPECT_EQ(MicroarchitectureX86("GenuineIntel", 6, 0x8F, kZen5), "Sapphire Rapids");
  EXPECT_EQ(MicroarchitectureX86("GenuineIntel", 6, 0xFF, kHaswell), "Haswell-class");
  EXPECT_EQ(MicroarchitectureX86("AuthenticAMD", 0x30, 0, kZen5), "Zen 4-class");
  EXPECT_EQ(MicroarchitectureX86("SomebodyElse", 6, 0x8F, kSapphire), "");
}

TEST(DetectMachine, TellsThisMachineAndHowItKnows) {
  const Machine machine = DetectMachine();
  EXPECT_EQ(machine.source, "detected");
  EXPECT_FALSE(machine.cpu.model.empty());
  EXPECT_GE(machine.cpu.cores, 1);
  EXPECT_LE(machine.cpu.cores, machine.cpu.logical_cpus);
  EXPECT_EQ(machine.cpu.features, HostCpuFeatures());
  EXPECT_GT(machine.memory.total_bytes, uint64_t{64} << 20);
  EXPECT_GT(machine.memory.usable_bytes, 0u);
  EXPECT_LE(machine.memory.usable_bytes, machine.memory.total_bytes);
  for (const std::string_view name : machine.cpu.features.Names()) {
    EXPECT_FALSE(machine.EvidenceOf("cpu.isa." + std::string(name)).empty()) << name;
  }
  for (const char* fact : {"cpu.model", "cpu.cores", "cpu.caches", "memory.total_bytes",
                           "memory.usable_bytes", "memory.limit_bytes", "gpus.cuda", "gpus.mps"}) {
    EXPECT_FALSE(machine.EvidenceOf(fact).empty()) << fact;
  }
  EXPECT_EQ(machine.EvidenceOf("no.such.fact"), "");
}

TEST(DetectMachine, AgreesWithTheKernelAboutFeatures) {
#if defined(__x86_64__) && defined(__linux__)
  const auto cpuinfo = ReadSystemFile("/proc/cpuinfo");
  if (!cpuinfo) GTEST_SKIP() << "no /proc/cpuinfo";
  const size_t at = cpuinfo->find("\nflags");
  if (at == std::string::npos) GTEST_SKIP() << "no flags in /proc/cpuinfo";
  std::istringstream line(cpuinfo->substr(at + 1, cpuinfo->find('\n', at + 1) - at - 1));
  const std::set<std::string> flags(std::istream_iterator<std::string>(line), {});
  for (const std::string_view name : HostCpuFeatures().Names()) {
    EXPECT_TRUE(flags.contains(std::string(name))) << name;
  }
#else
  GTEST_SKIP() << "x86-64 Linux only";
#endif
}

TEST(DetectMachine, AsksNoDriverWhereGpusAreNotWanted) {
  const Machine machine = DetectMachine({.gpus = false});
  EXPECT_TRUE(machine.gpus.empty());
  EXPECT_EQ(machine.EvidenceOf("gpus"), "not asked for");
}

Machine FullMachine() {
  Machine machine;
  machine.cpu = {.architecture = "x86_64",
                 .vendor = "GenuineIntel",
                 .brand = "Intel(R) Xeon(R)",
                 .microarchitecture = "Sapphire Rapids",
                 .model = "Intel(R) Xeon(R) (Sapphire Rapids)",
                 .family = 6,
                 .model_number = 143,
                 .stepping = 8,
                 .virtual_machine = true,
                 .cores = 3,
                 .logical_cpus = 8,
                 .quota_cores = 3.5,
                 .pin_order = {0, 2, 4, 6, 1, 3, 5, 7},
                 .features = kSapphire,
                 .caches = {{1, "data", 49152, 64, 2}, {3, "unified", 503316480, 64, 8}}};
  machine.memory = {
      .total_bytes = 25276502016, .limit_bytes = uint64_t{1} << 33, .usable_bytes = 7'000'000'000};
  machine.gpus = {
      {"cuda", "NVIDIA \"H200\"\n", UINT64_MAX, 150'000'000'000, "9.0", 132, "CUDA 13.0"},
      {"mps", "Apple M2", 1, 1, "", 0, ""}};
  machine.roofs = {.read_stream_gb_per_s = 31.25,
                   .fp32_peak_tflops = 0.43,
                   .bf16_peak_tflops = 5.6,
                   .int8_peak_tops = 11.4,
                   .isa = "amx",
                   .threads = 3,
                   .read_stream_variant = "4 streams",
                   .fp32_unit = "avx512",
                   .bf16_unit = "amx",
                   .int8_unit = "amx",
                   .read_stream_bytes = 1 << 30,
                   .read_stream_by_threads = {{1, 16.5}, {3, 31.25}}};
  machine.evidence = {{"cpu.model", "cpuid"}, {"gpus.cuda", "libcuda.so.1: 1 device"}};
  return machine;
}

TEST(MachineJson, ReadsBackEqual) {
  for (const Machine& machine : {FullMachine(), DetectMachine(), Machine()}) {
    const auto read = MachineFromJson(MachineToJson(machine), "test");
    ASSERT_TRUE(read.ok()) << read.status().message();
    EXPECT_EQ(*read, machine);
  }
}

TEST(MachineJson, HoldsTheDocumentedFields) {
  const JsonValue json = MachineToJsonValue(FullMachine());
  EXPECT_EQ(json.Find("cpu")->Find("model")->as_string(), "Intel(R) Xeon(R) (Sapphire Rapids)");
  EXPECT_EQ(json.Find("cpu")->Find("cores")->as_int(), 3);
  EXPECT_EQ(json.Find("cpu")->Find("isa")->as_array().front().as_string(), "sse2");
  EXPECT_EQ(json.Find("memory")->Find("total_bytes")->as_int(), 25276502016);
  EXPECT_EQ(json.Find("memory")->Find("usable_bytes")->as_int(), 7'000'000'000);
  EXPECT_EQ(json.Find("gpus")->as_array().size(), 2u);
  const JsonValue* roofs = json.Find("roofs");
  EXPECT_EQ(roofs->Find("read_stream_gb_per_s")->as_double(), 31.25);
  EXPECT_EQ(roofs->Find("fp32_peak_tflops")->as_double(), 0.43);
  EXPECT_EQ(roofs->Find("bf16_peak_tflops")->as_double(), 5.6);
  EXPECT_EQ(roofs->Find("int8_peak_tops")->as_double(), 11.4);
}

TEST(MachineJson, FillsInWhatIsMissingButTheInstructionSets) {
  const auto read =
      MachineFromJson(R"({"cpu":{"isa":["neon"],"cores":10,"later":1},"more":[]})", "m");
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_EQ(read->cpu.cores, 10);
  EXPECT_EQ(read->cpu.logical_cpus, 10);
  EXPECT_EQ(read->cpu.features, CpuFeatures{kNeon});
  EXPECT_EQ(read->memory.total_bytes, 0u);
}

TEST(MachineJson, RefusesWhatIsNoMachine) {
  const std::pair<const char*, const char*> cases[] = {
      {"[]", "is not an object"},
      {"{", "bad JSON"},
      {"{}", "cpu.isa"},
      {R"({"cpu":[]})", "cpu: array is not an object"},
      {R"({"cpu":{"isa":"avx2"}})", "isa: string is not an array"},
      {R"({"cpu":{"isa":["avx9"]}})", "avx9"},
      {R"({"cpu":{"isa":[7]}})", "is no instruction set known here"},
      {R"({"cpu":{"isa":[],"cores":0}})", "cores: 0"},
      {R"({"cpu":{"isa":[],"cores":-1}})", "cores: -1"},
      {R"({"cpu":{"isa":[],"cores":2.5}})", "cores: 2.5"},
      {R"({"cpu":{"isa":[],"cores":99999999999}})", "cores: 99999999999"},
      {R"({"cpu":{"isa":[],"model":1}})", "model: 1 is not a string"},
      {R"({"cpu":{"isa":[],"virtual_machine":"no"}})", "virtual_machine"},
      {R"({"cpu":{"isa":[]},"memory":{"total_bytes":-5}})", "total_bytes: -5"},
      {R"({"cpu":{"isa":[]},"memory":{"total_bytes":1.5}})", "total_bytes: 1.5"},
      {R"({"cpu":{"isa":[]},"gpus":[{"kind":"tpu"}]})", "is neither cuda nor mps"},
      {R"({"cpu":{"isa":[]},"gpus":[3]})", "is neither cuda nor mps"},
      {R"({"cpu":{"isa":[]},"roofs":{"fp32_peak_tflops":"fast"}})", "fp32_peak_tflops"},
      {R"({"cpu":{"isa":[]},"roofs":{"fp32_peak_tflops":-1}})", "fp32_peak_tflops"},
      {R"({"cpu":{"isa":[]},"evidence":{"a":1}})", "a: 1 is not a string"},
  };
  for (const auto& [text, message] : cases) {
    const auto read = MachineFromJson(text, "m.json");
    ASSERT_FALSE(read.ok()) << text;
    EXPECT_EQ(read.status().code(), StatusCode::kBadFile) << text;
    EXPECT_THAT(read.status().message(), HasSubstr(message)) << text;
    EXPECT_THAT(read.status().message(), HasSubstr("m.json")) << text;
  }
}

TEST(MachineJson, AMissingFileIsABadFile) {
  const auto read = ReadMachineFile("/no/such/machine.json");
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.status().code(), StatusCode::kBadFile);
}

}  // namespace
}  // namespace fathom
