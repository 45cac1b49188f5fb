#include "checkpoint/safetensors.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <optional>

#include "base/json.h"
#include "base/utf8.h"

namespace fathom {
namespace {

constexpr size_t kLengthBytes = 8;
// A string, number or run of spaces of the header; the reader holds one at a time, twice over.
constexpr size_t kMaxTokenBytes = 4'000'000;
constexpr size_t kMaxNameBytes = 4096;
constexpr size_t kMaxNamesBytes = 16'000'000;  // of all tensors
constexpr size_t kMaxMetadataBytes = 8'000'000;
// The shortest entry of a tensor: "":{"dtype":"U8","shape":[],"data_offsets":[0,0]}
constexpr size_t kMinEntryBytes = 48;
constexpr size_t kMaxMetadataEntries = 100'000;

// Names in messages are cut: a hostile one has megabytes.
std::string Shown(std::string_view text) { return std::string(text.substr(0, 200)); }

// The fields of one tensor as they stand in the header.
struct Entry {
  std::optional<DType> dtype;
  bool has_shape = false;
  bool has_offsets = false;
  std::vector<int64_t> shape;
  std::vector<uint64_t> offsets;  // begin, end, from the start of the data
};

// Where the reader stands.
enum class Place { kStart, kTop, kMetadata, kTensor, kShape, kOffsets, kSkip, kEnd };

// Takes the header's events apart into tensors and metadata; `offset` of a tensor is still relative
// to the data and `size_bytes` is end - begin.
class HeaderReader final : public JsonHandler {
 public:
  HeaderReader(const std::string& path, std::vector<CheckpointTensor>& tensors,
               std::vector<std::pair<std::string, std::string>>& metadata)
      : path_(path), tensors_(tensors), metadata_(metadata) {}

  Status OnNull() override {
    // The reference takes a null for no metadata.
    if (place_ == Place::kTop && name_ == "__metadata__") return Status::Ok();
    return Scalar("null");
  }
  Status OnBool(bool value) override { return Scalar(value ? "true" : "false"); }
  Status OnDouble(double value) override { return Scalar(fmt::format("{}", value)); }
  Status OnInt(int64_t value) override {
    if (value < 0) return Scalar(fmt::format("{}", value));
    return OnUint(static_cast<uint64_t>(value));
  }
  Status OnUint(uint64_t value) override;
  Status OnString(std::string& value) override;
  Status OnKey(std::string& key) override;
  Status OnStartObject() override;
  Status OnEndObject() override;
  Status OnStartArray() override;
  Status OnEndArray() override;

  // The tensor being read, for errors of the JSON itself.
  const std::string& name() const { return name_; }

 private:
  Status Refuse(std::string value, std::string limit = {}) const {
    std::string field = place_ == Place::kStart ? "header" : Shown(name_);
    if (place_ == Place::kTensor || place_ == Place::kShape || place_ == Place::kOffsets) {
      field += "." + Shown(field_);
    }
    if (place_ == Place::kMetadata) field = "__metadata__." + Shown(field_);
    return Status::BadFile(path_, std::move(field), std::move(value), std::move(limit));
  }
  // What must stand here.
  std::string_view Wanted() const {
    switch (place_) {
      case Place::kStart:
        return "where an object is required";
      case Place::kMetadata:
        return "where a string is required";
      case Place::kShape:
      case Place::kOffsets:
        return "where a non-negative integer is required";
      case Place::kTensor:
        return field_ == "dtype" ? "where a string is required" : "where an array is required";
      case Place::kTop:
        if (name_ == "__metadata__") return "where an object of strings is required";
        [[fallthrough]];
      default:
        return "where an object with dtype, shape and data_offsets is required";
    }
  }
  Status Scalar(std::string value) const {
    if (place_ == Place::kSkip || SkipsField()) return Status::Ok();
    return Refuse(std::move(value), std::string(Wanted()));
  }
  // A field of a tensor that the format does not know: passed over, as the reference does.
  bool SkipsField() const {
    return place_ == Place::kTensor && field_ != "dtype" && field_ != "shape" &&
           field_ != "data_offsets";
  }
  Status Skip() {
    if (place_ != Place::kSkip) skip_depth_ = 0;
    place_ = Place::kSkip;
    ++skip_depth_;
    return Status::Ok();
  }
  Status Unskip() {
    if (--skip_depth_ == 0) place_ = Place::kTensor;
    return Status::Ok();
  }
  Status FinishTensor();

