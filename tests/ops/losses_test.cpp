// NegativeLogLikelihoodLoss, SoftmaxCrossEntropyLoss.
#include <catch2/catch.hpp>
#include <cmath>
#include <optional>

#include "cases.hpp"

namespace heed::test {
namespace {

struct Way {
  const char* reduction;
  bool has_weights;
  std::optional<int64_t> ignored;
};
constexpr Way ways[] = {{"none", false, {}}, {"none", true, 2},  {"sum", false, {}}, {"sum", true, {}},
                        {"sum", true, -5},   {"mean", false, 2}, {"mean", true, {}}, {"mean", true, 2}};

std::string attributes_of(const Way& way) {
  return "reduction = \"" + std::string(way.reduction) + "\"" +
         (way.ignored ? ", ignore_index = " + std::to_string(*way.ignored) : "");
}

// By ONNX's text: [batch, class, place...], [batch, place...], [class].
Tensor loss_of(const Tensor& input, const Tensor& target, const Tensor& weight, const Way& way) {
  const auto x = values_of(input), chosen = values_of(target);
  const auto w = way.has_weights ? values_of(weight) : std::vector<double>(static_cast<size_t>(input.dims[1]), 1);
  const auto strides = row_major(input.dims);
  const auto place_count = static_cast<size_t>(strides[1]);
  std::vector<double> losses;
  double sum = 0, weights = 0;
  for (size_t i = 0; i < chosen.size(); ++i) {
    const bool counts = !way.ignored || chosen[i] != static_cast<double>(*way.ignored);
    const auto own = counts ? static_cast<size_t>(chosen[i]) : 0;
    const size_t at = i / place_count * static_cast<size_t>(strides[0]) + own * place_count + i % place_count;
    losses.push_back(counts ? -x[at] * w[own] : 0);
    sum += losses.back();
    weights += counts ? w[own] : 0;
  }
  const std::string reduction = way.reduction;
  if (reduction == "none") return numbers(input.type, target.dims, losses);
  return numbers(input.type, {}, {reduction == "sum" ? sum : sum / weights});
}

Tensor log_softmax(const Tensor& scores) {
  auto x = values_of(scores);
  const auto strides = row_major(scores.dims);
  const auto inner = static_cast<size_t>(strides[1]), classes = static_cast<size_t>(scores.dims[1]);
  for (size_t i = 0; i < x.size(); i += i % inner == inner - 1 ? inner * (classes - 1) + 1 : 1) {
    double sum = 0;
    for (size_t c = 0; c < classes; ++c) sum += std::exp(x[i + c * inner]);
    for (size_t c = 0; c < classes; ++c) x[i + c * inner] -= std::log(sum);
  }
  return numbers(scores.type, scores.dims, x);
}

Case loss(std::string what, const Way& way, std::vector<int64_t> dims, DataType type, DataType target_type,
          double tolerance, bool is_cross_entropy) {
  auto places = dims;
  places.erase(places.begin() + 1);
  const Tensor input = random(dims, -3, 3, type);
  Tensor target = random(places, 0, static_cast<double>(dims[1]), target_type);
  if (way.ignored && *way.ignored < 0) {
    auto values = values_of(target);
    for (size_t i = 0; i < values.size(); i += 3) values[i] = static_cast<double>(*way.ignored);
    target = numbers(target_type, places, values);
  }
  const Tensor weight = way.has_weights ? random({dims[1]}, 0.5, 2, type) : absent();
  Tensors outputs{loss_of(is_cross_entropy ? log_softmax(input) : input, target, weight, way)};
  if (is_cross_entropy) outputs.push_back(log_softmax(input));
  return {std::move(what), {input, target, weight}, std::move(outputs), tolerance, attributes_of(way)};
}

std::vector<Case> rows(bool is_cross_entropy) {
  std::vector<Case> rows;
  const auto add = [&](std::string what, const Way& way, std::vector<int64_t> dims, DataType type, DataType target,
                       double tolerance) {
    rows.push_back(loss(std::move(what), way, std::move(dims), type, target, tolerance, is_cross_entropy));
  };
  for (const auto& way : ways) {
    add("no places, " + attributes_of(way), way, {37, 5}, DataType::f32, DataType::i64, 1e-5);
    add("places of two axes, " + attributes_of(way), way, {3, 5, 7, 11}, DataType::f32, DataType::i32, 1e-5);
  }
  for (const char* reduction : {"none", "sum", "mean"}) {
    add("more than one part", {reduction, true, 2}, {3, 3, 1571}, DataType::f32, DataType::i64, 1e-5);
    add("f16", {reduction, true, 2}, {7, 5, 3}, DataType::f16, DataType::i64, 4e-3);
    add("bf16", {reduction, false, {}}, {7, 5, 3}, DataType::bf16, DataType::i32, 3e-2);
    add("f64", {reduction, true, {}}, {7, 5, 3}, DataType::f64, DataType::i64, 1e-12);
  }
  return rows;
}

std::vector<Case> likelihood_rows() {
  auto cases = rows(false);
  cases.push_back({"all ignored: a mean of nothing (numpy)",
                   {f32({2, 3}, {1, 2, 3, 4, 5, 6}), i64({2}, {-1, -1})},
                   {f32({}, {nan})},
                   0,
                   "ignore_index = -1"});
  cases.push_back({"nothing to add up", {f32({0, 3}, {}), i64({0}, {})}, {f32({}, {0})}, 0, "reduction = \"sum\""});
  cases.push_back({"nothing at all", {f32({0, 3}, {}), i64({0}, {})}, {f32({0}, {})}, 0, "reduction = \"none\""});
  return cases;
}

}  // namespace

HEED_TEST_OPERATOR("NegativeLogLikelihoodLoss", likelihood_rows())
HEED_TEST_OPERATOR("SoftmaxCrossEntropyLoss", rows(true))

TEST_CASE("losses are refused where they do not fit, or the target is no class") {
  const Tensor x = f32({2, 3}, {1, 2, 3, 4, 5, 6});
  const auto refused = [&](const Tensor& target, const Tensor& weight, const char* attributes, const char* part) {
    check_refused("NegativeLogLikelihoodLoss", {"", {x, target, weight}, {f32({}, {0})}, 0, attributes}, part);
  };
  refused(i64({2}, {0, 1}), absent(), "reduction = \"all\"", "attribute 'reduction' is 'all'");
  refused(i64({3}, {0, 1, 2}), absent(), "", "axis 0 of the target");
  refused(i64({2, 1}, {0, 1}), absent(), "", "input 1 has rank 2; expected rank 1");
  refused(i64({2}, {0, 1}), f32({2}, {1, 1}), "", "the classes");
  refused(i64({2}, {0, 3}), absent(), "", "element 1 of the target is 3; there are 3 classes");
}

TEST_CASE("a cross entropy runs on Vulkan, and tells a target that is no class") {
  const char* text =
      "<ir_version: 10, opset_import: [\"\" : 13]> g (float[N, C, L] x, int64[N, L] t, float[C] w) => (float y) "
      "{ y = SoftmaxCrossEntropyLoss<ignore_index = 1>(x, t, w) }";
  check_on_vulkan(text, {random({5, 7, 11}), random({5, 11}, 0, 7, DataType::i64), random({7}, 0.5, 2)}, 1e-5);
  const auto wrong = run_text(text, {random({1, 2, 3}), i64({1, 3}, {0, 1, 2}), f32({2}, {1, 1})}, "vulkan");
  REQUIRE(!wrong.has_value());
  CHECK_THAT(wrong.error().message, Catch::Contains("element 2 of the target is neither a class nor ignored"));
}

}  // namespace heed::test
