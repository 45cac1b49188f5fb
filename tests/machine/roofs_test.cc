// The probes run and give rates; how high those are is the machine's business.
#include "machine/roofs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/arena.h"
#include "machine/probes/kernels.h"

namespace fathom {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

constexpr uint64_t kSmall = uint64_t{64} << 20;

std::vector<ReadKernel> AllReadKernels() {
  std::vector<ReadKernel> all;
  for (const auto kernels : {BaselineReadKernels(), Avx2ReadKernels(), Avx512ReadKernels()}) {
    all.insert(all.end(), kernels.begin(), kernels.end());
  }
  return all;
}

std::vector<PeakKernel> AllPeakKernels() {
  std::vector<PeakKernel> all;
  for (const auto kernels : {BaselinePeakKernels(), Avx2PeakKernels(), Avx512PeakKernels(),
                             AmxPeakKernels(), NeonPeakKernels()}) {
    all.insert(all.end(), kernels.begin(), kernels.end());
  }
  return all;
}

// A stream that is skipped or read twice changes the xor of all words.
TEST(ReadKernels, ReadEveryByteOnce) {
  constexpr size_t kBytes = 8 * 4096 * 3;
  auto buffer = AlignedBuffer::Allocate(kBytes);
  ASSERT_TRUE(buffer.ok());
  uint64_t* words = buffer->as<uint64_t>();
  uint64_t expected = 0;
  for (size_t i = 0; i < kBytes / 8; ++i) {
    words[i] = (i + 1) * 0x9E3779B97F4A7C15u;
    expected ^= words[i];
  }
  for (const ReadKernel& kernel : AllReadKernels()) {
    if (!HostCpuFeatures().HasAll(kernel.needs)) continue;
    for (const int streams : {1, 2, 4, 8}) {
      for (const Prefetch prefetch : {Prefetch::kNone, Prefetch::kT0, Prefetch::kT1}) {
        EXPECT_EQ(kernel.run(buffer->data(), kBytes, {streams, prefetch, 4096}), expected)
            << kernel.name << ", " << streams << " streams";
      }
    }
  }
}

// The sums begin as the operands' last part and come back to it after every round, because each
// product is followed by its negative: exactly so for integers.
TEST(PeakKernels, IntegerSumsComeBackAfterEachRound) {
  auto buffer = AlignedBuffer::Allocate(kPeakOperandBytes);
  ASSERT_TRUE(buffer.ok());
  int8_t* data = buffer->as<int8_t>();
  for (size_t i = 0; i < kPeakB; ++i) data[i] = static_cast<int8_t>(i % 13);
  for (size_t i = kPeakB; i < kPeakMinusB; ++i) data[i] = static_cast<int8_t>(i % 11 - 5);
  for (size_t i = kPeakMinusB; i < kPeakSums; ++i) {
    data[i] = static_cast<int8_t>(-data[i - kPeakMinusB + kPeakB]);
  }
  int ran = 0;
  for (const PeakKernel& kernel : AllPeakKernels()) {
    const bool widened = kernel.name.find("widened") != std::string_view::npos;
    if (kernel.kind != PeakKind::kInt8 || widened) continue;
    if (kernel.name.find("vpmaddubsw") != std::string_view::npos) continue;  // rounds on the way
    if (!HostCpuFeatures().HasAll(kernel.needs)) continue;
    ++ran;
    EXPECT_EQ(kernel.run(buffer->data(), 0), kernel.run(buffer->data(), 3)) << kernel.name;
  }
  if (ran == 0) GTEST_SKIP() << "no int8 unit here";
}

TEST(PeakKernels, EachOneMultipliesAndIsNamedOnce) {
  auto zeros = AlignedBuffer::Allocate(kPeakOperandBytes);
  auto ones = AlignedBuffer::Allocate(kPeakOperandBytes);
  ASSERT_TRUE(zeros.ok() && ones.ok());
  // Only the negated operands stay zero: the products of the others are left over. Not zero as
  // pairs of bf16 and as bytes either.
  std::fill_n(ones->as<float>(), kPeakMinusB / sizeof(float), 1.0f);
  std::vector<std::string_view> names;
  std::string skipped;
  for (const PeakKernel& kernel : AllPeakKernels()) {
    EXPECT_THAT(names, testing::Not(testing::Contains(kernel.name)));
    names.push_back(kernel.name);
    EXPECT_GT(kernel.ops_per_round, 0);
    if (!HostCpuFeatures().HasAll(kernel.needs)) {
      skipped.append(" ").append(kernel.name).append(",");
      continue;
    }
    EXPECT_EQ(kernel.run(zeros->data(), 5), 0) << kernel.name;
    EXPECT_NE(kernel.run(ones->data(), 5), 0) << kernel.name;
  }
  if (!skipped.empty()) GTEST_SKIP() << "ran all but:" << skipped << " absent on this CPU";
}

class RoofsOf : public testing::TestWithParam<Isa> {};
INSTANTIATE_TEST_SUITE_P(Levels, RoofsOf,
                         testing::Values(Isa::kBaseline, Isa::kAvx2, Isa::kAvx512, Isa::kAmx,
                                         Isa::kNeon),
                         [](const auto& info) { return std::string(IsaName(info.param)); });

TEST_P(RoofsOf, ProbesGivePositiveRates) {
  const auto features = FeaturesAllowed(HostCpuFeatures(), GetParam());
  if (!features.ok()) GTEST_SKIP() << features.status().message();
  NoticeList notices;
  auto probe = RoofProbe::Create({.features = *features, .read_bytes = kSmall}, notices);
  ASSERT_TRUE(probe.ok()) << probe.status().message();
  EXPECT_EQ(probe->read_bytes(), kSmall);
  ThreadPool pool(2);
  const auto good = [](const ProbeRate& rate) {
    return std::isfinite(rate.best) && rate.median > 0 && rate.best >= rate.median &&
           rate.samples >= 1 && !rate.unit.empty();
  };
  for (int call = 0; call < 2; ++call) {
    EXPECT_TRUE(good(probe->ReadStream(pool, 1)));
    EXPECT_TRUE(good(probe->ReadStream(pool, 1, 1)));
    EXPECT_TRUE(good(probe->Fp32Peak(pool, 1)));
    EXPECT_TRUE(good(probe->Bf16Peak(pool, 1)));
    EXPECT_TRUE(good(probe->Int8Peak(pool, 1)));
  }
  EXPECT_THAT(notices.Take(), SizeIs(0));
}

// The level is what ran: no unit's name belongs to one above it.
TEST_P(RoofsOf, UnitsBelongToTheLevel) {
  const auto features = FeaturesAllowed(HostCpuFeatures(), GetParam());
  if (!features.ok()) GTEST_SKIP() << features.status().message();
  NoticeList notices;
  auto probe = RoofProbe::Create({.features = *features, .read_bytes = kSmall}, notices);
  ASSERT_TRUE(probe.ok());
  ThreadPool pool(1);
  for (const std::string& unit : {probe->Fp32Peak(pool, 0).unit, probe->Bf16Peak(pool, 0).unit,
                                  probe->Int8Peak(pool, 0).unit}) {
    for (const PeakKernel& kernel : AllPeakKernels()) {
      EXPECT_TRUE(kernel.name != unit || features->HasAll(kernel.needs)) << unit;
    }
  }
  if (GetParam() == Isa::kAmx) {
    EXPECT_THAT(probe->Bf16Peak(pool, 0).unit, HasSubstr("amx"));
    EXPECT_THAT(probe->Int8Peak(pool, 0).unit, HasSubstr("amx"));
  }
}

TEST(RoofProbe, LittleMemoryMakesASmallerBufferAndANotice) {
  NoticeList notices;
  auto probe = RoofProbe::Create({.usable_bytes = uint64_t{300} << 20}, notices);
  ASSERT_TRUE(probe.ok());
  EXPECT_EQ(probe->read_bytes(), uint64_t{64} << 20);  // a quarter, in units of 32 MiB
  const auto told = notices.Take();
  ASSERT_THAT(told, SizeIs(1));
  EXPECT_THAT(told[0].text, HasSubstr("64 MiB instead of 1024 MiB"));
}

TEST(RoofProbe, RefusesFeaturesThatTheHostLacks) {
  CpuFeatures absent = {CpuFeature::kNeon};
#if defined(__aarch64__)
  absent = {CpuFeature::kAvx2};
#endif
  NoticeList notices;
  auto probe = RoofProbe::Create({.features = absent}, notices);
  ASSERT_FALSE(probe.ok());
  EXPECT_EQ(probe.status().code(), StatusCode::kUsage);
  EXPECT_THAT(probe.status().message(), HasSubstr("lacks"));
}

TEST(MeasureRoofs, FillsEveryRoof) {
  Machine machine = DetectMachine({.gpus = false});
  machine.memory.usable_bytes = 4 * kSmall;
  ThreadPool pool(3);
  NoticeList notices;
  const auto roofs = MeasureRoofs(pool, machine, BestIsa(machine.cpu.features), notices, 10);
  ASSERT_TRUE(roofs.ok()) << roofs.status().message();
  EXPECT_GT(roofs->read_stream_gb_per_s, 0);
  EXPECT_GT(roofs->fp32_peak_tflops, 0);
  EXPECT_GT(roofs->bf16_peak_tflops, 0);
  EXPECT_GT(roofs->int8_peak_tops, 0);
  EXPECT_EQ(roofs->threads, 3);
  EXPECT_EQ(roofs->isa, IsaName(BestIsa(machine.cpu.features)));
  EXPECT_EQ(roofs->read_stream_bytes, kSmall);
  ASSERT_THAT(roofs->read_stream_by_threads, SizeIs(3));
  EXPECT_EQ(roofs->read_stream_by_threads[2].first, 3);
  for (const auto& [threads, rate] : roofs->read_stream_by_threads) {
    EXPECT_GT(rate, 0);
    EXPECT_LE(rate, roofs->read_stream_gb_per_s);
  }
  EXPECT_THAT(notices.Take(), SizeIs(1));  // of the small buffer
}

TEST(MeasureRoofs, AnAbsentLevelIsAnError) {
  Machine machine = DetectMachine({.gpus = false});
  machine.cpu.features = machine.cpu.features.Without({CpuFeature::kAmxTile, CpuFeature::kNeon});
  ThreadPool pool(1);
  NoticeList notices;
  const auto roofs = MeasureRoofs(pool, machine, Isa::kAmx, notices, 1);
  ASSERT_FALSE(roofs.ok());
  EXPECT_THAT(roofs.status().message(), HasSubstr("amx_tile"));
}

}  // namespace
}  // namespace fathom
