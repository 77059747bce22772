// Cases of the products that finish their sums, y = activation(scale * sum + bias) + residual, or times it: made from
// those of the plain products.
#pragma once

#include <cmath>

#include "cases.hpp"

namespace heed::test {

struct Finish {
  std::string activation = "none";
  double scale = 1;
  bool has_residual = false, gated = false;
};

inline double activated(const std::string& activation, double x) {
  if (activation == "relu") return std::max(x, 0.0);
  if (activation == "sigmoid") return 1 / (1 + std::exp(-x));
  if (activation == "tanh") return std::tanh(x);
  if (activation == "silu") return x / (1 + std::exp(-x));
  if (activation == "gelu") return x / 2 * (1 + std::erf(x / std::sqrt(2.0)));
  if (activation == "gelu_tanh") return x / 2 * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
  return x;
}

// Of a product whose output is the sums and the bias, its input number `bias`; the residual is the one behind that.
inline Case finished(Case product, size_t bias, const Finish& finish) {
  product.inputs.resize(bias + 1, absent());
  const Tensor& sums = product.outputs[0];
  const bool has_bias = product.inputs[bias].type != DataType::undefined;
  const auto biases = has_bias ? values_of(product.inputs[bias]) : std::vector<double>{0};
  if (finish.has_residual) product.inputs.push_back(random(sums.dims, -1, 1, sums.type));
  const auto residual = finish.has_residual ? values_of(product.inputs.back()) : std::vector<double>();
  auto y = values_of(sums);
  for (size_t i = 0; i < y.size(); ++i) {
    const double added = biases[i % biases.size()];
    y[i] = activated(finish.activation, (y[i] - added) * finish.scale + added);
    if (finish.has_residual) y[i] = finish.gated ? y[i] * residual[i] : y[i] + residual[i];
  }
  product.outputs = {numbers(sums.type, sums.dims, y)};
  std::string& attributes = product.attributes;
  attributes += std::string(attributes.empty() ? "" : ", ") + "activation = \"" + finish.activation + "\"";
  if (finish.scale != 1) attributes += ", scale = " + std::to_string(finish.scale);
  if (finish.gated) attributes += ", gated = 1";
  return product;
}

}  // namespace heed::test
