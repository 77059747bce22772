// How a loop reaches the workers: one word holds its generation, whether it is open, and how many are inside. A worker
// that comes late finds the loop closed and is waited for by nobody.
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

constexpr uint32_t inside_mask = 0x7fff;
constexpr uint32_t open_bit = 0x8000;
constexpr uint32_t generation_step = 0x10000;

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

void ThreadPool::parallel_for(int64_t count, int64_t grain, Function function, void* context) {
  if (count <= 0) return;
  grain = std::max<int64_t>(grain, 1);
  const int64_t wanted_pieces = thread_count_ == 1 ? 1 : thread_count_ * pieces_per_thread;
  const int64_t piece = std::max(grain, count / wanted_pieces + (count % wanted_pieces != 0));
  const int64_t piece_count = count / piece + (count % piece != 0);

  if (piece_count == 1 || thread_count_ == 1 || busy_.exchange(true, std::memory_order_acquire)) {
    for (int64_t begin = 0; begin < count;) {
      const int64_t end = count - begin <= piece ? count : begin + piece;
      function(context, begin, end, 0);
      begin = end;
    }
    return;
  }

  loop_ = {function, context, count, piece, piece_count};
  next_piece_.store(0, std::memory_order_relaxed);
  // Sequentially consistent, as is going to sleep in work(): either the worker sees the loop or it is seen sleeping.
  const uint32_t generation = (state_.load(std::memory_order_relaxed) & ~(generation_step - 1)) + generation_step;
  state_.store(generation | open_bit, std::memory_order_seq_cst);
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

  run_pieces(0);

  uint32_t state = state_.fetch_and(~open_bit, std::memory_order_acq_rel) & ~open_bit;
  const auto all_left = [&] { return ((state = state_.load(std::memory_order_acquire)) & inside_mask) == 0; };
  if ((state & inside_mask) != 0 && !spin_until(all_left)) {
    while (!all_left()) state_.wait(state, std::memory_order_acquire);
  }
  busy_.store(false, std::memory_order_release);
}

void ThreadPool::run_pieces(int32_t thread) {
  const Loop loop = loop_;
  for (;;) {
    const int64_t index = next_piece_.fetch_add(1, std::memory_order_relaxed);
    if (index >= loop.piece_count) return;
    const int64_t begin = index * loop.piece;
    loop.function(loop.context, begin, loop.count - begin <= loop.piece ? loop.count : begin + loop.piece, thread);
  }
}

void ThreadPool::work(int32_t thread) {
  uint32_t seen = 0;  // the generation of the loop that this worker was in last
  uint32_t state = 0;
  const auto has_news = [&] {
    state = state_.load(std::memory_order_acquire);
    return ((state & open_bit) != 0 && (state & ~(generation_step - 1)) != seen) ||
           stopping_.load(std::memory_order_relaxed);
  };
  while (!stopping_.load(std::memory_order_relaxed)) {
    if (!spin_until(has_news)) {
      const uint32_t epoch = wake_epoch_.load(std::memory_order_seq_cst);
      sleeping_count_.fetch_add(1, std::memory_order_seq_cst);
      state = state_.load(std::memory_order_seq_cst);
      const bool open = (state & open_bit) != 0 && (state & ~(generation_step - 1)) != seen;
      // Not taken back where it does not sleep after all: the next loop wakes once in vain.
      if (!open && !stopping_.load(std::memory_order_seq_cst)) wake_epoch_.wait(epoch, std::memory_order_seq_cst);
      continue;
    }
    if ((state & open_bit) == 0) continue;
    if (!state_.compare_exchange_weak(state, state + 1, std::memory_order_acq_rel, std::memory_order_relaxed)) continue;
    seen = state & ~(generation_step - 1);
    run_pieces(thread);
    const uint32_t before = state_.fetch_sub(1, std::memory_order_acq_rel);
    if ((before & (open_bit | inside_mask)) == 1) state_.notify_one();
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
