#include "ops/op_testing.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <utility>

#include "base/arena.h"
#include "base/check.h"
#include "tensor/convert.h"

namespace fathom {
namespace {

constexpr size_t kGuardBytes = 2 * kBufferAlignment;
constexpr std::byte kGuard{0xFF};

// SplitMix64 (Steele, Lea, Flood 2014): the stream of one operand.
class RandomStream {
 public:
  RandomStream(uint64_t seed, uint64_t stream) : state_(seed * 0x9E3779B97F4A7C15 + stream) {
    Next();
    state_ ^= stream << 32;
  }
  uint64_t Next() {
    uint64_t z = state_ += 0x9E3779B97F4A7C15;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
    z = (z ^ z >> 27) * 0x94D049BB133111EB;
    return z ^ z >> 31;
  }
  float Uniform(double low, double high) {
    return static_cast<float>(low + (high - low) * static_cast<double>(Next() >> 11) * 0x1p-53);
  }

 private:
  uint64_t state_;
};

// Bytes in front of a guard.
struct Guarded {
  AlignedBuffer buffer;
  size_t size = 0;

  static Guarded Make(size_t size) {
    auto buffer = AlignedBuffer::Allocate(size + kGuardBytes);
    FATHOM_CHECK(buffer.ok());
    Guarded guarded{*std::move(buffer), size};
    std::fill_n(guarded.buffer.data() + size, kGuardBytes, kGuard);
    return guarded;
  }
  std::byte* data() { return buffer.data(); }
  bool intact() const {
    return std::all_of(buffer.data() + size, buffer.data() + size + kGuardBytes,
                       [](std::byte byte) { return byte == kGuard; });
  }
};

bool IsInPlace(const OpRecord& record, size_t input) {
  return std::find(record.in_place_inputs.begin(), record.in_place_inputs.end(),
                   static_cast<int>(input)) != record.in_place_inputs.end();
}

// "y[3, 17]" of element `index`.
std::string ElementName(std::string_view name, const Shape& shape, int64_t index) {
  std::vector<int64_t> place(shape.rank);
  for (int axis = shape.rank - 1; axis >= 0; --axis) {
    place[axis] = index % shape.dims[axis];
    index /= shape.dims[axis];
  }
  std::string text(name);
  for (size_t i = 0; i < place.size(); ++i) {
    text += fmt::format("{}{}", i == 0 ? "[" : ", ", place[i]);
  }
  return text + "]";
}

std::vector<float> ReadFloats(const Tensor& tensor) {
  std::vector<float> values(tensor.shape.elements());
  if (values.empty()) return values;
  ConvertToFloat(tensor.dtype, tensor.data, tensor.shape.elements(), values.data());
  return values;
}

// The largest absolute value of each element's row.
std::vector<float> RowMagnitudes(const std::vector<float>& values, const Shape& shape) {
  std::vector<float> result(values.size());
  const int64_t row = shape[-1];
  for (int64_t first = 0; first < static_cast<int64_t>(values.size()); first += row) {
    float largest = 0;
    for (int64_t i = first; i < first + row; ++i) largest = std::max(largest, std::abs(values[i]));
    std::fill_n(result.begin() + first, row, largest);
  }
  return result;
}

// Collects the worst element over all comparisons of one test.
struct Comparison {
  double factor = 0;  // of the magnitude
  OpTestResult result;

  void Fail(std::string message) {
    if (result.ok) result.message = std::move(message);
    result.ok = false;
  }
  void Compare(std::string_view name, const Tensor& reference, const Tensor& kernel,
               const std::vector<float>& magnitudes, double relative) {
    const std::vector<float> wanted = ReadFloats(reference);
    const std::vector<float> found = ReadFloats(kernel);
    for (size_t i = 0; i < wanted.size(); ++i) {
      const std::string_view missing = std::isfinite(wanted[i]) ? "" : " (the reference itself)";
      const double difference = std::abs(static_cast<double>(found[i]) - wanted[i]);
      const double allowed = factor * magnitudes[i] + relative * std::abs(wanted[i]);
      double ratio = difference == 0 ? 0 : difference / allowed;
      if (std::isnan(ratio) || !missing.empty()) ratio = HUGE_VAL;
      if (ratio <= result.worst_ratio) continue;
      result.worst_ratio = ratio;
      result.ok = result.ok && ratio <= 1;
      result.message = fmt::format(
          "{} is {:.9g}, should be {:.9g}{}: {:.3g} apart, {:.3g} allowed (magnitude {:.3g})",
          ElementName(name, reference.shape, static_cast<int64_t>(i)), found[i], wanted[i], missing,
          difference, allowed, magnitudes[i]);
    }
  }
};

}  // namespace

struct OpTestData::Impl {
  const OpRecord* record = nullptr;
  std::vector<Guarded> buffers;  // inputs, then outputs
  std::vector<std::unique_ptr<Weight>> weights;
  std::vector<Operand> inputs;
  std::vector<Operand> outputs;
  Attributes attributes;
  OpCall call;

