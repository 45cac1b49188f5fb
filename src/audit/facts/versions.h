// Versions of torch and transformers, and where they were learned.
#pragma once

#include <compare>
#include <string>
#include <string_view>

#include "fathom/status.h"

namespace fathom {

struct Version {
  int major = 0;
  int minor = 0;
  std::string text;  // "2.15.0+cu130"

  friend std::strong_ordering operator<=>(const Version& a, const Version& b) {
    if (a.major != b.major) return a.major <=> b.major;
    return a.minor <=> b.minor;
  }
  friend bool operator==(const Version& a, const Version& b) {
    return a.major == b.major && a.minor == b.minor;
  }
};

// kUsage (naming `option`) for what does not start with "major.minor".
Result<Version> ParseVersion(std::string_view text, std::string_view option);

enum class VersionSource : uint8_t { kGiven, kEnvironment, kDefault };

struct LibraryVersion {
  Version version;
  VersionSource source = VersionSource::kDefault;
  std::string folder;  // kEnvironment: where it is installed
};

struct Versions {
  LibraryVersion torch;
  LibraryVersion transformers;
};

// As given ("" where not); else from the python3 on PATH, by the names of the dist-info folders
// beside it (nothing is run); else torch 2.15 and transformers 5.23.
Result<Versions> FindVersions(const std::string& torch, const std::string& transformers);

}  // namespace fathom
