#include "audit/facts/versions.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <vector>

namespace fathom {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kDefaultTorch = "2.15";
constexpr std::string_view kDefaultTransformers = "5.23";

// The site-packages folders that the interpreter at `python` has, nearest first.
std::vector<fs::path> PackageFolders(const fs::path& python) {
  std::vector<fs::path> folders;
  std::error_code error;
  const auto add_prefix = [&](const fs::path& prefix) {
    for (const char* library : {"lib", "lib64", "local/lib"}) {
      const fs::path root = prefix / library;
      fs::directory_iterator entries(root, fs::directory_options::skip_permission_denied, error);
      if (error) continue;
      std::vector<fs::path> found;
      for (const fs::directory_entry& entry : entries) {
        if (entry.path().filename().string().starts_with("python3")) found.push_back(entry.path());
      }
      std::sort(found.rbegin(), found.rend());
      for (const fs::path& folder : found) {
        folders.push_back(folder / "site-packages");
        folders.push_back(folder / "dist-packages");
      }
    }
  };
  add_prefix(python.parent_path().parent_path());  // a virtual environment
  const fs::path real = fs::canonical(python, error);
  if (!error && real.parent_path() != python.parent_path()) {
    const bool environment = fs::exists(python.parent_path().parent_path() / "pyvenv.cfg", error);
    if (!environment) add_prefix(real.parent_path().parent_path());
  }
  return folders;
}

fs::path PythonOnPath() {
  const char* path = std::getenv("PATH");
  if (path == nullptr) return {};
  std::string_view rest = path;
  while (!rest.empty()) {
    const size_t colon = rest.find(':');
    const std::string_view folder = rest.substr(0, colon);
    rest = colon == std::string_view::npos ? std::string_view() : rest.substr(colon + 1);
    if (folder.empty() || folder[0] != '/') continue;
    std::error_code error;
    const fs::path candidate = fs::path(folder) / "python3";
    if (fs::exists(candidate, error)) return candidate;
  }
  return {};
}

bool FromEnvironment(const std::vector<fs::path>& folders, const std::string& package,
                     LibraryVersion* found) {
  for (const fs::path& folder : folders) {
    std::error_code error;
    fs::directory_iterator entries(folder, fs::directory_options::skip_permission_denied, error);
    if (error) continue;
    for (const fs::directory_entry& entry : entries) {
      std::string name = entry.path().filename().string();
      if (!name.starts_with(package + "-") || !name.ends_with(".dist-info")) continue;
      name = name.substr(package.size() + 1, name.size() - package.size() - 1 - 10);
      Result<Version> version = ParseVersion(name, package);
      if (!version.ok()) continue;
      *found = {*std::move(version), VersionSource::kEnvironment, folder.string()};
      return true;
    }
  }
  return false;
}

Status Find(const std::string& given, const std::string& option, const std::string& package,
            std::string_view otherwise, const std::vector<fs::path>& folders,
            LibraryVersion* library) {
  if (!given.empty()) {
    FATHOM_ASSIGN(library->version, ParseVersion(given, option));
    library->source = VersionSource::kGiven;
    return Status::Ok();
  }
  if (FromEnvironment(folders, package, library)) return Status::Ok();
  FATHOM_ASSIGN(library->version, ParseVersion(otherwise, option));
  library->source = VersionSource::kDefault;
  return Status::Ok();
}

}  // namespace

Result<Version> ParseVersion(std::string_view text, std::string_view option) {
  Version version;
  version.text = text;
  const char* end = text.data() + text.size();
  const auto major = std::from_chars(text.data(), end, version.major);
  const bool dot = major.ec == std::errc() && major.ptr != end && *major.ptr == '.';
  const auto minor =
      dot ? std::from_chars(major.ptr + 1, end, version.minor) : std::from_chars_result{end, {}};
  const bool ends =
      dot && minor.ec == std::errc() &&
      (minor.ptr == end || std::string_view(".+-abrcd").find(*minor.ptr) != std::string_view::npos);
  if (!ends || version.major < 0 || version.minor < 0 || version.major > 1000) {
    return Status::Usage(std::string(option), "\"" + std::string(text) + "\" is no version",
                         "write it as 2.15 or 5.23.0");
  }
  return version;
}

Result<Versions> FindVersions(const std::string& torch, const std::string& transformers) {
  std::vector<fs::path> folders;
  if (torch.empty() || transformers.empty()) {
    const fs::path python = PythonOnPath();
    if (!python.empty()) folders = PackageFolders(python);
  }
  Versions versions;
  FATHOM_TRY(Find(torch, "--torch-version", "torch", kDefaultTorch, folders, &versions.torch));
  FATHOM_TRY(Find(transformers, "--transformers-version", "transformers", kDefaultTransformers,
                  folders, &versions.transformers));
  return versions;
}

}  // namespace fathom
