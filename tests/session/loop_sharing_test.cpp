// Which way short runs go, by what both ways take.
#include "session/loop_sharing.hpp"

#include <cmath>
#include <numeric>

#include "load.hpp"

namespace heed::test {
namespace {

constexpr int tries = 2 * LoopSharing::sample_count;

// How many of so many runs were shared, which take so long each way.
int count_shared(LoopSharing& sharing, int runs, int64_t shared_ns, int64_t alone_ns) {
  int count = 0;
  for (int run = 0; run < runs; ++run) {
    count += sharing.is_shared();
    sharing.add(sharing.is_shared() ? shared_ns : alone_ns);
  }
  return count;
}

}  // namespace

TEST_CASE("short runs go the way that takes less, and both are tried again") {
  struct Case {
    int64_t shared_ns, alone_ns;
    bool is_shared;
  };
  for (const auto& [shared_ns, alone_ns, is_shared] : {Case{16'000, 20'000, true}, Case{30'000, 20'000, false}}) {
    LoopSharing sharing;
    CHECK(count_shared(sharing, tries, shared_ns, alone_ns) == LoopSharing::sample_count);
    CHECK(count_shared(sharing, LoopSharing::held_count, shared_ns, alone_ns) ==
          (is_shared ? LoopSharing::held_count : 0));
    CHECK(count_shared(sharing, tries, alone_ns, shared_ns) == LoopSharing::sample_count);
    CHECK(sharing.is_shared() != is_shared);
  }
}

TEST_CASE("single runs that were held up decide nothing") {
  LoopSharing sharing;
  for (int run = 0; run < tries; ++run) sharing.add(run % 3 == 0 ? 250'000 : sharing.is_shared() ? 20'000 : 19'000);
  CHECK_FALSE(sharing.is_shared());
}

TEST_CASE("long runs are shared, without a try; one that is met alone brings the others back") {
  LoopSharing sharing;
  CHECK(count_shared(sharing, 5000, LoopSharing::short_run_ns + 1, 1) == 5000);
  LoopSharing alone;
  count_shared(alone, tries, 20'000, 10'000);
  REQUIRE_FALSE(alone.is_shared());
  alone.add(LoopSharing::short_run_ns + 1);
  CHECK(count_shared(alone, LoopSharing::held_count, 400'000, 1) == LoopSharing::held_count);
}

TEST_CASE("a run gives the same bits with other threads and alone") {
  const auto constant = [](const std::string& name, std::vector<int64_t> dims) {
    std::string shape;
    for (const int64_t dim : dims) shape += (shape.empty() ? "" : ", ") + std::to_string(dim);
    const int64_t count = std::accumulate(dims.begin(), dims.end(), int64_t{1}, std::multiplies<>());
    return name + "_end = Constant<value_float = " + std::to_string(count) + ".0>() " + name +
           "_numbers = Range(zero, " + name + "_end, one) " + name + "_waves = Sin(" + name + "_numbers) " + name +
           "_shape = Constant<value_ints = [" + shape + "]>() " + name + " = Reshape(" + name + "_waves, " + name +
           "_shape)\n";
  };
  const std::string text = R"(<ir_version: 10, opset_import: ["" : 23]>
    g (float[1, 8, 14, 14] x) => (float[1, 24, 4, 4] pooled, float[1, 24, 40] attended, float[24] sums) {
      zero = Constant<value_float = 0.0>() one = Constant<value_float = 1.0>()
    )" + constant("w5", {16, 8, 5, 5}) +
                           constant("w3", {24, 16, 3, 3}) + constant("w1", {24, 24, 1, 1}) + constant("w", {49, 40}) +
                           R"(
      lines = Conv<pads = [2, 2, 2, 2]>(x, w5)
      half = MaxPool<kernel_shape = [2, 2], strides = [2, 2]>(lines)
      tiles = Conv<pads = [1, 1, 1, 1]>(half, w3)
      points = Conv(tiles, w1)
      pooled = AveragePool<kernel_shape = [2, 2], strides = [2, 2], ceil_mode = 1>(points)
      row_shape = Constant<value_ints = [1, 24, 49]>()
      rows = Reshape(points, row_shape)
      product = MatMul(rows, w)
      scaled = Softmax(product)
      attended = Attention<q_num_heads = 4, kv_num_heads = 4>(scaled, scaled, product)
      axes = Constant<value_ints = [0, 2]>()
      sums = ReduceSum<keepdims = 0>(product, axes)
    })";
  const auto model = load_text(text, {.thread_count = 2});
  const auto session = take(Session::create(model));
  std::vector<float> x(8 * 14 * 14);
  for (size_t i = 0; i < x.size(); ++i) x[i] = std::cos(static_cast<float>(i));
  std::vector<std::vector<float>> first;
  for (int run = 0; run < 2 * tries; ++run) {
    const auto outputs = take(session->run({{"x", f32({1, 8, 14, 14}, x)}}));
    for (size_t i = 0; i < outputs.size(); ++i) {
      if (run == 0) first.push_back(floats(outputs[i].second));
      INFO("run " << run << ", " << outputs[i].first);
      CHECK(floats(outputs[i].second) == first[i]);
    }
  }
}

}  // namespace heed::test
