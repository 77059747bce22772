// Whether the runs of a session go faster when threads share their loops. What a loop must cost for that depends on the
// machine, on what else it does, and on where its cores lie: so short runs are timed both ways, now and then.
#pragma once

#include <cstdint>

namespace heed {

// For one thread. Runs that are longer than `short_run_ns` are shared always.
class LoopSharing {
 public:
  static constexpr int64_t short_run_ns = 300'000;
  static constexpr int sample_count = 8;   // of each way, of which the medians are compared
  static constexpr int held_count = 1024;  // runs until both are tried again

  // How the next run is to go.
  bool is_shared() const { return is_shared_; }
  // What it took, in that way.
  void add(int64_t run_ns);

 private:
  void hold(bool is_shared);

  bool is_shared_ = true;
  int held_ = 0;  // runs that go as is decided
  int count_ = 0;
  int64_t samples_ns_[sample_count];
  int64_t shared_ns_ = 0;
};

}  // namespace heed
