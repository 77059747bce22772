// ai.onnx.preview FlexAttention: made of Attention, or of products around what its modifiers do.
#include <cmath>

#include "lowered.hpp"

namespace heed::test {
namespace {

struct Modified {
  double scale = 0;  // 0: 1 / sqrt(channels)
  std::function<double(double score, int64_t row, int64_t column)> score = [](double s, int64_t, int64_t) { return s; };
  double weights_by = 1;
};

Tensors attend(const Tensors& in, const Modified& modified) {
  const auto q = values_of(in[0]), k = values_of(in[1]), v = values_of(in[2]);
  const auto &qd = in[0].dims, &kd = in[1].dims, &vd = in[2].dims;
  const double scale = modified.scale != 0 ? modified.scale : 1 / std::sqrt(static_cast<double>(qd[3]));
  std::vector<double> y;
  for (int64_t head = 0; head < qd[0] * qd[1]; ++head)
    for (int64_t row = 0; row < qd[2]; ++row) {
      const int64_t shared = head / qd[1] * kd[1] + head % qd[1] / (qd[1] / kd[1]);
      std::vector<double> scores;
      for (int64_t column = 0; column < kd[2]; ++column) {
        double sum = 0;
        for (int64_t c = 0; c < qd[3]; ++c)
          sum += q[static_cast<size_t>((head * qd[2] + row) * qd[3] + c)] *
                 k[static_cast<size_t>((shared * kd[2] + column) * kd[3] + c)];
        scores.push_back(modified.score(sum * scale, row, column));
      }
      double total = 0;
      for (double& score : scores) total += score = std::exp(score);
      for (int64_t c = 0; c < vd[3]; ++c) {
        double sum = 0;
        for (size_t column = 0; column < scores.size(); ++column)
          sum += scores[column] / total * modified.weights_by *
                 v[static_cast<size_t>(shared * vd[2] * vd[3]) + column * static_cast<size_t>(vd[3]) + static_cast<size_t>(c)];
        y.push_back(sum);
      }
    }
  return {numbers(in[0].type, {qd[0], qd[1], qd[2], vd[3]}, y)};
}
Case attend_row(const char* what, Tensors in, const Modified& modified = {}, std::string attributes = "",
                double tolerance = 1e-5) {
  return by([=](const Tensors& tensors) { return attend(tensors, modified); }, what, std::move(in), tolerance,
            std::move(attributes), 26);
}
Tensors heads(std::vector<int64_t> q, std::vector<int64_t> k, std::vector<int64_t> v, DataType type = DataType::f32) {
  return {random(std::move(q), -1, 1, type), random(std::move(k), -1, 1, type), random(std::move(v), -1, 1, type)};
}
constexpr const char* score_mod =
    "score_mod = m (float[b, h, l, s] x) => (float[b, h, l, s] y) { y = Tanh(x) }";
constexpr const char* prob_mod =
    "prob_mod = m (float[b, h, l, s] x) => (float[b, h, l, s] y) { y = Add(x, x) }";
const Modified tanh_of_scores{.score = [](double s, int64_t, int64_t) { return std::tanh(s); }};

const std::vector<Case> flex_attention_cases = {
    attend_row("plain", heads({2, 3, 5, 8}, {2, 3, 7, 8}, {2, 3, 7, 8})),
    attend_row("groups of heads, values of another width", heads({1, 6, 5, 8}, {1, 2, 7, 8}, {1, 2, 7, 3})),
    attend_row("a scale", heads({1, 2, 3, 8}, {1, 2, 3, 8}, {1, 2, 3, 8}), {.scale = 0.25}, "scale = 0.25"),
    attend_row("scores are modified", heads({2, 3, 5, 8}, {2, 3, 7, 8}, {2, 3, 7, 8}), tanh_of_scores, score_mod),
    attend_row("weights are modified, of groups of heads", heads({1, 6, 5, 8}, {1, 2, 7, 8}, {1, 2, 7, 3}),
               {.weights_by = 2}, prob_mod),
    attend_row("f16, modified in f32", heads({1, 2, 5, 8}, {1, 2, 7, 8}, {1, 2, 7, 8}, DataType::f16), tanh_of_scores,
               score_mod, 2e-3),
    attend_row("f64", heads({1, 2, 5, 8}, {1, 1, 7, 8}, {1, 1, 7, 8}, DataType::f64), {}, "", 1e-12),
};

}  // namespace

TEST_CASE("FlexAttention gives what its rows say") {
  check_lowered("ai.onnx.preview.FlexAttention", flex_attention_cases, ", \"ai.onnx.preview\" : 1");
}

TEST_CASE("FlexAttention says which heads do not fit") {
  check_refused("ai.onnx.preview.FlexAttention", {"", heads({1, 3, 2, 4}, {1, 2, 2, 4}, {1, 2, 2, 4}), {f32({}, {1})}},
                "heads of Q modulo heads of K");
}

}  // namespace heed::test
