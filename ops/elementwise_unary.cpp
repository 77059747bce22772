// y = f(x), one number at a time, in the shape of x. The expressions are the formulas; see ONNX's operators of these
// names.
#include "shapes.hpp"

namespace heed::ops {
namespace {

Result<void> infer(Inference& node) { return like_input(node); }

Result<void> infer_neg(Inference& node) {
  HEED_TRY(like_input(node));
  if (const auto elements = node.elements(0)) {
    Dims result;
    for (const auto element : *elements) result.push_back(-element);
    node.set_elements(0, result);
  }
  return {};
}

Result<void> infer_abs(Inference& node) {
  HEED_TRY(like_input(node));
  if (const auto elements = node.elements(0)) {
    Dims result;
    for (const auto element : *elements) result.push_back(max(element, -element));
    node.set_elements(0, result);
  }
  return {};
}

Operator unary(std::string_view op_type, std::vector<int32_t> versions, Types types, std::string_view expression,
               Result<void> (*infer_function)(Inference&) = infer) {
  return {.op_type = op_type,
          .versions = std::move(versions),
          .inputs = {{"X", "T"}},
          .outputs = {{"Y", "T"}},
          .types = {{"T", types}},
          .attributes = {optional("consumed_inputs", HEED_ATTRIBUTE_INTS)},
          .expression = expression,
          .infer = infer_function};
}

constexpr Types signed_number = any_float | any_signed;

}  // namespace

extern const Operator relu = unary("Relu", {14, 13, 6, 1}, signed_number, "max(X, 0)");
extern const Operator sigmoid = unary("Sigmoid", {13, 6, 1}, any_float, "1 / (1 + exp(-X))");
extern const Operator tanh_of = unary("Tanh", {13, 6, 1}, any_float, "tanh(X)");
extern const Operator erf_of = unary("Erf", {13, 9}, any_number, "erf(X)");
extern const Operator exp_of = unary("Exp", {13, 6, 1}, any_float, "exp(X)");
extern const Operator log_of = unary("Log", {13, 6, 1}, any_float, "log(X)");
extern const Operator sqrt_of = unary("Sqrt", {13, 6, 1}, any_float, "sqrt(X)");
extern const Operator reciprocal = unary("Reciprocal", {13, 6, 1}, any_float, "1 / X");
extern const Operator sin_of = unary("Sin", {22, 7}, any_float, "sin(X)");
extern const Operator cos_of = unary("Cos", {22, 7}, any_float, "cos(X)");
extern const Operator floor_of = unary("Floor", {13, 6, 1}, any_float, "floor(X)");
extern const Operator ceil_of = unary("Ceil", {13, 6, 1}, any_float, "ceil(X)");
extern const Operator round_of = unary("Round", {22, 11}, any_float, "round(X)");
extern const Operator softplus = unary("Softplus", {22, 1}, any_float, "max(X, 0) + log(1 + exp(-abs(X)))");
extern const Operator neg = unary("Neg", {13, 6, 1}, signed_number, "-X", infer_neg);
extern const Operator abs_of = unary("Abs", {13, 6, 1}, any_number, "abs(X)", infer_abs);
extern const Operator sign = unary("Sign", {13, 9}, any_number, "sign(X)");

extern const Operator swish{.op_type = "Swish",
                            .versions = {24},
                            .inputs = {{"X", "T"}},
                            .outputs = {{"Y", "T"}},
                            .types = {{"T", any_float}},
                            .attributes = {attribute("alpha", 1.0f)},
                            .expression = "X / (1 + exp(-@alpha * X))",
                            .infer = infer};

extern const Operator gelu{
    .op_type = "Gelu",
    .versions = {20},
    .inputs = {{"X", "T"}},
    .outputs = {{"Y", "T"}},
    .types = {{"T", any_float}},
    .attributes = {attribute("approximate", "none")},
    .expression =
        "select(@approximate == \"tanh\", "
        "0.5 * X * (1 + tanh(0.7978845608028654 * (X + 0.044715 * X * X * X))), "
        "X * (0.5 * (1 + erf(X * 0.7071067811865476))))",
    .infer = [](Inference& node) -> Result<void> {
      const auto approximate = node.text("approximate");
      if (approximate != "none" && approximate != "tanh")
        return Error{Code::invalid_model,
                     "attribute 'approximate' is '" + std::string(approximate) + "'; expected 'none' or 'tanh'"};
      return like_input(node);
    }};

}  // namespace heed::ops
