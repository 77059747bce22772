// Operators of com.microsoft that are ONNX's own by another name.
#include <catch2/catch.hpp>

#include "cases.hpp"

namespace heed::test {

TEST_CASE("com.microsoft's Pad, Range and Trilu are ONNX's") {
  const char* text = R"(<ir_version: 10, opset_import: ["" : 17, "com.microsoft" : 1]>
    agraph (float[n, m] x, int64[1] k) => (float[a, b] p, float[n, m] t, float[n, m] u, int64[c] r, int64[d] s) {
      pads = Constant<value = int64[1, 4] {0, 1, 1, 0}>()
      nine = Constant<value_float = 9.0>()
      p = com.microsoft.Pad(x, pads, nine)
      t = com.microsoft.Trilu<upper = 0>(x)
      u = com.microsoft.Trilu(x, k)
      from = Constant<value_int = 2>()
      to = Constant<value_int = 6>()
      step = Constant<value_int = 3>()
      r = com.microsoft.Range(from, to, step)
      s = com.microsoft.Range(from, to)
    })";
  for (const auto device : {"cpu", "vulkan"}) {
    const auto outputs = run_text(text, {f32({2, 2}, {1, 2, 3, 4}), i64({1}, {1})}, device);
    INFO(device << ": " << (outputs ? "" : outputs.error().message));
    REQUIRE(outputs.has_value());
    check_equal((*outputs)[0], f32({3, 3}, {9, 1, 2, 9, 3, 4, 9, 9, 9}));
    check_equal((*outputs)[1], f32({2, 2}, {1, 0, 3, 4}));
    check_equal((*outputs)[2], f32({2, 2}, {0, 2, 0, 0}));
    check_equal((*outputs)[3], i64({2}, {2, 5}));
    check_equal((*outputs)[4], i64({4}, {2, 3, 4, 5}));
  }
}

}  // namespace heed::test
