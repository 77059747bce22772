// Elements moved along axes: Pad, Tile, CenterCropPad, DepthToSpace, SpaceToDepth.
#include <catch2/catch.hpp>

#include "cases.hpp"

namespace heed::test {
namespace {

const Tensor x32 = f32({3, 2}, {1, 1.2, 2.3, 3.4, 4.5, 5.7});
const Tensor row5 = f32({5}, {1, 2, 3, 4, 5});
// Pads of rank 3 by definition: y[i] = x[i - begin] where that is inside, else `value`.
Reference padded(std::vector<int64_t> begins, std::vector<int64_t> ends, double value) {
  return [=](const Tensors& in) {
    const auto& x = in[0];
    const auto values = values_of(x);
    std::vector<int64_t> dims;
    for (size_t k = 0; k < 3; ++k) dims.push_back(x.dims[k] + begins[k] + ends[k]);
    std::vector<double> y;
    for (int64_t i = 0; i < dims[0]; ++i)
      for (int64_t j = 0; j < dims[1]; ++j)
        for (int64_t k = 0; k < dims[2]; ++k) {
          const int64_t at[] = {i - begins[0], j - begins[1], k - begins[2]};
          bool inside = true;
          for (size_t axis = 0; axis < 3; ++axis) inside = inside && at[axis] >= 0 && at[axis] < x.dims[axis];
          y.push_back(inside ? values[static_cast<size_t>((at[0] * x.dims[1] + at[1]) * x.dims[2] + at[2])] : value);
        }
    return Tensors{numbers(x.type, dims, y)};
  };
}
const std::vector<Case> pad_cases = {
    {"paddings before opset 2",
     {f32({1, 2}, {1, 2})},
     {f32({2, 4}, {9, 1, 2, 9, 9, 9, 9, 9})},
     0,
     "paddings = [0, 1, 1, 1], value = 9.0",
     1},
    {"constant (onnx test_constant_pad)",
     {x32, i64({4}, {0, 2, 0, 0}), f32({}, {0})},
     {f32({3, 4}, {0, 0, 1, 1.2, 0, 0, 2.3, 3.4, 0, 0, 4.5, 5.7})}},
    {"reflect (onnx test_reflect_pad)",
     {x32, i64({4}, {0, 2, 0, 0})},
     {f32({3, 4}, {1, 1.2, 1, 1.2, 2.3, 3.4, 2.3, 3.4, 4.5, 5.7, 4.5, 5.7})},
     0,
     "mode = \"reflect\""},
    {"edge (onnx test_edge_pad)",
     {x32, i64({4}, {0, 2, 0, 0})},
     {f32({3, 4}, {1, 1, 1, 1.2, 2.3, 2.3, 2.3, 3.4, 4.5, 4.5, 4.5, 5.7})},
     0,
     "mode = \"edge\""},
    {"wrap (numpy)",
     {f32({3, 2}, {1, 2, 3, 4, 5, 6}), i64({4}, {2, 1, 1, 1})},
     {f32({6, 4}, {4, 3, 4, 3, 6, 5, 6, 5, 2, 1, 2, 1, 4, 3, 4, 3, 6, 5, 6, 5, 2, 1, 2, 1})},
     0,
     "mode = \"wrap\""},
    {"reflect past the other end (numpy)",
     {f32({3}, {1, 2, 3}), i64({2}, {5, 3})},
     {f32({11}, {2, 1, 2, 3, 2, 1, 2, 3, 2, 1, 2})},
     0,
     "mode = \"reflect\""},
    {"wrap more than once (numpy)",
     {f32({3}, {1, 2, 3}), i64({2}, {4, 4})},
     {f32({11}, {3, 1, 2, 3, 1, 2, 3, 1, 2, 3, 1})},
     0,
     "mode = \"wrap\""},
    {"reflect of one element", {f32({1}, {7}), i64({2}, {2, 1})}, {f32({4}, {7, 7, 7, 7})}, 0, "mode = \"reflect\""},
    {"negative pads leave out", {row5, i64({2}, {-1, -2})}, {f32({2}, {2, 3})}},
    {"negative before, a constant behind", {row5, i64({2}, {-1, 2}), f32({}, {9})}, {f32({6}, {2, 3, 4, 5, 9, 9})}},
    {"negative before, mirrored behind: at what is left",
     {row5, i64({2}, {-2, 3})},
     {f32({6}, {3, 4, 5, 4, 3, 4})},
     0,
     "mode = \"reflect\""},
    {"edge behind negative", {row5, i64({2}, {2, -3})}, {f32({4}, {1, 1, 1, 2})}, 0, "mode = \"edge\""},
    {"axes, one from the end (onnx test_constant_pad_negative_axes)",
     {i32({1, 2, 1, 2}, {1, 2, 3, 4}), i64({4}, {0, 1, 1, 0}), i32({}, {7}), i64({2}, {1, -1})},
     {i32({1, 3, 1, 3}, {7, 1, 2, 7, 3, 4, 7, 7, 7})}},
    {"i32 axes out of order",
     {f32({2, 1}, {1, 2}), i64({4}, {1, 0, 0, 2}), f32({}, {5}), i32({2}, {1, 0})},
     {f32({4, 2}, {5, 1, 5, 2, 5, 5, 5, 5})}},
    {"u8", {u8({3}, {1, 2, 3}), i64({2}, {1, 1}), u8({}, {255})}, {u8({5}, {255, 1, 2, 3, 255})}},
    {"f16", {f16({2}, {1, 2}), i64({2}, {0, 3}), f16({}, {-0.5})}, {f16({5}, {1, 2, -0.5, -0.5, -0.5})}},
    {"i64", {i64({2}, {1, -2}), i64({2}, {1, 0}), i64({}, {-3})}, {i64({3}, {-3, 1, -2})}},
    {"bool without a value", {boolean({2}, {1, 1}), i64({2}, {1, 1})}, {boolean({4}, {0, 1, 1, 0})}},
    {"texts", {texts({2}, {"a", "b"}), i64({2}, {1, 1}), texts({}, {"-"})}, {texts({4}, {"-", "a", "b", "-"})}},
    {"texts without a value", {texts({1}, {"a"}), i64({2}, {0, 1})}, {texts({2}, {"a", ""})}},
    {"i4, packed at an odd place",
     {numbers(DataType::i4, {2, 3}, {1, 2, 3, -4, -5, -6}), i64({4}, {0, 1, 1, 0}), numbers(DataType::i4, {}, {7})},
     {numbers(DataType::i4, {3, 4}, {7, 1, 2, 3, 7, -4, -5, -6, 7, 7, 7, 7})}},
    {"nothing to pad", {row5, i64({2}, {0, 0})}, {row5}},
    {"a number", {f32({}, {3}), i64({0}, {})}, {f32({}, {3})}},
    {"around nothing", {f32({0, 2}, {}), i64({4}, {1, 0, 1, 0}), f32({}, {4})}, {f32({2, 2}, {4, 4, 4, 4})}},
    {"nothing left", {row5, i64({2}, {-5, 0})}, {f32({0}, {})}},
    by(padded({1, 0, 2}, {0, 3, 1}, 0.5), "larger than a workgroup, prime, all axes",
       {random({3, 5, 67}), i64({6}, {1, 0, 2, 0, 3, 1}), f32({}, {0.5})}),
    by(padded({0, 2, 0}, {0, 1, 0}, 0), "the middle axis alone",
       {random({3, 5, 67}, 0, 9, DataType::f64), i64({6}, {0, 2, 0, 0, 1, 0})}),
    by(padded({-1, 1, -1}, {1, -2, -3}, 0), "left out and added",
       {random({3, 5, 7}), i64({6}, {-1, 1, -1, 1, -2, -3})}),
    {"attributes before opset 11", {f32({2}, {1, 2})}, {f32({4}, {3, 1, 2, 3})}, 0, "pads = [1, 1], value = 3.0", 10},
    {"f64 before opset 11", {f64({2}, {1, 2})}, {f64({3}, {1, 2, 0.5})}, 0, "pads = [0, 1], value = 0.5", 2},
    {"f16 before opset 11", {f16({1}, {1})}, {f16({2}, {2, 1})}, 0, "pads = [1, 0], value = 2.0", 9},
};

const std::vector<Case> tile_cases = {
    {"an axis of its own before opset 6",
     {f32({2, 2}, {0, 1, 2, 3}), f32({}, {3}), f32({}, {1})},
     {f32({2, 6}, {0, 1, 0, 1, 0, 1, 2, 3, 2, 3, 2, 3})},
     0,
     "",
     5},
    {"both axes (onnx test_tile_precomputed)",
     {f32({2, 2}, {0, 1, 2, 3}), i64({2}, {2, 2})},
     {f32({4, 4}, {0, 1, 0, 1, 2, 3, 2, 3, 0, 1, 0, 1, 2, 3, 2, 3})}},
    {"once", {f32({2, 1}, {1, 2}), i64({2}, {1, 1})}, {f32({2, 1}, {1, 2})}},
    {"never", {f32({2, 2}, {1, 2, 3, 4}), i64({2}, {3, 0})}, {f32({6, 0}, {})}},
    {"of nothing", {f32({0, 2}, {}), i64({2}, {3, 2})}, {f32({0, 4}, {})}},
    {"a number", {f32({}, {3}), i64({0}, {})}, {f32({}, {3})}},
    {"bytes, the first axis", {u8({1, 3}, {1, 2, 3}), i64({2}, {3, 1})}, {u8({3, 3}, {1, 2, 3, 1, 2, 3, 1, 2, 3})}},
    {"8 bytes an element", {i64({2}, {1, -2}), i64({1}, {3})}, {i64({6}, {1, -2, 1, -2, 1, -2})}},
    {"2 bytes an element", {f16({1, 2}, {1, 2}), i64({2}, {1, 2})}, {f16({1, 4}, {1, 2, 1, 2})}},
    {"texts", {texts({2}, {"a", "b"}), i64({1}, {2})}, {texts({4}, {"a", "b", "a", "b"})}},
    {"i4", {numbers(DataType::i4, {3}, {1, 2, -3}), i64({1}, {2})}, {numbers(DataType::i4, {6}, {1, 2, -3, 1, 2, -3})}},
    by(
        [](const Tensors& in) {
          const auto x = values_of(in[0]);
          std::vector<double> y;
          for (int64_t i = 0; i < 6; ++i)
            for (int64_t j = 0; j < 5; ++j)
              for (int64_t k = 0; k < 201; ++k) y.push_back(x[static_cast<size_t>((i % 3 * 5 + j) * 67 + k % 67)]);
          return Tensors{numbers(in[0].type, {6, 5, 201}, y)};
        },
        "larger than a workgroup, prime", {random({3, 5, 67}), i64({3}, {2, 1, 3})}),
};

const std::vector<Case> center_crop_pad_cases = {
    {"crop and pad, odd",
     {f32({3, 2}, {1, 2, 3, 4, 5, 6}), i64({2}, {2, 5})},
     {f32({2, 5}, {0, 1, 2, 0, 0, 0, 3, 4, 0, 0})}},
    {"crop by three", {row5, i64({1}, {2})}, {f32({2}, {2, 3})}},
    {"pad by three", {f32({1}, {7}), i32({1}, {4})}, {f32({4}, {0, 7, 0, 0})}},
    {"axes, one from the end",
     {i64({2, 1, 2}, {1, 2, 3, 4}), i64({2}, {3, 1})},
     {i64({1, 1, 3}, {1, 2, 0})},
     0,
     "axes = [-1, 0]"},
    {"the same", {row5, i64({1}, {5})}, {row5}},
    {"to nothing", {row5, i64({1}, {0})}, {f32({0}, {})}},
    {"of nothing", {u8({0}, {}), i64({1}, {3})}, {u8({3}, {0, 0, 0})}},
    {"texts", {texts({2}, {"a", "b"}), i64({1}, {4})}, {texts({4}, {"", "a", "b", ""})}},
};

// DepthToSpace of blocks of 2 by ONNX's reshapes and transposes, written out.
Reference to_space(bool outer) {
  return [=](const Tensors& in) {
    const auto& x = in[0];
    const auto values = values_of(x);
    const int64_t channels = x.dims[1] / 4, height = x.dims[2], width = x.dims[3];
    std::vector<double> y;
    for (int64_t n = 0; n < x.dims[0]; ++n)
      for (int64_t c = 0; c < channels; ++c)
        for (int64_t h = 0; h < 2 * height; ++h)
          for (int64_t w = 0; w < 2 * width; ++w) {
            const int64_t place = h % 2 * 2 + w % 2, channel = outer ? place * channels + c : c * 4 + place;
            y.push_back(values[static_cast<size_t>(((n * 4 * channels + channel) * height + h / 2) * width + w / 2)]);
          }
    return Tensors{numbers(x.type, {x.dims[0], channels, 2 * height, 2 * width}, y)};
  };
}
Case swapped(Case row) {
  std::swap(row.inputs, row.outputs);
  return row;
}
const std::vector<Case> depth_to_space_cases = {
    {"one block", {f32({1, 4, 1, 1}, {1, 2, 3, 4})}, {f32({1, 1, 2, 2}, {1, 2, 3, 4})}, 0, "blocksize = 2"},
    by(to_space(true), "the place outside of the channel, larger than a workgroup", {random({2, 12, 5, 7})}, 0,
       "blocksize = 2, mode = \"DCR\""),
    by(to_space(false), "the place within the channel", {random({2, 12, 5, 7}, -9, 9, DataType::f64)}, 0,
       "blocksize = 2, mode = \"CRD\""),
    by(to_space(true), "bytes", {random({1, 8, 3, 1}, 0, 9, DataType::u8)}, 0, "blocksize = 2"),
    by(to_space(true), "opset 1", {random({1, 8, 2, 3})}, 0, "blocksize = 2", 1),
    {"blocks of 1", {f32({1, 2, 1, 1}, {1, 2})}, {f32({1, 2, 1, 1}, {1, 2})}, 0, "blocksize = 1"},
    {"an empty batch", {f32({0, 4, 1, 2}, {})}, {f32({0, 1, 2, 4}, {})}, 0, "blocksize = 2"},
    {"texts",
     {texts({1, 4, 1, 1}, {"a", "b", "c", "d"})},
     {texts({1, 1, 2, 2}, {"a", "b", "c", "d"})},
     0,
     "blocksize = 2"},
};
const std::vector<Case> space_to_depth_cases = [] {
  std::vector<Case> rows;
  for (const auto& row : depth_to_space_cases) rows.push_back(swapped(row));
  return rows;
}();

}  // namespace

HEED_TEST_OPERATOR("Pad", pad_cases)
HEED_TEST_OPERATOR("Tile", tile_cases)
HEED_TEST_OPERATOR("CenterCropPad", center_crop_pad_cases)
HEED_TEST_OPERATOR("DepthToSpace", depth_to_space_cases)
HEED_TEST_OPERATOR("SpaceToDepth", space_to_depth_cases)

TEST_CASE(
    "Pad, Tile, CenterCropPad and DepthToSpace read strided tensors on Vulkan, of sizes that only the run tells") {
  check_on_vulkan(R"(<ir_version: 10, opset_import: ["" : 23]>
    agraph (float[n, m, 4] x) => (float[4, a, b] p, float[4, c, d] r, float[4, e, f] w, float[8, m, g] t,
                                  float[3, h, 2] k, float[1, 1, i, j] s) {
      u = Transpose(x)
      pads = Constant<value_ints = [0, 1, -1, 0, 2, 2]>()
      p = Pad(u, pads)
      r = Pad<mode = "reflect">(u, pads)
      w = Pad<mode = "wrap">(u, pads)
      repeats = Constant<value_ints = [2, 1, 3]>()
      t = Tile(u, repeats)
      sizes = Constant<value_ints = [3, 2]>()
      k = CenterCropPad<axes = [0, 2]>(u, sizes)
      axis = Constant<value_ints = [0]>()
      v = Unsqueeze(u, axis)
      s = DepthToSpace<blocksize = 2>(v)
    })",
                  {random({3, 7, 4})});
}
TEST_CASE("Pad takes pads that depend on sizes, on Vulkan too") {
  // Up to a multiple of 8 behind the first axis, half of it before the second, and one less of the third than there is.
  const char* text = R"(<ir_version: 10, opset_import: ["" : 23]>
    agraph (float[n, m, k] x) => (float[a, b, c] y, float[d, e, f] z) {
      eight = Constant<value_ints = [8]>()
      two = Constant<value_ints = [2]>()
      none = Constant<value_ints = [0]>()
      one = Constant<value_ints = [1]>()
      n = Shape<start = 0, end = 1>(x)
      m = Shape<start = 1, end = 2>(x)
      k = Shape<start = 2, end = 3>(x)
      behind = Mod(Sub(none, n), eight)
      before = Div(m, two)
      less = Sub(one, k)
      pads = Concat<axis = 0>(none, before, less, behind, none, none)
      y = Pad(x, pads)
      z = Pad<mode = "reflect">(x, pads)
    })";
  check_on_vulkan(text, {random({3, 7, 5})});
  check_on_vulkan(text, {random({8, 1, 1})});
}
TEST_CASE("Pad says where nothing is left") {
  check_refused("Pad", {"-6 of 5", {row5, i64({2}, {-6, 0})}, {row5}}, "axis 0 of [5] has nothing left for pads of -6");
}
TEST_CASE("Pad names the modes that there are") {
  check_refused("Pad", {"mirror", {row5, i64({2}, {1, 0})}, {row5}, 0, "mode = \"mirror\""}, "'mode' is 'mirror'");
}
TEST_CASE("DepthToSpace says which axis does not divide") {
  check_refused("DepthToSpace", {"3 by 4", {f32({1, 3, 1, 1}, {1, 2, 3})}, {row5}, 0, "blocksize = 2"},
                "axis 1 modulo 4");
}

}  // namespace heed::test
