// Two sessions over one model at the same time, from two threads.
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "load.hpp"
#include "rows.hpp"

namespace heed::test {
namespace {

using namespace std::chrono_literals;

// States, products, a condition that is read in the middle of a run, and a result of a size that the input tells.
constexpr std::string_view text = R"(<ir_version: 10, opset_import: ["" : 23]>
  g (int64 count, float[n, 5] x, float[5, 5] w, float[past, 5] past_rows) => (float[n, 5] y, float[total, 5] present_rows, float[1, 5] sum)
    <float limit = {1000}> {
    present_rows = Concat<axis = 0>(past_rows, x)
    zero = Constant<value_ints = [0]>()
    sum = ReduceSum<keepdims = 1>(present_rows, zero)
    y = Loop (count, "", x) <body = step (int64 i, bool go, float[n, 5] v) => (bool on, float[n, 5] next) {
      p = MatMul(v, w) next = Tanh(p) s = ReduceSum<keepdims = 0>(next) on = Less(s, limit) }>
  })";

Session::NamedValues inputs_of(int run, int seed) {
  const int64_t rows = 1 + (run * 5 + seed * 3) % 7;
  std::vector<float> x(static_cast<size_t>(rows * 5)), w(25);
  for (size_t i = 0; i < x.size(); ++i)
    x[i] = static_cast<float>(std::sin(static_cast<double>(i + 1) * (seed + 1) + run));
  for (size_t i = 0; i < w.size(); ++i) w[i] = static_cast<float>(std::cos(static_cast<double>(i * 3) + seed));
  return {{"count", i64({}, {1 + run % 3})}, {"x", f32({rows, 5}, x)}, {"w", f32({5, 5}, w)}};
}

// What runs 0 .. of one seed give, one after the other, all their elements.
std::vector<std::vector<float>> run_many(Session& session, int run_count, int seed) {
  std::vector<std::vector<float>> results;
  for (int run = 0; run < run_count; ++run) {
    auto outputs = session.run(inputs_of(run, seed));
    auto& all = results.emplace_back();
    if (!outputs) continue;  // Catch's checks are for one thread
    for (const auto& [name, value] : *outputs)
      for (const float element : value.tensor.as<float>()) all.push_back(element);
  }
  return results;
}

bool close(const std::vector<std::vector<float>>& a, const std::vector<std::vector<float>>& b) {
  bool good = a.size() == b.size();
  for (size_t run = 0; good && run < a.size(); ++run) {
    good = !a[run].empty() && a[run].size() == b[run].size();
    for (size_t i = 0; good && i < a[run].size(); ++i) good = std::fabs(a[run][i] - b[run][i]) <= 1e-4f;
  }
  return good;
}

}  // namespace

TEST_CASE("two sessions of one model overlap, each with its own inputs, sizes and states") {
  constexpr int run_count = 60;
  const auto on_cpu = load_text(text);
  std::vector<std::vector<float>> expected[2];
  for (int seed : {0, 1}) expected[seed] = run_many(*take(Session::create(on_cpu)), run_count, seed);
  for (const auto& device : devices()) {
    INFO(device);
    const auto model = load_text(text, {.device = device, .thread_count = 2});
    std::unique_ptr<Session> sessions[] = {take(Session::create(model)), take(Session::create(model))};
    std::vector<std::vector<float>> results[2];
    std::vector<std::thread> threads;
    for (int seed : {0, 1})
      threads.emplace_back([&, seed] { results[seed] = run_many(*sessions[seed], run_count, seed); });
    for (auto& thread : threads) thread.join();
    for (int seed : {0, 1}) {
      const bool good = close(results[seed], expected[seed]);
      CHECK(good);
      count_row(good);
    }
  }
}

TEST_CASE("a session runs from beginning to end while another stands in the middle of its run") {
  for (const auto& device : devices()) {
    INFO(device);
    const auto model = load_text(text, {.device = device, .thread_count = 2});
    const auto standing = take(Session::create(model)), passing = take(Session::create(model));
    std::mutex mutex;
    std::condition_variable changed;
    bool stands = false, others_ran = false, waited_in_vain = false;
    standing->observe_values([&](const Plan&, uint32_t, std::span<const HostValue>) {
      std::unique_lock lock(mutex);
      stands = true;
      changed.notify_all();
      waited_in_vain |= !changed.wait_for(lock, 30s, [&] { return others_ran; });
    });
    std::vector<std::vector<float>> stood;
    std::thread thread([&] { stood = run_many(*standing, 1, 0); });
    {
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return stands; });
    }
    const auto passed = run_many(*passing, 5, 1);
    {
      const std::lock_guard lock(mutex);
      others_ran = true;
    }
    changed.notify_all();
    thread.join();
    CHECK_FALSE(waited_in_vain);
    const auto alone = take(Session::create(model));
    const bool good = close(stood, run_many(*alone, 1, 0)) &&
                      close(passed, run_many(*take(Session::create(model)), 5, 1)) && !waited_in_vain;
    CHECK(good);
    count_row(good);
  }
}

}  // namespace heed::test
