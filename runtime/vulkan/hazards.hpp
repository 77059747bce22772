// Which bytes of device memory commands have touched since the last barrier, and whether the next command needs one.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

namespace heed::vulkan {

struct Block;

struct Access {
  const Block* block = nullptr;
  uint64_t begin = 0, end = 0;  // bytes of the block
  bool reads = false, writes = false;
  friend bool operator==(const Access&, const Access&) = default;
};

class Hazards {
 public:
  // Notes a command's accesses; true where a barrier must stand before it: a read after a write, a write after a read or
  // a write after a write of the same bytes. The accesses of one command do not wait for each other.
  bool add(std::span<const Access> command) {
    const bool conflict = pending_.size() + command.size() > most_pending ||
                          std::any_of(command.begin(), command.end(), [&](const Access& next) {
                            return std::any_of(pending_.begin(), pending_.end(),
                                               [&](const Access& before) { return collide(before, next); });
                          });
    if (conflict) pending_.clear();
    pending_.insert(pending_.end(), command.begin(), command.end());
    return conflict;
  }
  // All that was noted is behind a barrier.
  void clear() { pending_.clear(); }

 private:
  // A longer list costs more to search than a barrier does (a few microseconds).
  static constexpr size_t most_pending = 512;

  static bool collide(const Access& a, const Access& b) {
    return a.block == b.block && a.begin < b.end && b.begin < a.end && (a.writes || b.writes);
  }

  std::vector<Access> pending_;
};

}  // namespace heed::vulkan
