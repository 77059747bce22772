// RotaryEmbedding: halves and interleaved, ranks 3 and 4, with and without positions, and a part of the channels.
#include <catch2/catch.hpp>

#include "cases.hpp"

namespace heed::test {
namespace {

// As ONNX's reference: x [batch, head, sequence, channel] or [batch, sequence, head * channel].
Tensors rotate(const Tensors& in, int64_t heads, int64_t turned, bool interleaved) {
  const auto x = values_of(in[0]), cos = values_of(in[1]), sin = values_of(in[2]);
  const bool has_heads = in[0].dims.size() == 4;
  const int64_t batches = in[0].dims[0], sequence = in[0].dims[has_heads ? 2 : 1];
  const int64_t channels = has_heads ? in[0].dims[3] : in[0].dims[2] / heads, half = turned / 2;
  const auto positions = in.size() > 3 ? values_of(in[3]) : std::vector<double>();
  std::vector<double> y = x;
  for (int64_t b = 0; b < batches; ++b)
    for (int64_t h = 0; h < heads; ++h)
      for (int64_t s = 0; s < sequence; ++s) {
        const int64_t first =
            has_heads ? ((b * heads + h) * sequence + s) * channels : ((b * sequence + s) * heads + h) * channels;
        const int64_t angle = positions.empty()
                                  ? (in[1].dims[0] == 1 ? s : b * sequence + s)
                                  : static_cast<int64_t>(positions[static_cast<size_t>(b * sequence + s)]);
        for (int64_t i = 0; i < half; ++i) {
          const auto one = static_cast<size_t>(first + (interleaved ? 2 * i : i)),
                     two = static_cast<size_t>(first + (interleaved ? 2 * i + 1 : i + half));
          const auto at = static_cast<size_t>(angle * half + i);
          y[one] = cos[at] * x[one] - sin[at] * x[two];
          y[two] = sin[at] * x[one] + cos[at] * x[two];
        }
      }
  return {numbers(in[0].type, in[0].dims, y)};
}

Case row(const char* what, Tensors in, int64_t heads, int64_t turned, bool interleaved, std::string attributes,
         double tolerance = 1e-6) {
  return by([=](const Tensors& tensors) { return rotate(tensors, heads, turned, interleaved); }, what, std::move(in),
            tolerance, std::move(attributes));
}

const Tensor ids = i64({2, 3}, {0, 1, 2, 4, 3, 1});
const std::vector<Case> cases = {
    row("halves, rank 4", {random({2, 3, 3, 8}), random({5, 4}), random({5, 4}, -1, 0), ids}, 3, 8, false, ""),
    row("interleaved, rank 4", {random({2, 3, 3, 8}), random({5, 4}), random({5, 4}, -1, 0), ids}, 3, 8, true,
        "interleaved = 1"),
    row("rank 3", {random({2, 3, 24}), random({5, 4}), random({5, 4}, -1, 0), ids}, 3, 8, false, "num_heads = 3"),
    row("no positions: a cache per batch", {random({2, 3, 3, 8}), random({2, 3, 4}), random({2, 3, 4}, -1, 0)}, 3, 8,
        false, ""),
    row("no positions: a cache for all", {random({2, 3, 3, 8}), random({1, 3, 4}), random({1, 3, 4}, -1, 0)}, 3, 8, true,
        "interleaved = 1"),
    row("a part of the channels", {random({2, 3, 3, 8}), random({5, 2}), random({5, 2}, -1, 0), ids}, 3, 4, true,
        "interleaved = 1, rotary_embedding_dim = 4"),
    row("more pairs than a workgroup, a prime sequence",
        {random({2, 2, 37, 10}), random({37, 5}), random({37, 5}, -1, 0), random({2, 37}, 0, 37, DataType::i64)}, 2, 10,
        false, ""),
    row("rank 3, interleaved, no positions", {random({2, 3, 24}), random({2, 3, 4}), random({2, 3, 4}, -1, 0)}, 3, 8,
        true, "num_heads = 3, interleaved = 1"),
    row("rank 3, halves of a part of the channels", {random({2, 3, 30}), random({5, 3}), random({5, 3}, -1, 0), ids}, 3,
        6, false, "num_heads = 3, rotary_embedding_dim = 6"),
    row("f16, halves",
        {random({2, 3, 3, 8}, -1, 1, DataType::f16), random({5, 4}, -1, 1, DataType::f16),
         random({5, 4}, -1, 0, DataType::f16), ids},
        3, 8, false, "", 0x1p-10),
    row("bf16, interleaved, a part of the channels",
        {random({2, 3, 3, 8}, -1, 1, DataType::bf16), random({5, 2}, -1, 1, DataType::bf16),
         random({5, 2}, -1, 0, DataType::bf16), ids},
        3, 4, true, "interleaved = 1, rotary_embedding_dim = 4", 0x1p-7),
    row("one pair", {random({1, 1, 1, 2}), random({1, 1, 1}), random({1, 1, 1}, -1, 0)}, 1, 2, false, ""),
    row("no tokens", {f32({1, 2, 0, 4}, {}), random({5, 2}), random({5, 2}), i64({1, 0}, {})}, 2, 4, false, ""),
    row("f16",
        {random({2, 3, 3, 8}, -1, 1, DataType::f16), random({5, 4}, -1, 1, DataType::f16),
         random({5, 4}, -1, 0, DataType::f16), ids},
        3, 8, false, "", 2e-3),
};

// Positions of the first of each sequence, whose others follow.
Case counting(const char* what, Tensors in, int64_t heads, int64_t turned, bool interleaved, std::string attributes) {
  const auto reference = [=](const Tensors& tensors) {
    Tensors all = tensors;
    const bool has_heads = tensors[0].dims.size() == 4;
    const int64_t batches = tensors[0].dims[0], sequence = tensors[0].dims[has_heads ? 2 : 1];
    const auto first = values_of(tensors[3]);
    std::vector<double> positions;
    for (int64_t b = 0; b < batches; ++b)
      for (int64_t s = 0; s < sequence; ++s)
        positions.push_back(first[first.size() == 1 ? 0 : static_cast<size_t>(b)] + static_cast<double>(s));
    all[3] = i64({batches, sequence}, positions);
    return rotate(all, heads, turned, interleaved);
  };
  return by(reference, what, std::move(in), 1e-6, std::move(attributes));
}

const std::vector<Case> counting_cases = {
    counting("one position for all", {random({2, 3, 3, 8}), random({9, 4}), random({9, 4}, -1, 0), i64({1}, {5})}, 3, 8, false, ""),
    counting("a position for each batch, i32", {random({2, 3, 3, 8}), random({9, 4}), random({9, 4}, -1, 0), i32({2}, {5, 0})}, 3, 8,
             true, "interleaved = 1"),
    counting("rank 3, heads told by the caches", {random({2, 3, 24}), random({9, 4}), random({9, 4}, -1, 0), i64({2}, {0, 6})}, 3, 8,
             false, ""),
    row("every position, i32", {random({2, 3, 3, 8}), random({5, 4}), random({5, 4}, -1, 0), i32({2, 3}, {0, 1, 2, 4, 3, 1})}, 3, 8,
        false, ""),
};

}  // namespace

HEED_TEST_OPERATOR("RotaryEmbedding", cases)
HEED_TEST_OPERATOR("heed.RotaryEmbedding", counting_cases)
TEST_CASE("RotaryEmbedding reads a part of what lies side by side, of each rank") {
  const auto run = [](const char* part) {
    auto outputs = run_text(std::string(R"(<ir_version: 10, opset_import: ["" : 23]>
    agraph (float[b, s, 4, 8] x, float[5, 4] c, float[5, 4] d, int64[b, s] at) => (float[b, 3, s, 8] y, float[b, s, 24] z) {
      from = Constant<value_ints = [1]>()
      to = Constant<value_ints = [4]>()
      axis = Constant<value_ints = [2]>()
      three = Slice(x, from, to, axis)
      heads = Transpose<perm = [0, 2, 1, 3]>(three)
      flat = Constant<value_ints = [0, 0, -1]>()
      hidden = Reshape(three, flat)
)") + part + "}",
                         {random({2, 3, 4, 8}), random({5, 4}), random({5, 4}, -1, 0), i64({2, 3}, {0, 1, 2, 4, 3, 1})});
    INFO((outputs ? "" : outputs.error().message));
    REQUIRE(outputs.has_value());
    return *std::move(outputs);
  };
  const auto strided = run("y = RotaryEmbedding(heads, c, d, at) z = RotaryEmbedding<num_heads = 3, interleaved = 1>(hidden, c, d, at)");
  const auto dense = run(
      "one = Constant<value_float = 1.0>() h = Mul(heads, one) i = Mul(hidden, one) y = RotaryEmbedding(h, c, d, at) "
      "z = RotaryEmbedding<num_heads = 3, interleaved = 1>(i, c, d, at)");
  for (size_t i = 0; i < 2; ++i) check_equal(strided[i], dense[i]);
}

TEST_CASE("RotaryEmbedding reads strided tensors on both devices, and writes where its input lies") {
  check_on_vulkan(R"(<ir_version: 10, opset_import: ["" : 23]>
    agraph (float[b, s, h, 8] x, float[4, p] cos, float[p, 4] sin, int64[s, b] at, float[b, h, 8, s] v, float[4, s, b] w)
      => (float[b, h, s, 8] y, float[b, s, n] z, float[b, h, s, 8] u) {
      heads = Transpose<perm = [0, 2, 1, 3]>(x)
      c = Transpose(cos)
      positions = Transpose(at)
      y = RotaryEmbedding(heads, c, sin, positions)
      shape = Constant<value_ints = [0, 0, -1]>()
      flat = Reshape(x, shape)
      once = RotaryEmbedding<num_heads = 2, interleaved = 1>(flat, c, sin, positions)
      z = RotaryEmbedding<num_heads = 2>(once, c, sin, positions)
      channels_last = Transpose<perm = [0, 1, 3, 2]>(v)
      pairs_last = Transpose<perm = [2, 1, 0]>(w)
      u = RotaryEmbedding(channels_last, pairs_last, pairs_last)
    })",
                  {random({2, 3, 2, 8}), random({4, 5}), random({5, 4}), i64({3, 2}, {0, 1, 2, 4, 3, 1}),
                   random({2, 2, 8, 3}), random({4, 3, 2})},
                  1e-6);
}
TEST_CASE("RotaryEmbedding names a position outside of the cache") {
  check_refused("RotaryEmbedding",
                {"position 5 of 5",
                 {random({1, 1, 1, 4}), random({5, 2}), random({5, 2}), i64({1, 1}, {5})},
                 {random({1, 1, 1, 4})}},
                "position 5");
}
TEST_CASE("RotaryEmbedding on Vulkan tells a position outside of the cache") {
  const auto outputs = run_text(R"(<ir_version: 10, opset_import: ["" : 23]>
    agraph (float[1, 1, 3, 4] x, float[5, 2] c, float[5, 2] s, int64[1, 3] at) => (float[1, 1, 3, 4] y) {
      y = RotaryEmbedding(x, c, s, at)
    })",
                                {random({1, 1, 3, 4}), random({5, 2}), random({5, 2}), i64({1, 3}, {4, 5, 0})}, "vulkan");
  REQUIRE_FALSE(outputs);
  CHECK_THAT(outputs.error().message, Catch::Contains("element 1 of position_ids"));
}

}  // namespace heed::test
