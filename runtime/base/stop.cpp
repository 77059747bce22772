// When work ends before it is done.
#include "base/stop.hpp"

#include <string>

#include "base/clock.hpp"

namespace heed {

void Stop::begin(const StopLimits& limits) {
  requested_.store(false, std::memory_order_relaxed);
  limits_ = limits;
  has_limits_ = limits.time_ns > 0 || limits.steps > 0;
  if (limits.time_ns > 0) end_ns_ = now_ns() + limits.time_ns;
  steps_ = 0;
}

bool Stop::passes_limits() const {
  return (limits_.steps > 0 && steps_ > limits_.steps) || (limits_.time_ns > 0 && now_ns() >= end_ns_);
}

Error Stop::error() const {
  if (requested_.load(std::memory_order_relaxed)) return {Code::cancelled, "the run was cancelled"};
  if (limits_.steps > 0 && steps_ > limits_.steps)
    return {Code::cancelled,
            "more than the " + std::to_string(limits_.steps) + " steps that were allowed (step_limit)"};
  return {Code::cancelled,
          "longer than the " + std::to_string(limits_.time_ns / 1'000'000) + " ms that were allowed (time_limit_ms)"};
}

}  // namespace heed
