// Col2Im, MaxUnpool, RoiAlign, MaxRoiPool and DeformConv.
#include <catch2/catch.hpp>
#include <cmath>

#include "lowered.hpp"

namespace heed::test {
namespace {

// Two spatial axes, straight from the definition.
struct Window {
  std::vector<int64_t> strides{1, 1}, dilations{1, 1}, pads{0, 0, 0, 0};
  int64_t group = 1, offset_group = 1;

  std::string text() const {
    const auto list = [](const std::vector<int64_t>& numbers) {
      std::string text;
      for (const int64_t n : numbers) text += (text.empty() ? "[" : ", ") + std::to_string(n);
      return text + "]";
    };
    return "strides = " + list(strides) + ", dilations = " + list(dilations) + ", pads = " + list(pads);
  }
};

Tensors fold(const Tensors& in, const Window& w) {
  const auto x = values_of(in[0]), image = values_of(in[1]), block = values_of(in[2]);
  const auto height = static_cast<int64_t>(image[0]), width = static_cast<int64_t>(image[1]),
             rows = static_cast<int64_t>(block[0]), columns = static_cast<int64_t>(block[1]);
  const int64_t places[] = {
      (height + w.pads[0] + w.pads[2] - (rows - 1) * w.dilations[0] - 1) / w.strides[0] + 1,
      (width + w.pads[1] + w.pads[3] - (columns - 1) * w.dilations[1] - 1) / w.strides[1] + 1};
  const int64_t batch = in[0].dims[0], channels = in[0].dims[1] / rows / columns;
  std::vector<double> y(static_cast<size_t>(batch * channels * height * width));
  for (size_t i = 0; i < x.size(); ++i) {
    auto at = static_cast<int64_t>(i);
    const int64_t column = at % places[1], row = at / places[1] % places[0];
    at /= places[0] * places[1];
    const int64_t k = at % (rows * columns), channel = at / (rows * columns);
    const int64_t to_row = row * w.strides[0] + k / columns * w.dilations[0] - w.pads[0],
                  to_column = column * w.strides[1] + k % columns * w.dilations[1] - w.pads[1];
    if (to_row < 0 || to_column < 0 || to_row >= height || to_column >= width) continue;
    y[static_cast<size_t>((channel * height + to_row) * width + to_column)] += x[i];
  }
  return {numbers(in[0].type, {batch, channels, height, width}, y)};
}
Case fold_row(const char* what, const Tensor& x, std::vector<double> image, std::vector<double> block,
              const Window& window = {}, double tolerance = 1e-5) {
  return by([=](const Tensors& tensors) { return fold(tensors, window); }, what,
            {x, i64({2}, image), i64({2}, block)}, tolerance, window.text());
}
const std::vector<Case> col2im_cases = {
    fold_row("plain", random({2, 12, 20}), {5, 6}, {2, 2}),
    fold_row("strides and pads", random({1, 18, 9}), {7, 5}, {3, 2},
             {.strides = {2, 2}, .dilations = {1, 1}, .pads = {1, 1, 0, 1}}),
    fold_row("dilations", random({3, 6, 21}), {9, 7}, {3, 2}, {.strides = {1, 2}, .dilations = {3, 2}, .pads = {2, 0, 2, 1}}),
    fold_row("blocks that leave a part uncovered", random({1, 4, 4}), {7, 7}, {2, 2}, {.strides = {3, 4}}),
    fold_row("f16", random({2, 12, 20}, -1, 1, DataType::f16), {5, 6}, {2, 2}, {}, 5e-3),
    fold_row("bf16", random({2, 12, 20}, -1, 1, DataType::bf16), {5, 6}, {2, 2}, {}, 3e-2),
    fold_row("f64", random({2, 12, 20}, -1, 1, DataType::f64), {5, 6}, {2, 2}, {}, 1e-12),
    fold_row("i32", random({2, 12, 20}, -9, 9, DataType::i32), {5, 6}, {2, 2}, {}, 0),
    {"one axis", {f32({1, 2, 3}, {1, 2, 3, 10, 20, 30}), i64({1}, {4}), i64({1}, {2})}, {f32({1, 1, 4}, {1, 12, 23, 30})}},
    {"no images", {f32({0, 4, 4}, {}), i64({2}, {3, 3}), i64({2}, {2, 2})}, {f32({0, 1, 3, 3}, {})}},
};

const std::vector<Case> max_unpool_cases = {
    {"one axis", {f32({1, 1, 3}, {4, 5, 6}), i64({1, 1, 3}, {1, 2, 5})}, {f32({1, 1, 6}, {0, 4, 5, 0, 0, 6})}, 0,
     "kernel_shape = [2], strides = [2]"},
    {"channels and images, pads",
     {f32({2, 1, 2}, {1, 2, 3, 4}), i64({2, 1, 2}, {0, 2, 4, 5})},
     {f32({2, 1, 3}, {1, 0, 2, 0, 3, 4})},
     0,
     "kernel_shape = [3], strides = [2], pads = [1, 1]"},
    {"indices count in the inferred shape, not in output_shape",
     {f16({1, 1, 2, 2}, {1, 2, 3, 4}), i64({1, 1, 2, 2}, {5, 7, 13, 15}), i64({4}, {1, 1, 5, 6})},
     {f16({1, 1, 5, 6}, {0, 0, 0, 0, 0, 0, 0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0})},
     0,
     "kernel_shape = [2, 2], strides = [2, 2]"},
    {"of elements that meet the last one stays",
     {f64({1, 1, 2}, {1, 2}), i64({1, 1, 2}, {1, 1})},
     {f64({1, 1, 2}, {0, 2})},
     0,
     "kernel_shape = [1]"},
    {"bf16", {bf16({1, 1, 1}, {3}), i64({1, 1, 1}, {1})}, {bf16({1, 1, 2}, {0, 3})}, 0, "kernel_shape = [2]"},
    {"no images", {f32({0, 1, 2}, {}), i64({0, 1, 2}, {})}, {f32({0, 1, 4}, {})}, 0,
     "kernel_shape = [2], strides = [2]"},
};

struct Pooling {
  int64_t rows = 2, columns = 3, ratio = 2;
  double scale = 1;
  bool half_pixel = true, is_mean = true;
};
Tensors align(const Tensors& in, const Pooling& p) {
  const auto x = values_of(in[0]), rois = values_of(in[1]), images = values_of(in[2]);
  const int64_t channels = in[0].dims[1], height = in[0].dims[2], width = in[0].dims[3], roi_count = in[1].dims[0];
  const auto at = [&](int64_t image, int64_t row, int64_t column) {
    return x[static_cast<size_t>((image * height + row) * width + column)];
  };
  std::vector<double> y;
  for (int64_t roi = 0; roi < roi_count; ++roi) {
    double corner[4];
    for (size_t k = 0; k < 4; ++k)
      corner[k] = rois[static_cast<size_t>(roi) * 4 + k] * p.scale - (p.half_pixel ? 0.5 : 0);
    double size[] = {corner[3] - corner[1], corner[2] - corner[0]};
    if (!p.half_pixel)
      for (double& s : size) s = std::max(s, 1.0);
    const double bin[] = {size[0] / static_cast<double>(p.rows), size[1] / static_cast<double>(p.columns)};
    const auto grid_of = [&](double s) { return p.ratio > 0 ? p.ratio : static_cast<int64_t>(std::ceil(s)); };
    const int64_t grid[] = {std::max<int64_t>(grid_of(bin[0]), 0), std::max<int64_t>(grid_of(bin[1]), 0)};
    for (int64_t channel = 0; channel < channels; ++channel)
      for (int64_t i = 0; i < p.rows; ++i)
        for (int64_t j = 0; j < p.columns; ++j) {
          double sum = 0, greatest = grid[0] * grid[1] == 0 ? 0 : -infinity;
          for (int64_t a = 0; a < grid[0]; ++a)
            for (int64_t b = 0; b < grid[1]; ++b) {
              double row = corner[1] + static_cast<double>(i) * bin[0] +
                           (static_cast<double>(a) + 0.5) * bin[0] / static_cast<double>(grid[0]);
              double column = corner[0] + static_cast<double>(j) * bin[1] +
                              (static_cast<double>(b) + 0.5) * bin[1] / static_cast<double>(grid[1]);
              const bool outside = row < -1 || column < -1 || row > static_cast<double>(height) ||
                                   column > static_cast<double>(width);
              row = std::clamp(row, 0.0, static_cast<double>(height - 1));
              column = std::clamp(column, 0.0, static_cast<double>(width - 1));
              for (const int64_t down : {0, 1})
                for (const int64_t right : {0, 1}) {
                  const auto top = static_cast<int64_t>(row), left = static_cast<int64_t>(column);
                  const double vertical = row - static_cast<double>(top), across = column - static_cast<double>(left);
                  const double weight = (down ? vertical : 1 - vertical) * (right ? across : 1 - across);
                  const auto image = static_cast<int64_t>(images[static_cast<size_t>(roi)]) * channels + channel;
                  const double part = outside ? 0
                                              : weight * at(image, std::min(top + down, height - 1),
                                                            std::min(left + right, width - 1));
                  sum += part;
                  greatest = std::max(greatest, part);
                }
            }
          y.push_back(p.is_mean ? sum / static_cast<double>(std::max<int64_t>(grid[0] * grid[1], 1)) : greatest);
        }
  }
  return {numbers(in[0].type, {roi_count, channels, p.rows, p.columns}, y)};
}
Case align_row(const char* what, Tensors in, const Pooling& p, double tolerance = 1e-5, int32_t opset = 22) {
  std::string attributes = "output_height = " + std::to_string(p.rows) + ", output_width = " + std::to_string(p.columns) +
                           ", sampling_ratio = " + std::to_string(p.ratio) +
                           ", spatial_scale = " + std::to_string(p.scale) + (p.is_mean ? "" : ", mode = \"max\"");
  if (opset >= 16 && !p.half_pixel) attributes += ", coordinate_transformation_mode = \"output_half_pixel\"";
  return by([=](const Tensors& tensors) { return align(tensors, p); }, what, std::move(in), tolerance, attributes, opset);
}
const Tensor rois = f32({5, 4}, {0, 0, 6, 5, 1.25, 0.5, 4.75, 3.5, -3, -2, 20, 30, 4, 3, 4, 3, 8.5, 6.25, 9, 7});
const Tensor images = i64({5}, {0, 1, 1, 0, 1});
const Tensor maps = random({2, 3, 7, 9});
Tensor cast_to(const Tensor& tensor, DataType type) { return numbers(type, tensor.dims, values_of(tensor)); }

const std::vector<Case> roi_align_cases = {
    align_row("mean of samples", {maps, rois, images}, {}),
    align_row("as many samples as elements", {maps, rois, images}, {.ratio = 0}),
    align_row("greatest of weighted neighbours", {maps, rois, images}, {.is_mean = false}),
    align_row("scaled, without half pixels", {maps, rois, images}, {.rows = 3, .columns = 1, .scale = 0.5, .half_pixel = false}),
    align_row("no half pixels before opset 16", {maps, rois, images}, {.half_pixel = false}, 1e-5, 10),
    align_row("f64", {cast_to(maps, DataType::f64), cast_to(rois, DataType::f64), images}, {}, 1e-12),
    align_row("f16", {cast_to(maps, DataType::f16), cast_to(rois, DataType::f16), images}, {}, 5e-3),
    align_row("bf16", {cast_to(maps, DataType::bf16), cast_to(rois, DataType::bf16), images}, {}, 5e-2),
    {"no regions", {maps, f32({0, 4}, {}), i64({0}, {})}, {f32({0, 3, 1, 1}, {})}},
    {"a region without end whose other side is none has no samples",
     {f32({1, 1, 1, 2}, {3, 4}), f32({1, 4}, {5, 0, 1, 1e30}), i64({1}, {0})},
     {f32({1, 1, 1, 1}, {0})}},
};

// By hand, after Caffe's ROIPooling: corners are rounded and belong to the region, bins overlap where they must.
const Tensor ramp = f32({1, 1, 3, 4}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
const std::vector<Case> max_roi_pool_cases = {
    {"four bins", {ramp, f32({1, 5}, {0, 0, 0, 3, 2})}, {f32({1, 1, 2, 2}, {5, 7, 9, 11})}, 0, "pooled_shape = [2, 2]"},
    {"a part, rounded away from zero",
     {ramp, f32({2, 5}, {0, 0.5, 0.6, 2.4, 2, 0, 2, 1, 2, 1})},
     {f32({2, 1, 1, 2}, {9, 10, 6, 6})},
     0,
     "pooled_shape = [1, 2]"},
    {"scaled, the second image",
     {f32({2, 1, 1, 2}, {1, 2, -3, -4}), f32({1, 5}, {1, 0, 0, 2, 2})},
     {f32({1, 1, 1, 1}, {-3})},
     0,
     "pooled_shape = [1, 1], spatial_scale = 0.5"},
    {"outside there is nothing, which is 0",
     {f32({1, 1, 1, 2}, {-1, -2}), f32({1, 5}, {0, 5, 5, 6, 6})},
     {f32({1, 1, 1, 1}, {0})},
     0,
     "pooled_shape = [1, 1]"},
    {"f16", {f16({1, 1, 1, 2}, {1, 2}), f16({1, 5}, {0, 0, 0, 1, 0})}, {f16({1, 1, 1, 1}, {2})}, 0, "pooled_shape = [1, 1]"},
    {"f64, an older opset",
     {f64({1, 1, 1, 2}, {1, 2}), f64({1, 5}, {0, 0, 0, 1, 0})},
     {f64({1, 1, 1, 1}, {2})},
     0,
     "pooled_shape = [1, 1]",
     6},
};

// In groups of channels, and offsets in groups of their own.
Tensors deformed(const Tensors& in, const Window& w) {
  const auto x = values_of(in[0]), k = values_of(in[1]), offset = values_of(in[2]);
  const auto present = [&](size_t i) { return in.size() > i && in[i].type != DataType::undefined; };
  const auto bias = present(3) ? values_of(in[3]) : std::vector<double>(static_cast<size_t>(in[1].dims[0]), 0.0);
  const auto mask = present(4) ? values_of(in[4]) : std::vector<double>(offset.size(), 1.0);
  const auto &xd = in[0].dims, &kd = in[1].dims, &od = in[2].dims;
  const int64_t elements = kd[2] * kd[3];
  std::vector<double> y;
  for (int64_t n = 0; n < xd[0]; ++n)
    for (int64_t m = 0; m < kd[0]; ++m)
      for (int64_t i = 0; i < od[2]; ++i)
        for (int64_t j = 0; j < od[3]; ++j) {
          double sum = bias[static_cast<size_t>(m)];
          for (int64_t c = 0; c < kd[1]; ++c)
            for (int64_t e = 0; e < elements; ++e) {
              const int64_t channel = m / (kd[0] / w.group) * kd[1] + c;
              const int64_t element = (n * w.offset_group + channel / (xd[1] / w.offset_group)) * elements + e;
              const auto moved = [&](int64_t axis) {
                return offset[static_cast<size_t>(((element * 2 + axis) * od[2] + i) * od[3] + j)];
              };
              const double row = static_cast<double>(i * w.strides[0] + e / kd[3] * w.dilations[0] - w.pads[0]) + moved(0);
              const double column =
                  static_cast<double>(j * w.strides[1] + e % kd[3] * w.dilations[1] - w.pads[1]) + moved(1);
              double read = 0;
              for (const int64_t down : {0, 1})
                for (const int64_t right : {0, 1}) {
                  const auto r = static_cast<int64_t>(std::floor(row)) + down,
                             q = static_cast<int64_t>(std::floor(column)) + right;
                  if (r < 0 || q < 0 || r >= xd[2] || q >= xd[3]) continue;
                  read += (1 - std::abs(row - static_cast<double>(r))) * (1 - std::abs(column - static_cast<double>(q))) *
                          x[static_cast<size_t>(((n * xd[1] + channel) * xd[2] + r) * xd[3] + q)];
                }
              sum += k[static_cast<size_t>((m * kd[1] + c) * elements + e)] * read *
                     mask[static_cast<size_t>((element * od[2] + i) * od[3] + j)];
            }
          y.push_back(sum);
        }
  return {numbers(in[0].type, {xd[0], kd[0], od[2], od[3]}, y)};
}
Case deformed_row(const char* what, Tensors in, const Window& w = {}, double tolerance = 2e-5) {
  return by([=](const Tensors& tensors) { return deformed(tensors, w); }, what, std::move(in), tolerance,
            w.text() + ", group = " + std::to_string(w.group) + ", offset_group = " + std::to_string(w.offset_group), 22);
}
const std::vector<Case> deform_conv_cases = {
    deformed_row("plain", {random({1, 3, 5, 7}), random({4, 3, 3, 2}), random({1, 12, 3, 6}, -2, 2)}),
    deformed_row("bias, mask, pads and strides",
                 {random({2, 2, 7, 6}), random({3, 2, 3, 3}), random({2, 18, 4, 3}, -3, 3), random({3}), random({2, 9, 4, 3})},
                 {.strides = {2, 2}, .pads = {1, 1, 1, 1}}),
    deformed_row("groups of channels and of offsets, dilations",
                 {random({1, 4, 6, 7}), random({6, 2, 2, 2}), random({1, 32, 4, 4}, -2, 2), absent(), random({1, 16, 4, 4})},
                 {.dilations = {2, 3}, .group = 2, .offset_group = 4}),
    deformed_row("far outside", {random({1, 1, 4, 4}), random({1, 1, 2, 2}), random({1, 8, 3, 3}, -1e9, 1e9)}),
    deformed_row("f64",
                 {random({1, 2, 4, 4}, -1, 1, DataType::f64), random({2, 2, 2, 2}, -1, 1, DataType::f64),
                  random({1, 8, 3, 3}, -2, 2, DataType::f64)},
                 {}, 1e-12),
    deformed_row("f16",
                 {random({1, 2, 4, 4}, -1, 1, DataType::f16), random({2, 2, 2, 2}, -1, 1, DataType::f16),
                  random({1, 8, 3, 3}, -2, 2, DataType::f16)},
                 {}, 1e-2),
    {"one axis",
     {f32({1, 1, 4}, {1, 2, 4, 8}), f32({1, 1, 2}, {1, 10}), f32({1, 2, 3}, {0.5, 0, -1, 0, 0.25, 0.5})},
     {f32({1, 1, 3}, {21.5, 52, 42})},
     1e-6},
};

}  // namespace

HEED_TEST_OPERATOR("Col2Im", col2im_cases)
HEED_TEST_OPERATOR("MaxUnpool", max_unpool_cases)
HEED_TEST_OPERATOR("RoiAlign", roi_align_cases)
HEED_TEST_OPERATOR("MaxRoiPool", max_roi_pool_cases)

TEST_CASE("DeformConv gives what its rows say") { check_lowered("DeformConv", deform_conv_cases); }
TEST_CASE("MaxUnpool is made of other operators where its sizes are known") {
  check_lowered("MaxUnpool", max_unpool_cases);
}

TEST_CASE("images say what does not fit") {
  check_refused("Col2Im", {"", {random({1, 4, 5}), i64({2}, {3, 3}), i64({2}, {2, 2})}, {random({1, 1, 3, 3})}},
                "places of the blocks and of the columns");
  check_refused("MaxUnpool", {"", {random({1, 1, 2}), i64({1, 1, 2}, {0, 1})}, {random({1, 1, 2})}, 0, "kernel_shape = [2, 2]"},
                "do not fit the 1 spatial axes");
  check_refused("RoiAlign", {"", {maps, rois, images}, {maps}, 0, "mode = \"sum\""}, "attribute 'mode' is 'sum'");
  check_refused("MaxRoiPool", {"", {maps, rois}, {maps}, 0, "pooled_shape = [1, 1]"}, "numbers of a region");
  check_refused("DeformConv", {"", {random({1, 1, 4, 4}), random({1, 1, 2, 2}), random({1, 9, 3, 3})}, {maps}},
                "channels of the offset");
}

TEST_CASE("RoiAlign tells the region that asks for more samples than can be taken") {
  for (const auto device : {"cpu", "vulkan"})
    for (const double far : {1e4, 1e30}) {
      INFO(device << ", " << far);
      const auto outputs = run_text(R"(<ir_version: 10, opset_import: ["" : 22]>
        agraph (float[1, 1, 2, 2] x, float[r, 4] rois, int64[r] images) => (float[r, 1, 1, 1] y) { y = RoiAlign(x, rois, images) })",
                                    {random({1, 1, 2, 2}), f32({2, 4}, {0, 0, 1, 1, 0, 0, far, far}), i64({2}, {0, 0})}, device);
      REQUIRE_FALSE(outputs);
      CHECK_THAT(outputs.error().message, Catch::Contains("region 1"));
      CHECK_THAT(outputs.error().message, Catch::Contains("asks for more than 16777216 samples"));
    }
}

TEST_CASE("images are read strided on Vulkan") {
  check_on_vulkan(R"(<ir_version: 10, opset_import: ["" : 22]>
    agraph (float[a, b, c] x) => (float[c, d, 4, 5] y) {
      y = Col2Im<dilations = [1, 2]>(Transpose(x), Constant<value_ints = [4, 5]>(), Constant<value_ints = [3, 2]>())
    })",
                  {random({6, 12, 2})}, 1e-5);
  check_on_vulkan(R"(<ir_version: 10, opset_import: ["" : 22]>
    agraph (float[a, b, c, d] x, float[r, 4] rois, int64[r] images) => (float[r, b, 2, 2] y) {
      y = RoiAlign<output_height = 2, output_width = 2>(Transpose<perm = [0, 1, 3, 2]>(x), rois, images)
    })",
                  {maps, rois, images}, 1e-5);
  check_on_vulkan(R"(<ir_version: 10, opset_import: ["" : 22]>
    agraph (float[2, 3, 6, 5] x, float[4, 3, 2, 2] w, float[2, 8, 4, 5] offset) => (float[2, 4, 4, 5] y) {
      y = DeformConv(Transpose<perm = [0, 1, 3, 2]>(x), w, offset)
    })",
                  {random({2, 3, 6, 5}), random({4, 3, 2, 2}), random({2, 8, 4, 5}, -2, 2)}, 1e-5);
}

}  // namespace heed::test
