// The clock of profiles and traces.
#pragma once

#include <chrono>
#include <cstdint>

namespace heed {

// Nanoseconds on std::chrono::steady_clock.
inline int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace heed
