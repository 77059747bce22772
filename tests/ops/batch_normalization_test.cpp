// BatchNormalization, by its definition.
#include <catch2/catch.hpp>
#include <cmath>

#include "cases.hpp"

namespace heed::test {
namespace {

// One list of statistics for each channel.
Tensors normalize(const Tensors& in, double epsilon, std::vector<double> mean, std::vector<double> variance) {
  const auto x = values_of(in[0]), scale = values_of(in[1]), bias = values_of(in[2]);
  const auto& dims = in[0].dims;
  size_t rest = 1;
  for (size_t axis = 2; axis < dims.size(); ++axis) rest *= static_cast<size_t>(dims[axis]);
  std::vector<double> y(x.size());
  for (size_t i = 0; i < x.size(); ++i) {
    const size_t channel = i / rest % static_cast<size_t>(dims[1]);
    y[i] = (x[i] - mean[channel]) / std::sqrt(variance[channel] + epsilon) * scale[channel] + bias[channel];
  }
  return {numbers(in[0].type, dims, y)};
}
Case batch(std::string what, Tensors in, std::string attributes = "", double epsilon = 1e-5, double tolerance = 1e-5) {
  return by(
      [=](const Tensors& tensors) { return normalize(tensors, epsilon, values_of(tensors[3]), values_of(tensors[4])); },
      std::move(what), std::move(in), tolerance, std::move(attributes));
}
Tensors train(const Tensors& in, double momentum) {
  const auto x = values_of(in[0]), old_mean = values_of(in[3]), old_variance = values_of(in[4]);
  const auto& dims = in[0].dims;
  const auto channels = static_cast<size_t>(dims[1]), rest = x.size() / static_cast<size_t>(dims[0]) / channels;
  std::vector<double> mean(channels), variance(channels), new_mean, new_variance;
  const double count = static_cast<double>(x.size() / channels);
  for (size_t i = 0; i < x.size(); ++i) mean[i / rest % channels] += x[i] / count;
  for (size_t i = 0; i < x.size(); ++i)
    variance[i / rest % channels] += std::pow(x[i] - mean[i / rest % channels], 2) / count;
  for (size_t c = 0; c < channels; ++c) {
    new_mean.push_back(old_mean[c] * momentum + mean[c] * (1 - momentum));
    new_variance.push_back(old_variance[c] * momentum + variance[c] * (1 - momentum));
  }
  auto out = normalize(in, 1e-5, mean, variance);
  out.push_back(f32({dims[1]}, new_mean));
  out.push_back(f32({dims[1]}, new_variance));
  return out;
}

const std::vector<Case> batch_cases = {
    batch("an image", {random({2, 3, 5, 7}), random({3}), random({3}), random({3}), random({3}, 0.1, 2)}),
    batch("a list of channels", {random({4, 5}), random({5}), random({5}), random({5}), random({5}, 0.1, 2)}),
    batch("one spatial axis, epsilon", {random({2, 3, 4}), random({3}), random({3}), random({3}), random({3}, 0.1, 2)},
          "epsilon = 0.1", 0.1f),
    batch("f16 with statistics in f32",
          {random({1, 2, 3, 3}, -1, 1, DataType::f16), random({2}), random({2}), random({2}), random({2}, 0.5, 2)}, "",
          1e-5, 5e-3),
    by([](const Tensors& in) { return train(in, 0.9f); }, "in training",
       {random({3, 2, 4, 5}), random({2}), random({2}), random({2}), random({2}, 0.1, 2)}, 1e-5, "training_mode = 1"),
};

}  // namespace

HEED_TEST_OPERATOR("BatchNormalization", batch_cases)

TEST_CASE("BatchNormalization refuses what does not fit") {
  const Tensors in{random({2, 3, 4}), random({3}), random({3}), random({3}), random({2}, 0.1, 2)};
  check_refused("BatchNormalization", {"a list of another length", in, {random({2, 3, 4})}, 0, ""}, "channels");
}

}  // namespace heed::test
