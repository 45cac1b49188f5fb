// The tokenizer's times, one command a line from standard input, so that another program can take
// turns with it in the same minute (tools/bench_tokenizer.py):
//   open TOKENIZER.json          -> {"seconds": ...}
//   text FILE                    -> {"bytes": ...}
//   encode                       -> {"seconds": ..., "count": ...}
//   reference                    -> the same by the reference encoder
//   decode                       -> of the ids of the last encode; {"seconds": ..., "bytes": ...}
//   ids FILE                     writes the ids of the last encode, int32
//   output FILE                  writes the text of the last decode
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "fathom/text.h"

namespace fathom {
namespace {

class Session {
 public:
  // The answer to a command, one line; an error too.
  std::string Answer(const std::string& line) {
    const size_t space = line.find(' ');
    const std::string verb = line.substr(0, space);
    const std::string argument = space == std::string::npos ? "" : line.substr(space + 1);
    if (verb == "open") return Open(argument);
    if (verb == "text") return ReadText(argument);
    if (verb == "ids") return Write(argument, ids_.data(), ids_.size() * sizeof(int32_t));
    if (verb == "output") return Write(argument, decoded_.data(), decoded_.size());
    if (!tokenizer_) return Error("nothing is open");
    if (verb == "encode" || verb == "reference") return Encode(verb == "encode");
    if (verb == "decode") return Decode();
    return Error("no such command");
  }

 private:
  static std::string Error(const std::string& what) { return "{\"error\": \"" + what + "\"}"; }

  template <typename Run>
  static double SecondsOf(const Run& run) {
    const auto begin = std::chrono::steady_clock::now();
    run();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }

  std::string Open(const std::string& path) {
    std::optional<Result<Tokenizer>> opened;
    const double seconds = SecondsOf([&] { opened.emplace(Tokenizer::OpenFile(path)); });
    if (!opened->ok()) return Error("cannot be opened");
    tokenizer_ = std::make_unique<Tokenizer>(*std::move(*opened));
    return fmt::format("{{\"seconds\": {}, \"path\": \"{}\"}}", seconds, tokenizer_->fast_path());
  }
  std::string ReadText(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    std::ostringstream bytes;
    bytes << in.rdbuf();
    text_ = bytes.str();
    return fmt::format("{{\"bytes\": {}}}", text_.size());
  }
  std::string Encode(bool fast) {
    std::optional<Result<std::vector<int32_t>>> ids;
    const double seconds = SecondsOf(
        [&] { ids.emplace(tokenizer_->Encode(text_, {.parse_special = true, .use_fast = fast})); });
    if (!ids->ok()) return Error("cannot be encoded");
    ids_ = *std::move(*ids);
    return fmt::format("{{\"seconds\": {}, \"count\": {}}}", seconds, ids_.size());
  }
  std::string Decode() {
    const double seconds = SecondsOf([&] { decoded_ = tokenizer_->Decode(ids_); });
    return fmt::format("{{\"seconds\": {}, \"bytes\": {}}}", seconds, decoded_.size());
  }
  static std::string Write(const std::string& path, const void* data, size_t size) {
    std::ofstream out(path, std::ios::binary);
    out.write(static_cast<const char*>(data), static_cast<std::streamsize>(size));
    return out.good() ? "{}" : Error("cannot be written");
  }

  std::unique_ptr<Tokenizer> tokenizer_;
  std::string text_, decoded_;
  std::vector<int32_t> ids_;
};

}  // namespace
}  // namespace fathom

int main() {
  fathom::Session session;
  std::string line;
  while (std::getline(std::cin, line)) {
    fmt::print("{}\n", session.Answer(line));
    std::fflush(stdout);
  }
  return 0;
}
