// Operators of com.microsoft that are made of ONNX's own.
#include <catch2/catch.hpp>
#include <cmath>

#include "cases.hpp"

namespace heed::test {
namespace {

// Runs text on both devices; `expected` is what the CPU gives, as far as it is there.
void check_both(const std::string& text, const Tensors& inputs, const Tensors& expected, double tolerance) {
  INFO(text);
  const auto outputs = run_text(text, inputs);
  REQUIRE((outputs ? "" : outputs.error().message) == "");
  for (size_t i = 0; i < expected.size(); ++i) check_equal((*outputs)[i], expected[i], tolerance);
  check_on_vulkan(text, inputs, tolerance);
}

std::string model_text(const std::string& body) {
  return "<ir_version: 10, opset_import: [\"\" : 23, \"com.microsoft\" : 1]> g " + body;
}

// input + skip + bias, rounded to the type of the input; what is shorter than the input repeats.
Tensor sum(const Tensors& parts) {
  auto values = values_of(parts[0]);
  for (size_t part = 1; part < parts.size(); ++part) {
    const auto more = values_of(parts[part]);
    for (size_t i = 0; i < values.size(); ++i) values[i] += more[i % more.size()];
  }
  return numbers(parts[0].type, parts[0].dims, values);
}

struct Normalized {
  Tensor y, mean, inverse;
};
// Of rows; `beta` may be absent. Without a mean it is the root mean square that divides.
Normalized normalized(const Tensor& x, const Tensor& gamma, const Tensor& beta, bool has_mean, double epsilon) {
  const auto values = values_of(x), scale = values_of(gamma);
  const size_t n = scale.size();
  const auto shift = beta.dims.empty() ? std::vector<double>(n, 0.0) : values_of(beta);
  std::vector<double> y(values.size()), means, inverses;
  for (size_t first = 0; first < values.size(); first += n) {
    double mean = 0, square = 0;
    for (size_t i = 0; has_mean && i < n; ++i) mean += values[first + i] / static_cast<double>(n);
    for (size_t i = 0; i < n; ++i) square += std::pow(values[first + i] - mean, 2) / static_cast<double>(n);
    means.push_back(mean);
    inverses.push_back(1 / std::sqrt(square + epsilon));
    for (size_t i = 0; i < n; ++i) y[first + i] = (values[first + i] - mean) * inverses.back() * scale[i] + shift[i];
  }
  auto rows = x.dims;
  rows.back() = 1;
  return {numbers(x.type, x.dims, y), f32(rows, means), f32(rows, inverses)};
}

}  // namespace

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

TEST_CASE("SkipLayerNormalization normalizes input + skip + bias, and gives the sum") {
  for (const auto& [type, tolerance] :
       {std::pair(DataType::f32, 1e-5), {DataType::f16, 0x1p-9}, {DataType::bf16, 0x1p-6}}) {
    const std::string t(name_of(type));
    const auto x = [&, type = type](std::vector<int64_t> dims) { return random(std::move(dims), -2, 2, type); };
    // The skip of one batch is that of all.
    const Tensors in = {x({2, 3, 37}), x({3, 37}), x({37}), x({37}), x({37})};
    const Tensor whole = sum({in[0], in[1], in[4]});
    const auto [y, mean, inverse] = normalized(whole, in[2], in[3], true, 1e-3);
    check_both(model_text("(" + t + "[b, s, c] x, " + t + "[s, c] skip, " + t + "[c] gamma, " + t + "[c] beta, " + t +
                          "[c] bias) => (" + t + "[b, s, c] y, float[b, s, 1] mean, float[b, s, 1] inverse, " + t +
                          "[b, s, c] sum) { y, mean, inverse, sum = com.microsoft.SkipLayerNormalization<epsilon = "
                          "0.001>(x, skip, gamma, beta, bias) }"),
               in, {y, mean, inverse, whole}, tolerance);
    // No beta, no bias, rows of two axes.
    const Tensors few = {x({5, 64}), x({5, 64}), x({64})};
    check_both(model_text("(" + t + "[n, c] x, " + t + "[n, c] skip, " + t + "[c] gamma) => (" + t +
                          "[n, c] y) { y = com.microsoft.SkipLayerNormalization(x, skip, gamma) }"),
               few, {normalized(sum({few[0], few[1]}), few[2], {}, true, 1e-12).y}, tolerance);
    // That sizes are equal is known to the run alone.
    check_both(model_text("(" + t + "[n, c] x, " + t + "[m, d] skip, " + t + "[e] gamma) => (" + t +
                          "[n, c] y) { y = com.microsoft.SkipLayerNormalization(x, skip, gamma) }"),
               few, {normalized(sum({few[0], few[1]}), few[2], {}, true, 1e-12).y}, tolerance);
  }
}

TEST_CASE("SkipSimplifiedLayerNormalization divides by the root mean square") {
  const Tensors in = {random({2, 3, 37}), random({2, 3, 37}), random({37}), random({37})};
  const Tensor whole = sum({in[0], in[1], in[3]});
  const auto [y, mean, inverse] = normalized(whole, in[2], {}, false, 1e-6);
  const std::string head = "(float[b, s, c] x, float[b, s, c] skip, float[c] gamma, float[c] bias) => ";
  check_both(
      model_text(head + "(float[b, s, c] y, float[b, s, 1] inverse, float[b, s, c] sum) { y, \"\", inverse, sum = "
                        "com.microsoft.SkipSimplifiedLayerNormalization<epsilon = 1e-6>(x, skip, gamma, bias) }"),
      in, {y, inverse, whole}, 1e-5);
  const auto refused =
      run_text(model_text(head + "(float[b, s, c] y, float[b, s, 1] m) { y, m = "
                                 "com.microsoft.SkipSimplifiedLayerNormalization(x, skip, gamma, bias) }"),
               in);
  REQUIRE_FALSE(refused.has_value());
  CHECK_THAT(refused.error().message, Catch::Contains("output 1, the mean, is asked for"));
}

TEST_CASE("SimplifiedLayerNormalization is RMSNormalization, in either domain") {
  const Tensors in = {random({3, 4, 5}), random({5})};
  const auto [y, mean, inverse] = normalized(in[0], in[1], {}, false, 1e-5);
  for (const std::string domain : {"", "com.microsoft."})
    check_both(
        model_text("(float[a, b, c] x, float[c] s) => (float[a, b, c] y, float[a, b, 1] inverse) { y, inverse = " +
                   domain + "SimplifiedLayerNormalization(x, s) }"),
        in, {y, inverse}, 1e-5);
  // Over two axes, by a scale of both.
  const Tensors two = {random({3, 4, 5}), random({4, 5})};
  Tensor flat_x = two[0], flat_scale = two[1];
  flat_x.dims = {3, 20};
  flat_scale.dims = {20};
  auto expected = normalized(flat_x, flat_scale, {}, false, 0.25).y;
  expected.dims = {3, 4, 5};
  check_both(model_text("(float[a, b, c] x, float[b, c] s) => (float[a, b, c] y) { y = "
                        "SimplifiedLayerNormalization<axis = 1, epsilon = 0.25>(x, s) }"),
             two, {expected}, 1e-5);
}

TEST_CASE("EmbedLayerNormalization adds rows of three tables, counts the mask and normalizes") {
  const Tensor ids = i32({2, 3}, {4, 0, 2, 1, 1, 3}), segments = i32({2, 3}, {0, 0, 1, 1, 1, 0});
  const Tensor words = random({5, 17}), positions = random({4, 17}, 0, 1), kinds = random({2, 17}, -3, 0);
  const Tensor gamma = random({17}, 0.5, 1.5), beta = random({17}, -1, 0);
  const Tensor mask = i32({2, 3}, {1, 1, 0, 1, 0, 0}), places = i32({1, 3}, {3, 0, 1});
  const auto embedded = [&](bool has_segments, std::vector<double> at) {
    const auto id = values_of(ids), kind = values_of(segments), w = values_of(words), p = values_of(positions),
               k = values_of(kinds);
    std::vector<double> result;
    for (size_t i = 0; i < id.size(); ++i)
      for (size_t c = 0; c < 17; ++c)
        result.push_back(w[static_cast<size_t>(id[i]) * 17 + c] + p[static_cast<size_t>(at[i % 3]) * 17 + c] +
                         (has_segments ? k[static_cast<size_t>(kind[i]) * 17 + c] : 0));
    return f32({2, 3, 17}, result);
  };
  const std::string tables = "float[v, c] words, float[p, d] positions";
  const Tensor all = embedded(true, {3, 0, 1});
  check_both(
      model_text("(int32[b, s] ids, int32[b, s] segments, " + tables +
                 ", float[k, e] kinds, float[f] gamma, float[f] beta, int32[b, t] mask, int32[1, s] places) => "
                 "(float[b, s, c] y, int32[b] count, float[b, s, c] sum) { y, count, sum = "
                 "com.microsoft.EmbedLayerNormalization(ids, segments, words, positions, kinds, gamma, beta, mask, "
                 "places) }"),
      {ids, segments, words, positions, kinds, gamma, beta, mask, places},
      {normalized(all, gamma, beta, true, 1e-12).y, i32({2}, {2, 1}), all}, 1e-5);
  const Tensor some = embedded(false, {0, 1, 2});
  check_both(model_text("(int32[b, s] ids, " + tables +
                        ", float[f] gamma, float[f] beta) => (float[b, s, c] y, int32[b] "
                        "count) { y, count = com.microsoft.EmbedLayerNormalization(ids, \"\", words, positions, \"\", "
                        "gamma, beta) }"),
             {ids, words, positions, gamma, beta}, {normalized(some, gamma, beta, true, 1e-12).y, i32({2}, {0, 0})},
             1e-5);
}

TEST_CASE("FusedMatMul transposes matrices and batches") {
  // The expected shapes and the order of axes are ONNX Runtime's.
  const struct {
    const char *attributes, *a, *b;
    std::vector<int64_t> a_perm, b_perm;
  } rows[] = {{"alpha = 0.5", "2, 3, 4", "4, 5", {0, 1, 2}, {0, 1}},
              {"transA = 1", "2, 4, 3", "2, 4, 5", {0, 2, 1}, {0, 1, 2}},
              {"transB = 1, alpha = -2.0", "3, 4", "5, 4", {0, 1}, {1, 0}},
              {"transBatchA = 1", "2, 3, 4", "3, 4, 5", {1, 0, 2}, {0, 1, 2}},
              {"transA = 1, transBatchA = 1", "4, 3, 2", "3, 4, 5", {1, 2, 0}, {0, 1, 2}},
              {"transB = 1, transBatchB = 1", "3, 6, 2, 4", "5, 3, 6, 4", {0, 1, 2, 3}, {1, 2, 3, 0}}};
  const auto dims_of = [](std::string_view text) {
    std::vector<int64_t> dims;
    for (const char c : text)
      if (c >= '0' && c <= '9') dims.push_back(c - '0');
    return dims;
  };
  const auto turned = [](const Tensor& x, const std::vector<int64_t>& perm, std::vector<int64_t>& dims) {
    const auto values = values_of(x);
    const auto strides = row_major(x.dims);
    dims.clear();
    for (const int64_t axis : perm) dims.push_back(x.dims[static_cast<size_t>(axis)]);
    std::vector<double> result(values.size());
    for (size_t i = 0; i < result.size(); ++i) {
      int64_t rest = static_cast<int64_t>(i), at = 0;
      for (size_t axis = dims.size(); axis-- > 0; rest /= dims[axis])
        at += rest % dims[axis] * strides[static_cast<size_t>(perm[axis])];
      result[i] = values[static_cast<size_t>(at)];
    }
    return result;
  };
  for (const auto& row : rows) {
    const Tensor a = random(dims_of(row.a)), b = random(dims_of(row.b));
    std::vector<int64_t> left, right;
    const auto x = turned(a, row.a_perm, left), z = turned(b, row.b_perm, right);
    const int64_t m = left[left.size() - 2], k = left.back(), n = right.back();
    const std::string_view attributes = row.attributes;
    const double alpha = attributes.find("0.5") != attributes.npos  ? 0.5
                         : attributes.find("-2") != attributes.npos ? -2
                                                                    : 1;
    std::vector<int64_t> dims(left.begin(), left.end() - 1);
    dims.push_back(n);
    std::vector<double> y(x.size() / static_cast<size_t>(k) * static_cast<size_t>(n));
    for (size_t i = 0; i < y.size(); ++i) {
      const int64_t at = static_cast<int64_t>(i), line = at / n, column = at % n;
      const int64_t batch = right.size() > 2 ? line / m : 0;
      for (int64_t j = 0; j < k; ++j)
        y[i] += alpha * x[static_cast<size_t>(line * k + j)] * z[static_cast<size_t>((batch * k + j) * n + column)];
    }
    const auto symbols = [](size_t rank, char first) {
      std::string text;
      for (size_t axis = 0; axis < rank; ++axis) text += std::string(axis ? ", " : "") + first + std::to_string(axis);
      return text;
    };
    check_both(model_text("(float[" + symbols(a.dims.size(), 'a') + "] a, float[" + symbols(b.dims.size(), 'b') +
                          "] b) => (float[" + symbols(dims.size(), 'y') + "] y) { y = com.microsoft.FusedMatMul<" +
                          row.attributes + ">(a, b) }"),
               {a, b}, {f32(dims, y)}, 1e-5);
  }
}

TEST_CASE("FusedGemm is Gemm and an activation") {
  const Tensors in = {random({3, 4}), random({5, 4}), random({5})};
  const std::string head = "(float[m, k] a, float[n, k] b, float[n] c) => (float[m, n] y) { ";
  const struct {
    std::string attributes, plain;
  } rows[] = {{"", "y = Identity(p)"},
              {", activation = \"Relu\"", "y = Relu(p)"},
              {", activation = \"LeakyRelu\", activation_alpha = 0.25", "y = LeakyRelu<alpha = 0.25>(p)"},
              {", activation = \"HardSigmoid\", activation_alpha = 0.25, activation_beta = 0.125",
               "y = HardSigmoid<alpha = 0.25, beta = 0.125>(p)"},
              {", activation = \"Selu\", activation_alpha = 1.5, activation_gamma = 2.0",
               "y = Selu<alpha = 1.5, gamma = 2.0>(p)"}};
  for (const auto& row : rows) {
    const std::string attributes = "transB = 1, alpha = 0.5, beta = 2.0";
    const auto expected = run_text(model_text(head + "p = Gemm<" + attributes + ">(a, b, c) " + row.plain + " }"), in);
    REQUIRE((expected ? "" : expected.error().message) == "");
    check_both(model_text(head + "y = com.microsoft.FusedGemm<" + attributes + row.attributes + ">(a, b, c) }"), in,
               *expected, 1e-6);
  }
  check_refused("com.microsoft.FusedGemm",
                {"an activation", in, {random({3, 5})}, 0, "transB = 1, activation = \"Sine\""},
                "attribute 'activation' is 'Sine'");
}

}  // namespace heed::test
