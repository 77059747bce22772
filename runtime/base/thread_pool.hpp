// A pool of threads for one loop at a time. The thread that calls takes part in the loop.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

namespace heed {

class ThreadPool {
 public:
  // Carries out [begin, end); `thread` is in [0, thread_count) and held by no other call of the same loop meanwhile.
  using Function = void (*)(void* context, int64_t begin, int64_t end, int32_t thread);

  // thread_count counts the thread that calls parallel_for: 1 (or less) starts none. Where the system refuses a
  // thread, the pool has fewer.
  explicit ThreadPool(int thread_count);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int thread_count() const { return thread_count_; }

  // Covers [0, count) once, in pieces of at least `grain` but for the last, and returns when all are done. From any
  // thread; nested, or while another thread's loop runs, everything is carried out by the caller. The pieces depend on
  // count, grain and thread_count alone, never on timing. Each thread begins with its own share of them, the caller
  // with the first, so that the next loop over the same things finds them in its caches; or all are carried out by the
  // caller, if so asked. The function must not throw.
  enum class Who { all, caller };
  void parallel_for(int64_t count, int64_t grain, Function function, void* context, Who who = Who::all);

  // The same for what can be called with (begin, end) or (begin, end, thread).
  template <class Callable>
  requires(std::is_invocable_v<Callable&, int64_t, int64_t> ||
           std::is_invocable_v<Callable&, int64_t, int64_t, int32_t>) void parallel_for(int64_t count, int64_t grain,
                                                                                        Callable&& callable,
                                                                                        Who who = Who::all) {
    using Target = std::remove_reference_t<Callable>;
    parallel_for(
        count, grain,
        [](void* context, int64_t begin, int64_t end, int32_t thread) {
          if constexpr (std::is_invocable_v<Callable&, int64_t, int64_t, int32_t>) {
            (*static_cast<Target*>(context))(begin, end, thread);
          } else {
            static_cast<void>(thread), (*static_cast<Target*>(context))(begin, end);
          }
        },
        const_cast<std::remove_const_t<Target>*>(&callable), who);
  }

  // The processors that this process may use: its affinity, and no more than its container's CPU quota (cgroup v1 and
  // v2) rounded down; at least 1.
  static int default_thread_count();

 private:
  // One loop. Written by its caller while all pieces of the one before are done.
  struct Loop {
    Function function = nullptr;
    void* context = nullptr;
    int64_t count = 0, piece = 0;
  };

  // The id of a loop, greater than all before it, and a number of its pieces.
  class Mark {
   public:
    constexpr Mark() = default;
    constexpr Mark(uint64_t loop, int64_t pieces) : bits_(loop << piece_bits | static_cast<uint64_t>(pieces)) {}
    uint64_t loop() const { return bits_ >> piece_bits; }
    int64_t pieces() const { return static_cast<int64_t>(bits_ & ((uint64_t{1} << piece_bits) - 1)); }
    bool operator==(const Mark&) const = default;

    static constexpr int piece_bits = 16;

   private:
    uint64_t bits_ = 0;
  };

  static constexpr size_t cache_line_bytes = 64;

  // What is a thread's own. Both may still be of an earlier loop: then nothing is taken, or done, of this one.
  struct alignas(cache_line_bytes) Share {
    std::atomic<Mark> taken;  // the first pieces of its share, by whomever
    std::atomic<Mark> done;   // by it, of all shares
  };

  void work(int32_t thread);
  int64_t run_pieces(Mark open, int32_t thread);
  int64_t run_share(Mark open, int32_t owner, int32_t thread);
  bool are_done(Mark open, int64_t by_caller) const;

  // On one line, so that a worker that sees a loop open has it.
  alignas(cache_line_bytes) Loop loop_;
  std::atomic<Mark> open_;  // and all its pieces
  alignas(cache_line_bytes) std::atomic<bool> busy_{false};
  // Read again and again, and seldom written.
  alignas(cache_line_bytes) std::atomic<bool> stopping_{false};
  std::atomic<uint32_t> caller_sleeps_{0};
  std::atomic<uint32_t> wake_epoch_{0};
  std::atomic<int32_t> sleeping_count_{0};  // at least as many as wait to be woken
  int thread_count_ = 1;
  int process_id_ = 0;
  std::vector<Share> shares_;  // [thread]
  std::vector<std::thread> threads_;
};

// The CPU quota of this process's control group, in processors; 0 where there is none. `root` stands before /proc and
// /sys, for tests.
double cpu_quota(const std::string& root);

}  // namespace heed
