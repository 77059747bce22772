// LinearAttention and CausalConvWithState: each rule, shared heads, sizes around workgroups; a sequence at once gives what its
// positions give one after the other.
#include <catch2/catch.hpp>
#include <cmath>

#include "cases.hpp"

namespace heed::test {
namespace {

enum class Decay { none, per_head, per_key };
struct Attention {
  int64_t batch, sequence, q_heads, kv_heads, key_size, value_size;
  Decay decay = Decay::none;
  int64_t beta = 0;  // its last axis; 0: none
  bool has_past = false, has_erase = false;
  int64_t k_heads = 0;  // 0: as many as of values
  double scale = 0;
  DataType type = DataType::f32;
};

Case attention(std::string what, Attention s, double tolerance = 1e-5) {
  if (s.k_heads == 0) s.k_heads = s.kv_heads;
  const auto reference = [=](const Tensors& in) {
    std::vector<std::vector<double>> values;
    for (const Tensor& tensor : in) values.push_back(tensor.type == DataType::undefined ? std::vector<double>() : values_of(tensor));
    const auto value = [&](size_t input, int64_t at) { return values[input][static_cast<size_t>(at)]; };
    const int64_t heads = std::max(s.q_heads, s.kv_heads), n = s.key_size, m = s.value_size;
    std::vector<double> y(static_cast<size_t>(s.batch * s.sequence * heads * m)), present;
    for (int64_t b = 0; b < s.batch; ++b)
      for (int64_t h = 0; h < s.kv_heads; ++h) {
        std::vector<double> state(static_cast<size_t>(n * m));
        if (s.has_past)
          for (int64_t i = 0; i < n * m; ++i) state[static_cast<size_t>(i)] = value(3, (b * s.kv_heads + h) * n * m + i);
        for (int64_t t = 0; t < s.sequence; ++t) {
          const int64_t at = b * s.sequence + t, head = at * s.kv_heads + h;
          const int64_t k = (at * s.k_heads + h / (s.kv_heads / s.k_heads)) * n;
          for (int64_t i = 0; i < n * m && s.decay != Decay::none; ++i)
            state[static_cast<size_t>(i)] *= std::exp(value(4, s.decay == Decay::per_head ? head : head * n + i / m));
          for (int64_t j = 0; j < m; ++j) {
            double v = value(2, head * m + j);
            if (s.beta) {
              for (int64_t i = 0; i < n; ++i)
                v -= state[static_cast<size_t>(i * m + j)] * value(1, k + i) * (s.has_erase ? value(6, head * n + i) : 1);
              v *= value(5, s.beta == 1 ? at : head);
            }
            for (int64_t i = 0; i < n; ++i) state[static_cast<size_t>(i * m + j)] += value(1, k + i) * v;
          }
          for (int64_t g = 0; g < heads; ++g) {
            if (g / (heads / s.kv_heads) != h) continue;
            const int64_t q = (at * s.q_heads + g / (heads / s.q_heads)) * n;
            for (int64_t j = 0; j < m; ++j) {
              double sum = 0;
              for (int64_t i = 0; i < n; ++i) sum += value(0, q + i) * state[static_cast<size_t>(i * m + j)];
              y[static_cast<size_t>((at * heads + g) * m + j)] =
                  sum * (s.scale != 0 ? s.scale : 1 / std::sqrt(static_cast<double>(n)));
            }
          }
        }
        present.insert(present.end(), state.begin(), state.end());
      }
    return Tensors{numbers(s.type, {s.batch, s.sequence, heads * m}, y),
                   numbers(s.type, {s.batch, s.kv_heads, n, m}, present)};
  };
  const auto input = [&](bool is_there, std::vector<int64_t> dims, double low, double high) {
    return is_there ? random(std::move(dims), low, high, s.type) : absent();
  };
  const int64_t all_keys = s.kv_heads * s.key_size;
  Tensors in = {input(true, {s.batch, s.sequence, s.q_heads * s.key_size}, -1, 1),
                input(true, {s.batch, s.sequence, s.k_heads * s.key_size}, -0.4, 0.4),
                input(true, {s.batch, s.sequence, s.kv_heads * s.value_size}, -1, 1),
                input(s.has_past, {s.batch, s.kv_heads, s.key_size, s.value_size}, -1, 1),
                input(s.decay != Decay::none, {s.batch, s.sequence, s.decay == Decay::per_head ? s.kv_heads : all_keys}, -1, 0),
                input(s.beta != 0, {s.batch, s.sequence, s.beta}, 0, 1),
                input(s.has_erase, {s.batch, s.sequence, all_keys}, 0, 1)};
  std::string attributes = "q_num_heads = " + std::to_string(s.q_heads) + ", kv_num_heads = " + std::to_string(s.kv_heads);
  const char* rules[] = {"linear", "delta", "gated", "gated_delta"};
  attributes += std::string(", update_rule = \"") + rules[2 * (s.decay != Decay::none) + (s.beta != 0)] + "\"";
  if (s.scale != 0) attributes += ", scale = " + std::to_string(s.scale);
  return by(reference, std::move(what), std::move(in), tolerance, attributes);
}

const std::vector<Case> attention_cases = {
    attention("linear", {2, 5, 3, 3, 7, 5}),
    attention("linear, a past, a scale", {1, 3, 2, 2, 8, 67, Decay::none, 0, true, false, 0, 0.5}),
    attention("gated by head", {2, 5, 3, 3, 7, 5, Decay::per_head}),
    attention("gated by key", {2, 5, 3, 3, 7, 131, Decay::per_key, 0, true}),
    attention("delta, one rate", {2, 5, 3, 3, 7, 5, Decay::none, 1, true}),
    attention("delta, erased by key", {2, 5, 3, 3, 7, 5, Decay::none, 3, true, true}),
    attention("all there is, shared states", {2, 9, 6, 3, 70, 40, Decay::per_key, 3, true, true}),
    attention("one state for all queries", {1, 4, 4, 1, 16, 16, Decay::per_head, 1}),
    attention("more heads of values than of queries and keys", {1, 4, 2, 4, 16, 16, Decay::per_head, 4, true, false, 2}),
    attention("a decoded token", {1, 1, 2, 2, 128, 128, Decay::per_head, 2, true}),
    attention("f16", {1, 4, 2, 2, 16, 20, Decay::per_head, 2, true, false, 0, 0, DataType::f16}, 4e-3),
    attention("bf16", {1, 4, 2, 2, 16, 20, Decay::per_head, 2, true, false, 0, 0, DataType::bf16}, 3e-2),
    attention("f64", {1, 4, 2, 2, 16, 20, Decay::per_head, 2, true, false, 0, 0, DataType::f64}, 1e-12),
    attention("no positions", {1, 0, 2, 2, 4, 4, Decay::per_head, 2, true}),
};

Case convolution(std::string what, int64_t batch, int64_t channels, int64_t length, int64_t kernel, bool has_bias,
                 bool has_past, std::string activation = "none", DataType type = DataType::f32, double tolerance = 1e-6) {
  const auto reference = [=](const Tensors& in) {
    const auto x = values_of(in[0]), weight = values_of(in[1]);
    const auto bias = has_bias ? values_of(in[2]) : std::vector<double>(), past = has_past ? values_of(in[3]) : bias;
    std::vector<double> y, present;
    for (int64_t row = 0; row < batch * channels; ++row) {
      std::vector<double> padded(static_cast<size_t>(kernel - 1));
      for (int64_t i = 0; i < kernel - 1 && has_past; ++i)
        padded[static_cast<size_t>(i)] = past[static_cast<size_t>(row * (kernel - 1) + i)];
      padded.insert(padded.end(), x.begin() + row * length, x.begin() + (row + 1) * length);
      for (int64_t t = 0; t < length; ++t) {
        double sum = has_bias ? bias[static_cast<size_t>(row % channels)] : 0;
        for (int64_t i = 0; i < kernel; ++i)
          sum += weight[static_cast<size_t>(row % channels * kernel + i)] * padded[static_cast<size_t>(t + i)];
        y.push_back(activation == "none" ? sum : sum / (1 + std::exp(-sum)));
      }
      present.insert(present.end(), padded.begin() + length, padded.end());
    }
    return Tensors{numbers(type, in[0].dims, y), numbers(type, {batch, channels, kernel - 1}, present)};
  };
  Tensors in = {random({batch, channels, length}, -1, 1, type), random({channels, 1, kernel}, -1, 1, type),
                has_bias ? random({channels}, -1, 1, type) : absent(),
                has_past ? random({batch, channels, kernel - 1}, -1, 1, type) : absent()};
  return by(reference, std::move(what), std::move(in), tolerance, "activation = \"" + activation + "\"");
}

const std::vector<Case> convolution_cases = {
    convolution("plain", 2, 5, 37, 4, false, false),
    convolution("all there is", 2, 5, 131, 4, true, true, "silu"),
    convolution("a decoded token", 1, 67, 1, 4, true, true, "swish"),
    convolution("a kernel of one", 2, 3, 7, 1, true, false),
    convolution("a kernel longer than the input", 2, 3, 2, 5, false, true),
    convolution("f16", 2, 3, 7, 4, true, true, "silu", DataType::f16, 3e-3),
    convolution("bf16", 2, 3, 7, 4, true, true, "none", DataType::bf16, 2e-2),
    convolution("f64", 2, 3, 7, 4, true, true, "silu", DataType::f64, 1e-13),
};
Case without_state(Case row) { return row.outputs[1] = absent(), row; }
const std::vector<Case> stateless_cases = {without_state(attention("the state is not asked for", {1, 3, 2, 2, 8, 5}))};
const std::vector<Case> stateless_convolution_cases = {
    without_state(convolution("the state is not asked for", 2, 5, 9, 4, true, true))};
const std::vector<Case> microsoft_attention_cases = {
    attention("all there is", {2, 9, 6, 3, 7, 5, Decay::per_key, 3, true})};
const std::vector<Case> microsoft_convolution_cases = {convolution("all there is", 2, 5, 9, 4, true, true, "silu")};

}  // namespace

HEED_TEST_OPERATOR("LinearAttention", attention_cases)
HEED_TEST_OPERATOR("CausalConvWithState", convolution_cases)
TEST_CASE("a state that is not asked for is not written") {
  run_cases("LinearAttention", stateless_cases);
  run_cases("CausalConvWithState", stateless_convolution_cases);
}
HEED_TEST_OPERATOR("com.microsoft.LinearAttention", microsoft_attention_cases)
HEED_TEST_OPERATOR("com.microsoft.CausalConvWithState", microsoft_convolution_cases)

TEST_CASE("LinearAttention and CausalConvWithState refuse what does not fit") {
  const auto refused = [](std::string_view op_type, Tensors inputs, std::string attributes, std::string_view part) {
    check_refused(op_type, {"", std::move(inputs), {f32({1}, {0}), f32({1}, {0})}, 0, std::move(attributes)}, part);
  };
  const Tensor x = random({1, 2, 8});
  refused("LinearAttention", {x, x, x}, "q_num_heads = 2, kv_num_heads = 2", "needs input 'decay'");
  refused("LinearAttention", {x, x, x}, "q_num_heads = 2, kv_num_heads = 3, update_rule = \"linear\"", "to divide");
  refused("LinearAttention", {x, x, x}, "q_num_heads = 2, kv_num_heads = 2, update_rule = \"square\"", "'square'");
  const Tensor narrow = random({x.dims[0], x.dims[1], 1});
  refused("LinearAttention", {x, narrow, x}, "q_num_heads = 2, kv_num_heads = 2, update_rule = \"linear\"",
          "hidden size of the key modulo a head's");
  refused("CausalConvWithState", {x, random({3, 1, 4})}, "", "channels of weight");
  refused("CausalConvWithState", {x, random({2, 1, 4})}, "activation = \"tanh\"", "'tanh'");
}

}  // namespace heed::test
