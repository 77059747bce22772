// heed.Attention: who sees whom, by hand; every type; the weights. Caches in place, strides and threads:
// heed_attention_memory_test.cpp.
#include <catch2/catch.hpp>
#include <cmath>

#include "cases.hpp"

namespace heed::test {
namespace {

// With queries of zeros all keys weigh the same: y is the mean of the numbers of those that are seen, value j being j.
Case seen(std::string what, int64_t keys, std::vector<std::vector<int64_t>> visible, std::string attributes,
          Tensors more = {}) {
  const auto queries = static_cast<int64_t>(visible.size());
  std::vector<double> positions, means;
  for (int64_t j = 0; j < keys; ++j) positions.push_back(static_cast<double>(j));
  for (const auto& row : visible) {
    double sum = 0;
    for (const int64_t j : row) sum += static_cast<double>(j);
    means.push_back(row.empty() ? 0 : sum / static_cast<double>(row.size()));
  }
  Tensors inputs{f32({1, 1, queries, 2}, std::vector<double>(static_cast<size_t>(queries) * 2)),
                 random({1, 1, keys, 2}), f32({1, 1, keys, 1}, positions)};
  inputs.insert(inputs.end(), more.begin(), more.end());
  return {std::move(what), std::move(inputs), {f32({1, 1, queries, 1}, means)}, 1e-6, std::move(attributes)};
}

// The formula in f64 for one head and no mask, with its weights (mode 3), the scale being 1 / sqrt(width).
Tensors plain(const Tensors& in) {
  const auto q = values_of(in[0]), k = values_of(in[1]), v = values_of(in[2]);
  const int64_t heads = in[0].dims[0] * in[0].dims[1], queries = in[0].dims[2], width = in[0].dims[3],
                keys = in[1].dims[2];
  const int64_t value_width = in[2].dims[3];
  const auto at = [](const std::vector<double>& list, int64_t index) { return list[static_cast<size_t>(index)]; };
  std::vector<double> y, weights;
  for (int64_t h = 0; h < heads; ++h)
    for (int64_t i = 0; i < queries; ++i) {
      std::vector<double> score;
      double greatest = -infinity, sum = 0;
      for (int64_t j = 0; j < keys; ++j) {
        double dot = 0;
        for (int64_t c = 0; c < width; ++c)
          dot += at(q, (h * queries + i) * width + c) * at(k, (h * keys + j) * width + c);
        score.push_back(dot / std::sqrt(static_cast<double>(width)));
        greatest = std::max(greatest, score.back());
      }
      for (double& s : score) sum += s = std::exp(s - greatest);
      for (const double s : score) weights.push_back(s / sum);
      for (int64_t c = 0; c < value_width; ++c) {
        double all = 0;
        for (int64_t j = 0; j < keys; ++j) all += at(score, j) / sum * at(v, (h * keys + j) * value_width + c);
        y.push_back(all);
      }
    }
  return {numbers(in[0].type, {in[0].dims[0], in[0].dims[1], queries, value_width}, y), absent(), absent(),
          numbers(in[0].type, {in[0].dims[0], in[0].dims[1], queries, keys}, weights)};
}
Tensors without_weights(const Tensors& in) { return {plain(in)[0]}; }

Case typed(const char* what, DataType type, double tolerance) {
  return by(without_weights, what,
            {random({2, 2, 3, 9}, -1, 1, type), random({2, 2, 5, 9}, -1, 1, type), random({2, 2, 5, 7}, -1, 1, type)},
            tolerance);
}

const Tensor none = absent();

const std::vector<Case> cases = {
    seen("all", 3, {{0, 1, 2}, {0, 1, 2}}, ""),
    seen("causal, square", 3, {{0}, {0, 1}, {0, 1, 2}}, "causal = 1"),
    seen("causal, bottom right", 4, {{0, 1, 2}, {0, 1, 2, 3}}, "causal = 1"),
    seen("causal, top left", 4, {{0}, {0, 1}}, "causal = 1, top_left = 1"),
    seen("causal, rows that see nothing are zeros", 2, {{}, {}, {0}, {0, 1}}, "causal = 1"),
    seen("a window of one to the left", 4, {{0}, {0, 1}, {1, 2}, {2, 3}}, "causal = 1, window = 1"),
    seen("a window to both sides", 4, {{0, 1}, {0, 1, 2}, {1, 2, 3}, {2, 3}}, "window = 1, right_window = 1"),
    seen("a boolean mask", 3, {{0, 2}, {}}, "", {boolean({2, 3}, {1, 0, 1, 0, 0, 0})}),
    seen("an added mask", 3, {{0, 2}, {}}, "", {f32({1, 1, 2, 3}, {0, -infinity, 0, -infinity, -infinity, -infinity})}),
    seen("a mask shorter than the keys", 4, {{1}}, "", {boolean({2}, {0, 1})}),
    seen("the lowest finite number does not hide", 3, {{0, 1, 2}}, "",
         {f32({1, 3}, {std::numeric_limits<float>::lowest(), std::numeric_limits<float>::lowest(),
                       std::numeric_limits<float>::lowest()})}),
    seen("valid lengths", 4, {{0, 1, 2}, {0, 1, 2}}, "", {none, none, none, i64({1}, {3})}),
    seen("valid lengths, causal: bottom right of what is valid", 4, {{0, 1}, {0, 1, 2}}, "causal = 1",
         {none, none, none, i64({1}, {3})}),
    {"a sink as heavy as the only key takes half",
     {f32({1, 1, 1, 1}, {0}), f32({1, 1, 1, 1}, {5}), f32({1, 1, 1, 2}, {4, 8}), none, none, none, none, f32({1}, {0})},
     {f32({1, 1, 1, 2}, {2, 4})},
     1e-6},
    {"softcap: 2 tanh(4 / 2) against 0",
     {f32({1, 1, 1, 1}, {4}), f32({1, 1, 2, 1}, {1, 0}), f32({1, 1, 2, 1}, {1, 0})},
     {f32({1, 1, 1, 1}, {1 / (1 + std::exp(-2 * std::tanh(2.0)))})},
     1e-6,
     "softcap = 2.0"},
    {"grouped heads repeat: 0, 0, 1, 1",
     {f32({1, 4, 1, 1}, {0, 0, 0, 0}), f32({1, 2, 1, 1}, {1, 1}), f32({1, 2, 1, 1}, {10, 20})},
     {f32({1, 4, 1, 1}, {10, 10, 20, 20})},
     1e-6},
    {"a past comes first, and comes out with the new keys behind it",
     {f32({1, 1, 1, 1}, {0}), f32({1, 1, 1, 1}, {3}), f32({1, 1, 1, 1}, {30}), none, f32({1, 1, 2, 1}, {1, 2}),
      f32({1, 1, 2, 1}, {10, 20})},
     {f32({1, 1, 1, 1}, {20}), f32({1, 1, 3, 1}, {1, 2, 3}), f32({1, 1, 3, 1}, {10, 20, 30})},
     1e-6,
     "causal = 1"},
    {"a past of nothing",
     {f32({1, 1, 1, 1}, {0}), f32({1, 1, 1, 1}, {3}), f32({1, 1, 1, 1}, {30}), none, f32({1, 1, 0, 1}, {}),
      f32({1, 1, 0, 1}, {})},
     {f32({1, 1, 1, 1}, {30}), f32({1, 1, 1, 1}, {3}), f32({1, 1, 1, 1}, {30})},
     1e-6},
    {"the scores before the softmax, hidden ones too (mode 0)",
     {f32({1, 1, 2, 1}, {1, 2}), f32({1, 1, 2, 1}, {3, 4}), f32({1, 1, 2, 1}, {1, 1})},
     {f32({1, 1, 2, 1}, {1, 1}), none, none, f32({1, 1, 2, 2}, {3, 4, 6, 8})},
     1e-6,
     "causal = 1, qk_output_mode = 0"},
    {"the scores with the mask (mode 2)",
     {f32({1, 1, 2, 1}, {1, 2}), f32({1, 1, 2, 1}, {3, 4}), f32({1, 1, 2, 1}, {1, 1})},
     {f32({1, 1, 2, 1}, {1, 1}), none, none, f32({1, 1, 2, 2}, {3, -infinity, 6, 8})},
     1e-6,
     "causal = 1, qk_output_mode = 2"},
    by(plain, "the weights (mode 3)", {random({2, 3, 4, 8}), random({2, 3, 11, 8}), random({2, 3, 11, 6})}, 2e-6,
       "qk_output_mode = 3"),
    typed("f32", DataType::f32, 2e-6),
    typed("f64", DataType::f64, 1e-12),
    typed("f16", DataType::f16, 2e-3),
    typed("bf16", DataType::bf16, 1e-2),
    by(without_weights, "a decoded token", {random({1, 6, 1, 32}), random({1, 6, 201, 32}), random({1, 6, 201, 32})},
       2e-6),
    by(without_weights, "a prompt", {random({1, 3, 67, 24}), random({1, 3, 67, 24}), random({1, 3, 67, 24})}, 2e-6),
};

Tensor zeros(std::vector<int64_t> dims) {
  int64_t count = 1;
  for (const int64_t dim : dims) count *= dim;
  return f32(std::move(dims), std::vector<double>(static_cast<size_t>(count)));
}

}  // namespace

HEED_TEST_OPERATOR("heed.Attention", cases)

TEST_CASE("heed.Attention refuses what does not fit, and says what") {
  const auto refused = [](Tensors inputs, std::string_view part) {
    check_refused("heed.Attention", {"", std::move(inputs), {zeros({1})}}, part);
  };
  refused({zeros({1, 3, 1, 2}), zeros({1, 2, 1, 2}), zeros({1, 2, 1, 2})}, "heads of query modulo heads of key");
  refused({zeros({1, 2, 1, 2}), zeros({1, 2, 1, 3}), zeros({1, 2, 1, 2})}, "width of a head of query and key");
  refused({zeros({1, 2, 1, 2}), zeros({1, 2, 4, 2}), zeros({1, 2, 5, 2})}, "lengths of key and value");
  refused({zeros({1, 2, 1, 2}), zeros({1, 2, 4, 2}), zeros({1, 2, 4, 2}), zeros({1, 5})},
          "more keys in the mask than there are");
  refused({zeros({1, 2, 1, 2}), zeros({1, 2, 4, 2}), zeros({1, 2, 4, 2}), none, zeros({1, 2, 4, 2})},
          "past_key and past_value come together");
}

}  // namespace heed::test