  const std::string& path_;
  std::vector<CheckpointTensor>& tensors_;
  std::vector<std::pair<std::string, std::string>>& metadata_;
  Place place_ = Place::kStart;
  int skip_depth_ = 0;
  bool metadata_seen_ = false;
  size_t names_bytes_ = 0;
  size_t metadata_bytes_ = 0;
  std::string name_;
  std::string field_;
  Entry entry_;
};

Status HeaderReader::OnUint(uint64_t value) {
  if (place_ == Place::kShape) {
    if (value > uint64_t{INT64_MAX}) {
      return Refuse(fmt::format("{}", value), "exceeds the limit of 2^63 - 1");
    }
    if (entry_.shape.size() == kMaxFileRank) {
      return Refuse("axes", fmt::format("exceed the limit of {}", kMaxFileRank));
    }
    entry_.shape.push_back(static_cast<int64_t>(value));
    return Status::Ok();
  }
  if (place_ == Place::kOffsets) {
    if (entry_.offsets.size() == 2) return Refuse("more than two values");
    entry_.offsets.push_back(value);
    return Status::Ok();
  }
  return Scalar(fmt::format("{}", value));
}

Status HeaderReader::OnString(std::string& value) {
  if (place_ == Place::kMetadata) {
    metadata_bytes_ += field_.size() + value.size();
    if (metadata_bytes_ > kMaxMetadataBytes || metadata_.size() == kMaxMetadataEntries) {
      return Refuse("metadata", fmt::format("exceeds the limit of {} bytes or {} entries",
                                            kMaxMetadataBytes, kMaxMetadataEntries));
    }
    metadata_.emplace_back(std::move(field_), std::move(value));
    return Status::Ok();
  }
  if (place_ == Place::kTensor && field_ == "dtype") {
    entry_.dtype = DTypeFromSafetensors(value);
    if (!entry_.dtype) {
      return Refuse(fmt::format("\"{}\"", Shown(value)), "is no known element type");
    }
    return Status::Ok();
  }
  return Scalar(fmt::format("\"{}\"", Shown(value)));
}

Status HeaderReader::OnKey(std::string& key) {
  if (place_ == Place::kTop) {
    if (key.size() > kMaxNameBytes) {
      name_ = Shown(key);
      return Refuse(fmt::format("a name of {} bytes", key.size()),
                    fmt::format("exceeds the limit of {}", kMaxNameBytes));
    }
    names_bytes_ += key.size();
    name_ = std::move(key);
    if (names_bytes_ > kMaxNamesBytes) {
      return Status::BadFile(path_, "header", "names of tensors",
                             fmt::format("exceed the limit of {} bytes", kMaxNamesBytes));
    }
    if (name_ == "__metadata__") {
      if (metadata_seen_) return Refuse("stands twice");
      metadata_seen_ = true;
    } else if (tensors_.size() == kMaxSafetensorsTensors) {
      return Status::BadFile(path_, "header", "number of tensors",
                             fmt::format("exceeds the limit of {}", kMaxSafetensorsTensors));
    }
    return Status::Ok();
  }
  if (place_ == Place::kSkip) return Status::Ok();
  field_ = std::move(key);
  if (place_ == Place::kTensor) {
    const bool repeated = (field_ == "dtype" && entry_.dtype) ||
                          (field_ == "shape" && entry_.has_shape) ||
                          (field_ == "data_offsets" && entry_.has_offsets);
    if (repeated) return Refuse("the key stands twice");
  }
  return Status::Ok();
}

Status HeaderReader::OnStartObject() {
  if (place_ == Place::kSkip || SkipsField()) return Skip();
  if (place_ == Place::kStart) {
    place_ = Place::kTop;
    return Status::Ok();
  }
  if (place_ != Place::kTop) return Refuse("object", std::string(Wanted()));
  field_.clear();
  place_ = name_ == "__metadata__" ? Place::kMetadata : Place::kTensor;
  entry_ = Entry();
  return Status::Ok();
}

Status HeaderReader::OnEndObject() {
  if (place_ == Place::kSkip) return Unskip();
  if (place_ == Place::kTop) {
    place_ = Place::kEnd;
    return Status::Ok();
  }
  if (place_ == Place::kTensor) FATHOM_TRY(FinishTensor());
  place_ = Place::kTop;
  return Status::Ok();
}

Status HeaderReader::OnStartArray() {
  if (place_ == Place::kSkip || SkipsField()) return Skip();
  if (place_ == Place::kTensor && field_ == "shape") {
    place_ = Place::kShape;
    entry_.has_shape = true;
    return Status::Ok();
  }
  if (place_ == Place::kTensor && field_ == "data_offsets") {
    place_ = Place::kOffsets;
    entry_.has_offsets = true;
    return Status::Ok();
  }
  return Refuse("array", std::string(Wanted()));
}

Status HeaderReader::OnEndArray() {
  if (place_ == Place::kSkip) return Unskip();
  if (place_ == Place::kOffsets && entry_.offsets.size() != 2) {
    return Refuse(fmt::format("{} values", entry_.offsets.size()), "where two are required");
  }
  place_ = Place::kTensor;
  return Status::Ok();
}

Status HeaderReader::FinishTensor() {
  const auto missing = [&](std::string_view field) {
    return Status::BadFile(path_, Shown(name_), fmt::format("{} is missing", field));
  };
  if (!entry_.dtype) return missing("dtype");
  if (!entry_.has_shape) return missing("shape");
  if (!entry_.has_offsets) return missing("data_offsets");
  const auto [begin, end] = std::pair(entry_.offsets[0], entry_.offsets[1]);
  field_ = "data_offsets";
  if (end < begin) return Refuse(fmt::format("end {} lies before begin {}", end, begin));
  CheckpointTensor& tensor = tensors_.emplace_back();
  tensor.name = std::move(name_);
  tensor.dtype = *entry_.dtype;
  tensor.shape = std::move(entry_.shape);
  tensor.offset = begin;
  tensor.size_bytes = end - begin;
  name_ = Shown(tensor.name);
  return Status::Ok();
}

// A single string, number or run of spaces of many megabytes would be held in memory whole.
Status CheckTokenLengths(const std::string& path, std::string_view header) {
  if (header.size() <= kMaxTokenBytes) return Status::Ok();
  size_t start = 0;
  bool in_string = false;
  for (size_t i = 0; i < header.size(); ++i) {
    const char c = header[i];
    if (in_string) {
      if (c == '\\') {
        ++i;
      } else if (c == '"') {
        in_string = false;
        start = i;
      }
    } else if (c == '"' || c == ',' || c == ':' || c == '{' || c == '}' || c == '[' || c == ']') {
      in_string = c == '"';
      start = i;
    }
    if (i - start > kMaxTokenBytes) {
      return Status::BadFile(path, "header", fmt::format("a string or number at byte {}", start),
                             fmt::format("exceeds the limit of {} bytes", kMaxTokenBytes));
    }
  }
  return Status::Ok();
}

Status ReadHeader(const std::string& path, std::string_view header, HeaderReader& reader) {
  if (!header.starts_with('{')) {
    return Status::BadFile(path, "header", "does not begin with '{'");
  }
  // The padding, which may be long, is none of the reader's business.
  const size_t last = header.find_last_not_of(" \t\r\n");
  const std::string_view text = header.substr(0, last + 1);
  FATHOM_TRY(CheckTokenLengths(path, text));
  Status status = ReadJson(text, path, JsonLimits{}, reader);
  if (status.ok()) return status;
  if (const size_t at = FindInvalidUtf8(text); at != std::string_view::npos) {
    return Status::BadFile(path, "header", fmt::format("invalid UTF-8 at byte {}", at));
  }
  StatusDetail detail = status.detail();
  if (detail.field.empty()) {
    detail.field = reader.name().empty() ? "header" : "header at " + Shown(reader.name());
  }
  return Status(status.code(), std::move(detail));
}

// Elements of a shape: the product of its sizes, and of those that are not 0 (strides are products
// of these), fits in i64.
std::optional<int64_t> CheckedElements(const std::vector<int64_t>& shape) {
  int64_t product = 1;
  bool empty = false;
  for (const int64_t size : shape) {
    empty |= size == 0;
    if (size != 0 && __builtin_mul_overflow(product, size, &product)) return std::nullopt;
  }
  return empty ? 0 : product;
}

// Size of the tensor by shape and type against its place in the data of `data_size` bytes.
Status CheckSize(const std::string& path, const CheckpointTensor& tensor, uint64_t data_size) {
  const auto refuse = [&](std::string value, std::string limit) {
    return Status::BadFile(path, Shown(tensor.name), std::move(value), std::move(limit));
  };
  const std::optional<int64_t> elements = CheckedElements(tensor.shape);
  uint64_t bits = 0;
  if (!elements || __builtin_mul_overflow(static_cast<uint64_t>(*elements),
                                          static_cast<uint64_t>(BitsOf(tensor.dtype)), &bits)) {
    return refuse(fmt::format("shape {}", tensor.ShapeToString()), "overflows 64 bits");
  }
  if (bits % 8 != 0) {
    return refuse(fmt::format("{} elements of {}", *elements, SafetensorsName(tensor.dtype)),
                  "do not end at a byte");
  }
  if (bits / 8 != tensor.size_bytes) {
    return refuse(fmt::format("{} bytes", tensor.size_bytes),
                  fmt::format("where shape {} of {} takes {}", tensor.ShapeToString(),
                              SafetensorsName(tensor.dtype), bits / 8));
  }
  if (tensor.offset > data_size || tensor.size_bytes > data_size - tensor.offset) {
    return refuse(fmt::format("ends at byte {} of the data", tensor.offset + tensor.size_bytes),
                  fmt::format("where the file holds {}: truncated", data_size));
  }
  return Status::Ok();
}

// The tensors cover the data from its first to its last byte, each byte once.
Status CheckCover(const std::string& path, const std::vector<CheckpointTensor>& tensors,
                  uint64_t data_size) {
  std::vector<uint32_t> order(tensors.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    return std::pair(tensors[a].offset, tensors[a].size_bytes) <
           std::pair(tensors[b].offset, tensors[b].size_bytes);
  });
  uint64_t covered = 0;
  const CheckpointTensor* previous = nullptr;
  for (const uint32_t i : order) {
    const CheckpointTensor& tensor = tensors[i];
    if (tensor.offset < covered) {
      return Status::BadFile(
          path, Shown(tensor.name), fmt::format("begins at byte {} of the data", tensor.offset),
          fmt::format("and overlaps {}, which ends at {}", Shown(previous->name), covered));
    }
    if (tensor.offset > covered) {
      return Status::BadFile(path, Shown(tensor.name),
                             fmt::format("a gap of {} bytes before it", tensor.offset - covered));
    }
    covered = tensor.offset + tensor.size_bytes;
    previous = &tensor;
  }
  if (covered != data_size) {
    return Status::BadFile(path, "data",
                           fmt::format("{} bytes after the last tensor", data_size - covered));
  }
  return Status::Ok();
}

Status CheckNames(const std::string& path, const std::vector<CheckpointTensor>& tensors) {
  const std::vector<uint32_t> order = SortedByName(tensors);
  for (size_t i = 1; i < order.size(); ++i) {
    if (tensors[order[i]].name == tensors[order[i - 1]].name) {
      return Status::BadFile(path, Shown(tensors[order[i]].name), "the tensor stands twice");
    }
  }
  return Status::Ok();
}

// Files of other kinds under this name: what to do about them.
std::string RemedyByMagic(std::string_view text) {
  if (text.starts_with("PK\x03\x04") || text.starts_with("\x80\x02") ||
      text.starts_with("\x80\x04")) {
    return "this looks like a pickle of torch.save: convert it to safetensors";
  }
  if (text.starts_with("GGUF")) return "this is a GGUF file";
  if (text.starts_with("version https://git-lfs"))
    return "fetch the file itself with: git lfs pull";
  if (text.starts_with("<")) return "this looks like a web page: download the file again";
  return {};
}

}  // namespace

