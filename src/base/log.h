// Notices: how the library says what the user should know when nothing failed (a slower path taken,
// a key ignored at load). The library never prints: the caller hands in a sink and decides.
#pragma once

#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace fathom {

enum class NoticeLevel { kInfo, kWarning };

struct Notice {
  NoticeLevel level = NoticeLevel::kWarning;
  std::string text;  // one plain sentence; may hold parts of files, so escape it before a terminal
  friend bool operator==(const Notice&, const Notice&) = default;
};

// Receives notices, possibly from several threads at once.
class NoticeSink {
 public:
  virtual ~NoticeSink() = default;
  virtual void Add(Notice notice) = 0;

  void Warn(std::string text) { Add({NoticeLevel::kWarning, std::move(text)}); }
  void Info(std::string text) { Add({NoticeLevel::kInfo, std::move(text)}); }
};

// Keeps each different notice once, in the order of arrival.
class NoticeList final : public NoticeSink {
 public:
  void Add(Notice notice) override;
  std::vector<Notice> Take();  // empties the list

 private:
  std::mutex mutex_;
  std::vector<Notice> notices_;
};

}  // namespace fathom
