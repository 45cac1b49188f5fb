// Every golden model, in every arm that this machine has, against transformers: logits of all
// positions and 32 greedy ids.
//
// float32: |ours - theirs| <= 1e-4 * max|logit| of the prompt.
//
// bfloat16: theirs is the same model with its weights rounded to bf16 and all arithmetic in
// float32. Ours also rounds what goes into a product of bf16 and into the cache, u = 2^-8 relative
// at most. A layer does that 8 times: the normed input of q, k, v; queries; keys; values; the
// softmax's weights; the attention's output; the normed input of gate and up; the activation before
// down. The head does it once. A
// rounding of x moves y = W x by a random sum of size at most u |y|, and so moves the residual
// stream, to which the branch adds at most its own size. The 8 L + 1 errors are independent and add
// up as the root of their number:
//   floor = u * sqrt(8 L + 1)
// That holds for layers that pass an error on as it is. softmax does not: an error e of a score is
// a factor exp(e) of its weight, and the sharp attention of random weights amplifies more than
// tenfold. By how much is a property of the model and the prompt, and it is measured:
// bfloat16_error of golden.json is what the same amplification makes of the roundings of
// transformers' own bf16 (it rounds after every operation). Both errors are maxima of some thousand
// random sums, and one badly conditioned position decides: on qwen2-odd, torch in float32 with only
// the inputs of its linear layers, keys and values rounded is off by 1.7 x transformers' own bf16
// error (1.46 % against 0.86 % of max|logit|), and queries and weights are not rounded yet there.
//   |ours - theirs| <= max(floor, 3 * bfloat16_error) * max|logit|
// float16: u = 2^-11, so an eighth of it all; theirs is transformers' float16 and rounds too, which
// takes a third part.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>

#include "backends/backend.h"
#include "checkpoint/model_config.h"
#include "fathom/engine.h"
#include "fathom/machine.h"
#include "tests/engine/golden.h"
#include "tests/engine/greedy.h"

namespace fathom {
namespace {

struct Arm {
  std::string name;
  std::string backend;
  std::string isa;
  bool compiled = true;
};

// Every backend of the build; the cpu one in both arms and with every instruction set.
std::vector<Arm> AllArms() {
  std::vector<Arm> arms;
  for (const BackendRecord* backend : AllBackends()) {
    if (backend->name == "cpu") continue;
    arms.push_back({std::string(backend->name), std::string(backend->name), "", true});
  }
  for (const char* isa : {"baseline", "avx2", "avx512", "amx", "neon"}) {
    arms.push_back({std::string("cpu_planned_") + isa, "cpu", isa, true});
    arms.push_back({std::string("cpu_eager_") + isa, "cpu", isa, false});
  }
  return arms;
}

bool MachineHas(const Arm& arm) {
  if (arm.isa.empty()) return CreateBackend(arm.backend, DetectMachine({.gpus = true}), {}).ok();
  const auto isa = ParseIsa(arm.isa);
  return isa.ok() && FeaturesAllowed(HostCpuFeatures(), *isa).ok();
}

struct Worst {
  double ratio = 0;  // error over tolerance
  std::string where;
  void Take(double value, const std::string& place) {
    if (value <= ratio) return;
    ratio = value;
    where = place;
  }
};

class Goldens : public testing::TestWithParam<Arm> {
 protected:
  void SetUp() override {
    if (!MachineHas(GetParam()))
      GTEST_SKIP() << "this machine lacks what " << GetParam().name << " needs";
  }

  std::unique_ptr<Engine> Open(const std::string& name, const std::string& dtype) {
    EngineOptions options{.backend = GetParam().backend, .isa = GetParam().isa, .dtype = dtype};
    options.context_length = 192;
    options.max_sequences = 4;
    options.chunk_tokens = 256;
    options.load_tokenizer = false;
    if (!GetParam().compiled) options.disabled = {"compile"};
    auto model = Model::Load(GoldenPath("models/" + name), options, nullptr);
    EXPECT_TRUE(model.ok()) << name << ": " << model.status().message();
    if (!model.ok()) return nullptr;
    auto engine = Engine::Create(*model, nullptr);
    EXPECT_TRUE(engine.ok()) << name << ": " << engine.status().message();
    return engine.ok() ? *std::move(engine) : nullptr;
  }

  // Worst error over all positions of the prompts that the file has rows for. tolerances: of each
  // prompt, as a share of its largest logit.
  void CompareLogits(Engine& engine, const std::string& name, const JsonValue& golden,
                     const std::string& kind, const std::vector<double>& tolerances, Worst& worst) {
    const GoldenRows rows = ReadRows(
        GoldenPath("models/" + name + "/" + golden.Find("logits")->Find(kind)->as_string()));
    ASSERT_EQ(rows.cols, engine.model().vocab_size());
    const JsonArray& prompts = golden.Find("prompts")->as_array();
    for (size_t p = 0; p < tolerances.size(); ++p) {
      const auto ids = GoldenIds(*prompts[p].Find("ids"));
      const int64_t first_row = prompts[p].Find("first_row")->as_int();
      ASSERT_LE(first_row + static_cast<int64_t>(ids.size()), rows.rows);
      const double limit = tolerances[p] * prompts[p].Find("max_abs_logit")->as_double();
      int64_t seen = 0;
      const Status status = engine.Score(ids, [&](int64_t first, std::span<const float> ours) {
        for (size_t i = 0; i < ours.size(); ++i) {
          const int64_t row = first + static_cast<int64_t>(i) / rows.cols;
          const auto theirs = rows.row(first_row + row)[i % rows.cols];
          const double error = std::abs(static_cast<double>(ours[i]) - theirs);
          // NaN is no small error.
          worst.Take(error <= 1e30 ? error / limit : 1e30,
                     kind + " logits, prompt of " + std::to_string(ids.size()) + ", position " +
                         std::to_string(row) + ", token " + std::to_string(i % rows.cols));
        }
        seen += static_cast<int64_t>(ours.size()) / rows.cols;
      });
      ASSERT_TRUE(status.ok()) << name << ": " << status.message();
      ASSERT_EQ(seen, static_cast<int64_t>(ids.size()));
    }
  }

