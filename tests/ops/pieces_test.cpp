// Tensors longer than a binding, on a device whose bindings are so short that every kernel walks them in pieces: what the
// CPU gives, and nothing runs there.
#include <catch2/catch.hpp>

#include "cases.hpp"

namespace heed::test {
namespace {

struct Row {
  std::string what;
  std::string types;       // "(float[301, 7] x, ...) => (float[...] y)": sizes fixed, or left to the run
  std::string statements;
  Tensors inputs;
  double tolerance = 0;
};

void check_rows(const std::vector<Row>& rows) {
  for (const auto& row : rows) {
    INFO(row.what);
    check_on_vulkan("<ir_version: 10, opset_import: [\"\" : 23, \"heed\" : 1]> g " + row.types + " { " + row.statements +
                        " }",
                    row.inputs, row.tolerance, {{"vulkan.max_binding_bytes", "1024"}});
  }
}

std::string list_of(const std::vector<int64_t>& dims) {
  std::string text;
  for (const int64_t dim : dims) text += (text.empty() ? "" : ", ") + std::to_string(dim);
  return "[" + text + "]";
}

}  // namespace

TEST_CASE("rows of a long table, and more rows than a binding holds") {
  const auto ids = i64({2, 4}, {0, 300, 7, 7, -301, 150, -1, 63});
  check_rows({
      {"a table", "(float[301, 7] x, int64[2, 4] i) => (float[2, 4, 7] y)", "y = Gather(x, i)", {random({301, 7}), ids}},
      {"sizes left to the run", "(float[n, w] x, int64[a, b] i) => (float[a, b, w] y)", "y = Gather(x, i)",
       {random({301, 7}), ids}},
      {"wide rows", "(float[n, w] x, int32[a] i) => (float[a, w] y)", "y = Gather(x, i)",
       {random({19, 173}), i32({5}, {18, 0, -1, 9, 9})}},
      {"many ids", "(float[n, w] x, int64[a] i) => (float[a, w] y)", "y = Gather(x, i)",
       {random({13, 31}), random({101}, -13, 13, DataType::i64)}},
      {"many ids of a long table", "(float[307, 11] x, int64[a] i) => (float[a, 11] y)", "y = Gather(x, i)",
       {random({307, 11}), random({97}, -307, 307, DataType::i64)}},
      {"slices of three axes", "(float[31, 3, 17] x, int64[a] i) => (float[a, 3, 17] y)", "y = Gather(x, i)",
       {random({31, 3, 17}), i64({4}, {30, -31, 5, 17})}},
      {"a table that lies transposed", "(float[7, 301] x, int64[a, b] i) => (float[a, b, 7] y)",
       "t = Transpose(x) y = Gather(t, i)", {random({7, 301}), ids}},
      {"along an inner axis", "(float[n, m, w] x, int64[a] i) => (float[n, a, w] y)", "y = Gather<axis = 1>(x, i)",
       {random({3, 41, 17}), i64({3}, {40, -41, 7})}},
      {"along the last axis of two outer ones, many", "(float[n, m, w] x, int32[a] i) => (float[n, m, a] y)",
       "y = Gather<axis = 2>(x, i)", {random({2, 3, 301}), random({201}, -301, 301, DataType::i32)}},
      {"f16", "(float16[n, w] x, int64[a, b] i) => (float16[a, b, w] y)", "y = Gather(x, i)",
       {random({301, 7}, -1, 1, DataType::f16), ids}},
      {"bytes", "(uint8[n, w] x, int64[a, b] i) => (uint8[a, b, w] y)", "y = Gather(x, i)",
       {random({301, 7}, 0, 255, DataType::u8), ids}},
      {"f64", "(double[n, w] x, int64[a, b] i) => (double[a, b, w] y)", "y = Gather(x, i)",
       {random({301, 7}, -1, 1, DataType::f64), ids}},
  });
}

TEST_CASE("an id outside of a long table is told from whichever window") {
  for (const double bad : {301.0, -302.0}) {
    const auto outputs = run_text(R"(<ir_version: 10, opset_import: ["" : 23]>
      g (float[n, w] x, int64[a] i) => (float[a, w] y) { y = Gather(x, i) })",
                                  {random({301, 7}), i64({3}, {300, bad, 0})}, "vulkan",
                                  {{"vulkan.max_binding_bytes", "1024"}});
    REQUIRE_FALSE(outputs);
    CHECK_THAT(outputs.error().message, Catch::Contains("element 1 of the indices is outside"));
  }
}

TEST_CASE("element by element over long tensors") {
  check_rows({
      {"equal shapes", "(float[1031] a, float[1031] b) => (float[1031] y)", "y = Add(a, b)",
       {random({1031}), random({1031}, 2, 3)}},
      {"a chain over axes, with what is short repeated",
       "(float[n, m] a, float[m] b, float[n, 1] c) => (float[n, m] y)", "s = Add(a, b) m = Mul(s, c) y = Relu(m)",
       {random({37, 41}), random({41}), random({37, 1})}},
      {"a crossed broadcast", "(float[n, 1] a, float[1, m] b) => (float[n, m] y)", "y = Sub(a, b)",
       {random({331, 1}), random({1, 293})}},
      {"transposed", "(float[n, m] a, float[m, n] b) => (float[m, n] y)", "t = Transpose(a) y = Mul(t, b)",
       {random({61, 47}), random({47, 61})}},
      {"booleans", "(float[n, m] a, float[n, m] b) => (bool[n, m] y)", "y = Less(a, b)",
       {random({61, 47}), random({61, 47})}},
      {"bytes", "(uint8[n] a, uint8[n] b) => (uint8[n] y)", "y = Max(a, b)",
       {random({4099}, 0, 255, DataType::u8), random({4099}, 0, 200, DataType::u8)}},
      {"f16 to f32", "(float16[n] a) => (float[n] y)", "y = Cast<to = 1>(a)", {random({2053}, -1, 1, DataType::f16)}},
  });
}

