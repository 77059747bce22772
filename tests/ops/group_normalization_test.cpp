// InstanceNormalization and GroupNormalization, by their definition.
#include <catch2/catch.hpp>
#include <cmath>

#include "cases.hpp"

namespace heed::test {
namespace {

// x [batch, channel, rest]; statistics of each list of elements that `group_of` puts together, scaled by channel.
Tensors by_groups(const Tensors& in, int64_t groups, double epsilon) {
  const auto x = values_of(in[0]), scale = values_of(in[1]), bias = values_of(in[2]);
  const auto& dims = in[0].dims;
  const auto channels = static_cast<size_t>(dims[1]), of_group = channels / static_cast<size_t>(groups);
  size_t rest = 1;
  for (size_t axis = 2; axis < dims.size(); ++axis) rest *= static_cast<size_t>(dims[axis]);
  std::vector<double> y(x.size());
  const size_t length = of_group * rest;
  for (size_t first = 0; first < x.size(); first += length) {
    double mean = 0, variance = 0;
    for (size_t i = first; i < first + length; ++i) mean += x[i] / static_cast<double>(length);
    for (size_t i = first; i < first + length; ++i)
      variance += (x[i] - mean) * (x[i] - mean) / static_cast<double>(length);
    for (size_t i = first; i < first + length; ++i) {
      const size_t channel = i / rest % channels, of_scale = scale.size() == channels ? channel : channel / of_group;
      y[i] = (x[i] - mean) / std::sqrt(variance + epsilon) * scale[of_scale] + bias[of_scale];
    }
  }
  return {numbers(in[0].type, dims, y)};
}
Case instance(std::string what, Tensors in, std::string attributes = "", double epsilon = 1e-5,
              double tolerance = 1e-5) {
  return by([=](const Tensors& tensors) { return by_groups(tensors, tensors[0].dims[1], epsilon); }, std::move(what),
            std::move(in), tolerance, std::move(attributes));
}
Case group(std::string what, int64_t groups, Tensors in, std::string attributes = "", double epsilon = 1e-5,
           double tolerance = 1e-5, int32_t opset = newest_opset) {
  return by([=](const Tensors& tensors) { return by_groups(tensors, groups, epsilon); }, std::move(what), std::move(in),
            tolerance, "num_groups = " + std::to_string(groups) + attributes, opset);
}

const std::vector<Case> instance_cases = {
    instance("an image", {random({2, 3, 5, 7}), random({3}), random({3})}),
    instance("one spatial axis", {random({2, 5, 11}), random({5}), random({5})}),
    instance("three spatial axes, epsilon", {random({1, 2, 2, 3, 5}), random({2}), random({2})}, "epsilon = 0.1", 0.1f),
    instance("f16",
             {random({1, 3, 4, 4}, -1, 1, DataType::f16), random({3}, -1, 1, DataType::f16),
              random({3}, -1, 1, DataType::f16)},
             "", 1e-5, 5e-3),
};
const std::vector<Case> group_cases = {
    group("two groups", 2, {random({2, 6, 3, 5}), random({6}), random({6})}),
    group("one group, epsilon", 1, {random({3, 4, 7}), random({4}), random({4})}, ", epsilon = 0.01", 0.01f),
    group("each channel", 3, {random({1, 3, 2, 2}), random({3}), random({3})}),
    group("version 18 scales groups", 2, {random({2, 6, 3, 5}), random({2}), random({2})}, "", 1e-5, 1e-5, 18),
};

}  // namespace

HEED_TEST_OPERATOR("InstanceNormalization", instance_cases)
HEED_TEST_OPERATOR("GroupNormalization", group_cases)

}  // namespace heed::test