  // 32 greedy ids of every prompt, all prompts in one batch.
  static std::vector<std::vector<int32_t>> Greedy(Engine& engine, const JsonValue& golden) {
    std::vector<RequestId> requests;
    std::vector<std::vector<int32_t>> ours;
    for (const JsonValue& prompt : golden.Find("prompts")->as_array()) {
      Request request{.prompt_ids = GoldenIds(*prompt.Find("ids"))};
      request.max_new_tokens = 32;
      request.ignore_eos = true;
      const auto id = engine.Submit(request);
      EXPECT_TRUE(id.ok()) << id.status().message();
      requests.push_back(id.ok() ? *id : 0);
      ours.emplace_back();
    }
    while (engine.has_work()) {
      const auto events = engine.Step();
      EXPECT_TRUE(events.ok()) << events.status().message();
      if (!events.ok()) break;
      for (const StepEvent& event : *events) {
        EXPECT_TRUE(event.status.ok()) << event.status.message();
        auto& ids = ours[event.request - requests[0]];
        ids.insert(ids.end(), event.new_ids.begin(), event.new_ids.end());
      }
    }
    return ours;
  }

  void CompareNarrow(Engine& exact, const std::string& name, const JsonValue& golden,
                     const std::string& dtype, const std::string& kind) {
    if (golden.Find("logits")->Find(kind) == nullptr) return;
    const auto engine = Open(name, dtype);
    ASSERT_NE(engine, nullptr);
    const bool half = dtype == "float16";
    const double u = half ? 0x1p-11 : 0x1p-8;
    const auto layers = static_cast<double>(engine->model().config().num_hidden_layers);
    std::vector<double> tolerances;
    for (const double error : GoldenNumbers(*golden.Find("bfloat16_error"))) {
      tolerances.push_back(
          std::max(u * std::sqrt(8 * layers + 1), 3 * error * (half ? 1.5 / 8 : 1)));
    }
    Worst worst;
    CompareLogits(*engine, name, golden, kind, tolerances, worst);
    EXPECT_LE(worst.ratio, 1) << name << ", " << dtype << ": " << worst.where;
    std::printf(", %s %.3f", dtype.c_str(), worst.ratio);
    if (half) return;
    const auto ours = Greedy(*engine, golden);
    for (size_t i = 0; i < ours.size(); ++i) {
      ExpectGreedyIds(ours[i], golden.Find("prompts")->as_array()[i], dtype,
                      *std::ranges::max_element(tolerances), exact,
                      name + ", " + dtype + ", prompt " + std::to_string(i));
    }
  }
};

TEST_P(Goldens, LogitsAndGreedyIds) {
  const auto models = GoldenModels();
  ASSERT_GE(models.size(), 45u);
  Worst overall;
  for (const std::string& name : models) {
    const JsonValue golden = ReadGolden(GoldenPath("models/" + name + "/golden.json"));
    const double tolerance = golden.Find("tolerance")->as_double();
    const auto engine = Open(name, "float32");
    ASSERT_NE(engine, nullptr);
    Worst exact;
    CompareLogits(*engine, name, golden, "float32", std::vector<double>(4, tolerance), exact);
    EXPECT_LE(exact.ratio, 1) << name << ": " << exact.where;
    overall.Take(exact.ratio, name);
    // float32: the gaps are wide, so the ids must be equal.
    const auto ours = Greedy(*engine, golden);
    for (size_t i = 0; i < ours.size(); ++i) {
      const JsonValue& greedy =
          *golden.Find("prompts")->as_array()[i].Find("greedy")->Find("float32");
      EXPECT_EQ(ours[i], GoldenIds(*greedy.Find("ids"))) << name << ", prompt " << i;
    }
    std::printf("%-32s float32 %.3f of the tolerance", name.c_str(), exact.ratio);
    // A plain backend computes in float32 whatever the dtype.
    if (!IsPlainBackend(GetParam().backend)) {
      CompareNarrow(*engine, name, golden, "bfloat16", "bfloat16_weights");
      CompareNarrow(*engine, name, golden, "float16", "float16");
    }
    std::printf("\n");
    if (HasFatalFailure()) return;
  }
  std::printf("%s: worst float32 ratio %.3f (%s)\n", GetParam().name.c_str(), overall.ratio,
              overall.where.c_str());
}

INSTANTIATE_TEST_SUITE_P(Arms, Goldens, testing::ValuesIn(AllArms()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace fathom
