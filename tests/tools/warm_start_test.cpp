// WarmStart: when the device takes over, and what happens where it cannot.
#include "tools/heed/warm_start.hpp"

#include <atomic>
#include <catch2/catch.hpp>
#include <string>
#include <thread>

#include "rows.hpp"

namespace heed::test {
namespace {

using Start = tool::WarmStart<std::string>;

Result<std::unique_ptr<std::string>> on_cpu() { return std::make_unique<std::string>("cpu"); }
Result<std::unique_ptr<std::string>> on_device() { return std::make_unique<std::string>("device"); }

// What next() gives once it differs from "cpu"; it does within a minute.
Result<std::string*> after_cpu(Start& start) {
  for (int i = 0; i < 6000; ++i) {
    auto next = start.next();
    if (!next || **next != "cpu") return next;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return start.next();
}

}  // namespace

TEST_CASE("a warm start gives the CPU until the device is ready, and the device from then on") {
  std::promise<void> built;
  auto start = Start::begin(on_cpu, [&] {
    built.get_future().wait();
    return on_device();
  });
  REQUIRE(start);
  for (int i = 0; i < 3; ++i) CHECK(**start->next() == "cpu");
  built.set_value();
  CHECK(**after_cpu(*start) == "device");
  CHECK(**start->next() == "device");
  count_row(**start->next() == "device");
}

TEST_CASE("a device that cannot be opened is told when it would take over; the CPU goes on for who goes on") {
  auto start = Start::begin(on_cpu, []() -> Result<std::unique_ptr<std::string>> {
    return Error{Code::device_failed, "no such device"};
  });
  REQUIRE(start);
  const auto failed = after_cpu(*start);
  REQUIRE_FALSE(failed);
  CHECK(failed.error().message == "no such device");
  CHECK(**start->next() == "cpu");
  count_row(**start->next() == "cpu");
}

TEST_CASE("a program that ends early waits for the thread, also after the CPU has failed") {
  std::atomic<int> ended = 0;
  const auto slow = [&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    ++ended;
    return on_device();
  };
  { REQUIRE(Start::begin(on_cpu, slow)); }
  CHECK(ended == 1);
  const auto failed = Start::begin(
      []() -> Result<std::unique_ptr<std::string>> {
        return Error{Code::io, "no file"};
      },
      slow);
  CHECK_FALSE(failed);
  CHECK(ended == 2);
  count_row(ended == 2);
}

}  // namespace heed::test
