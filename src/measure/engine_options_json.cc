#include "measure/engine_options_json.h"

#include <fmt/format.h>

#include <concepts>

namespace fathom {
namespace {

// Calls each(name, member) for every member, in their order. The binding counts them: a new option
// does not compile until it is named here.
template <typename Options, typename Each>
void ForEachMember(Options& options, Each each) {
  auto& [backend, device, isa, threads, dtype, attn_implementation, float32_matmul_precision,
         output_attentions, output_hidden_states, device_map, max_memory, disabled, enabled,
         required, context_length, max_sequences, chunk_tokens, cache_bytes, weight_cache_limit,
         load_tokenizer] = options;
  each("backend", backend);
  each("device", device);
  each("isa", isa);
  each("threads", threads);
  each("dtype", dtype);
  each("attn_implementation", attn_implementation);
  each("float32_matmul_precision", float32_matmul_precision);
  each("output_attentions", output_attentions);
  each("output_hidden_states", output_hidden_states);
  each("device_map", device_map);
  each("max_memory", max_memory);
  each("disabled", disabled);
  each("enabled", enabled);
  each("required", required);
  each("context_length", context_length);
  each("max_sequences", max_sequences);
  each("chunk_tokens", chunk_tokens);
  each("cache_bytes", cache_bytes);
  each("weight_cache_limit", weight_cache_limit);
  each("load_tokenizer", load_tokenizer);
}

JsonValue ToJson(const std::vector<std::string>& list) {
  return JsonArray(list.begin(), list.end());
}
template <typename T>
JsonValue ToJson(const T& value) {
  return JsonValue(value);
}

bool Read(const JsonValue& value, std::string& member) {
  if (!value.is_string()) return false;
  member = value.as_string();
  return true;
}
bool Read(const JsonValue& value, bool& member) {
  if (!value.is_bool()) return false;
  member = value.as_bool();
  return true;
}
bool Read(const JsonValue& value, std::vector<std::string>& member) {
  if (!value.is_array()) return false;
  member.clear();
  for (const JsonValue& item : value.as_array()) {
    if (!item.is_string()) return false;
    member.push_back(item.as_string());
  }
  return true;
}
template <std::integral T>
bool Read(const JsonValue& value, T& member) {
  if (!value.is_int()) return false;
  member = static_cast<T>(value.as_int());
  return member == value.as_int();
}

}  // namespace

JsonValue EngineOptionsToJson(const EngineOptions& options) {
  JsonObject object;
  ForEachMember(options, [&](std::string_view name, const auto& member) {
    object.emplace_back(std::string(name), ToJson(member));
  });
  return object;
}

Result<EngineOptions> EngineOptionsFromJson(const JsonValue& value, std::string_view what) {
  if (!value.is_object()) return Status::Usage(std::string(what), "is no JSON object");
  EngineOptions options;
  size_t known = 0;
  Status status;
  ForEachMember(options, [&](std::string_view name, auto& member) {
    const JsonValue* given = value.Find(name);
    if (given == nullptr) return;
    ++known;
    if (!Read(*given, member) && status.ok()) {
      status = Status::Usage(std::string(what),
                             fmt::format("{} is of type {}", name, given->TypeName()));
    }
  });
  FATHOM_TRY(status);
  if (known != value.as_object().size()) {
    return Status::Usage(std::string(what), "has a member that is no option");
  }
  return options;
}

}  // namespace fathom
