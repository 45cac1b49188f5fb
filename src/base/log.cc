#include "base/log.h"

#include <algorithm>

namespace fathom {

void NoticeList::Add(Notice notice) {
  const std::lock_guard lock(mutex_);
  if (std::find(notices_.begin(), notices_.end(), notice) == notices_.end()) {
    notices_.push_back(std::move(notice));
  }
}

std::vector<Notice> NoticeList::Take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(notices_, {});
}

}  // namespace fathom
