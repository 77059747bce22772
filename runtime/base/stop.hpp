// Stop: why work under way ends before it is done: its caller asked, or its time or its steps are used up.
#pragma once

#include <atomic>
#include <cstdint>

#include "heed/result.hpp"

namespace heed {

struct StopLimits {
  int64_t time_ns = 0;  // 0: none
  uint64_t steps = 0;   // 0: none
};

class Stop {
 public:
  // From any thread: work under way stops where it next looks.
  void request() { requested_.store(true, std::memory_order_relaxed); }

  // The rest is for the thread that works. begin forgets what was requested before, and starts the clock.
  void begin(const StopLimits& limits = {});
  // Counts a step; true: it shall not be taken.
  bool before_step() {
    if (has_limits_) [[unlikely]]
      ++steps_;
    return is_reached();
  }
  bool is_reached() const { return requested_.load(std::memory_order_relaxed) || (has_limits_ && passes_limits()); }
  // Once it is reached: Code::cancelled, and what ended.
  Error error() const;

 private:
  bool passes_limits() const;

  std::atomic<bool> requested_{false};
  bool has_limits_ = false;
  StopLimits limits_;
  int64_t end_ns_ = 0;
  uint64_t steps_ = 0;
};

}  // namespace heed
