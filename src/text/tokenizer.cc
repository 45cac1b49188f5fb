#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <set>

#include "base/mapped_file.h"
#include "base/utf8.h"
#include "text/byte_level.h"
#include "text/tokenizer_impl.h"
#include "text/tokenizer_json.h"

namespace fathom {
namespace {

// A component that may be null or missing.
template <typename Component>
Status MakeOptional(const JsonValue& fields, const std::string& name,
                    std::unique_ptr<Component>& out) {
  const JsonValue* json = fields.Find(name);
  if (json == nullptr || json->is_null()) return Status::Ok();
  FATHOM_ASSIGN(out, MakeComponent<Component>(*json, name));
  return Status::Ok();
}

Status FinishImpl(Tokenizer::Impl& impl) {
  if (impl.model->AsBpe() != nullptr) {
    FATHOM_ASSIGN(impl.fast, FastEncoder::Make(impl.pre_tokenizer.get(), *impl.model->AsBpe()));
    impl.fast_path = impl.fast->description();
  }
  impl.vocab_size = impl.model->vocab_size() + impl.added.beyond_model_count(*impl.model);
  impl.id_limit = impl.model->max_id() + 1;
  for (const auto& [id, token] : impl.added.by_id()) {
    impl.id_limit = std::max(impl.id_limit, id + 1);
    if (impl.added.IsSpecialString(token.content)) impl.special_ids.push_back(id);
  }
  // A post-processor that cannot take what stands before it is a fault of the file, not of a text.
  if (impl.post_processor == nullptr) return Status::Ok();
  for (const bool add_special : {false, true}) {
    Encodings probe(1);
    const Status status = impl.post_processor->Apply(probe, add_special);
    if (!status.ok()) return Status::BadFile("", "post_processor", status.detail().value);
  }
  return Status::Ok();
}

Status BuildImpl(TokenizerJson json, const std::vector<std::vector<AddedToken>>& added_batches,
                 Tokenizer::Impl& impl) {
  const JsonValue* fallback = json.model.fields.Find("byte_fallback");
  impl.has_byte_fallback = fallback != nullptr && fallback->is_bool() && fallback->as_bool();
  FATHOM_TRY(MakeOptional(json.fields, "normalizer", impl.normalizer));
  FATHOM_TRY(MakeOptional(json.fields, "pre_tokenizer", impl.pre_tokenizer));
  FATHOM_TRY(MakeOptional(json.fields, "post_processor", impl.post_processor));
  FATHOM_TRY(MakeOptional(json.fields, "decoder", impl.decoder));
  FATHOM_ASSIGN(impl.model, MakeModel(std::move(json.model)));
  for (const std::vector<AddedToken>& batch : added_batches) {
    FATHOM_TRY(impl.added.Add(batch, *impl.model, impl.normalizer.get()));
  }
  return FinishImpl(impl);
}

bool IsFolder(const std::string& path) {
  struct stat info = {};
  return stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

// A small JSON file of a folder; null where it is not there. kBadFile where it is no object.
Result<JsonValue> ReadOptionalJson(const std::string& path) {
  struct stat info = {};
  if (stat(path.c_str(), &info) != 0) return JsonValue();
  FATHOM_ASSIGN(JsonValue json, ParseJsonFile(path));
  if (!json.is_object()) return Status::BadFile(path, "", "is no JSON object");
  return json;
}

Status CheckTrusted(std::string_view text, const std::vector<ByteRange>& trusted) {
  const auto is_boundary = [&](size_t offset) {
    return offset == text.size() || (static_cast<uint8_t>(text[offset]) & 0xC0) != 0x80;
  };
  size_t previous = 0;
  for (const ByteRange& range : trusted) {
    if (range.begin < previous || range.end < range.begin || range.end > text.size() ||
        !is_boundary(range.begin) || !is_boundary(range.end)) {
      return Status::Usage("trusted", fmt::format("range {}..{}", range.begin, range.end),
                           "ranges ascend, lie in the text and cut no character");
    }
    previous = range.end;
  }
  return Status::Ok();
}

std::optional<int32_t> NamedId(const Tokenizer& tokenizer, std::string_view name) {
  for (const auto& [key, token] : tokenizer.special_tokens()) {
    if (key == name) return tokenizer.TokenToId(token);
  }
  return std::nullopt;
}

}  // namespace

struct Tokenizer::Impl::Call {
  const EncodeOptions& options;
  PatternBudget budget;
  FastScratch* scratch = nullptr;  // null: the reference encoder
  std::vector<int32_t> ids;
};

Result<std::vector<int32_t>> Tokenizer::Impl::Encode(std::string_view text,
                                                     const EncodeOptions& options) const {
  const size_t invalid = FindInvalidUtf8(text);
  if (invalid != std::string_view::npos) {
    return Status::Usage("text", fmt::format("is not UTF-8 at byte {}", invalid));
  }
  FATHOM_TRY(CheckTrusted(text, options.trusted));
  MarkedText marks;
  if (!options.trusted.empty() && !options.parse_special) {
    marks.text = std::string(text);
    marks.marks.assign(text.size(), 0);
    for (const ByteRange& range : options.trusted) {
      std::fill(marks.marks.begin() + static_cast<ptrdiff_t>(range.begin),
                marks.marks.begin() + static_cast<ptrdiff_t>(range.end), 1);
    }
  }
  Call call{options, PatternBudget::ForText(text.size()), nullptr, {}};
  FastScratchPtr scratch;
  if (options.use_fast && fast != nullptr) {
    {
      const std::lock_guard lock(scratch_mutex);
      if (!idle_scratch.empty()) {
        scratch = std::move(idle_scratch.back());
        idle_scratch.pop_back();
      }
    }
    if (scratch == nullptr) scratch = fast->NewScratch();
    call.scratch = scratch.get();
  }
  std::vector<AddedSpan> spans;
  const MarkedText* marked = marks.marked() ? &marks : nullptr;
  added.Find(text, false, {options.parse_special, marked}, spans);
  Status status;
  for (const AddedSpan& span : spans) {
    if (span.id >= 0) {
      call.ids.push_back(span.id);
    } else if (status.ok()) {
      status =
          EncodePlainSpan(text.substr(span.begin, span.end - span.begin), marked, span.begin, call);
    }
  }
  if (scratch != nullptr) {
    FastEncoder::Trim(*scratch);
    const std::lock_guard lock(scratch_mutex);
    if (idle_scratch.size() < 64) idle_scratch.push_back(std::move(scratch));
  }
  FATHOM_TRY(std::move(status));
  if (post_processor == nullptr) return std::move(call.ids);
  Encodings encodings(1);
  encodings[0] = std::move(call.ids);
  FATHOM_TRY(post_processor->Apply(encodings, options.add_special_tokens));
  std::vector<int32_t> result =
      encodings.empty() ? std::vector<int32_t>() : std::move(encodings[0]);
  for (size_t i = 1; i < encodings.size(); ++i) {
    result.insert(result.end(), encodings[i].begin(), encodings[i].end());
  }
  return result;
}

// A part between tokens that are matched unnormalized: normalized, then searched for the others.
Status Tokenizer::Impl::EncodePlainSpan(std::string_view text, const MarkedText* marks,
                                        size_t offset, Call& call) const {
  MarkedText own;
  const bool untouched =
      normalizer == nullptr || (call.scratch != nullptr && normalizer->LeavesAlone(text));
  const bool track = marks != nullptr && added.has_special_normalized();
  if (track) {
    const auto begin = marks->marks.begin() + static_cast<ptrdiff_t>(offset);
    own.marks.assign(begin, begin + static_cast<ptrdiff_t>(text.size()));
  }
  if (!untouched) {
    own.text = std::string(text);
    FATHOM_TRY(normalizer->Apply(own, call.budget));
    text = own.text;
  }
  if (!added.searches_normalized()) return EncodeText(text, call);
  std::vector<AddedSpan> spans;
  added.Find(text, true, {call.options.parse_special, track ? &own : nullptr}, spans);
  for (const AddedSpan& span : spans) {
    if (span.id >= 0) {
      call.ids.push_back(span.id);
    } else {
      FATHOM_TRY(EncodeText(text.substr(span.begin, span.end - span.begin), call));
    }
  }
  return Status::Ok();
}

Status Tokenizer::Impl::EncodeText(std::string_view text, Call& call) const {
  if (text.empty()) return Status::Ok();
  if (call.scratch == nullptr) return EncodeTextReference(text, call);
  return fast->Encode(text, *call.scratch, call.budget, call.ids);
}

Status Tokenizer::Impl::EncodeTextReference(std::string_view text, Call& call) const {
  std::vector<TextPiece> pieces;
  pieces.push_back({std::string(text), -1});
  if (pre_tokenizer != nullptr) FATHOM_TRY(pre_tokenizer->Apply(pieces, call.budget));
  for (const TextPiece& piece : pieces) {
    if (!piece.text.empty()) FATHOM_TRY(model->Tokenize(piece.text, call.ids));
  }
  return Status::Ok();
}

std::optional<std::string_view> Tokenizer::Impl::DecodeForm(int32_t id) const {
  const std::string* form = added.DecodeForm(id);
  if (form != nullptr) return *form;
  return model->IdToToken(id);
}

Tokenizer::Tokenizer(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
Tokenizer::Tokenizer(const Tokenizer&) = default;
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(const Tokenizer&) = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

Result<Tokenizer> Tokenizer::OpenFile(const std::string& path) {
  FATHOM_ASSIGN(const MappedFile file, MappedFile::Open(path));
  FATHOM_ASSIGN(TokenizerJson json, ReadTokenizerJson(file.text(), path));
  auto impl = std::make_shared<Impl>();
  impl->path = path;
  impl->class_name = "tokenizers.Tokenizer";
  auto tokens = ReadAddedTokens(json.fields);
  if (!tokens.ok()) return std::move(tokens).status().WithFile(path);
  FATHOM_TRY(BuildImpl(std::move(json), {*std::move(tokens)}, *impl).WithFile(path));
  return Tokenizer(std::move(impl));
}

Result<Tokenizer> Tokenizer::OpenFolder(const std::string& folder) {
  const std::string path = folder + "/tokenizer.json";
  FolderFiles files;
  FATHOM_ASSIGN(files.config, ReadOptionalJson(folder + "/config.json"));
  FATHOM_ASSIGN(files.tokenizer_config, ReadOptionalJson(folder + "/tokenizer_config.json"));
  FATHOM_ASSIGN(files.special_tokens_map, ReadOptionalJson(folder + "/special_tokens_map.json"));
  FATHOM_ASSIGN(files.added_tokens, ReadOptionalJson(folder + "/added_tokens.json"));
  FATHOM_ASSIGN(const MappedFile file, MappedFile::Open(path));
  FATHOM_ASSIGN(TokenizerJson json, ReadTokenizerJson(file.text(), path));
  auto plan = PlanAutoTokenizer(files, file.text(), json);
  if (!plan.ok()) return std::move(plan).status().WithFile(path);
  auto impl = std::make_shared<Impl>();
  impl->path = folder;
  impl->class_name = plan->class_name;
  impl->special_tokens = plan->special_tokens;
  FATHOM_TRY(BuildImpl(std::move(json), plan->added_batches, *impl).WithFile(path));
  return Tokenizer(std::move(impl));
}

Result<Tokenizer> Tokenizer::Open(const std::string& path) {
  return IsFolder(path) ? OpenFolder(path) : OpenFile(path);
}

Result<std::vector<int32_t>> Tokenizer::Encode(std::string_view text,
                                               const EncodeOptions& options) const {
  return impl_->Encode(text, options);
}

size_t Tokenizer::vocab_size() const { return impl_->vocab_size; }
int32_t Tokenizer::id_limit() const { return impl_->id_limit; }

std::optional<int32_t> Tokenizer::TokenToId(std::string_view token) const {
  const std::optional<int32_t> id = impl_->added.TokenToId(token);
  return id ? id : impl_->model->TokenToId(token);
}

std::optional<std::string> Tokenizer::IdToToken(int32_t id) const {
  const AddedToken* token = impl_->added.Get(id);
  if (token != nullptr) return token->content;
  const std::optional<std::string_view> found = impl_->model->IdToToken(id);
  if (!found) return std::nullopt;
  return std::string(*found);
}

std::string Tokenizer::TokenBytes(int32_t id) const {
  const AddedToken* added = impl_->added.Get(id);
  if (added != nullptr) return added->content;
  const std::optional<std::string_view> token = impl_->model->IdToToken(id);
  if (!token) return "";
  const int byte = impl_->has_byte_fallback ? ByteOfByteToken(*token) : -1;
  if (byte >= 0) return std::string(1, static_cast<char>(byte));
  std::string bytes;
  const bool byte_level = impl_->decoder != nullptr && impl_->decoder->reads_byte_level();
  if (byte_level && AppendBytesOfByteLevel(*token, bytes)) return bytes;
  return Decode(std::span(&id, 1));
}

bool Tokenizer::IsSpecial(int32_t id) const {
  return std::binary_search(impl_->special_ids.begin(), impl_->special_ids.end(), id);
}
const std::vector<int32_t>& Tokenizer::special_ids() const { return impl_->special_ids; }

const std::vector<std::pair<std::string, std::string>>& Tokenizer::special_tokens() const {
  return impl_->special_tokens;
}
std::optional<int32_t> Tokenizer::bos_id() const { return NamedId(*this, "bos_token"); }
std::optional<int32_t> Tokenizer::eos_id() const { return NamedId(*this, "eos_token"); }
std::optional<int32_t> Tokenizer::pad_id() const { return NamedId(*this, "pad_token"); }

const std::string& Tokenizer::path() const { return impl_->path; }
const std::string& Tokenizer::class_name() const { return impl_->class_name; }
const std::string& Tokenizer::fast_path() const { return impl_->fast_path; }

}  // namespace fathom
