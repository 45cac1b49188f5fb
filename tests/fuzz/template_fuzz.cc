// Any bytes as a chat template: parsed and rendered, it ends with a text or a Status. What follows
// the first NUL byte is the content of the user's message.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "text/chat_template.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace fathom;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t nul = input.find('\0');
  const std::string_view source = input.substr(0, nul);
  const std::string content(nul == std::string_view::npos ? "hello" : input.substr(nul + 1));
  auto chat = ChatTemplate::FromSource(source, {{"bos_token", "<s>"}, {"eos_token", "</s>"}});
  if (!chat.ok()) return 0;
  const JsonValue messages(JsonArray{
      JsonObject{{"role", "system"}, {"content", "be brief"}},
      JsonObject{{"role", "user"}, {"content", content}},
      JsonObject{
          {"role", "assistant"},
          {"tool_calls", JsonArray{JsonObject{{"name", "f"}, {"arguments", JsonObject{}}}}}}});
  const JsonValue tools(JsonArray{JsonObject{{"type", "function"}, {"name", content}}});
  auto rendered = chat->Render(messages, {.tools = &tools});
  if (!rendered.ok()) return 0;
  size_t at = 0;
  for (const TextSpan& span : rendered->trusted_spans) {
    if (span.begin < at || span.end <= span.begin || span.end > rendered->text.size()) {
      __builtin_trap();
    }
    at = span.end;
  }
  return 0;
}
