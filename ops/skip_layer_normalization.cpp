// com.microsoft's normalizations of a sum, y = norm(input + skip + bias): SkipLayerNormalization by LayerNormalization,
// SkipSimplifiedLayerNormalization by RMSNormalization; and SimplifiedLayerNormalization, RMSNormalization itself,
// which ONNX Runtime takes in ai.onnx as well. Rewrites lower them; the sum is rounded to the type of the input.
#include "shapes.hpp"

namespace heed::ops {
namespace {

constexpr std::string_view microsoft = "com.microsoft";

enum { input, skip, gamma, beta };
enum { y_output, mean_output, inverse_output, sum_output };

// Whether an input broadcasts to the shape of the first.
Result<void> check_within(Inference& node, int32_t other) {
  const auto x = node.input(input), met = node.input(other);
  if (!node.has_input(other) || !x.has_rank() || !met.has_rank()) return {};
  HEED_ASSIGN(const auto dims, checked_broadcast(node, x.dims(), met.dims()));
  if (dims.size() != x.dims().size())
    return Error{Code::shape_mismatch, "input " + std::to_string(other) + " " + text_of(met.dims()) +
                                           " does not broadcast to the input " + text_of(x.dims())};
  for (int32_t axis = 0; axis < x.rank(); ++axis)
    HEED_TRY(node.require_equal(dims[static_cast<size_t>(axis)], x.dim(axis), "axis " + std::to_string(axis)));
  return {};
}

// Mean and 1 / deviation of each row, in f32.
Result<void> set_statistics(Inference& node, int32_t output, int32_t axis) {
  if (!node.has_output(output)) return {};
  const auto x = node.input(input);
  if (!x.has_rank()) return node.set_output(output, DataType::f32);
  Dims rows(x.dims().begin(), x.dims().end());
  std::fill(rows.begin() + axis, rows.end(), Dim(1));
  return node.set_output(output, DataType::f32, rows);
}

template <bool is_simplified>
Result<void> infer_skip(Inference& node) {
  HEED_TRY(like_input(node));
  const auto x = node.input(input);
  if (x.has_rank() && x.rank() == 0)
    return Error{Code::shape_mismatch, "the input has rank 0; expected at least one axis"};
  HEED_TRY(check_within(node, skip));
  for (int32_t parameter = gamma; parameter < node.input_count(); ++parameter) {
    if (!node.has_input(parameter)) continue;
    HEED_TRY(node.require_rank(parameter, 1));
    if (x.has_rank() && node.input(parameter).has_rank())
      HEED_TRY(node.require_equal(node.input(parameter).dim(0), x.dim(-1),
                                  "input " + std::to_string(parameter) + " and the last axis of the input"));
  }
  if (is_simplified && node.has_output(mean_output))
    return Error{Code::unsupported, "output 1, the mean, is asked for; the simplified normalization has none"};
  for (const int32_t output : {mean_output, inverse_output}) HEED_TRY(set_statistics(node, output, x.rank() - 1));
  if (!node.has_output(sum_output)) return {};
  return x.has_rank() ? node.set_output(sum_output, x.element(), x.dims()) : node.set_output(sum_output, x.element());
}

Result<void> infer_simplified(Inference& node) {
  const auto x = node.input(0), scale = node.input(1);
  int32_t axis = 0;
  if (x.has_rank()) {
    HEED_ASSIGN(axis, node.axis("axis", x.rank(), -1));
  }
  HEED_TRY(check_within(node, 1));
  HEED_TRY(like_input(node, scale.has_element() ? scale.element() : x.element()));
  return set_statistics(node, 1, axis);
}

// Whether a value broadcasts to the shape of the input, as far as it is known before a run.
bool is_within(Match& match, const char* name) {
  const auto x = match.type("input"), other = match.type(name);
  if (!other) return true;
  if (!x || !x->has_rank() || !other->has_rank() || other->rank() > x->rank()) return false;
  for (int32_t back = 1; back <= other->rank(); ++back)
    if (!(other->dim(-back) == x->dim(-back)) && !other->dim(-back).is_number(1)) return false;
  return true;
}

// Text that makes "sum", in the shape of the input.
std::string sum_of(Match& match) {
  const std::string sum = match.type("bias") ? "Add(Add(input, skip), bias)" : "Add(input, skip)";
  return is_within(match, "skip") && is_within(match, "bias") ? "sum = " + sum + ";"
                                                              : "sum = Reshape(" + sum + ", Shape(input));";
}

// Text that makes 1 / sqrt(mean(x^2) + epsilon) over the axes from `axis` on, in f32.
std::string inverse_of(Match& match, const std::string& x, int32_t axis, int32_t rank) {
  std::vector<int64_t> axes;
  for (; axis < rank; ++axis) axes.push_back(axis);
  match.set("axes", axes);
  return "wide = Cast<to = 1>(" + x +
         "); square = ReduceMean(Mul(wide, wide), Constant<value_ints = @axes>());"
         "inverse = Reciprocal(Sqrt(Add(square, Constant<value_float = @epsilon>())));";
}

bool lower_skip(Match& match) {
  match.set("epsilon", match.node("y").number("epsilon"));
  match.replace_by(sum_of(match) + "y, mean, inverse = LayerNormalization<epsilon = @epsilon>(sum, gamma, beta)");
  return true;
}

bool lower_skip_simplified(Match& match) {
  const auto node = match.node("y");
  const auto x = match.type("input");
  match.set("epsilon", node.number("epsilon"));
  std::string text = sum_of(match);
  if (node.has_output(inverse_output)) {
    if (!x || !x->has_rank()) return false;
    text += inverse_of(match, "sum", x->rank() - 1, x->rank());
  }
  match.replace_by(text + "y = RMSNormalization<epsilon = @epsilon>(sum, gamma)");
  return true;
}

bool lower_simplified(Match& match) {
  const auto node = match.node("y");
  const auto x = match.type("x");
  const int64_t axis = node.integer("axis", -1);
  match.set("axis", axis);
  match.set("epsilon", node.number("epsilon"));
  std::string text;
  if (node.has_output(1)) {
    if (!x || !x->has_rank()) return false;
    text = inverse_of(match, "x", static_cast<int32_t>(axis < 0 ? axis + x->rank() : axis), x->rank());
  }
  match.replace_by(text + "y = RMSNormalization<axis = @axis, epsilon = @epsilon>(x, scale)");
  return true;
}

Operator skip_operator(std::string_view op_type, bool has_beta, Result<void> (*infer)(Inference&)) {
  std::vector<Parameter> inputs = {{"input", "T"}, {"skip", "T"}, {"gamma", "T"}};
  if (has_beta) inputs.push_back({"beta", "T", HEED_OPTIONAL_PARAMETER});
  inputs.push_back({"bias", "T", HEED_OPTIONAL_PARAMETER});
  return {.domain = microsoft,
          .op_type = op_type,
          .inputs = std::move(inputs),
          .outputs = {{"output", "T"},
                      {"mean", "U", HEED_OPTIONAL_PARAMETER},
                      {"inv_std_var", "U", HEED_OPTIONAL_PARAMETER},
                      {"input_skip_bias_sum", "T", HEED_OPTIONAL_PARAMETER}},
          .types = {{"T", any_float}, {"U", {DataType::f32}}},
          .attributes = {attribute("epsilon", 1e-12f)},
          .infer = infer};
}

Operator simplified_operator(std::string_view domain) {
  return {.domain = domain,
          .op_type = "SimplifiedLayerNormalization",
          .inputs = {{"X", "T"}, {"scale", "V"}},
          .outputs = {{"Y", "V"}, {"inv_std_var", "U", HEED_OPTIONAL_PARAMETER}},
          .types = {{"T", any_float}, {"V", any_float}, {"U", {DataType::f32}}},
          .attributes = {attribute("axis", -1), attribute("epsilon", 1e-5f), attribute("stash_type", 1)},
          .infer = infer_simplified};
}

}  // namespace

extern const Operator skip_layer_normalization = skip_operator("SkipLayerNormalization", true, infer_skip<false>);
extern const Operator skip_simplified_layer_normalization =
    skip_operator("SkipSimplifiedLayerNormalization", false, infer_skip<true>);
extern const Operator simplified_layer_normalization = simplified_operator("");
extern const Operator com_microsoft_simplified_layer_normalization = simplified_operator(microsoft);

extern const Rewrite skip_layer_normalization_lowered{
    .name = "skip_layer_normalization",
    .patterns = {"y, mean, inverse, sum = com.microsoft.SkipLayerNormalization(input, skip, gamma, beta, bias)"},
    .replacement = "",
    .accept = lower_skip};
extern const Rewrite skip_simplified_layer_normalization_lowered{
    .name = "skip_simplified_layer_normalization",
    .patterns = {"y, mean, inverse, sum = com.microsoft.SkipSimplifiedLayerNormalization(input, skip, gamma, bias)"},
    .replacement = "",
    .accept = lower_skip_simplified};
extern const Rewrite simplified_layer_normalization_lowered{
    .name = "simplified_layer_normalization",
    .patterns = {"y, inverse = SimplifiedLayerNormalization(x, scale)",
                 "y, inverse = com.microsoft.SimplifiedLayerNormalization(x, scale)"},
    .replacement = "",
    .accept = lower_simplified};

}  // namespace heed::ops
