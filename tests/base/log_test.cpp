// The log: silent until a program asks, then at the level it asks for.
#include "base/log.hpp"

#include <atomic>
#include <catch2/catch.hpp>
#include <string>
#include <thread>
#include <vector>

using namespace heed;

TEST_CASE("messages go to the sink that was installed, from its level up") {
  log(Level::error, "nobody listens");
  CHECK_FALSE(log_enabled(Level::error));
  std::vector<std::string> texts;
  const LogSink keep = [](void* context, Level level, std::string_view text) {
    static_cast<std::vector<std::string>*>(context)->push_back(std::string(name_of(level)) + ": " + std::string(text));
  };
  set_log_sink(keep, &texts);
  CHECK_FALSE(log_enabled(Level::info));
  log(Level::info, "not this");
  log(Level::warning, "this");
  set_log_sink(keep, &texts, Level::debug);
  log(Level::debug, "and this");
  set_log_sink(nullptr, nullptr);
  log(Level::error, "not any more");
  CHECK(texts == std::vector<std::string>{"warning: this", "debug: and this"});
}

TEST_CASE("a sink is replaced while others log") {
  static std::atomic<int> first_count{0}, second_count{0};
  const LogSink first = [](void*, Level, std::string_view) { ++first_count; };
  const LogSink second = [](void*, Level, std::string_view) { ++second_count; };
  set_log_sink(first, nullptr);
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      while (!stop) log(Level::warning, "text");
    });
  }
  for (int i = 0; i < 200; ++i) set_log_sink(i % 2 == 0 ? second : first, nullptr);
  while (first_count == 0) std::this_thread::yield();
  stop = true;
  for (std::thread& thread : threads) thread.join();
  set_log_sink(nullptr, nullptr);
  CHECK(first_count > 0);
}
