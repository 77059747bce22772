// Whole graphs whose values lie channels last: what runs between convolutions keeps the layout, and the numbers are
// those of scalar kernels.
#include "load.hpp"

namespace heed::test {
namespace {

// So many numbers between -1 and 1.
std::string numbers(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += (i ? ", " : "") + std::to_string((i * 37 % 101 - 50) / 50.0);
  return text;
}

struct Row {
  const char* what;
  std::string nodes;
};
const Row rows[] = {
    {"a residual, and numbers of each channel",
     "a = Conv (x, w) b = Conv (a, w) s = Mul (b, scale) t = Add (s, a) u = Relu (t) y = Conv (u, w)"},
    {"a convolution's own residual", "a = Conv (x, w) b = Conv (a, w) t = Add (b, a) u = Relu (t) y = Conv (u, w)"},
    {"a pool and a concatenation",
     "a = Conv (x, w) b = MaxPool <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (a) c = Concat <axis = 1> (b, a) "
     "y = Conv <pads = [1, 1, 1, 1]> (c, v)"},
    {"readers that take another layout",
     "a = Conv (x, w) b = Conv (a, w) c = LRN <size = 3> (a) d = ReduceMean (b, axes) y = Sum (b, c, d, a)"},
    {"an image of one pixel, from channel to channel",
     "a = Conv (x, w) m = ReduceMean (a, axes) n = Conv (m, w) o = Sigmoid (n) s = Mul (a, o) y = Conv (s, w)"},
};

}  // namespace

TEST_CASE("values that lie channels last are the same as others") {
  for (const Row& row : rows) {
    INFO(row.what);
    const std::string text =
        R"(<ir_version: 10, opset_import: ["" : 21]> g (float[n, 8, 6, 5] x) => (float[n, 8, 6, 5] y)
      <float[8, 8, 1, 1] w = {)" +
        numbers(64) + "}, float[8, 16, 3, 3] v = {" + numbers(8 * 16 * 9) + "}, float[8, 1, 1] scale = {" + numbers(8) +
        "}, int64[2] axes = {2, 3}> { " + row.nodes + " }";
    std::vector<float> expected;
    for (const char* isa : {"scalar", ""}) {
      ModelOptions options;
      if (*isa) options.kernel_options.emplace_back("cpu.isa", isa);
      const auto session = take(Session::create(load_text(text, options)));
      for (const int64_t batch : {2, 1, 3}) {
        std::vector<float> x(static_cast<size_t>(batch * 240));
        for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i * 29 % 53) / 53 - 0.5f;
        const auto y = floats(take(session->run({{"x", f32({batch, 8, 6, 5}, x)}}))[0].second);
        if (batch != 2) continue;
        if (expected.empty()) expected = y;
        REQUIRE(y.size() == expected.size());
        bool good = true;
        for (size_t i = 0; i < y.size(); ++i)
          good &= std::abs(y[i] - expected[i]) <= 1e-4f * (1 + std::abs(expected[i]));
        CHECK(good);
        count_row(good);
      }
    }
  }
}

}  // namespace heed::test
