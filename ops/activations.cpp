// Activations with parameters, and gates: y = f(x), one number at a time. The expressions are the formulas; see ONNX's
// operators of these names, and those of com.microsoft in ONNX Runtime's ContribOperators.md.
#include "shapes.hpp"

namespace heed::ops {
namespace {

Result<void> infer(Inference& node) { return like_input(node); }

// The second input broadcasts to the first, not both to each other.
Result<void> infer_one_way(Inference& node) {
  HEED_TRY(like_input(node));
  const auto x = node.input(0), other = node.input(1);
  if (!node.has_input(1) || !x.has_rank() || !other.has_rank()) return {};
  HEED_ASSIGN(const auto met, checked_broadcast(node, x.dims(), other.dims()));
  if (met.size() != x.dims().size())
    return Error{Code::shape_mismatch, text_of(other.dims()) + " does not broadcast to " + text_of(x.dims())};
  for (size_t axis = 0; axis < met.size(); ++axis)
    HEED_TRY(node.require_equal(met[axis], x.dims()[axis], "axis " + std::to_string(axis)));
  return {};
}

// Before 7 a slope is one number, or one for each channel.
Result<void> infer_prelu(Inference& node) { return node.version() < 7 ? like_input(node) : infer_one_way(node); }

Result<void> infer_gate(Inference& node) {
  HEED_TRY(like_input(node));
  const auto a = node.input(0), b = node.input(1);
  if (!a.has_rank() || !b.has_rank()) return {};
  HEED_TRY(node.require_rank(1, a.rank()));
  for (int32_t axis = 0; axis < a.rank(); ++axis)
    HEED_TRY(node.require_equal(a.dim(axis), b.dim(axis), "axis " + std::to_string(axis)));
  return {};
}

Operator activation(std::string_view op_type, std::vector<int32_t> versions, std::vector<AttributeRule> attributes,
                    std::string_view expression, Types types = any_float) {
  attributes.push_back(optional("consumed_inputs", HEED_ATTRIBUTE_INTS));
  return {.op_type = op_type,
          .versions = std::move(versions),
          .inputs = {{"X", "T"}},
          .outputs = {{"Y", "T"}},
          .types = {{"T", types}},
          .attributes = std::move(attributes),
          .expression = expression,
          .infer = infer};
}

constexpr std::string_view microsoft = "com.microsoft";

}  // namespace

extern const Operator elu =
    activation("Elu", {22, 6, 1}, {attribute("alpha", 1.0f)}, "select(X < 0, @alpha * (exp(X) - 1), X)");
extern const Operator celu =
    activation("Celu", {12}, {attribute("alpha", 1.0f)}, "max(X, 0) + min(@alpha * (exp(X / @alpha) - 1), 0)");
extern const Operator selu =
    activation("Selu", {22, 6, 1},
               {attribute("alpha", 1.67326319217681884765625f), attribute("gamma", 1.05070102214813232421875f)},
               "@gamma * select(X > 0, X, @alpha * (exp(X) - 1))");
extern const Operator leaky_relu =
    activation("LeakyRelu", {16, 6, 1}, {attribute("alpha", 0.01f)}, "select(X < 0, @alpha * X, X)");
extern const Operator thresholded_relu =
    activation("ThresholdedRelu", {22, 10, 1}, {attribute("alpha", 1.0f)}, "select(X > @alpha, X, 0)");
extern const Operator hard_sigmoid =
    activation("HardSigmoid", {22, 6, 1}, {attribute("alpha", 0.2f), attribute("beta", 0.5f)},
               "max(min(@alpha * X + @beta, 1), 0)");
extern const Operator hard_swish = activation("HardSwish", {22, 14}, {}, "X * max(min(X / 6 + 0.5, 1), 0)");
extern const Operator softsign = activation("Softsign", {22, 1}, {}, "X / (1 + abs(X))");
// X * tanh(log(1 + exp(X))), of n = exp(-|X|), which is in range.
extern const Operator mish = activation("Mish", {22, 18}, {},
                                        "n = exp(-abs(X)); far = 1 + 2 * n; near = n * (n + 2); "
                                        "X * select(X < 0, near / (near + 2), far / (far + 2 * n * n))");
extern const Operator shrink =
    activation("Shrink", {9}, {attribute("lambd", 0.5f), attribute("bias", 0.0f)},
               "select(X < -@lambd, X + @bias, select(X > @lambd, X - @bias, 0))", any_number);

extern const Operator prelu{.op_type = "PRelu",
                            .versions = {16, 9, 7, 6, 1},
                            .inputs = {{"X", "T"}, {"slope", "T"}},
                            .outputs = {{"Y", "T"}},
                            .types = {{"T", any_number}},
                            .attributes = {optional("consumed_inputs", HEED_ATTRIBUTE_INTS)},
                            .expression = "select(X < 0, X * slope, X)",
                            .infer = infer_prelu};

extern const Operator swiglu{.op_type = "SwiGLU",
                             .versions = {28},
                             .inputs = {{"A", "T"}, {"B", "T"}},
                             .outputs = {{"Y", "T"}},
                             .types = {{"T", any_float}},
                             .attributes = {attribute("alpha", 1.0f)},
                             .expression = "A / (1 + exp(-@alpha * A)) * B",
                             .infer = infer_gate};

extern const Operator com_microsoft_gelu{.domain = microsoft,
                                     .op_type = "Gelu",
                                     .inputs = {{"X", "T"}},
                                     .outputs = {{"Y", "T"}},
                                     .types = {{"T", any_float}},
                                     .body = "Y = Gelu(X)",
                                     .infer = infer};

extern const Operator bias_gelu{.domain = microsoft,
                                .op_type = "BiasGelu",
                                .inputs = {{"A", "T"}, {"B", "T"}},
                                .outputs = {{"C", "T"}},
                                .types = {{"T", any_float}},
                                .body = "C = Gelu(Add(A, B))",
                                .infer = infer_one_way};

extern const Operator quick_gelu{.domain = microsoft,
                                 .op_type = "QuickGelu",
                                 .inputs = {{"X", "T"}},
                                 .outputs = {{"Y", "T"}},
                                 .types = {{"T", any_float}},
                                 .attributes = {attribute("alpha", 1.702f)},
                                 .body = "Y = Swish<alpha = @alpha>(X)",
                                 .infer = infer};

extern const Operator fast_gelu{.domain = microsoft,
                                .op_type = "FastGelu",
                                .inputs = {{"X", "T"}, {"bias", "T", HEED_OPTIONAL_PARAMETER}},
                                .outputs = {{"Y", "T"}},
                                .types = {{"T", any_float}},
                                .expression =
                                    "t = X + given(bias, 0); "
                                    "0.5 * t * (1 + tanh(0.7978845608028654 * (t + 0.044715 * t * t * t)))",
                                .infer = infer_one_way};

extern const Operator bias_add{.domain = microsoft,
                               .op_type = "BiasAdd",
                               .inputs = {{"X", "T"}, {"bias", "T"}, {"skip", "T"}},
                               .outputs = {{"Y", "T"}},
                               .types = {{"T", any_float}},
                               .body = "Y = Add(Add(X, bias), skip)",
                               .infer = infer_one_way};

}  // namespace heed::ops
