#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <charconv>

#include "machine/detect.h"

namespace fathom {

std::optional<std::string> ReadSystemFile(const std::string& path) {
  // Files of /proc and /sys have no size and cannot be mapped: read until the end.
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return std::nullopt;
  std::string text;
  std::array<char, 4096> part;
  ssize_t size = 0;
  while (text.size() < (size_t{1} << 20) && (size = read(fd, part.data(), part.size())) > 0) {
    text.append(part.data(), static_cast<size_t>(size));
  }
  close(fd);
  if (size < 0) return std::nullopt;
  return text;
}

std::optional<std::string> ReadSystemLine(const std::string& path) {
  auto text = ReadSystemFile(path);
  if (text) text->resize(std::min(text->size(), text->find('\n')));
  return text;
}

std::optional<uint64_t> ParseUint(std::string_view text) {
  while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc()) return std::nullopt;
  return value;
}

std::vector<int> ParseCpuList(std::string_view text) {
  constexpr int kMostCpus = 1 << 16;
  std::vector<int> cpus;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at < end) {
    int first = 0;
    auto parsed = std::from_chars(at, end, first);
    if (parsed.ec != std::errc() || first < 0 || first >= kMostCpus) return cpus;
    int last = first;
    if (parsed.ptr < end && *parsed.ptr == '-') {
      parsed = std::from_chars(parsed.ptr + 1, end, last);
      if (parsed.ec != std::errc() || last >= kMostCpus) return cpus;
    }
    for (int cpu = first; cpu <= last; ++cpu) cpus.push_back(cpu);
    if (parsed.ptr >= end || *parsed.ptr != ',') return cpus;
    at = parsed.ptr + 1;
  }
  return cpus;
}

}  // namespace fathom
