// The folder of packed weights: what may be in it, what goes when it is full, which files were
// read whole and found good.
//
// Beside each NAME.weights lies NAME.weights.used: its time says when the file was last used, its
// text which state of the file was checked (inode, size, times, and the boot of the machine: no
// page of the file has come from the disk anew since, unless the system dropped and read it again).
#pragma once

#include <cstdint>
#include <string>

#include "base/mapped_file.h"
#include "fathom/status.h"

namespace fathom {

// "weights" in CacheFolder(); empty where there is none.
std::string WeightCacheFolderPath();

class WeightCacheFolder {
 public:
  // limit_bytes < 0: a tenth of the disk that the folder lies on.
  WeightCacheFolder(std::string path, int64_t limit_bytes);

  std::string PathOf(const std::string& file_name) const { return path_ + "/" + file_name; }

  // Makes room for a file: removes packed weights that the same checkpoint had before it changed,
  // then those not used for longest until all fit the limit. kRunTime, saying why, where the file
  // is not to be written: larger than the limit, or the disk would be left with too little.
  Status MakeRoom(const std::string& file_name, uint64_t bytes) const;

  // Whether exactly this state of the file was checked since the machine was started.
  static bool WasChecked(const MappedFile& file);
  static void RememberChecked(const MappedFile& file);
  static void RememberUsed(const std::string& file_path);
  // The file and what lies beside it.
  static void Remove(const std::string& file_path);

 private:
  std::string path_;
  int64_t limit_bytes_;
};

}  // namespace fathom
