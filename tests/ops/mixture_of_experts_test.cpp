// heed.ExpertMatMul: elements and codes of every width, whole rows and blocks, zero points, a row for all choices or
// one for each; MoE and QMoE, which are made of it. Against sums in f64.
#include <catch2/catch.hpp>
#include <cmath>

#include "cases.hpp"

namespace heed::test {
namespace {

// Weights [expert, column, inner] as codes, and what they stand for.
struct Coded {
  Tensor codes, scales, zero_points, values;
};
Coded coded(std::vector<int64_t> dims, int bits, int64_t block_size, bool has_zero_points,
            DataType type = DataType::f32) {
  const int64_t lines = dims[0] * dims[1], inner = dims[2], block = block_size ? block_size : inner,
                blocks = inner / block;
  const auto count = static_cast<size_t>(lines * inner);
  const auto raw = values_of(random(dims, 0, 1 << bits));
  const Tensor scales =
      random(block_size ? std::vector<int64_t>{dims[0], dims[1], blocks} : std::vector<int64_t>{dims[0], dims[1]}, 0.5,
             1.5, type);
  const auto scale = values_of(scales), zeros = values_of(random({lines * blocks}, 0, 1 << bits));
  std::vector<double> packed(count * static_cast<size_t>(bits) / 8), values(count);
  // Zero points of a row begin at a byte: of all columns of an expert, or of the blocks of a column.
  const int64_t in_row = block_size ? blocks : dims[1], row_bytes = (in_row * bits + 7) / 8;
  std::vector<double> packed_zeros(static_cast<size_t>(lines * blocks / in_row * row_bytes));
  for (int64_t i = 0; i < lines * blocks; ++i)
    packed_zeros[static_cast<size_t>(i / in_row * row_bytes + i % in_row * bits / 8)] +=
        std::floor(zeros[static_cast<size_t>(i)]) * (1 << (i % in_row * bits % 8));
  for (size_t i = 0; i < count; ++i) {
    const double code = std::floor(raw[i]);
    packed[i * static_cast<size_t>(bits) / 8] += code * (1 << (i * static_cast<size_t>(bits) % 8));
    const size_t at = i / static_cast<size_t>(block);
    values[i] = (code - (has_zero_points ? std::floor(zeros[at]) : 1 << (bits - 1))) * scale[at];
  }
  auto zero_dims = scales.dims;
  zero_dims.back() = row_bytes;
  return {u8({dims[0], dims[1], inner * bits / 8}, packed), scales,
          has_zero_points ? u8(zero_dims, packed_zeros) : absent(), f64(dims, values)};
}

Tensor product(const Tensor& x, const Tensor& weights, const Tensor& experts, const Tensor& bias) {
  const auto in = values_of(x), w = values_of(weights), e = values_of(experts);
  const auto shift = bias.dims.empty() ? std::vector<double>() : values_of(bias);
  const auto columns = static_cast<size_t>(weights.dims[1]), inner = static_cast<size_t>(weights.dims[2]);
  const auto choices = static_cast<size_t>(experts.dims[1]);
  std::vector<double> y(e.size() * columns);
  for (size_t i = 0; i < y.size(); ++i) {
    const size_t place = i / columns, line = static_cast<size_t>(e[place]) * columns + i % columns;
    const size_t row = x.dims.size() == 2 ? place / choices : place;
    for (size_t k = 0; k < inner; ++k) y[i] += in[row * inner + k] * w[line * inner + k];
    if (!shift.empty()) y[i] += shift[line];
  }
  return numbers(x.type, {experts.dims[0], experts.dims[1], weights.dims[1]}, y);
}

std::vector<Case> product_rows() {
  std::vector<Case> rows;
  const Tensor chosen = i64({3, 2}, {4, 1, 1, 0, 2, 4});
  for (const auto& [type, tolerance] :
       {std::pair(DataType::f32, 1e-5), {DataType::f16, 4e-3}, {DataType::bf16, 3e-2}}) {
    const std::string t(name_of(type));
    const Tensor x = random({3, 37}, -1, 1, type), w = random({5, 11, 37}, -1, 1, type),
                 b = random({5, 11}, -1, 1, type);
    rows.push_back({t + ", a row for all choices", {x, w, chosen, b}, {product(x, w, chosen, b)}, tolerance});
    const Tensor each = random({3, 2, 37}, -1, 1, type);
    rows.push_back({t + ", a row for each choice", {each, w, chosen}, {product(each, w, chosen, absent())}, tolerance});
    const auto four = coded({5, 11, 64}, 4, 32, true, type);
    const Tensor wide = random({3, 64}, -1, 1, type);
    auto expected = product(wide, four.values, chosen, b);
    rows.push_back({t + ", codes",
                    {wide, four.codes, chosen, b, four.scales, four.zero_points},
                    {expected},
                    tolerance * 8,
                    "bits = 4, block_size = 32"});
  }
  for (const int bits : {2, 4, 8})
    for (const int64_t block_size : {0, 16})
      for (const bool has_zero_points : {false, true}) {
        // 3 blocks of 16; whole rows that do not begin at words.
        const int64_t inner = block_size ? 48 : 20;
        const auto w = coded({5, 7, inner}, bits, block_size, has_zero_points);
        const Tensor x = random({3, inner});
        rows.push_back({std::to_string(bits) + " bits, blocks of " + std::to_string(block_size) +
                            (has_zero_points ? ", zero points" : ""),
                        {x, w.codes, chosen, absent(), w.scales, w.zero_points},
                        {product(x, w.values, chosen, absent())},
                        1e-4,
                        "bits = " + std::to_string(bits) + ", block_size = " + std::to_string(block_size)});
      }
  {
    const Tensor few = i64({1, 2}, {3, 1}), b = random({5, 11});
    const Tensor one = random({1, 37}), w = random({5, 11, 37});
    rows.push_back({"fewer choices than experts", {one, w, few, b}, {product(one, w, few, b)}, 1e-5});
    const auto codes = coded({5, 11, 64}, 8, 16, true);
    const Tensor wide = random({1, 2, 64});
    rows.push_back({"fewer choices than experts, codes",
                    {wide, codes.codes, few, b, codes.scales, codes.zero_points},
                    {product(wide, codes.values, few, b)},
                    1e-4,
                    "bits = 8, block_size = 16"});
    std::vector<double> many;
    for (int i = 0; i < 1300; ++i) many.push_back(i * i % 7 % 3);
    const Tensor most = i32({650, 2}, many), each = random({650, 2, 5}), small = random({4, 9, 5});
    rows.push_back({"more choices than are looked through at once, none of the last expert",
                    {each, small, most},
                    {product(each, small, most, absent())},
                    1e-5});
  }
  const Tensor x = random({2, 3}), w = random({1, 1, 3}), first = i32({2, 1}, {0, 0});
  rows.push_back({"one expert of one column, i32", {x, w, first}, {product(x, w, first, absent())}, 1e-6});
  rows.push_back({"no rows", {f32({0, 3}, {}), w, i64({0, 2}, {})}, {f32({0, 2, 1}, {})}});
  rows.push_back({"sums of nothing",
                  {f32({1, 0}, {}), f32({2, 3, 0}, {}), i64({1, 1}, {1}), f32({2, 3}, {1, 2, 3, 4, 5, 6})},
                  {f32({1, 1, 3}, {4, 5, 6})}});
  return rows;
}
const std::vector<Case> product_cases = product_rows();

// ---- MoE
// ------------------------------------------------------------------------------------------------------------------------

using Doubles = std::vector<double>;

struct Mixture {
  std::string attributes;
  std::function<double(double gate, double value)> activation;  // value: 0 where there is none
  enum Halves { none, by_turns, by_halves, of_fc3 } halves = none;
  bool normalizes = false, is_sparse = false;
};

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

Doubles softmax(const Doubles& x) {
  const double most = *std::max_element(x.begin(), x.end());
  Doubles y;
  double sum = 0;
  for (const double value : x) sum += y.emplace_back(std::exp(value - most));
  for (double& value : y) value /= sum;
  return y;
}

// Experts with their weights, best first.
std::vector<std::pair<size_t, double>> chosen_by(const Mixture& mixture, Doubles logits, size_t k) {
  std::vector<std::pair<size_t, double>> chosen;
  const Doubles all = softmax(logits), given = logits;
  double sum = 0;
  for (size_t turn = 0; turn < k; ++turn) {
    const auto best = static_cast<size_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
    double weight = all[best];
    if (mixture.is_sparse) {
      Doubles near = logits;
      for (size_t e = 0; e < near.size(); ++e)
        if ((logits[best] - given[e]) / std::max(std::abs(given[e]), logits[best]) > 0.02) near[e] = -infinity;
      weight = softmax(near)[best];
    }
    chosen.emplace_back(best, weight);
    sum += weight;
    logits[best] = -infinity;
  }
  for (auto& [expert, weight] : chosen)
    if (mixture.normalizes) weight /= sum;
  return chosen;
}

// Inputs: x, router, then weights and biases of fc1, fc2, fc3 as MoE has them.
Tensor mixed(const Mixture& mixture, const Tensors& in, size_t k) {
  const auto logits = values_of(in[1]);
  const auto width = static_cast<size_t>(in[0].dims.back()), experts = static_cast<size_t>(in[1].dims[1]);
  const auto x = values_of(in[0]);
  Doubles y(x.size());
  for (size_t token = 0; token * width < x.size(); ++token) {
    const Tensor row = f64({1, in[0].dims.back()}, Doubles(x.begin() + static_cast<int64_t>(token * width),
                                                           x.begin() + static_cast<int64_t>((token + 1) * width)));
    const auto begin = logits.begin() + static_cast<int64_t>(token * experts);
    for (const auto& [expert, weight] : chosen_by(mixture, Doubles(begin, begin + static_cast<int64_t>(experts)), k)) {
      const Tensor which = i64({1, 1}, {static_cast<double>(expert)});
      const auto first = values_of(product(row, in[2], which, in[3]));
      const auto third = mixture.halves == Mixture::of_fc3 ? values_of(product(row, in[6], which, in[7])) : Doubles();
      const size_t inner =
          mixture.halves == Mixture::by_turns || mixture.halves == Mixture::by_halves ? first.size() / 2 : first.size();
      Doubles hidden;
      for (size_t i = 0; i < inner; ++i)
        hidden.push_back(mixture.halves == Mixture::by_turns    ? mixture.activation(first[2 * i], first[2 * i + 1])
                         : mixture.halves == Mixture::by_halves ? mixture.activation(first[i], first[inner + i])
                         : mixture.halves == Mixture::of_fc3    ? mixture.activation(first[i], third[i])
                                                                : mixture.activation(first[i], 0));
      const auto out = values_of(product(f64({1, static_cast<int64_t>(inner)}, hidden), in[4], which, in[5]));
      for (size_t i = 0; i < width; ++i) y[token * width + i] += weight * out[i];
    }
  }
  return numbers(in[0].type, in[0].dims, y);
}

const Mixture mixtures[] = {
    {"", [](double x, double) { return std::max(x, 0.0); }},
    {"activation_type = \"gelu\", normalize_routing_weights = 1",
     [](double x, double) { return 0.5 * x * (1 + std::tanh(0.7978845608028654 * (x + 0.044715 * x * x * x))); },
     Mixture::none, true},
    {"activation_type = \"silu\"", [](double x, double) { return x * sigmoid(x); }},
    {"activation_type = \"silu\"", [](double x, double value) { return x * sigmoid(x) * value; }, Mixture::of_fc3},
    {"activation_type = \"identity\", use_sparse_mixer = 1", [](double x, double) { return x; }, Mixture::none, false,
     true},
    {"activation_type = \"swiglu\", swiglu_fusion = 1, activation_alpha = 1.702, activation_beta = 1.0, swiglu_limit = "
     "0.5",
     [](double gate, double value) {
       gate = std::min(gate, 0.5);
       return gate * sigmoid(1.702 * gate) * (std::clamp(value, -0.5, 0.5) + 1);
     },
     Mixture::by_turns},
    {"activation_type = \"swiglu\", swiglu_fusion = 2",
     [](double gate, double value) { return gate * sigmoid(gate) * value; }, Mixture::by_halves},
    {"activation_type = \"swiglu\"", [](double gate, double value) { return gate * sigmoid(gate) * value; },
     Mixture::of_fc3},
};

std::string text_of(const std::string& op_type, const Tensors& in, const std::string& attributes) {
  std::string inputs, arguments;
  for (size_t i = 0; i < in.size(); ++i) {
    const bool is_there = !(in[i].dims.empty() && in[i].type == absent().type);
    const auto name = is_there ? "x" + std::to_string(i) : "\"\"";
    arguments += (i ? ", " : "") + name;
    if (!is_there) continue;
    inputs += (i ? ", " : "") + std::string(name_of(in[i].type)) + "[";
    for (size_t axis = 0; axis < in[i].dims.size(); ++axis)
      inputs += (axis ? ", " : "") + name + "_" + std::to_string(axis);
    inputs += "] " + name;
  }
  return "<ir_version: 10, opset_import: [\"\" : 23, \"com.microsoft\" : 1]> g (" + inputs + ") => (" +
         std::string(name_of(in[0].type)) + "[" + (in[0].dims.size() == 3 ? "a, b, c" : "a, b") +
         "] y) { y = com.microsoft." + op_type + "<" + attributes + ">(" + arguments + ") }";
}

void check_mixture(const std::string& op_type, const Tensors& in, const std::string& attributes, const Tensor& expected,
                   double tolerance) {
  const auto text = text_of(op_type, in, attributes);
  Tensors given;
  for (const auto& tensor : in)
    if (!(tensor.dims.empty() && tensor.type == absent().type)) given.push_back(tensor);
  INFO(text);
  const auto outputs = run_text(text, given);
  REQUIRE((outputs ? "" : outputs.error().message) == "");
  check_equal((*outputs)[0], expected, tolerance);
  check_on_vulkan(text, given, tolerance);
}

}  // namespace

HEED_TEST_OPERATOR("heed.ExpertMatMul", product_cases)

TEST_CASE("MoE sums what the chosen experts give") {
  for (const Mixture& mixture : mixtures) {
    const bool is_double = mixture.halves == Mixture::by_turns || mixture.halves == Mixture::by_halves;
    const int64_t inner = 10, first = is_double ? 2 * inner : inner;
    for (const auto type : {DataType::f32, DataType::f16}) {
      const auto weights = [&](std::vector<int64_t> dims) { return random(std::move(dims), -0.5, 0.5, type); };
      Tensors in = {random({2, 3, 7}, -1, 1, type), random({6, 5}, 0.9, 1, type),
                    weights({5, first, 7}),         weights({5, first}),
                    weights({5, 7, inner}),         weights({5, 7})};
      if (mixture.halves == Mixture::of_fc3) in.insert(in.end(), {weights({5, inner, 7}), weights({5, inner})});
      check_mixture("MoE", in, "k = 2" + (mixture.attributes.empty() ? "" : ", " + mixture.attributes),
                    mixed(mixture, in, 2), type == DataType::f32 ? 1e-5 : 4e-3);
    }
  }
}

TEST_CASE("QMoE reads experts of codes") {
  const Tensor x = random({6, 32}), router = random({6, 5});
  const Mixture relu{"", [](double value, double) { return std::max(value, 0.0); }, Mixture::none, true};
  for (const int bits : {2, 4, 8})
    for (const int64_t block_size : {0, 16}) {
      const auto fc1 = coded({5, 48, 32}, bits, block_size, true), fc2 = coded({5, 32, 48}, bits, block_size, true);
      const Tensor fc1_bias = random({5, 48}), fc2_bias = random({5, 32});
      const Tensors plain = {x, router, fc1.values, fc1_bias, fc2.values, fc2_bias};
      const Tensors in = {x,        router,   fc1.codes, fc1.scales, fc1_bias,        fc2.codes,      fc2.scales,
                          fc2_bias, absent(), absent(),  absent(),   fc1.zero_points, fc2.zero_points};
      check_mixture("QMoE", in,
                    "k = 2, normalize_routing_weights = 1, expert_weight_bits = " + std::to_string(bits) +
                        ", block_size = " + std::to_string(block_size),
                    mixed(relu, plain, 2), 1e-4);
    }
}

TEST_CASE("QMoE weighs by router_weights whom router_probs choose") {
  const Tensor x = random({6, 32}), router = random({6, 5}), weights = random({6, 5}, 0, 1);
  const auto fc1 = coded({5, 48, 32}, 4, 0, false), fc2 = coded({5, 32, 48}, 4, 0, false);
  // The best expert alone, so that its weight is a factor.
  const Mixture best{"", [](double value, double) { return value; }, Mixture::none, true};
  const Tensor expected = mixed(best, {x, router, fc1.values, absent(), fc2.values, absent()}, 1);
  auto values = values_of(expected);
  const auto scores = values_of(router), by = values_of(weights);
  for (size_t i = 0; i < values.size(); ++i) {
    const auto row = scores.begin() + static_cast<int64_t>(i / 32 * 5);
    values[i] *= by[i / 32 * 5 + static_cast<size_t>(std::max_element(row, row + 5) - row)];
  }
  check_mixture("QMoE",
                {x, router, fc1.codes, fc1.scales, absent(), fc2.codes, fc2.scales, absent(), absent(), absent(),
                 absent(), absent(), absent(), absent(), weights},
                "k = 1, activation_type = \"identity\"", f32({6, 32}, values), 1e-4);
}

TEST_CASE("mixtures of experts say what does not fit") {
  const auto refused = [](const std::string& op_type, const Tensors& in, const std::string& attributes,
                          std::string_view part) {
    check_refused("com.microsoft." + op_type, {"", in, {in[0]}, 0, attributes}, part);
  };
  const Tensors in = {random({3, 4}), random({3, 2}), random({2, 6, 4}), absent(), random({2, 4, 6})};
  refused("MoE", in, "activation_type = \"sine\"", "'sine'; expected relu, gelu, silu, swiglu or identity");
  refused("MoE", in, "k = 3", "attribute 'k' is 3");
  refused("MoE", in, "activation_type = \"swiglu\"", "attribute 'swiglu_fusion' is 0");
  auto rows = in;
  rows[1] = random({4, 2});
  refused("MoE", rows, "", "tokens and rows of the router");
  auto turned = in;
  turned[2] = random({2, 4, 6});
  refused("MoE", turned, "", "the last axis of fc1_experts_weights and hidden size: 6 and 4 differ");
  const auto fc1 = coded({2, 6, 16}, 4, 0, false), fc2 = coded({2, 16, 6}, 4, 0, false);
  const Tensors codes = {random({3, 16}), in[1], fc1.codes, fc1.scales, absent(), fc2.codes, fc2.scales};
  refused("QMoE", codes, "expert_weight_bits = 3", "attribute 'expert_weight_bits' is 3");
  refused("QMoE", codes, "quant_type = \"fp4\"", "'fp4'; only 'int'");
  const auto wrong = run_text(
      "<ir_version: 10, opset_import: [\"\" : 23, \"heed\" : 1]> g (float[n, k] x, float[e, m, k] w, "
      "int64[n, c] experts) => (float[n, c, m] y) { y = heed.ExpertMatMul(x, w, experts) }",
      {random({1, 3}), random({2, 2, 3}), i64({1, 1}, {2})});
  REQUIRE_FALSE(wrong.has_value());
  CHECK_THAT(wrong.error().message, Catch::Contains("choice 0 is of expert 2; there are 2"));
}

}  // namespace heed::test