int64_t CheckpointTensor::elements() const {
  int64_t product = 1;
  for (const int64_t size : shape) product *= size;
  return product;
}

bool CheckpointTensor::HasShape(const Shape& expected) const {
  return std::equal(shape.begin(), shape.end(), expected.dims.begin(),
                    expected.dims.begin() + expected.rank);
}

std::string CheckpointTensor::ShapeToString() const {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

std::vector<uint32_t> SortedByName(const std::vector<CheckpointTensor>& tensors) {
  std::vector<uint32_t> order(tensors.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(),
            [&](uint32_t a, uint32_t b) { return tensors[a].name < tensors[b].name; });
  return order;
}

Result<SafetensorsFile> SafetensorsFile::Open(const std::string& path) {
  SafetensorsFile result;
  FATHOM_ASSIGN(result.file_, MappedFile::Open(path));
  const uint64_t size = result.file_.size();
  const std::string_view text = result.file_.text();
  if (size < kLengthBytes) {
    return Status::BadFile(path, "header", fmt::format("truncated header: {} bytes", size),
                           fmt::format("where at least {} are required", kLengthBytes));
  }
  uint64_t length = 0;
  std::memcpy(&length, text.data(), kLengthBytes);
  if (length > kMaxSafetensorsHeaderBytes) {
    return Status::BadFile(path, "header", fmt::format("{} bytes", length),
                           fmt::format("exceed the limit of {}", kMaxSafetensorsHeaderBytes),
                           RemedyByMagic(text));
  }
  if (length > size - kLengthBytes) {
    return Status::BadFile(path, "header", fmt::format("truncated header: {} bytes", length),
                           fmt::format("where the file has {} left", size - kLengthBytes));
  }
  // At once: growing by copies would hold the list twice. Memory that is not written is not
  // resident.
  result.tensors_.reserve(std::min<uint64_t>(kMaxSafetensorsTensors, length / kMinEntryBytes));
  HeaderReader reader(result.file_.path(), result.tensors_, result.metadata_);
  FATHOM_TRY(ReadHeader(path, text.substr(kLengthBytes, length), reader));
  const uint64_t data_begin = kLengthBytes + length;
  const uint64_t data_size = size - data_begin;
  FATHOM_TRY(CheckNames(path, result.tensors_));
  for (CheckpointTensor& tensor : result.tensors_) {
    FATHOM_TRY(CheckSize(path, tensor, data_size));
  }
  FATHOM_TRY(CheckCover(path, result.tensors_, data_size));
  for (CheckpointTensor& tensor : result.tensors_) {
    tensor.offset += data_begin;
    tensor.data = result.file_.data() + tensor.offset;
  }
  result.tensors_.shrink_to_fit();
  return result;
}

}  // namespace fathom
