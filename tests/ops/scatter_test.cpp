// Elements that indices choose, read and written: GatherElements, GatherND, ScatterElements, Scatter, ScatterND,
// TensorScatter.
#include <catch2/catch.hpp>
#include <cmath>

#include "cases.hpp"

namespace heed::test {
namespace {

const Tensor square = f32({3, 3}, {1, 2, 3, 4, 5, 6, 7, 8, 9});

// Whole numbers in [low, high), as places.
Tensor places(std::vector<int64_t> dims, double low, double high, DataType type = DataType::i64) {
  return numbers(type, dims, values_of(random(dims, low, high, DataType::i64)));
}

Reference gathered(size_t axis) {  // of rank 3
  return [=](const Tensors& in) {
    const auto &data = in[0], &indices = in[1];
    const auto values = values_of(data), at = values_of(indices);
    std::vector<double> y;
    for (int64_t i = 0; i < static_cast<int64_t>(at.size()); ++i) {
      int64_t place[] = {i / indices.dims[2] / indices.dims[1], i / indices.dims[2] % indices.dims[1],
                         i % indices.dims[2]};
      const auto index = static_cast<int64_t>(at[static_cast<size_t>(i)]);
      place[axis] = index < 0 ? index + data.dims[axis] : index;
      y.push_back(values[static_cast<size_t>((place[0] * data.dims[1] + place[1]) * data.dims[2] + place[2])]);
    }
    return Tensors{numbers(data.type, indices.dims, y)};
  };
}
const std::vector<Case> gather_elements_cases = {
    {"onnx test_gather_elements_1", {square, i64({2, 3}, {1, 2, 0, 2, 0, 0})}, {f32({2, 3}, {4, 8, 3, 7, 2, 3})}},
    {"onnx test_gather_elements_0",
     {f32({2, 2}, {1, 2, 3, 4}), i64({2, 2}, {0, 0, 1, 0})},
     {f32({2, 2}, {1, 1, 4, 3})},
     0,
     "axis = 1"},
    {"negative i32 indices", {square, i32({1, 2}, {-1, -3})}, {f32({1, 2}, {7, 2})}},
    {"u8", {u8({3}, {7, 8, 9}), i64({5}, {2, 1, 0, -1, -2})}, {u8({5}, {9, 8, 7, 9, 8})}},
    {"f16", {f16({2, 1}, {7, 8}), i64({1, 1}, {1})}, {f16({1, 1}, {8})}},
    {"i64", {i64({2}, {7, -8}), i64({3}, {1, 0, 1})}, {i64({3}, {-8, 7, -8})}},
    {"texts", {texts({2}, {"a", "b"}), i64({3}, {1, 0, 1})}, {texts({3}, {"b", "a", "b"})}},
    {"no indices", {square, i64({0, 3}, {})}, {f32({0, 3}, {})}},
    by(gathered(0), "axis 0, larger than a workgroup", {random({3, 5, 67}), places({7, 4, 31}, -3, 3)}),
    by(gathered(1), "axis 1", {random({3, 5, 67}), places({2, 9, 67}, -5, 5, DataType::i32)}, 0, "axis = 1"),
    by(gathered(2), "axis -1", {random({3, 5, 67}, -9, 9, DataType::f64), places({3, 5, 71}, 0, 67)}, 0, "axis = -1"),
};
const std::vector<Case> gather_nd_cases = {
    {"elements (onnx GatherND example 1)", {i32({2, 2}, {0, 1, 2, 3}), i64({2, 2}, {0, 0, 1, 1})}, {i32({2}, {0, 3})}},
    {"slices (example 2)", {i32({2, 2}, {0, 1, 2, 3}), i64({2, 1}, {1, 0})}, {i32({2, 2}, {2, 3, 0, 1})}},
    {"two axes of three (example 3)",
     {f32({2, 2, 2}, {0, 1, 2, 3, 4, 5, 6, 7}), i64({2, 2}, {0, 1, 1, 0})},
     {f32({2, 2}, {2, 3, 4, 5})}},
    {"tuples of rank 3 (example 4)",
     {f32({2, 2, 2}, {0, 1, 2, 3, 4, 5, 6, 7}), i64({2, 1, 2}, {0, 1, 1, 0})},
     {f32({2, 1, 2}, {2, 3, 4, 5})}},
    {"a batch (example 5)",
     {f32({2, 2, 2}, {0, 1, 2, 3, 4, 5, 6, 7}), i64({2, 1}, {1, 0})},
     {f32({2, 2}, {2, 3, 4, 5})},
     0,
     "batch_dims = 1"},
    {"a batch of lists, negative",
     {u8({2, 3, 1}, {1, 2, 3, 4, 5, 6}), i64({2, 2, 1}, {-1, 0, 1, -2})},
     {u8({2, 2, 1}, {3, 1, 5, 5})},
     0,
     "batch_dims = 1"},
    {"one tuple", {square, i64({2}, {-1, 0})}, {f32({}, {7})}},
    {"texts", {texts({2, 1}, {"a", "b"}), i64({1, 1}, {1})}, {texts({1, 1}, {"b"})}},
    {"i4, slices at odd places",
     {numbers(DataType::i4, {2, 3}, {1, 2, 3, 4, 5, 6}), i64({2, 1}, {1, 1})},
     {numbers(DataType::i4, {2, 3}, {4, 5, 6, 4, 5, 6})}},
    {"no tuples", {square, i64({0, 1}, {})}, {f32({0, 3}, {})}},
    {"f64, opset 11", {f64({2, 2}, {1, 2, 3, 4}), i64({1, 2}, {0, 1})}, {f64({1}, {2})}, 0, "", 11},
    by(
        [](const Tensors& in) {
          const auto values = values_of(in[0]), at = values_of(in[1]);
          std::vector<double> y;
          for (size_t tuple = 0; tuple < at.size() / 2; ++tuple)
            for (size_t k = 0; k < 67; ++k)
              y.push_back(
                  values[(static_cast<size_t>(at[2 * tuple]) * 5 + static_cast<size_t>(at[2 * tuple + 1])) * 67 + k]);
          return Tensors{numbers(in[0].type, {7, 67}, y)};
        },
        "slices larger than a workgroup, prime", {random({3, 5, 67}), places({7, 2}, 0, 3)}),
};

using Combine = double (*)(double, double);
Reference scattered(size_t axis, Combine combine) {  // of rank 3
  return [=](const Tensors& in) {
    const auto &data = in[0], &indices = in[1];
    auto y = values_of(data);
    const auto at = values_of(indices), updates = values_of(in[2]);
    for (int64_t i = 0; i < static_cast<int64_t>(at.size()); ++i) {
      int64_t place[] = {i / indices.dims[2] / indices.dims[1], i / indices.dims[2] % indices.dims[1],
                         i % indices.dims[2]};
      const auto index = static_cast<int64_t>(at[static_cast<size_t>(i)]);
      place[axis] = index < 0 ? index + data.dims[axis] : index;
      auto& element = y[static_cast<size_t>((place[0] * data.dims[1] + place[1]) * data.dims[2] + place[2])];
      element = combine(element, updates[static_cast<size_t>(i)]);
    }
    return Tensors{numbers(data.type, data.dims, y)};
  };
}
double last(double, double b) { return b; }
double sum(double a, double b) { return a + b; }
double product(double a, double b) { return a * b; }
double least(double a, double b) { return std::min(a, b); }
double greatest(double a, double b) { return std::max(a, b); }

const std::vector<Case> scatter_cases = {
    {"onnx test_scatter_without_axis",
     {f32({3, 3}, {0, 0, 0, 0, 0, 0, 0, 0, 0}), i64({2, 3}, {1, 0, 2, 0, 2, 1}),
      f32({2, 3}, {1, 1.1, 1.2, 2, 2.1, 2.2})},
     {f32({3, 3}, {2, 1.1, 0, 1, 0, 2.2, 0, 2.1, 1.2})},
     0,
     "",
     10},
};
const std::vector<Case> scatter_elements_cases = [] {
  std::vector<Case> rows = {
      {"onnx test_scatter_elements_without_axis",
       {f32({3, 3}, {0, 0, 0, 0, 0, 0, 0, 0, 0}), i64({2, 3}, {1, 0, 2, 0, 2, 1}),
        f32({2, 3}, {1, 1.1, 1.2, 2, 2.1, 2.2})},
       {f32({3, 3}, {2, 1.1, 0, 1, 0, 2.2, 0, 2.1, 1.2})}},
      {"onnx test_scatter_elements_with_negative_indices",
       {f32({1, 5}, {1, 2, 3, 4, 5}), i64({1, 2}, {1, -3}), f32({1, 2}, {1.1, 2.1})},
       {f32({1, 5}, {1, 1.1, 2.1, 4, 5})},
       0,
       "axis = 1"},
      {"the later update wins", {f32({2}, {1, 2}), i64({3}, {1, -1, 1}), f32({3}, {7, 8, 9})}, {f32({2}, {1, 9})}},
      {"u8", {u8({3}, {1, 2, 3}), i32({1}, {-1}), u8({1}, {9})}, {u8({3}, {1, 2, 9})}},
      {"f16", {f16({3}, {1, 2, 3}), i32({1}, {0}), f16({1}, {9})}, {f16({3}, {9, 2, 3})}},
      {"i64", {i64({3}, {1, 2, 3}), i64({1}, {1}), i64({1}, {-9})}, {i64({3}, {1, -9, 3})}},
      {"texts", {texts({2}, {"a", "b"}), i64({1}, {1}), texts({1}, {"c"})}, {texts({2}, {"a", "c"})}},
      {"no updates", {square, i64({0, 3}, {}), f32({0, 3}, {})}, {square}},
      {"no data", {f32({0}, {}), i64({0}, {}), f32({0}, {})}, {f32({0}, {})}},
      {"bool, added is or",
       {boolean({3}, {1, 0, 0}), i64({3}, {0, 1, 2}), boolean({3}, {1, 1, 0})},
       {boolean({3}, {1, 1, 0})},
       0,
       "reduction = \"add\""},
      {"bool, multiplied is and",
       {boolean({3}, {1, 1, 0}), i64({3}, {0, 1, 2}), boolean({3}, {1, 0, 1})},
       {boolean({3}, {1, 0, 0})},
       0,
       "reduction = \"mul\""},
      {"a NaN wins",
       {f32({2}, {1, nan}), i64({2}, {0, 1}), f32({2}, {nan, 1})},
       {f32({2}, {nan, nan})},
       0,
       "reduction = \"max\""},
      {"add rounds f16 once an update",
       {f16({1}, {2048}), i64({2}, {0, 0}), f16({2}, {1, 1})},
       {f16({1}, {2048})},
       0,
       "reduction = \"add\""},
      by(scattered(1, last), "axis 1, larger than a workgroup, duplicates",
         {random({3, 5, 67}), places({3, 7, 61}, -5, 5), random({3, 7, 61}, 2, 3)}, 0, "axis = 1"),
      by(scattered(2, last), "axis -1",
         {random({3, 5, 67}), places({2, 5, 71}, 0, 67, DataType::i32), random({2, 5, 71}, 2, 3)}, 0, "axis = -1"),
      by(scattered(0, sum), "added, opset 16", {random({3, 5, 67}), places({9, 5, 67}, 0, 3), random({9, 5, 67})}, 1e-6,
         "reduction = \"add\"", 16),
  };
  const struct {
    const char* name;
    Combine combine;
  } reductions[] = {{"add", sum}, {"mul", product}, {"min", least}, {"max", greatest}};
  for (const auto& [name, combine] : reductions)
    for (const DataType type :
         {DataType::f32, DataType::f64, DataType::f16, DataType::bf16, DataType::i8, DataType::i16, DataType::i32,
          DataType::i64, DataType::u8, DataType::u16, DataType::u32, DataType::u64})
      rows.push_back(by(scattered(1, combine), std::string(name) + " of " + std::string(name_of(type)),
                        {random({2, 3, 5}, 0, 5, type), places({2, 4, 3}, -3, 3), random({2, 4, 3}, 0, 5, type)},
                        type == DataType::f16    ? 1e-2
                        : type == DataType::bf16 ? 0.1
                                                 : 1e-6,
                        "axis = 1, reduction = \"" + std::string(name) + "\""));
  return rows;
}();
const std::vector<Case> scatter_nd_cases = {
    {"elements (onnx ScatterND example 1)",
     {f32({8}, {1, 2, 3, 4, 5, 6, 7, 8}), i64({4, 1}, {4, 3, 1, 7}), f32({4}, {9, 10, 11, 12})},
     {f32({8}, {1, 11, 3, 10, 9, 6, 7, 12})}},
    {"slices, the later wins",
     {f32({3, 2}, {1, 2, 3, 4, 5, 6}), i64({3, 1}, {0, -1, 0}), f32({3, 2}, {7, 8, 9, 10, 11, 12})},
     {f32({3, 2}, {11, 12, 3, 4, 9, 10})}},
    {"slices added (onnx test_scatternd_add)",
     {i32({2, 2}, {1, 2, 3, 4}), i64({2, 1}, {1, 1}), i32({2, 2}, {10, 20, 30, 40})},
     {i32({2, 2}, {1, 2, 43, 64})},
     0,
     "reduction = \"add\""},
    {"elements multiplied",
     {f64({2, 2}, {1, 2, 3, 4}), i64({3, 2}, {0, 1, 0, 1, 1, 0}), f64({3}, {2, 3, 5})},
     {f64({2, 2}, {1, 12, 15, 4})},
     0,
     "reduction = \"mul\""},
    {"least of tuples of rank 3",
     {i64({2, 2}, {1, 2, 3, 4}), i64({1, 2, 1}, {1, 0}), i64({1, 2, 2}, {0, 9, 5, 1})},
     {i64({2, 2}, {1, 1, 0, 4})},
     0,
     "reduction = \"min\""},
    {"greatest, bf16",
     {bf16({2}, {1, 5}), i64({2, 1}, {0, 1}), bf16({2}, {3, 3})},
     {bf16({2}, {3, 5})},
     0,
     "reduction = \"max\""},
    {"u8", {u8({2, 1}, {1, 2}), i64({1, 1}, {1}), u8({1, 1}, {9})}, {u8({2, 1}, {1, 9})}},
    {"f16", {f16({2}, {1, 2}), i64({1, 1}, {-2}), f16({1}, {9})}, {f16({2}, {9, 2})}},
    {"texts", {texts({2}, {"a", "b"}), i64({1, 1}, {0}), texts({1}, {"c"})}, {texts({2}, {"c", "b"})}},
    {"one tuple of all axes", {square, i64({2}, {2, -3}), f32({}, {0})}, {f32({3, 3}, {1, 2, 3, 4, 5, 6, 0, 8, 9})}},
    {"no tuples", {square, i64({0, 1}, {}), f32({0, 3}, {})}, {square}},
    {"opset 11", {f32({2}, {1, 2}), i64({1, 1}, {0}), f32({1}, {9})}, {f32({2}, {9, 2})}, 0, "", 11},
    by(
        [](const Tensors& in) {
          auto y = values_of(in[0]);
          const auto at = values_of(in[1]), updates = values_of(in[2]);
          for (size_t tuple = 0; tuple < 11; ++tuple)
            for (size_t k = 0; k < 67; ++k)
              y[(static_cast<size_t>(at[2 * tuple]) * 5 + static_cast<size_t>(at[2 * tuple + 1])) * 67 + k] +=
                  updates[tuple * 67 + k];
          return Tensors{numbers(in[0].type, in[0].dims, y)};
        },
        "slices larger than a workgroup, prime, added", {random({3, 5, 67}), places({11, 2}, 0, 3), random({11, 67})},
        1e-6, "reduction = \"add\""),
    by(
        [](const Tensors& in) {
          auto y = values_of(in[0]);
          const auto at = values_of(in[1]), updates = values_of(in[2]);
          for (size_t i = 0; i < at.size(); ++i) y[static_cast<size_t>(at[i])] = updates[i];
          return Tensors{numbers(in[0].type, in[0].dims, y)};
        },
        "many single elements", {random({997}), places({301, 1}, 0, 997), random({301})}),
};
const std::vector<Case> tensor_scatter_cases = {
    {"linear, a place for each batch",
     {f32({2, 3, 2}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}), f32({2, 1, 2}, {-1, -2, -3, -4}), i64({2}, {1, 2})},
     {f32({2, 3, 2}, {1, 2, -1, -2, 5, 6, 7, 8, 9, 10, -3, -4})}},
    {"circular",
     {f32({1, 3, 1}, {1, 2, 3}), f32({1, 2, 1}, {-1, -2}), i64({1}, {2})},
     {f32({1, 3, 1}, {-2, 2, -1})},
     0,
     "mode = \"circular\""},
    {"from the start without places",
     {i64({1, 3, 1}, {1, 2, 3}), i64({1, 2, 1}, {-1, -2})},
     {i64({1, 3, 1}, {-1, -2, 3})}},
    {"heads, the axis before the last",
     {u8({1, 2, 2, 1}, {1, 2, 3, 4}), u8({1, 2, 1, 1}, {8, 9}), i64({1}, {1})},
     {u8({1, 2, 2, 1}, {1, 8, 3, 9})}},
    {"the last axis",
     {f16({2, 3}, {1, 2, 3, 4, 5, 6}), f16({2, 1}, {8, 9}), i64({2}, {0, 2})},
     {f16({2, 3}, {8, 2, 3, 4, 5, 9})},
     0,
     "axis = -1"},
    {"texts", {texts({1, 2, 1}, {"a", "b"}), texts({1, 1, 1}, {"c"}), i64({1}, {1})}, {texts({1, 2, 1}, {"a", "c"})}},
    {"no update", {f32({1, 2, 1}, {1, 2}), f32({1, 0, 1}, {}), i64({1}, {0})}, {f32({1, 2, 1}, {1, 2})}},
    by(
        [](const Tensors& in) {
          auto y = values_of(in[0]);
          const auto update = values_of(in[1]), first = values_of(in[2]);
          for (size_t outer = 0; outer < 6; ++outer)
            for (size_t t = 0; t < 5; ++t)
              for (size_t k = 0; k < 67; ++k)
                y[(outer * 7 + (static_cast<size_t>(first[outer / 3]) + t) % 7) * 67 + k] =
                    update[(outer * 5 + t) * 67 + k];
          return Tensors{numbers(in[0].type, in[0].dims, y)};
        },
        "circular, larger than a workgroup", {random({2, 3, 7, 67}), random({2, 3, 5, 67}), i64({2}, {4, 6})}, 0,
        "mode = \"circular\""),
};

}  // namespace

