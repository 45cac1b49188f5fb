#include "base/log.h"

#include <gtest/gtest.h>

namespace fathom {
namespace {

TEST(NoticeList, KeepsEachNoticeOnceInOrder) {
  NoticeList list;
  list.Warn("b");
  list.Info("a");
  list.Warn("b");
  list.Info("b");
  const std::vector<Notice> expected = {
      {NoticeLevel::kWarning, "b"}, {NoticeLevel::kInfo, "a"}, {NoticeLevel::kInfo, "b"}};
  EXPECT_EQ(list.Take(), expected);
  EXPECT_TRUE(list.Take().empty());
}

}  // namespace
}  // namespace fathom
