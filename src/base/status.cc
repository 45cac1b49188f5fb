#include "fathom/status.h"

#include <cstdio>
#include <cstdlib>

#include "base/check.h"
#include "base/utf8.h"

namespace fathom {

Status Status::RunTime(std::string what, std::string remedy) {
  return Status(StatusCode::kRunTime, {.value = std::move(what), .remedy = std::move(remedy)});
}

Status Status::Usage(std::string option, std::string what, std::string remedy) {
  return Status(
      StatusCode::kUsage,
      {.field = std::move(option), .value = std::move(what), .remedy = std::move(remedy)});
}

Status Status::BadFile(std::string file, std::string field, std::string value, std::string limit,
                       std::string remedy) {
  return Status(StatusCode::kBadFile, {std::move(file), std::move(field), std::move(value),
                                       std::move(limit), std::move(remedy)});
}

Status Status::Interrupted() { return Status(StatusCode::kInterrupted, {.value = "interrupted"}); }

std::string Status::message() const {
  std::string text;
  auto append = [&](std::string_view separator, std::string_view part) {
    if (part.empty()) return;
    if (!text.empty()) text += separator;
    // A part comes from files and users: cut, so that an error stays a line that can be read.
    text += EscapeForTerminal(part.substr(0, 600));
  };
  append("", detail_.file);
  append(": ", detail_.field);
  append(": ", detail_.value);
  append(" ", detail_.limit);
  append("; ", detail_.remedy);
  return text;
}

Status Status::WithFile(std::string_view file) && {
  if (!ok() && detail_.file.empty()) detail_.file = std::string(file);
  return std::move(*this);
}

void CheckFailed(const char* file, int line, const char* condition) {
  std::fprintf(stderr, "fathom: broken invariant at %s:%d: %s\n", file, line, condition);
  std::abort();
}

}  // namespace fathom
