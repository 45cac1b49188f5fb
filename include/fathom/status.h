// Status and Result<T>: how everything that reads the outside world reports failure.
//
// Bad input returns a Status; a broken invariant of our own aborts through FATHOM_CHECK
// (src/base/check.h). The library never prints and never exits: the command line turns a Status
// into one line on stderr and an exit code.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace fathom {

// The exit code of a command that ends with the status (docs: README, "Exit codes").
enum class StatusCode : int {
  kOk = 0,
  kRunTime = 1,  // context limit, template refused, unmet --require, no such device ...
  kUsage = 2,    // unknown option, bad value, token id >= vocabulary
  kBadFile = 3,  // bad or missing model, checkpoint, config, tokenizer or template file
  kInterrupted = 130
};

// What went wrong, in the order in which it is printed:
//   "FILE: FIELD: VALUE LIMIT; REMEDY", parts that are empty left out.
struct StatusDetail {
  std::string file;    // path or the name of what was read
  std::string field;   // the field, tensor or option
  std::string value;   // what was found, or a sentence saying what is wrong
  std::string limit;   // what is allowed
  std::string remedy;  // what the user can do
};

class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(StatusCode code, StatusDetail detail) : code_(code), detail_(std::move(detail)) {}

  static Status Ok() { return {}; }
  // A run-time failure (exit 1), a usage error (exit 2), a bad file (exit 3).
  static Status RunTime(std::string what, std::string remedy = {});
  static Status Usage(std::string option, std::string what, std::string remedy = {});
  static Status BadFile(std::string file, std::string field, std::string value,
                        std::string limit = {}, std::string remedy = {});
  static Status Interrupted();

  bool ok() const { return code_ == StatusCode::kOk; }
  StatusCode code() const { return code_; }
  int exit_code() const { return static_cast<int>(code_); }
  const StatusDetail& detail() const { return detail_; }

  // One line of valid UTF-8; control characters and terminal escapes of the parts are escaped.
  std::string message() const;

  // The same failure, told of `file` where it does not name one yet.
  Status WithFile(std::string_view file) &&;

 private:
  StatusCode code_ = StatusCode::kOk;
  StatusDetail detail_;
};

// A value or the Status that says why there is none.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}          // NOLINT: implicit by design
  Result(Status status) : status_(std::move(status)) {}  // NOLINT: implicit by design

  bool ok() const { return value_.has_value(); }
  const Status& status() const& { return status_; }
  Status&& status() && { return std::move(status_); }
  T& operator*() & { return *value_; }
  const T& operator*() const& { return *value_; }
  T&& operator*() && { return *std::move(value_); }
  T* operator->() { return &*value_; }
  const T* operator->() const { return &*value_; }

 private:
  std::optional<T> value_;
  Status status_;
};

}  // namespace fathom

#define FATHOM_CONCAT_INNER(a, b) a##b
#define FATHOM_CONCAT(a, b) FATHOM_CONCAT_INNER(a, b)

// Returns from the enclosing function where the expression's Status is not ok.
#define FATHOM_TRY(expression)                     \
  do {                                             \
    ::fathom::Status fathom_status = (expression); \
    if (!fathom_status.ok()) return fathom_status; \
  } while (false)

// FATHOM_ASSIGN(auto x, MaybeX()): x is the value, or the enclosing function returns the Status.
#define FATHOM_ASSIGN(declaration, expression)                          \
  auto FATHOM_CONCAT(fathom_result_, __LINE__) = (expression);          \
  if (!FATHOM_CONCAT(fathom_result_, __LINE__).ok())                    \
    return std::move(FATHOM_CONCAT(fathom_result_, __LINE__)).status(); \
  declaration = *std::move(FATHOM_CONCAT(fathom_result_, __LINE__))
