// Convolutions and poolings with channels in the lanes: each kernel against the scalar one, images, outputs and
// residuals lying channels last and not, in every way; and whatever lies so, and on two threads, gives the same bits.
#include <catch2/catch.hpp>

#include "cases.hpp"
#include "kernel_run.hpp"
#include "run_case.hpp"

using namespace heed;
using namespace heed::test;

namespace {

struct Row {
  std::string call;
  std::vector<int64_t> x, w, y;  // w empty: a pool
  double tolerance = 1e-5;
  bool has_bias = false, has_residual = false;
};

const Row rows[] = {
    // sums of products
    {"Conv", {1, 16, 7, 9}, {24, 16, 1, 1}, {1, 24, 7, 9}},
    {"Conv<strides = [2, 2]>", {2, 512, 5, 6}, {16, 512, 1, 1}, {2, 16, 3, 3}, 1e-4, true},
    {"Conv", {1, 512, 3, 3}, {136, 512, 1, 1}, {1, 136, 3, 3}, 1e-4},
    {"Conv<pads = [2, 2, 2, 2]>", {1, 1, 28, 28}, {8, 1, 5, 5}, {1, 8, 28, 28}, 1e-5, true},
    {"Conv<strides = [2, 2], pads = [1, 0, 2, 1]>", {1, 3, 11, 9}, {16, 3, 5, 3}, {1, 16, 5, 4}},
    {"Conv<strides = [2, 1], pads = [1, 1, 1, 1]>", {2, 16, 9, 10}, {48, 16, 3, 3}, {2, 48, 5, 10}, 1e-5, true},
    {"Conv<dilations = [2, 3], pads = [2, 3, 2, 3]>", {1, 8, 9, 8}, {40, 8, 3, 3}, {1, 40, 9, 8}},
    {"Conv<auto_pad = \"SAME_LOWER\", strides = [2, 2]>", {1, 8, 7, 7}, {8, 8, 2, 2}, {1, 8, 4, 4}},
    {"Conv<pads = [1, 1]>", {2, 8, 31}, {32, 8, 3}, {2, 32, 31}, 1e-5, true},
    {"Conv<pads = [0, 3, 0, 3]>", {1, 8, 1, 1}, {8, 8, 1, 5}, {1, 8, 1, 3}},
    {"Conv", {1, 24, 1, 1}, {80, 24, 1, 1}, {1, 80, 1, 1}},
    // Winograd's tiles
    {"Conv<pads = [1, 1, 1, 1]>", {1, 8, 7, 7}, {16, 8, 3, 3}, {1, 16, 7, 7}, 1e-5, true},
    {"Conv<pads = [1, 0, 2, 1]>", {2, 24, 9, 5}, {40, 24, 3, 3}, {2, 40, 10, 4}},
    {"Conv<pads = [1, 1, 1, 1]>", {1, 512, 5, 7}, {8, 512, 3, 3}, {1, 8, 5, 7}, 2e-4},
    {"Conv<pads = [2, 2, 2, 2]>", {1, 8, 14, 14}, {16, 8, 5, 5}, {1, 16, 14, 14}, 1e-5, true},
    {"Conv<pads = [1, 2, 0, 2]>", {1, 16, 6, 11}, {8, 16, 5, 5}, {1, 8, 3, 11}, 2e-5},
    {"Conv<pads = [1, 1, 1, 1]>", {1, 16, 33, 40}, {72, 16, 3, 3}, {1, 72, 33, 40}, 2e-5},
    // a window for each channel
    {"Conv<group = 24, pads = [1, 1, 1, 1]>", {1, 24, 7, 7}, {24, 1, 3, 3}, {1, 24, 7, 7}, 1e-6, true},
    {"Conv<group = 32, strides = [2, 2], pads = [0, 1, 1, 0]>", {2, 32, 9, 8}, {32, 1, 3, 3}, {2, 32, 4, 4}, 1e-6},
    {"Conv<group = 8, dilations = [2, 1], pads = [4, 2, 4, 2]>", {1, 8, 6, 13}, {8, 1, 5, 5}, {1, 8, 6, 13}, 1e-6},
    {"Conv<group = 16, pads = [3, 3, 3, 3]>", {1, 16, 2, 2}, {16, 1, 7, 7}, {1, 16, 2, 2}, 1e-6},
    {"Conv<group = 16, pads = [4, 0]>", {1, 16, 9}, {16, 1, 2}, {1, 16, 12}, 1e-6},
    // what is done with sums
    {"heed.FusedConv<activation = \"relu\">", {1, 16, 5, 5}, {24, 16, 1, 1}, {1, 24, 5, 5}, 1e-5, true, true},
    {"heed.FusedConv<activation = \"clip\", alpha = -0.25, beta = 0.5, pads = [1, 1, 1, 1]>",
     {2, 16, 7, 6},
     {16, 16, 3, 3},
     {2, 16, 7, 6},
     1e-5,
     false,
     true},
    {"heed.FusedConv<activation = \"silu\", pads = [1, 1, 1, 1]>",
     {1, 8, 7, 7},
     {32, 8, 3, 3},
     {1, 32, 7, 7},
     1e-5,
     true,
     true},
    {"heed.FusedConv<activation = \"hard_swish\", residual_last = 1>",
     {1, 16, 4, 9},
     {136, 16, 1, 1},
     {1, 136, 4, 9},
     1e-5,
     true,
     true},
    {"heed.FusedConv<activation = \"relu\", residual_last = 1, group = 16, pads = [1, 1, 1, 1]>",
     {1, 16, 5, 5},
     {16, 1, 3, 3},
     {1, 16, 5, 5},
     1e-5,
     true,
     true},
    // poolings
    {"MaxPool<kernel_shape = [2, 2], strides = [2, 2]>", {1, 8, 28, 28}, {}, {1, 8, 14, 14}, 0},
    {"MaxPool<kernel_shape = [3, 3], strides = [3, 3]>", {1, 16, 14, 14}, {}, {1, 16, 4, 4}, 0},
    {"MaxPool<kernel_shape = [3, 3], strides = [2, 2], pads = [1, 1, 1, 1]>", {2, 24, 7, 10}, {}, {2, 24, 4, 5}, 0},
    {"MaxPool<kernel_shape = [3, 2], dilations = [2, 3], pads = [1, 0, 2, 1]>", {1, 32, 9, 8}, {}, {1, 32, 8, 6}, 0},
    {"MaxPool<kernel_shape = [2, 2], strides = [2, 2], ceil_mode = 1>", {1, 8, 5, 7}, {}, {1, 8, 3, 4}, 0},
    {"MaxPool<kernel_shape = [3], pads = [1, 1]>", {3, 8, 17}, {}, {3, 8, 17}, 0},
    {"AveragePool<kernel_shape = [7, 7]>", {1, 40, 7, 7}, {}, {1, 40, 1, 1}, 1e-6},
    {"AveragePool<kernel_shape = [3, 3], pads = [1, 1, 1, 1]>", {2, 8, 6, 9}, {}, {2, 8, 6, 9}, 1e-6},
    {"AveragePool<kernel_shape = [3, 3], pads = [1, 1, 1, 1], count_include_pad = 1, strides = [2, 2]>",
     {1, 48, 6, 9},
     {},
     {1, 48, 3, 5},
     1e-6},
    {"AveragePool<kernel_shape = [3, 2], strides = [2, 2], ceil_mode = 1>", {1, 8, 6, 7}, {}, {1, 8, 3, 4}, 1e-6},
};

std::vector<std::string> kernels_with_channels_in_lanes() {
  std::vector<std::string> names;
  for (const auto isa : {cpu::Isa::neon, cpu::Isa::avx2, cpu::Isa::avx512})
    if (cpu::machine_has(isa)) names.push_back(std::string(cpu::name_of(isa)) + " channels last");
  return names;
}

Laid lying(const Tensor& tensor, bool channels_last) {
  if (!channels_last) return laid(tensor);
  return tensor.dims.size() == 3 ? laid(tensor, {0, 2, 1}) : laid(tensor, {0, 2, 3, 1});
}

Tensor run(const Row& row, const std::string& kernel, int layouts, ThreadPool* pool) {
  std::vector<Laid> inputs{lying(noise(row.x, 1), layouts & 1)};
  if (!row.w.empty()) {
    inputs.push_back(constant(laid(noise(row.w, 2))));
    inputs.push_back(row.has_bias ? laid(noise({row.w[0]}, 3)) : Laid{});
    inputs.push_back(row.has_residual ? lying(noise(row.y, 4), layouts & 4) : Laid{});
    while (inputs.back().is_absent()) inputs.pop_back();
  }
  const Laid y = lying(dense(room(DataType::f32, row.y)), layouts & 2);
  INFO(row.call << " of " << to_string(noise(row.x, 1)) << ", " << kernel << ", layouts " << layouts);
  CHECK(text_of(run_kernel(kernel, row.call, inputs, {y}, pool)) == "");
  return dense(y);
}

}  // namespace

TEST_CASE("channels in the lanes", "[channels_last]") {
  ThreadPool pool(2);
  for (const Row& row : rows) {
    const Tensor expected = run(row, "scalar", 0, nullptr);
    for (const auto& kernel : kernels_with_channels_in_lanes()) {
      const Tensor first = run(row, kernel, 0, nullptr);
      INFO(row.call << ", " << kernel);
      CHECK(difference(first, expected, row.tolerance) == "");
      for (int layouts = 0; layouts < (row.has_residual ? 8 : 4); ++layouts)
        for (ThreadPool* const threads : {static_cast<ThreadPool*>(nullptr), &pool}) {
          INFO("layouts " << layouts);
          CHECK(difference(run(row, kernel, layouts, threads), first, 0) == "");
        }
    }
  }
}
