// Facts: what each row does on each device, by the versions of torch and transformers.
//
// One line a fact: a new release is a new line. The first line that fits wins. Every line names
// where it is known from.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "audit/facts/versions.h"

namespace fathom {

enum class AuditDevice : uint8_t { kCpu, kMps, kCuda };
inline constexpr AuditDevice kAuditDevices[] = {AuditDevice::kCpu, AuditDevice::kMps,
                                                AuditDevice::kCuda};
std::string_view AuditDeviceName(AuditDevice device);  // "cpu", "mps", "cuda"

enum class Support : uint8_t { kAvailable, kNoEffect, kUnavailable };
std::string_view SupportName(Support support);  // "available", "no_effect", "unavailable"

enum class Library : uint8_t { kAny, kTorch, kTransformers };

struct Fact {
  int row = 0;
  std::string_view variant;  // of the site: "high", "tf32", "static_cache"; "" fits all
  Library library = Library::kAny;
  // [from, until) in hundreds of the major version plus the minor: 210 is 2.10; until 0: no end.
  int from = 0;
  int until = 0;
  std::string_view devices;  // letters of c(pu), m(ps), g(pu of NVIDIA)
  Support support = Support::kAvailable;
  std::string_view reason;  // of the message table
  std::string_view source;
};

std::span<const Fact> AllFacts();
// Never null: the table ends with a line for every row.
const Fact* FindFact(int row, std::string_view variant, AuditDevice device,
                     const Versions& versions);

}  // namespace fathom
