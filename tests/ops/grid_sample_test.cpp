// GridSample by a reference that follows ONNX's specification one place at a time, and AffineGrid.
#include <catch2/catch.hpp>
#include <cmath>

#include "cases.hpp"

namespace heed::test {
namespace {

struct Sampling {
  std::string mode = "linear", padding = "zeros";
  bool align_corners = false;
};

double reflect(double at, double least, double greatest) {
  if (greatest <= least) return least;
  while (at < least || at > greatest) at = at < least ? 2 * least - at : 2 * greatest - at;
  return at;
}

// The kernel's weight of an element at a distance from a place.
double kernel(const std::string& mode, double distance) {
  const double d = std::abs(distance), a = -0.75;
  if (mode != "cubic") return std::max(0.0, 1 - d);
  if (d <= 1) return (a + 2) * d * d * d - (a + 3) * d * d + 1;
  return d < 2 ? a * d * d * d - 5 * a * d * d + 8 * a * d - 4 * a : 0;
}

Tensors sample(const Tensors& in, const Sampling& s) {
  const auto x = values_of(in[0]), grid = values_of(in[1]);
  const std::vector<int64_t> sizes(in[0].dims.begin() + 2, in[0].dims.end());
  const size_t rank = sizes.size();
  int64_t image = 1, places = 1;
  for (const int64_t size : sizes) image *= size;
  for (size_t axis = 1; axis <= rank; ++axis) places *= in[1].dims[axis];
  const auto ends = [&](size_t axis) {
    const auto size = static_cast<double>(sizes[axis]);
    return s.align_corners ? std::pair(0.0, size - 1) : std::pair(-0.5, size - 0.5);
  };
  std::vector<double> y;
  for (int64_t n = 0; n < in[0].dims[0]; ++n)
    for (int64_t c = 0; c < in[0].dims[1]; ++c)
      for (int64_t place = 0; place < places; ++place) {
        std::vector<double> at(rank);
        for (size_t axis = 0; axis < rank; ++axis) {
          const double told = grid[static_cast<size_t>(n * places + place) * rank + rank - 1 - axis];
          const auto size = static_cast<double>(sizes[axis]);
          at[axis] = s.align_corners ? (told + 1) / 2 * (size - 1) : ((told + 1) * size - 1) / 2;
          if (s.mode == "nearest") at[axis] = std::nearbyint(at[axis]);
          const auto [least, greatest] = ends(axis);
          if (at[axis] < least || at[axis] > greatest) {
            if (s.padding == "border") at[axis] = std::clamp(at[axis], 0.0, size - 1);
            if (s.padding == "reflection") at[axis] = reflect(at[axis], least, greatest);
          }
        }
        double sum = 0;
        std::vector<int64_t> step(rank, -2);  // around each place, the last axis first
        for (bool more = true; more;) {
          double weight = 1;
          int64_t offset = 0;
          for (size_t axis = 0; axis < rank; ++axis) {
            auto index = static_cast<int64_t>(std::floor(at[axis])) + step[axis];
            weight *= s.mode == "nearest" ? step[axis] == 0 : kernel(s.mode, at[axis] - static_cast<double>(index));
            const auto [least, greatest] = ends(axis);
            if (s.padding == "border") index = std::clamp<int64_t>(index, 0, sizes[axis] - 1);
            if (s.padding == "reflection")
              index = static_cast<int64_t>(reflect(static_cast<double>(index), least, greatest));
            if (index < 0 || index >= sizes[axis]) weight = 0, index = 0;
            offset = offset * sizes[axis] + index;
          }
          if (weight != 0) sum += weight * x[static_cast<size_t>((n * in[0].dims[1] + c) * image + offset)];
          more = false;
          for (size_t axis = rank; axis-- > 0 && !more;) {
            more = ++step[axis] <= 3;
            if (!more) step[axis] = -2;
          }
        }
        y.push_back(sum);
      }
  std::vector<int64_t> dims{in[0].dims[0], in[0].dims[1]};
  dims.insert(dims.end(), in[1].dims.begin() + 1, in[1].dims.end() - 1);
  return {numbers(in[0].type, dims, y)};
}
Case sample_row(std::string what, Sampling s, Tensors in, double tolerance = 1e-5, int32_t opset = newest_opset) {
  const std::string is_old = opset < 20 && s.mode != "nearest" ? "bi" : "";
  return by([s](const Tensors& tensors) { return sample(tensors, s); }, std::move(what), std::move(in), tolerance,
            "mode = \"" + is_old + s.mode + "\", padding_mode = \"" + s.padding +
                "\", align_corners = " + (s.align_corners ? "1" : "0"),
            opset);
}

std::vector<Case> grid_sample_cases() {
  std::vector<Case> rows;
  for (const std::string mode : {"nearest", "linear", "cubic"})
    for (const std::string padding : {"zeros", "border", "reflection"})
      for (const bool align_corners : {false, true})
        rows.push_back(sample_row(mode + ", " + padding + (align_corners ? ", corners" : ""),
                                  {mode, padding, align_corners},
                                  {random({2, 3, 5, 7}), random({2, 4, 3, 2}, -1.4, 1.4)}, 2e-5));
  const auto add = [&](Case row) { rows.push_back(std::move(row)); };
  add(sample_row("far outside", {"linear", "reflection", false}, {random({1, 1, 3, 4}), random({1, 5, 1, 2}, -9, 9)},
                 1e-4));
  add(sample_row("one spatial axis", {}, {random({2, 2, 9}), random({2, 5, 1})}));
  add(sample_row("three spatial axes", {}, {random({1, 2, 3, 4, 5}), random({1, 2, 3, 2, 3}, -1.2, 1.2)}));
  add(sample_row("three spatial axes, cubic", {"cubic", "border", true},
                 {random({1, 1, 3, 4, 5}), random({1, 2, 1, 3, 3}, -1.2, 1.2)}, 2e-5));
  add(sample_row("an axis of one element", {"linear", "reflection", true},
                 {random({1, 2, 1, 4}), random({1, 3, 3, 2})}));
  add(sample_row("version 16", {"cubic", "zeros", false}, {random({1, 1, 4, 4}), random({1, 3, 3, 2})}, 2e-5, 16));
  add(sample_row("f16", {}, {random({1, 2, 4, 4}, -1, 1, DataType::f16), random({1, 3, 3, 2}, -1, 1, DataType::f16)},
                 4e-3));
  add(sample_row("f64", {}, {random({1, 2, 4, 4}, -1, 1, DataType::f64), random({1, 3, 3, 2}, -1, 1, DataType::f64)},
                 1e-12));
  add(sample_row("data in f32, grid in f64", {}, {random({1, 2, 4, 4}), random({1, 3, 3, 2}, -1, 1, DataType::f64)}));
  add({"no places", {random({1, 2, 3, 3}), f32({1, 0, 2, 2}, {})}, {f32({1, 2, 0, 2}, {})}});
  return rows;
}

// theta (x, y, 1), or theta (x, y, z, 1), the last axis of an image being x.
Tensors affine(const Tensors& in, bool align_corners) {
  const auto theta = values_of(in[0]), all = values_of(in[1]);
  const std::vector<double> sizes(all.begin() + 2, all.end());
  const size_t rank = sizes.size();
  size_t places = 1;
  for (const double size : sizes) places *= static_cast<size_t>(size);
  std::vector<double> grid;
  for (size_t n = 0; n < static_cast<size_t>(all[0]); ++n)
    for (size_t place = 0; place < places; ++place) {
      std::vector<double> point(rank + 1, 1);
      size_t rest = place;
      for (size_t k = 0; k < rank; ++k) {
        const double size = sizes[rank - 1 - k];
        const auto i = static_cast<double>(rest % static_cast<size_t>(size));
        rest /= static_cast<size_t>(size);
        point[k] = align_corners ? -1 + 2 * i / (size - 1) : (2 * i + 1) / size - 1;
      }
      for (size_t row = 0; row < rank; ++row) {
        double sum = 0;
        for (size_t k = 0; k <= rank; ++k) sum += theta[(n * rank + row) * (rank + 1) + k] * point[k];
        grid.push_back(sum);
      }
    }
  std::vector<int64_t> dims{static_cast<int64_t>(all[0])};
  for (const double size : sizes) dims.push_back(static_cast<int64_t>(size));
  dims.push_back(static_cast<int64_t>(rank));
  return {numbers(in[0].type, dims, grid)};
}
Case affine_row(std::string what, Tensor theta, std::vector<double> sizes, bool align_corners,
                double tolerance = 1e-5) {
  const auto count = static_cast<int64_t>(sizes.size());
  return by([align_corners](const Tensors& in) { return affine(in, align_corners); }, std::move(what),
            {std::move(theta), i64({count}, sizes)}, tolerance, align_corners ? "align_corners = 1" : "");
}
const std::vector<Case> affine_grid_cases = {
    affine_row("an image", random({2, 2, 3}), {2, 3, 5, 7}, false),
    affine_row("an image, corners", random({1, 2, 3}), {1, 1, 4, 3}, true),
    affine_row("a volume", random({2, 3, 4}), {2, 1, 2, 3, 5}, false),
    affine_row("a volume, corners", random({1, 3, 4}), {1, 2, 3, 2, 4}, true),
    affine_row("f64", random({1, 2, 3}, -1, 1, DataType::f64), {1, 1, 3, 3}, false, 1e-12),
};

}  // namespace

HEED_TEST_OPERATOR("GridSample", grid_sample_cases())
HEED_TEST_OPERATOR("AffineGrid", affine_grid_cases)

TEST_CASE("GridSample reads strided data on Vulkan") {
  check_on_vulkan(
      "<ir_version: 8, opset_import: [\"\" : 20]> agraph (float[1, 5, 7, 3] x, float[1, 2, 4, 2] grid) => "
      "(float[1, 3, 2, 4] y) { t = Transpose<perm = [0, 3, 1, 2]>(x)  y = GridSample(t, grid) }",
      {random({1, 5, 7, 3}), random({1, 2, 4, 2})}, 1e-5);
}

TEST_CASE("GridSample and AffineGrid refuse what does not fit") {
  const Tensor x = random({1, 1, 3, 3}), grid = random({1, 2, 2, 2});
  check_refused("GridSample", {"", {x, grid}, {x}, 0, "mode = \"sinc\""}, "sinc");
  check_refused("GridSample", {"", {x, grid}, {x}, 0, "padding_mode = \"wrap\""}, "wrap");
  check_refused("GridSample", {"", {x, random({1, 2, 2, 3})}, {x}}, "last axis of the grid");
  check_refused("AffineGrid", {"", {random({1, 2, 2}), i64({4}, {1, 1, 2, 2})}, {x}}, "columns of theta");
}

}  // namespace heed::test
