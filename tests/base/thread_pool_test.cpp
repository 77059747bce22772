// The pool: every piece once, whoever is busy, and the same pieces every time.
#include "base/thread_pool.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <set>
#include <thread>
#include <utility>
#include <vector>

using namespace heed;
namespace fs = std::filesystem;

TEST_CASE("every index is covered once, for any number of threads, count and grain") {
  for (const int threads : {1, 2, 3, 8}) {
    ThreadPool pool(threads);
    CHECK(pool.thread_count() == threads);
    for (const int64_t count : {0, 1, 2, 7, 64, 1000, 4099}) {
      for (const int64_t grain : {-1, 1, 3, 100, 100000}) {
        std::vector<std::atomic<int>> hits(static_cast<size_t>(count));
        std::atomic<bool> is_right{true};
        pool.parallel_for(count, grain, [&](int64_t begin, int64_t end, int32_t thread) {
          if (begin >= end || end > count || thread < 0 || thread >= threads) is_right = false;
          if (end - begin < grain && end != count) is_right = false;
          for (int64_t i = begin; i < end; ++i) ++hits[static_cast<size_t>(i)];
        });
        for (const auto& hit : hits) is_right = is_right && hit == 1;
        INFO(threads << " threads, " << count << " by " << grain);
        CHECK(is_right);
      }
    }
  }
}

TEST_CASE("the pieces are the same when the pool is busy") {
  ThreadPool pool(4);
  using Pieces = std::set<std::pair<int64_t, int64_t>>;
  const auto pieces_of = [&] {
    Pieces pieces;
    std::mutex mutex;
    pool.parallel_for(1003, 5, [&](int64_t begin, int64_t end) {
      const std::lock_guard lock(mutex);
      pieces.emplace(begin, end);
    });
    return pieces;
  };
  const Pieces alone = pieces_of();
  CHECK(alone.size() > 4);
  Pieces nested;
  pool.parallel_for(2, 1, [&](int64_t begin, int64_t) {
    if (begin == 0) nested = pieces_of();
  });
  CHECK(nested == alone);
}

TEST_CASE("no two calls of a loop have the same thread at a time") {
  ThreadPool pool(4);
  std::atomic<int> holders[4] = {};
  std::atomic<bool> is_right{true};
  for (int round = 0; round < 200; ++round) {
    pool.parallel_for(64, 1, [&](int64_t, int64_t, int32_t thread) {
      if (++holders[thread] != 1) is_right = false;
      --holders[thread];
    });
  }
  CHECK(is_right);
}

TEST_CASE("each thread begins with its own share, the caller with the first") {
  constexpr int threads = 4;
  ThreadPool pool(threads);
  for (const int64_t shares : {1, 3}) {  // of so many pieces
    std::atomic<int> started[threads] = {};
    std::atomic<bool> is_right{true};
    pool.parallel_for(threads * shares, 1, [&](int64_t begin, int64_t, int32_t thread) {
      if (started[thread]++ != 0) return;
      if (begin != thread * shares) is_right = false;
      const auto all = [&] {
        return std::all_of(started, started + threads, [](const auto& count) { return count > 0; });
      };
      const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(5);
      while (!all() && std::chrono::steady_clock::now() < end) std::this_thread::yield();
    });
    CHECK(is_right);
  }
}

TEST_CASE("nested loops are carried out where they stand") {
  ThreadPool pool(3);
  std::atomic<int64_t> sum{0};
  pool.parallel_for(10, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      pool.parallel_for(10, 1, [&](int64_t inner_begin, int64_t inner_end) {
        for (int64_t j = inner_begin; j < inner_end; ++j) sum += i * 10 + j;
      });
    }
  });
  CHECK(sum == 4950);
}

