// LoopSharing: medians of both ways, and the better of them for a while.
#include "session/loop_sharing.hpp"

#include <algorithm>

namespace heed {

void LoopSharing::hold(bool is_shared) {
  is_shared_ = is_shared;
  held_ = held_count;
  count_ = 0;
}

void LoopSharing::add(int64_t run_ns) {
  // Other inputs, perhaps, than those that were timed.
  if (!is_shared_ && run_ns > short_run_ns) return hold(true);
  if (held_ > 0) {
    if (--held_ == 0) is_shared_ = true;
    return;
  }
  samples_ns_[count_++] = run_ns;
  if (count_ < sample_count) return;
  count_ = 0;
  std::nth_element(samples_ns_, samples_ns_ + sample_count / 2, samples_ns_ + sample_count);
  const int64_t median_ns = samples_ns_[sample_count / 2];
  if (!is_shared_) return hold(shared_ns_ <= median_ns);
  shared_ns_ = median_ns;
  if (median_ns > short_run_ns) return hold(true);
  is_shared_ = false;
}

}  // namespace heed