TEST_CASE("copies of long tensors") {
  check_rows({
      {"a transpose", "(float[n, m] x) => (float[m, n] y)", "y = Transpose(x)", {random({61, 47})}},
      {"of three axes, bytes", "(uint8[n, m, k] x) => (uint8[k, n, m] y)", "y = Transpose<perm = [2, 0, 1]>(x)",
       {random({23, 17, 13}, 0, 255, DataType::u8)}},
      {"parts one behind the other, some of them short", "(float[a] u, float[b] v, float[c] w) => (float[d] y)",
       "y = Concat<axis = 0>(u, v, w)", {random({3}), random({1031}), random({67})}},
      {"parts side by side", "(float[n, a] u, float[n, b] v) => (float[n, c] y)", "y = Concat<axis = 1>(u, v)",
       {random({37, 11}), random({37, 29})}},
      {"a part of a longer one, dense again", "(float[n, m] x) => (float[k, m] y)",
       "begin = Constant<value_ints = [20]>() end = Constant<value_ints = [26]>() s = Slice(x, begin, end) y = Neg(s)",
       {random({37, 29})}},
  });
}

TEST_CASE("products of long matrices") {
  struct Product {
    const char* what;
    std::vector<int64_t> a, b;
    bool is_b_transposed = false;
  };
  const Product products[] = {
      {"a token and the table of tokens", {1, 16}, {16, 257}, true},
      {"a token and the table of tokens, odd", {1, 13}, {13, 257}, true},
      {"a prompt and the table of tokens", {5, 16}, {16, 260}, true},
      {"a long prompt", {37, 16}, {16, 131}, true},
      {"[k, n], columns in fours", {1, 64}, {64, 132}},
      {"[k, n], odd", {3, 71}, {71, 67}},
      {"many rows of [k, n]", {37, 71}, {71, 67}},
      {"many rows of [k, n], in fours", {36, 64}, {64, 68}},
      {"a long inner axis", {2, 1500}, {1500, 3}},
      {"a long inner axis, transposed", {33, 700}, {700, 6}, true},
      {"a short a", {1, 3}, {3, 1009}},
      {"long rows and few columns", {1021, 3}, {3, 2}},
      {"batches of both", {3, 5, 17}, {3, 17, 23}},
      {"batches over one b", {7, 5, 17}, {17, 23}},
      {"crossed batches", {3, 1, 4, 20}, {1, 5, 20, 9}},
      {"vectors", {600}, {600}},
      {"a vector and a matrix", {64}, {64, 67}},
  };
  for (const auto& p : products)
    for (const bool fixed : {false, true}) {
      INFO(p.what << (fixed ? ", sizes fixed" : ""));
      auto stored = p.b;
      if (p.is_b_transposed) std::swap(stored[stored.size() - 1], stored[stored.size() - 2]);
      std::string a = "[", b = "[";
      for (size_t i = 0; i < p.a.size(); ++i) a += (i ? ", a" : "a") + std::to_string(i);
      for (size_t i = 0; i < stored.size(); ++i) b += (i ? ", b" : "b") + std::to_string(i);
      const std::string types = fixed ? "(float" + list_of(p.a) + " a, float" + list_of(stored) + " b)"
                                      : "(float" + a + "] a, float" + b + "] b)";
      check_on_vulkan("<ir_version: 10, opset_import: [\"\" : 23]> g " + types + (p.is_b_transposed ? " => (float y, float n) { " : " => (float y) { ") +
                          (p.is_b_transposed ? "n = Neg(b) t = Transpose(n) y = MatMul(a, t)" : "y = MatMul(a, b)") + " }",
                      {random(p.a), random(stored)}, 2e-5, {{"vulkan.max_binding_bytes", "2048"}});
    }
}

TEST_CASE("what follows a long product is taken into its pieces") {
  for (const int64_t rows : {1, 6, 37})
    for (const bool is_half : {false, true}) {
      INFO(rows << " rows" << (is_half ? ", f16" : ""));
      const std::string type = is_half ? "float16" : "float";
      const DataType element = is_half ? DataType::f16 : DataType::f32;
      check_on_vulkan("<ir_version: 10, opset_import: [\"\" : 23, \"heed\" : 1]> g (" + type + "[r, k] a, " + type +
                          "[k, n] b, " + type + "[n] bias, " + type + "[r, n] c) => (" + type +
                          "[r, n] y) { y = heed.FusedMatMul<scale = 0.5, activation = \"gelu\">(a, b, bias, c) }",
                      {random({rows, 71}, -1, 1, element), random({71, 94}, -1, 1, element),
                       random({94}, -1, 1, element), random({rows, 94}, -1, 1, element)},
                      is_half ? 2e-3 : 2e-5, {{"vulkan.max_binding_bytes", "2048"}});
    }
}

TEST_CASE("a model whose table of tokens is longer than a binding lies wholly on the device") {
  check_rows({{"embedding, a layer and logits of one table",
               "(float[307, 13] table, float[13, 13] w, int64[batch, seq] ids) => (float[batch, seq, 307] logits)",
               "x = Gather(table, ids) h = MatMul(x, w) g = Tanh(h) s = Add(x, g) t = Transpose(table)"
               " logits = MatMul(s, t)",
               {random({307, 13}), random({13, 13}), random({2, 9}, -307, 307, DataType::i64)},
               2e-5}});
}

}  // namespace heed::test