HEED_TEST_OPERATOR("GatherElements", gather_elements_cases)
HEED_TEST_OPERATOR("GatherND", gather_nd_cases)
HEED_TEST_OPERATOR("Scatter", scatter_cases)
HEED_TEST_OPERATOR("ScatterElements", scatter_elements_cases)
HEED_TEST_OPERATOR("ScatterND", scatter_nd_cases)
HEED_TEST_OPERATOR("TensorScatter", tensor_scatter_cases)

TEST_CASE("gathers and scatters take strided tensors on Vulkan, and write where their data lies") {
  check_on_vulkan(R"(<ir_version: 10, opset_import: ["" : 24]>
    agraph (float[n, m, 5] x, int64[5, k, n] at, float[5, k, n] u, int64[j, 2] tuples, float[j, n] v, float[m, n, 2] w,
            int64[5] first) => (float[5, k, n] a, float[j, n] b, float[5, m, n] c, float[5, m, n] d, float[5, m, n] e) {
      t = Transpose(x)
      a = GatherElements<axis = 1>(t, at)
      b = GatherND(t, tuples)
      c = ScatterElements<axis = 1, reduction = "add">(t, at, u)
      s = Sub(t, c)
      d = ScatterND(s, tuples, v)
      z = Transpose<perm = [2, 0, 1]>(w)
      y = Tile(z, Constant<value_ints = [3, 1, 1]>())
      cut = Slice(y, Constant<value_ints = [0]>(), Constant<value_ints = [5]>())
      e = TensorScatter<mode = "circular">(t, cut, first)
    })",
                  {random({3, 7, 5}), places({5, 4, 3}, -7, 7), random({5, 4, 3}), places({6, 2}, 0, 5), random({6, 3}),
                   random({7, 3, 2}), i64({5}, {0, 1, 2, 3, 6})},
                  1e-6);
}
TEST_CASE("an index that is outside is told, with its node") {
  for (const auto device : {"cpu", "vulkan"}) {
    for (const double bad : {3.0, -4.0, 1e18, 4294967297.0}) {
      const char* const statements[] = {"y = GatherElements(x, at)", "y = ScatterElements(x, at, x)",
                                        "y = GatherND(x, Unsqueeze(at, Constant<value_ints = [1]>()))",
                                        "y = ScatterND(x, Unsqueeze(at, Constant<value_ints = [1]>()), x)"};
      for (const auto* statement : statements) {
        INFO(device << ", " << bad << ", " << statement);
        const auto outputs = run_text(
            "<ir_version: 10, opset_import: [\"\" : 23]> agraph (float[4] x, int64[4] at) => "
            "(float[n] y) { " +
                std::string(statement) + " }",
            {f32({4}, {1, 2, 3, 4}), i64({4}, {2, -1,
                                               bad == 3    ? 4
                                               : bad == -4 ? -5
                                                           : bad,
                                               0})},
            device);
        REQUIRE_FALSE(outputs);
        CHECK_THAT(outputs.error().message, Catch::Contains(device == std::string("cpu") ? "at position 2 is outside"
                                                                                         : "element 2 of the indices"));
      }
    }
  }
}
TEST_CASE("ScatterND says that its indices are no tuples") {
  check_refused("ScatterND", {"a number", {square, i64({}, {1}), f32({3}, {1, 2, 3})}, {square}},
                "the indices have rank 0");
}
TEST_CASE("TensorScatter tells where an update does not fit") {
  for (const auto device : {"cpu", "vulkan"})
    for (const double bad : {2.0, -1.0, 3.0, 9e18}) {
      const auto outputs = run_text(R"(<ir_version: 10, opset_import: ["" : 24]>
        agraph (float[2, 3, 1] x, float[2, 2, 1] u, int64[2] at) => (float[a, b, c] y) { y = TensorScatter(x, u, at) })",
                                    {random({2, 3, 1}), random({2, 2, 1}), i64({2}, {1, bad})}, device);
      INFO(device << ", " << bad);
      CHECK_FALSE(outputs.has_value());
    }
}

}  // namespace heed::test
