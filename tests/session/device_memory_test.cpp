// The device's memory and time: what a run takes is known before, limits hold, and long runs can be cancelled.
#include <thread>

#include "load.hpp"
#include "vulkan/device.hpp"

namespace heed::test {
namespace {

using Options = std::vector<std::pair<std::string, std::string>>;

// Wider than its weights: 4 MB of them, 4 kB a row for the tensors.
constexpr std::string_view wide = R"(<ir_version: 10, opset_import: ["" : 23, "heed" : 1]>
  g (float[n, 1024] x, float[1024, 1024] w) => (float[n, 1024] y) { t = MatMul(x, w) u = Softmax(t) y = MatMul(u, w) })";

ModelFile wide_file() {
  auto file = take(parse_model(wide));
  Graph& graph = *file.graph;
  graph.values[graph.inputs[1]].constant = std::make_shared<const Tensor>(
      Tensor::of<float>(DataType::f32, {1024, 1024}, std::vector<float>(1024 * 1024, 1e-3f)));
  graph.inputs.pop_back();
  return file;
}

std::shared_ptr<const Model> load_wide(const Options& options) {
  return take(Model::load(wide_file(), registry(), {.device = "vulkan", .require_gpu = true, .kernel_options = options}));
}

HostValue rows(int64_t count) { return f32({count, 1024}, std::vector<float>(static_cast<size_t>(count) * 1024, 0.5f)); }

}  // namespace

TEST_CASE("the memory of the device that a run takes at most is told before it") {
  if (devices().size() < 2) return;
  int number = 60'000;  // a limit that nobody has: a device of this row's own
  for (const std::string mask : {"", "unified_memory"})
    for (const int64_t n : {1, 40}) {
      CAPTURE(mask, n);
      const auto model = load_wide({{"vulkan.mask", mask}, {"vulkan.max_workgroups_z", std::to_string(number++)}});
      const auto session = take(Session::create(model));
      const auto need = take(session->measure({{"n", n}}));
      for (int run = 0; run < 3; ++run) take(session->run({{"x", rows(n)}}));
      const uint64_t held_bytes = model->device()->most_held_bytes();
      CHECK(need.device_peak_bytes >= held_bytes);
      CHECK(need.device_peak_bytes <= held_bytes + (1 << 20));
    }
}

TEST_CASE("what does not fit under the limit is refused before anything runs; what fits runs") {
  if (devices().size() < 2) return;
  const Options limit = {{"vulkan.memory_limit_bytes", "12000000"}};
  const auto model = load_wide(limit);
  const auto session = take(Session::create(model));
  CHECK(floats(take(session->run({{"x", rows(3)}}))[0].second).size() == 3 * 1024);
  const int64_t submissions = session->submission_count();
  const auto refused = session->run({{"x", rows(5000)}});
  REQUIRE_FALSE(refused);
  INFO(refused.error().message);
  CHECK(refused.error().code == Code::out_of_memory);
  CHECK_THAT(refused.error().message, Catch::Contains("the tensors of a run of ") &&
                                           Catch::Contains("of 12000000 (vulkan.memory_limit_bytes)"));
  const auto too_small = Model::load(wide_file(), registry(),
                                     {.device = "vulkan", .kernel_options = {{"vulkan.memory_limit_bytes", "4000000"}}});
  REQUIRE_FALSE(too_small);
  CHECK(too_small.error().code == Code::out_of_memory);
  CHECK_THAT(too_small.error().message, Catch::Contains("the weights of 4194304 bytes"));
  CHECK(session->submission_count() == submissions);
  CHECK(model->device()->most_held_bytes() <= 12'000'000);
  take(session->run({{"x", rows(2)}}));
}

TEST_CASE("a run of long work is submitted in parts, and cancelling it is noticed between them") {
  if (devices().size() < 2) return;
  const auto model = load_text(R"(<ir_version: 10, opset_import: ["" : 23]>
    g (float[384, 384] x) => (float[384, 384] y) {
      a = MatMul(x, x) b = MatMul(a, x) c = MatMul(b, x) d = MatMul(c, x) e = MatMul(d, x) f = MatMul(e, x)
      g = MatMul(f, x) h = MatMul(g, x) i = MatMul(h, x) j = MatMul(i, x) k = MatMul(j, x) y = MatMul(k, x) })",
                               {.device = "vulkan", .require_gpu = true});
  const auto session = take(Session::create(model));
  const Session::NamedValues inputs = {{"x", f32({384, 384}, std::vector<float>(384 * 384, 1.0f / 384))}};
  std::thread canceller([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    session->cancel();
  });
  const auto cancelled = session->run(inputs);
  canceller.join();
  if (cancelled) return skip_row("a run to cancel: the device is too fast");
  CHECK(cancelled.error().code == Code::cancelled);
  const auto y = floats(take(session->run(inputs))[0].second);
  CHECK(std::abs(y[0] - 1.0f / 384) < 1e-6f);
  CHECK(session->submission_count() > 1);
}

}  // namespace heed::test