TEST_CASE("several threads use one pool at once") {
  ThreadPool pool(3);
  std::atomic<int64_t> sum{0};
  std::vector<std::thread> users;
  for (int user = 0; user < 4; ++user) {
    users.emplace_back([&] {
      for (int round = 0; round < 300; ++round) {
        std::vector<int64_t> numbers(257);
        pool.parallel_for(257, 1, [&](int64_t begin, int64_t end) {
          for (int64_t i = begin; i < end; ++i) numbers[static_cast<size_t>(i)] = i;
        });
        int64_t own_sum = 0;
        for (const int64_t number : numbers) own_sum += number;
        sum += own_sum;
      }
    });
  }
  for (std::thread& user : users) user.join();
  CHECK(sum == int64_t{4} * 300 * 257 * 256 / 2);
}

TEST_CASE("workers that fell asleep are woken") {
  ThreadPool pool(4);
  for (int round = 0; round < 30; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    std::mutex mutex;
    std::set<std::thread::id> threads;
    std::atomic<int> inside{0};
    pool.parallel_for(4, 1, [&](int64_t, int64_t) {
      ++inside;
      const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(5);
      while (inside < 2 && std::chrono::steady_clock::now() < end) std::this_thread::yield();
      const std::lock_guard lock(mutex);
      threads.insert(std::this_thread::get_id());
    });
    REQUIRE(threads.size() >= 2);
  }
}

TEST_CASE("a plain function serves too, and pools come and go") {
  for (int round = 0; round < 50; ++round) {
    ThreadPool pool(3);
    std::atomic<int64_t> sum{0};
    pool.parallel_for(
        100, 1,
        [](void* context, int64_t begin, int64_t end, int32_t) {
          for (int64_t i = begin; i < end; ++i) *static_cast<std::atomic<int64_t>*>(context) += i;
        },
        &sum);
    CHECK(sum == 4950);
  }
}

#if !defined(__SANITIZE_THREAD__)
TEST_CASE("a forked child works alone and ends") {
  ThreadPool pool(3);
  pool.parallel_for(100, 1, [](int64_t, int64_t) {});
  const pid_t child = fork();
  if (child == 0) {
    {
      // The destructor must not wait for threads that the child does not have.
      ThreadPool* inherited = &pool;
      std::atomic<int64_t> sum{0};
      inherited->parallel_for(100, 1, [&](int64_t begin, int64_t end) { sum += end - begin; });
      inherited->~ThreadPool();
      _exit(sum == 100 ? 0 : 1);
    }
  }
  int status = -1;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}
#endif

TEST_CASE("the container's CPU quota is found in both versions of control groups") {
  std::string name = (fs::temp_directory_path() / "heed_groups_XXXXXX").string();
  REQUIRE(mkdtemp(name.data()) != nullptr);
  const auto write = [&](const std::string& path, const std::string& text) {
    fs::create_directories(fs::path(name + path).parent_path());
    std::ofstream(name + path) << text;
  };
  CHECK(cpu_quota(name) == 0);
  SECTION("version 2, the tightest of the group and those around it") {
    write("/proc/self/cgroup", "0::/docker/abc\n");
    CHECK(cpu_quota(name) == 0);
    write("/sys/fs/cgroup/docker/abc/cpu.max", "max 100000\n");
    CHECK(cpu_quota(name) == 0);
    write("/sys/fs/cgroup/docker/cpu.max", "250000 100000\n");
    CHECK(cpu_quota(name) == 2.5);
    write("/sys/fs/cgroup/docker/abc/cpu.max", "400000 100000\n");
    CHECK(cpu_quota(name) == 2.5);
    write("/sys/fs/cgroup/docker/abc/cpu.max", "50000 100000\n");
    CHECK(cpu_quota(name) == 0.5);
  }
  SECTION("version 1, where the host's path is not visible") {
    write("/proc/self/cgroup", "5:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n");
    write("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
    write("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    CHECK(cpu_quota(name) == 0);
    write("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "300000\n");
    CHECK(cpu_quota(name) == 3);
  }
  fs::remove_all(name);
  CHECK(ThreadPool::default_thread_count() >= 1);
}
