// Any bytes as a .safetensors file: opened, every byte that its tensors claim is read.
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/check.h"
#include "checkpoint/checkpoint.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const int fd = memfd_create("fuzz", 0);
  FATHOM_CHECK(fd >= 0 && write(fd, data, size) == static_cast<ssize_t>(size));
  {
    auto checkpoint = fathom::Checkpoint::Open("/proc/self/fd/" + std::to_string(fd));
    if (checkpoint.ok()) {
      uint64_t sum = 0;
      for (const fathom::CheckpointTensor& tensor : checkpoint->tensors()) {
        for (uint64_t i = 0; i < tensor.size_bytes; ++i)
          sum += static_cast<uint8_t>(tensor.data[i]);
        FATHOM_CHECK(checkpoint->Find(tensor.name) == &tensor);
      }
      volatile uint64_t kept = sum;
      (void)kept;
    } else {
      FATHOM_CHECK(checkpoint.status().code() == fathom::StatusCode::kBadFile);
      FATHOM_CHECK(!checkpoint.status().message().empty());
    }
  }
  close(fd);
  return 0;
}