  std::byte* Allocate(size_t size) {
    buffers.push_back(Guarded::Make(size));
    return buffers.back().data();
  }
  Operand MakeInput(const OpTestCase::Input& input, PortKind kind, RandomStream random,
                    const OpTestOptions& options);
  Operand MakeMatrix(const std::vector<float>& values, const Shape& shape,
                     const OpTestOptions& options);
};

Operand OpTestData::Impl::MakeMatrix(const std::vector<float>& values, const Shape& shape,
                                     const OpTestOptions& options) {
  auto weight = std::make_unique<Weight>();
  if (options.weight_format != WeightFormat::kDense) {
    *weight = PlanPacked(options.weight_format, options.weight_dtype, shape[0], shape[1]);
    std::byte* data = Allocate(static_cast<size_t>(weight->size_bytes));
    PackWeightRows(*weight, DType::kF32, values.data(), shape[1], 0, shape[0], data);
    weight->data = data;
  } else {
    *weight = {
        .dtype = options.weight_dtype, .rows = shape[0], .cols = shape[1], .stride = shape[1]};
    weight->size_bytes = weight->payload_bytes();
    const int64_t skipped = options.weight_offset * BytesOf(options.weight_dtype);
    std::byte* data = Allocate(static_cast<size_t>(skipped + weight->size_bytes)) + skipped;
    if (!values.empty()) {
      ConvertFromFloat(options.weight_dtype, values.data(), shape.elements(), data);
    }
    weight->data = data;
  }
  weights.push_back(std::move(weight));
  return {.weight = weights.back().get()};
}

Operand OpTestData::Impl::MakeInput(const OpTestCase::Input& input, PortKind kind,
                                    RandomStream random, const OpTestOptions& options) {
  if (kind == PortKind::kIndex) {
    FATHOM_CHECK(input.shape.elements() == static_cast<int64_t>(input.indices.size()));
    const size_t size = input.indices.size() * sizeof(int32_t);
    std::byte* data = Allocate(size);
    if (size > 0) std::memcpy(data, input.indices.data(), size);
    return {.tensor = Tensor::Dense(DType::kI32, input.shape, data)};
  }
  std::vector<float> values(input.shape.elements());
  for (float& value : values) value = random.Uniform(input.low, input.high);
  if (kind == PortKind::kMatrix) return MakeMatrix(values, input.shape, options);
  const DType dtype = kind == PortKind::kCache ? options.cache_dtype : DType::kF32;
  std::byte* data = Allocate(values.size() * BytesOf(dtype));
  if (!values.empty()) ConvertFromFloat(dtype, values.data(), input.shape.elements(), data);
  return {.tensor = Tensor::Dense(dtype, input.shape, data)};
}

OpTestData::OpTestData(const OpRecord& record, const OpTestCase& test, const OpTestOptions& options)
    : impl_(std::make_unique<Impl>()) {
  impl_->record = &record;
  impl_->attributes = test.attributes;
  for (size_t i = 0; i < test.inputs.size(); ++i) {
    const Port* port = FindPort(record.inputs, i);
    FATHOM_CHECK(port != nullptr);
    const OpTestCase::Input& input = test.inputs[i];
    if (input.shape.rank == 0) {
      impl_->inputs.emplace_back();
      impl_->Allocate(0);
      continue;
    }
    impl_->inputs.push_back(
        impl_->MakeInput(input, port->kind, RandomStream(options.seed, i), options));
  }
  for (const Shape& shape : test.output_shapes) {
    const auto size = static_cast<size_t>(shape.elements()) * sizeof(float);
    std::byte* data = impl_->Allocate(size);
    std::fill_n(data, size, kGuard);
    impl_->outputs.push_back({.tensor = Tensor::Dense(DType::kF32, shape, data)});
  }
  impl_->call = {
      .attributes = &impl_->attributes, .inputs = impl_->inputs, .outputs = impl_->outputs};
}

OpTestData::~OpTestData() = default;
OpTestData::OpTestData(OpTestData&&) noexcept = default;
OpTestData& OpTestData::operator=(OpTestData&&) noexcept = default;

const OpCall& OpTestData::call() const { return impl_->call; }
std::span<const Operand> OpTestData::inputs() const { return impl_->inputs; }
std::span<Operand> OpTestData::outputs() const { return impl_->outputs; }

std::string OpTestData::BrokenGuard() const {
  for (size_t i = 0; i < impl_->buffers.size(); ++i) {
    if (impl_->buffers[i].intact()) continue;
    const size_t inputs = impl_->inputs.size();
    const Port* port = i < inputs ? FindPort(impl_->record->inputs, i)
                                  : FindPort(impl_->record->outputs, i - inputs);
    return std::string(port->name);
  }
  return {};
}

namespace {

// Magnitudes of each output.
std::vector<std::vector<float>> OutputMagnitudes(const OpRecord& record, const OpTestData& data) {
  std::vector<std::vector<float>> result;
  std::vector<Tensor> views;
  for (const Operand& output : data.outputs()) {
    const Shape& shape = output.tensor.shape;
    result.push_back(RowMagnitudes(ReadFloats(output.tensor), shape));
    if (result.back().empty()) result.back().reserve(1);  // never a null address
    views.push_back(Tensor::Dense(DType::kF32, shape, result.back().data()));
  }
  if (record.magnitudes != nullptr) record.magnitudes(data.call(), views);
  return result;
}

bool SameBytes(const Operand& a, const Operand& b) {
  if (!a.present() || !b.present()) return a.present() == b.present();
  if (a.weight != nullptr) {
    return std::memcmp(a.weight->data, b.weight->data, a.weight->size_bytes) == 0;
  }
  const size_t size = a.tensor.shape.elements() * BytesOf(a.tensor.dtype);
  return std::memcmp(a.tensor.data, b.tensor.data, size) == 0;
}

}  // namespace

OpTestResult RunOpTest(const OpRecord& record, const OpTestCase& test, const OpTestOptions& options,
                       const OpFunction& kernel) {
  OpTestData wanted(record, test, options);
  OpTestData found(record, test, options);
  record.reference(wanted.call());
  kernel(found.call());
  const bool coarse = options.compute_epsilon > 0x1p-23;
  Comparison comparison{.factor = record.tolerance_ulps * 0x1p-23 +
                                  (coarse ? options.compute_epsilon : 0)};
  const auto magnitudes = OutputMagnitudes(record, wanted);
  for (size_t i = 0; i < wanted.outputs().size(); ++i) {
    comparison.Compare(FindPort(record.outputs, i)->name, wanted.outputs()[i].tensor,
                       found.outputs()[i].tensor, magnitudes[i], 0);
  }
  for (size_t i = 0; i < wanted.inputs().size(); ++i) {
    const std::string_view name = FindPort(record.inputs, i)->name;
    if (IsInPlace(record, i)) {
      const Tensor& tensor = wanted.inputs()[i].tensor;
      comparison.Compare(name, tensor, found.inputs()[i].tensor,
                         RowMagnitudes(ReadFloats(tensor), tensor.shape),
                         record.tolerance_ulps == 0 ? 0 : EpsilonOf(tensor.dtype));
    } else if (!SameBytes(wanted.inputs()[i], found.inputs()[i])) {
      comparison.Fail(fmt::format("input {} was changed", name));
    }
  }
  const std::string broken = found.BrokenGuard();
  if (!broken.empty()) comparison.Fail(fmt::format("written beyond the end of {}", broken));
  comparison.result.message =
      DescribeOpTest(record, test, options) + ": " + comparison.result.message;
  return comparison.result;
}

std::string DescribeOpTest(const OpRecord& record, const OpTestCase& test,
                           const OpTestOptions& options) {
  return fmt::format("{}/{} {} {} cache {} seed {}", record.name, test.name,
                     FormatName(options.weight_format), SafetensorsName(options.weight_dtype),
                     SafetensorsName(options.cache_dtype), options.seed);
}

}  // namespace fathom
