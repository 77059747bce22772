// How a loop reaches the workers: each thread has a share of its pieces, of which anybody takes the next, the owner
// first. Who takes one keeps the loop open until it says that it is done: a worker that comes late finds nothing to
// take, and is waited for by nobody. Lines of the cache change hands as seldom as can be: each time takes longer than a
// small piece.
#include "base/thread_pool.hpp"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <sstream>
#include <system_error>

namespace heed {
namespace {

constexpr int max_thread_count = 1024;
// Enough pieces that a thread which starts late, or runs slower, costs at most an eighth of its share.
constexpr int64_t pieces_per_thread = 8;
// Between two loops of a decoded token there is less than this; a longer gap is worth a system call.
constexpr auto spin_time = std::chrono::microseconds(50);
constexpr int pauses_between_looks_at_the_clock = 64;

void pause_processor() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// True as soon as the condition holds, false after spin_time.
template <class Condition>
bool spin_until(Condition condition) {
  for (int i = 0; i < pauses_between_looks_at_the_clock; ++i) {
    if (condition()) return true;
    pause_processor();
  }
  const auto end = std::chrono::steady_clock::now() + spin_time;
  do {
    for (int i = 0; i < pauses_between_looks_at_the_clock; ++i) {
      if (condition()) return true;
      pause_processor();
    }
  } while (std::chrono::steady_clock::now() < end);
  return false;
}

}  // namespace

ThreadPool::ThreadPool(int thread_count) : process_id_(getpid()) {
  thread_count = std::clamp(thread_count, 1, max_thread_count);
  shares_ = std::vector<Share>(static_cast<size_t>(thread_count));
  threads_.reserve(static_cast<size_t>(thread_count - 1));
  try {
    while (thread_count_ < thread_count) {
      threads_.emplace_back(&ThreadPool::work, this, thread_count_);
      ++thread_count_;
    }
  } catch (const std::system_error&) {
    // The system has no more threads to give: those that started are the pool.
  } catch (const std::bad_alloc&) {
    // Nor has it memory for one.
  }
}

ThreadPool::~ThreadPool() {
  if (getpid() != process_id_) {
    // A forked child has none of the threads.
    for (std::thread& thread : threads_) thread.detach();
    return;
  }
  stopping_.store(true);
  wake_epoch_.fetch_add(1);
  wake_epoch_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void ThreadPool::parallel_for(int64_t count, int64_t grain, Function function, void* context, Who who) {
  if (count <= 0) return;
  grain = std::max<int64_t>(grain, 1);
  const int64_t wanted_pieces = thread_count_ == 1 ? 1 : thread_count_ * pieces_per_thread;
  const int64_t piece = std::max(grain, count / wanted_pieces + (count % wanted_pieces != 0));
  const int64_t piece_count = count / piece + (count % piece != 0);

  if (piece_count == 1 || thread_count_ == 1 || who == Who::caller || busy_.exchange(true, std::memory_order_acquire)) {
    for (int64_t begin = 0; begin < count;) {
      const int64_t end = count - begin <= piece ? count : begin + piece;
      function(context, begin, end, 0);
      begin = end;
    }
    return;
  }

  static_assert(max_thread_count * pieces_per_thread < 1 << Mark::piece_bits);
  loop_ = {function, context, count, piece};
  const Mark open(open_.load(std::memory_order_relaxed).loop() + 1, piece_count);
  // Sequentially consistent, as is going to sleep in work(): either the worker sees the loop or it is seen sleeping.
  open_.store(open, std::memory_order_seq_cst);
  // Whoever is woken is counted awake from here on: until it runs, later loops need no system call.
  const int64_t asleep = sleeping_count_.load(std::memory_order_seq_cst);
  if (asleep > 0) {
    const int64_t wanted = std::min(asleep, piece_count - 1);
    sleeping_count_.fetch_sub(static_cast<int32_t>(wanted), std::memory_order_seq_cst);
    wake_epoch_.fetch_add(1, std::memory_order_seq_cst);
    if (wanted == asleep) {
      wake_epoch_.notify_all();
    } else {
      for (int64_t i = 0; i < wanted; ++i) wake_epoch_.notify_one();
    }
  }

  const int64_t by_caller = run_pieces(open, 0);
  if (!spin_until([&] { return are_done(open, by_caller); })) {
    for (;;) {
      // Likewise: either what was done is seen, or the caller is seen sleeping.
      caller_sleeps_.store(1, std::memory_order_seq_cst);
      if (are_done(open, by_caller)) break;
      caller_sleeps_.wait(1, std::memory_order_seq_cst);
    }
    caller_sleeps_.store(0, std::memory_order_relaxed);
  }
  busy_.store(false, std::memory_order_release);
}

bool ThreadPool::are_done(Mark open, int64_t by_caller) const {
  int64_t count = by_caller;
  for (int thread = 1; thread < thread_count_ && count < open.pieces(); ++thread) {
    const Mark done = shares_[static_cast<size_t>(thread)].done.load(std::memory_order_seq_cst);
    if (done.loop() == open.loop()) count += done.pieces();
  }
  return count == open.pieces();
}

// First its own, then what others have not begun. Returns how many.
int64_t ThreadPool::run_pieces(Mark open, int32_t thread) {
  const auto thread_count = static_cast<int32_t>(shares_.size());
  int64_t count = 0;
  for (int32_t i = 0; i < thread_count; ++i) {
    const int64_t more = run_share(open, (thread + i) % thread_count, thread);
    count += more;
    if (more == 0 || thread == 0) continue;
    shares_[static_cast<size_t>(thread)].done.store({open.loop(), count}, std::memory_order_seq_cst);
    if (caller_sleeps_.load(std::memory_order_seq_cst) == 0) continue;
    caller_sleeps_.store(0, std::memory_order_seq_cst);
    caller_sleeps_.notify_one();
  }
  return count;
}

int64_t ThreadPool::run_share(Mark open, int32_t owner, int32_t thread) {
  const auto share_count = static_cast<int64_t>(shares_.size());
  const auto first_of = [&](int64_t share) { return (open.pieces() * share + share_count - 1) / share_count; };
  const int64_t first = first_of(owner), end = first_of(owner + 1);
  if (first == end) return 0;
  std::atomic<Mark>& taken = shares_[static_cast<size_t>(owner)].taken;
  Mark seen = taken.load(std::memory_order_relaxed);
  for (int64_t count = 0;;) {
    // A share of a later loop is seen by a worker whose own loop is over.
    if (seen.loop() > open.loop()) return count;
    const int64_t index = first + (seen.loop() == open.loop() ? seen.pieces() : 0);
    if (index == end) return count;
    const Mark next(open.loop(), index + 1 - first);
    if (!taken.compare_exchange_weak(seen, next, std::memory_order_relaxed)) continue;
    seen = next;
    const int64_t begin = index * loop_.piece;
    loop_.function(loop_.context, begin, loop_.count - begin <= loop_.piece ? loop_.count : begin + loop_.piece,
                   thread);
    ++count;
  }
}

void ThreadPool::work(int32_t thread) {
  Mark seen;
  Mark open;
  const auto has_news = [&] {
    open = open_.load(std::memory_order_seq_cst);
    return open != seen || stopping_.load(std::memory_order_seq_cst);
  };
  while (!stopping_.load(std::memory_order_relaxed)) {
    if (!spin_until(has_news)) {
      const uint32_t epoch = wake_epoch_.load(std::memory_order_seq_cst);
      sleeping_count_.fetch_add(1, std::memory_order_seq_cst);
      // Not taken back where it does not sleep after all: the next loop wakes once in vain.
      if (!has_news()) wake_epoch_.wait(epoch, std::memory_order_seq_cst);
      continue;
    }
    run_pieces(open, thread);
    seen = open;
  }
}

namespace {

std::string read_text(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  if (file) text << file.rdbuf();
  return text.str();
}

// Processors in a control group's own limit; 0 for none.
double quota_of_group_v2(const std::string& folder) {
  std::istringstream text(read_text(folder + "/cpu.max"));  // "max 100000" or "150000 100000", microseconds
  double quota_us = 0, period_us = 0;
  return text >> quota_us >> period_us && quota_us > 0 && period_us > 0 ? quota_us / period_us : 0;
}

double quota_of_group_v1(const std::string& folder) {
  std::istringstream quota_text(read_text(folder + "/cpu.cfs_quota_us"));  // -1: no limit
  std::istringstream period_text(read_text(folder + "/cpu.cfs_period_us"));
  double quota_us = 0, period_us = 0;
  return quota_text >> quota_us && period_text >> period_us && quota_us > 0 && period_us > 0 ? quota_us / period_us : 0;
}

// The least limit of a group and of those around it, up to the mount. In a container the path may be that of the host,
// which is not visible: then only the mount itself is.
double least_quota(const std::string& mount, std::string group, double (*quota_of_group)(const std::string&)) {
  double least = 0;
  for (;;) {
    while (!group.empty() && group.back() == '/') group.pop_back();
    const double quota = quota_of_group(mount + group);
    if (quota > 0 && (least == 0 || quota < least)) least = quota;
    if (group.empty()) return least;
    const size_t slash = group.rfind('/');
    group.resize(slash == std::string::npos ? 0 : slash);
  }
}

bool lists(std::string_view controllers, std::string_view wanted) {
  while (!controllers.empty()) {
    const size_t comma = std::min(controllers.find(','), controllers.size());
    if (controllers.substr(0, comma) == wanted) return true;
    controllers.remove_prefix(std::min(comma + 1, controllers.size()));
  }
  return false;
}

}  // namespace

double cpu_quota(const std::string& root) {
  double least = 0;
  const auto take = [&](double quota) {
    if (quota > 0 && (least == 0 || quota < least)) least = quota;
  };
  // Lines are "number:controllers:path"; version 2 has no controllers (cgroups(7)).
  std::istringstream groups(read_text(root + "/proc/self/cgroup"));
  for (std::string line; std::getline(groups, line);) {
    const size_t first = line.find(':');
    const size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const std::string group = line.substr(second + 1);
    if (controllers.empty()) {
      take(least_quota(root + "/sys/fs/cgroup", group, quota_of_group_v2));
    } else if (lists(controllers, "cpu")) {
      take(least_quota(root + "/sys/fs/cgroup/cpu", group, quota_of_group_v1));
      if (controllers != "cpu") take(least_quota(root + "/sys/fs/cgroup/" + controllers, group, quota_of_group_v1));
    }
  }
  return least;
}

int ThreadPool::default_thread_count() {
  int count = 0;
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) {
    count = CPU_COUNT(&set);
  } else {
    count = static_cast<int>(std::thread::hardware_concurrency());  // more processors than cpu_set_t holds
  }
  const double quota = cpu_quota("");
  if (quota > 0) count = std::min(count, static_cast<int>(std::min(quota, 1e6)));
  return std::clamp(count, 1, max_thread_count);
}

}  // namespace heed
