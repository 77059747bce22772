// MemoryBudget: how much memory tensors may take, where a caller set a limit.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>

namespace heed {

class MemoryBudget {
 public:
  explicit MemoryBudget(size_t limit_bytes) : limit_bytes_(limit_bytes) {}

  size_t limit_bytes() const { return limit_bytes_; }
  // From any thread. False: there is not so much left, and nothing is taken.
  bool take(size_t size_bytes);
  void give_back(size_t size_bytes) { held_bytes_.fetch_sub(size_bytes, std::memory_order_relaxed); }

  // While it lives, what this thread allocates for tensors counts against `budget`; null: against none.
  class Scope {
   public:
    explicit Scope(std::shared_ptr<MemoryBudget> budget);
    ~Scope();
    Scope(const Scope&) = delete;

   private:
    std::shared_ptr<MemoryBudget> before_;
  };

 private:
  size_t limit_bytes_;
  std::atomic<size_t> held_bytes_{0};
};

// What `allocate` gives, to be let go with free(), within the thread's budget; null where memory is out.
std::shared_ptr<void> allocate_counted(size_t size_bytes, void* (*allocate)(size_t size_bytes));

// For messages: " within the limit of 1048576 bytes"; empty where the thread has none.
std::string memory_limit_note();

}  // namespace heed
