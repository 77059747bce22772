// ai.onnx.preview.training: Adagrad, Adam and Momentum.
#include <cmath>

#include "lowered.hpp"

namespace heed::test {
namespace {

// In x, g, and what is kept: made anew of one element.
using Step = std::function<void(double& x, double g, double& v, double& h, double rate, double count)>;

// The tensors that belong together stand a group apart.
Case step_row(const char* what, const Step& step, size_t kept_count, double count, std::vector<std::vector<int64_t>> dims,
              std::string attributes, DataType type = DataType::f32, double tolerance = 1e-5) {
  Tensors inputs{f32({}, {0.1}), i64({}, {count})};
  for (size_t part = 0; part < 2 + kept_count; ++part)
    for (const auto& own : dims) inputs.push_back(random(own, part < 2 ? -1 : 0, 1 + static_cast<double>(part), type));
  const size_t n = dims.size();
  Tensors outputs((1 + kept_count) * n);
  for (size_t tensor = 0; tensor < n; ++tensor) {
    auto x = values_of(inputs[2 + tensor]);
    const auto g = values_of(inputs[2 + n + tensor]);
    std::vector<std::vector<double>> kept{x, x};
    for (size_t k = 0; k < kept_count; ++k) kept[k] = values_of(inputs[2 + (2 + k) * n + tensor]);
    for (size_t i = 0; i < x.size(); ++i) step(x[i], g[i], kept[0][i], kept[1][i], 0.1f, count);
    outputs[tensor] = numbers(type, dims[tensor], x);
    for (size_t k = 0; k < kept_count; ++k) outputs[(1 + k) * n + tensor] = numbers(type, dims[tensor], kept[k]);
  }
  return {what, inputs, outputs, tolerance, std::move(attributes), 26};
}

void adagrad(double& x, double g, double& v, double&, double rate, double count) {
  const double slope = 0.25 * x + g;
  v += slope * slope;
  x -= rate / (1 + count * 0.5) * slope / (std::sqrt(v) + 0.125);
}
const char* const adagrad_numbers = "norm_coefficient = 0.25, decay_factor = 0.5, epsilon = 0.125";

void adam(double& x, double g, double& v, double& h, double rate, double count) {
  const double slope = 0.25 * x + g;
  v = 0.75 * v + 0.25 * slope;
  h = 0.5 * h + 0.5 * slope * slope;
  if (count > 0) rate *= std::sqrt(1 - std::pow(0.5, count)) / (1 - std::pow(0.75, count));
  x = (1 - 0.125) * (x - rate * v / (std::sqrt(h) + 0.0625));
}
const char* const adam_numbers =
    "alpha = 0.75, beta = 0.5, epsilon = 0.0625, norm_coefficient = 0.25, norm_coefficient_post = 0.125";

template <bool nesterov>
void momentum(double& x, double g, double& v, double&, double rate, double count) {
  const double slope = 0.25 * x + g;
  v = 0.75 * v + (count > 0 ? 0.5 : 1) * slope;
  x -= rate * (nesterov ? slope + 0.75 * v : v);
}
const std::string momentum_numbers = "alpha = 0.75, beta = 0.5, norm_coefficient = 0.25, mode = ";

}  // namespace

TEST_CASE("optimizers make a step") {
  const std::string_view opsets = ", \"ai.onnx.preview.training\" : 1";
  const Step of_adagrad = adagrad, of_adam = adam, of_momentum = momentum<false>, of_nesterov = momentum<true>;
  check_lowered("ai.onnx.preview.training.Adam",
                {step_row("the first", of_adam, 2, 0, {{3, 5}}, adam_numbers),
                 step_row("a later one, of three tensors", of_adam, 2, 3, {{2}, {7, 1}, {0, 4}}, adam_numbers),
                 step_row("f64", of_adam, 2, 3, {{2}}, adam_numbers, DataType::f64, 1e-7)},
                opsets);
  check_lowered("ai.onnx.preview.training.Momentum",
                {step_row("the first", of_momentum, 1, 0, {{3, 5}}, momentum_numbers + "\"standard\""),
                 step_row("a later one, of two tensors", of_momentum, 1, 3, {{2}, {7}}, momentum_numbers + "\"standard\""),
                 step_row("Nesterov's", of_nesterov, 1, 3, {{2}, {7}}, momentum_numbers + "\"nesterov\"")},
                opsets);
  check_lowered("ai.onnx.preview.training.Adagrad",
                {step_row("the first", of_adagrad, 1, 0, {{3, 5}}, adagrad_numbers),
                 step_row("a later one, of two tensors", of_adagrad, 1, 3, {{2}, {7}}, adagrad_numbers)},
                opsets);
}

TEST_CASE("optimizers take whole groups of tensors") {
  check_refused("ai.onnx.preview.training.Adam", {"", {f32({}, {1}), i64({}, {1}), f32({1}, {1})}, {f32({1}, {1})}},
                "expected 4 and 3 for each tensor");
}

}  // namespace heed::test
