// Limits on time, steps and memory, and cancelling.
#include <atomic>
#include <chrono>
#include <thread>

#include "models.hpp"

namespace heed::test {
namespace {

constexpr int64_t forever = 1'000'000'000'000;

struct Loop {
  explicit Loop(int64_t iterations, const SessionOptions& options)
      : count{iterations}, session(take(Session::create(load(loop_model()), options))) {
    take(session.bind_input("count", ArrayView(std::span(count), {})));
    take(session.bind_input("x", ArrayView(std::span(x), four)));
  }
  void set(int64_t iterations) { count[0] = iterations; }

  std::vector<int64_t> count;
  std::vector<float> x{1, 2, 3, 4};
  std::vector<int64_t> four{4};
  Session session;
};

void check_goes_on(Loop& loop) {
  loop.set(3);
  take(loop.session.run());
  CHECK(take(take(loop.session.output("y")).as<float>()).size() == 4);
}

}  // namespace

TEST_CASE("a run ends at its limit of time") {
  Loop loop(forever, {.time_limit_ms = 50});
  const auto begin = std::chrono::steady_clock::now();
  const auto done = loop.session.run();
  REQUIRE_FALSE(done);
  CHECK(done.error().code == Code::cancelled);
  CHECK_THAT(done.error().message, Catch::Contains("50 ms"));
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(20));
  check_goes_on(loop);
}

TEST_CASE("a run ends at its limit of steps, those of iterations counted") {
  Loop loop(forever, {.step_limit = 1000});
  const auto done = loop.session.run();
  REQUIRE_FALSE(done);
  CHECK(done.error().code == Code::cancelled);
  CHECK_THAT(done.error().message, Catch::Contains("1000 steps"));
  check_goes_on(loop);
}

TEST_CASE("a run is cancelled from another thread") {
  Loop loop(forever, {});
  std::atomic<bool> has_ended{false};
  std::thread canceller([&] {
    while (!has_ended) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      loop.session.cancel();
    }
  });
  const auto done = loop.session.run();
  has_ended = true;
  canceller.join();
  REQUIRE_FALSE(done);
  CHECK(done.error().code == Code::cancelled);
  check_goes_on(loop);
}

TEST_CASE("a run that needs more memory than its limit fails, and a smaller one goes on") {
  const Model model = load(sum_model(), {.memory_limit_bytes = 1 << 20});
  auto session = take(Session::create(model));
  const std::vector<float> b{1, 2, 3};
  const std::vector<int64_t> three{3};
  take(session.bind_input("b", ArrayView(std::span(b), three)));
  for (const int64_t batch : {1'000'000, 10}) {
    const std::vector<float> a(static_cast<size_t>(batch * 3), 1);
    const std::vector<int64_t> dims{batch, 3};
    take(session.bind_input("a", ArrayView(std::span(a), dims)));
    const auto done = session.run();
    CHECK(done.has_value() == (batch == 10));
    if (!done) CHECK(done.error().code == Code::out_of_memory);
  }
}

}  // namespace heed::test
