// ai.onnx.preview.training Adagrad, Adam and Momentum: a step of an optimizer over tensors, each with its gradient and what
// the optimizer keeps of those before. Always made of operators that work element by element.
#include "shapes.hpp"

namespace heed::ops {
namespace {

constexpr int32_t most_tensors = 32;
constexpr std::string_view training = "ai.onnx.preview.training";

// Tensors that belong together stand `tensor_count` apart: values, gradients, and what is kept; outputs lack gradients.
template <int32_t kept_count>
Result<int32_t> tensor_count_of(const NodeView& node) {
  const int32_t count = (node.input_count() - 2) / (2 + kept_count);
  if (count < 1 || count * (2 + kept_count) != node.input_count() - 2 || node.output_count() > count * (1 + kept_count))
    return Error{Code::invalid_model, "there are " + std::to_string(node.input_count() - 2) + " tensors and " +
                                          std::to_string(node.output_count()) + " outputs; expected " +
                                          std::to_string(2 + kept_count) + " and " + std::to_string(1 + kept_count) +
                                          " for each tensor that is optimized"};
  if (count > most_tensors)
    return Error{Code::unsupported, std::to_string(count) + " tensors are optimized at once; this takes up to " +
                                        std::to_string(most_tensors)};
  return count;
}

template <int32_t kept_count>
Result<void> infer(Inference& node) {
  HEED_ASSIGN(const int32_t count, tensor_count_of<kept_count>(node));
  for (int32_t output = 0; output < node.output_count(); ++output) {
    if (!node.has_output(output)) continue;
    const auto x = node.input(2 + output % count);
    HEED_TRY(x.has_rank() ? node.set_output(output, x.element(), x.dims()) : node.set_output(output, x.element()));
  }
  return {};
}

template <int32_t kept_count>
Result<void> infer_checked(Inference& node) {
  for (const int32_t input : {0, 1})
    if (node.input(input).has_rank())
      HEED_TRY(node.require_equal(count_of(node.input(input).dims()), 1, "elements of R or T"));
  return infer<kept_count>(node);
}
Result<void> infer_momentum(Inference& node) {
  if (const auto mode = node.text("mode"); mode != "standard" && mode != "nesterov")
    return Error{Code::invalid_model, "attribute 'mode' is '" + std::string(mode) + "'; expected standard or nesterov"};
  return infer_checked<1>(node);
}

// "y0, y1, ... = Adam(rate, step, i0, i1, ...)" with as many names as there may be.
std::string pattern_of(const std::string& op_type, int32_t kept_count) {
  std::string outputs = "y0", inputs;
  for (int32_t i = 1; i < most_tensors * (1 + kept_count); ++i) outputs += ", y" + std::to_string(i);
  for (int32_t i = 0; i < most_tensors * (2 + kept_count); ++i) inputs += ", i" + std::to_string(i);
  return outputs + " = " + std::string(training) + "." + op_type + "(rate, step" + inputs + ")";
}

// Text for each tensor, in which "$" stands before the names of its own: $x, $g, and $v and $h, what is kept; it makes
// $x_new, $v_new, $h_new. An attribute's name in braces is its number in the type of x.
template <int32_t kept_count>
bool lower(Match& match, std::span<const std::string_view> attributes, std::string_view text) {
  const auto node = match.node("y0");
  const auto count = tensor_count_of<kept_count>(node);
  if (!count) return false;
  std::string all;
  for (int32_t tensor = 0; tensor < *count; ++tensor) {
    const std::string own = "t" + std::to_string(tensor) + "_", x = "i" + std::to_string(tensor);
    const auto constant = [&](const std::string& name, const std::string& value) {
      all += own + name + " = CastLike(Constant<value_float = " + value + ">(), " + x + ");";
    };
    constant("one", "1.0");
    for (const auto name : attributes) {
      match.set(name, node.number(name));
      constant(std::string(name), "@" + std::string(name));
    }
    all += own + "R = CastLike(rate, " + x + ");" + own + "T = CastLike(step, " + x + ");";
    std::string part(text);
    const auto replace = [&](const std::string& name, const std::string& by) {
      for (size_t at; (at = part.find(name)) != std::string::npos;) part.replace(at, name.size(), by);
    };
    const char* kept_names[] = {"v", "h"};
    replace("$x_new", "y" + std::to_string(tensor));
    for (int32_t kept = 0; kept < kept_count; ++kept) {
      const std::string name = kept_names[kept];
      replace("$" + name + "_new", "y" + std::to_string((1 + kept) * *count + tensor));
      replace("$" + name + "_old", "i" + std::to_string((2 + kept) * *count + tensor));
    }
    replace("$x", x);
    replace("$g", "i" + std::to_string(*count + tensor));
    replace("$", own);
    all += part;
  }
  match.replace_by(all);
  return true;
}

constexpr std::string_view adagrad_numbers[] = {"norm_coefficient", "decay_factor", "epsilon"};
bool lower_adagrad(Match& match) {
  return lower<1>(match, adagrad_numbers,
                  "$slope = Add(Mul($norm_coefficient, $x), $g);"
                  "$v_new = Add($v_old, Mul($slope, $slope));"
                  "$r = Div($R, Add($one, Mul($T, $decay_factor)));"
                  "$x_new = Sub($x, Div(Mul($r, $slope), Add(Sqrt($v_new), $epsilon)));");
}

constexpr std::string_view adam_numbers[] = {"alpha", "beta", "epsilon", "norm_coefficient", "norm_coefficient_post"};
bool lower_adam(Match& match) {
  return lower<2>(match, adam_numbers,
                  "$slope = Add(Mul($norm_coefficient, $x), $g);"
                  "$v_new = Add(Mul($alpha, $v_old), Mul(Sub($one, $alpha), $slope));"
                  "$h_new = Add(Mul($beta, $h_old), Mul(Sub($one, $beta), Mul($slope, $slope)));"
                  "$later = Div(Mul($R, Sqrt(Sub($one, Pow($beta, $T)))), Sub($one, Pow($alpha, $T)));"
                  "$r = Where(Greater($T, Sub($one, $one)), $later, $R);"
                  "$moved = Sub($x, Div(Mul($r, $v_new), Add(Sqrt($h_new), $epsilon)));"
                  "$x_new = Mul(Sub($one, $norm_coefficient_post), $moved);");
}

constexpr std::string_view momentum_numbers[] = {"alpha", "beta", "norm_coefficient"};
bool lower_momentum(Match& match) {
  const bool is_nesterov = match.node("y0").text("mode") == "nesterov";
  return lower<1>(match, momentum_numbers,
                  std::string("$slope = Add(Mul($norm_coefficient, $x), $g);"
                              "$b = Where(Greater($T, Sub($one, $one)), $beta, $one);"
                              "$v_new = Add(Mul($alpha, $v_old), Mul($b, $slope));") +
                      (is_nesterov ? "$x_new = Sub($x, Mul($R, Add($slope, Mul($alpha, $v_new))));"
                                   : "$x_new = Sub($x, Mul($R, $v_new));"));
}

Operator optimizer(std::string_view op_type, Result<void> (*infer)(Inference&), std::vector<AttributeRule> attributes) {
  constexpr Types floats{DataType::f32, DataType::f64};
  return {.domain = training,
          .op_type = op_type,
          .inputs = {{"R", "T1"}, {"T", "T2"}, {"inputs", "T3", HEED_VARIADIC | HEED_HETEROGENEOUS}},
          .outputs = {{"outputs", "T3", HEED_VARIADIC | HEED_HETEROGENEOUS}},
          .types = {{"T1", floats}, {"T2", {DataType::i64}}, {"T3", floats}},
          .attributes = std::move(attributes),
          .infer = infer};
}

const std::string adagrad_pattern = pattern_of("Adagrad", 1), adam_pattern = pattern_of("Adam", 2),
                  momentum_pattern = pattern_of("Momentum", 1);

}  // namespace

extern const Operator adagrad =
    optimizer("Adagrad", infer_checked<1>,
              {attribute("decay_factor", 0.0f), attribute("epsilon", 1e-6f), attribute("norm_coefficient", 0.0f)});
extern const Operator adam =
    optimizer("Adam", infer_checked<2>,
              {attribute("alpha", 0.9f), attribute("beta", 0.999f), attribute("epsilon", 1e-6f),
               attribute("norm_coefficient", 0.0f), attribute("norm_coefficient_post", 0.0f)});
extern const Operator momentum =
    optimizer("Momentum", infer_momentum,
              {required("alpha", HEED_ATTRIBUTE_FLOAT), required("beta", HEED_ATTRIBUTE_FLOAT),
               required("mode", HEED_ATTRIBUTE_STRING), required("norm_coefficient", HEED_ATTRIBUTE_FLOAT)});

extern const Rewrite adagrad_lowered{
    .name = "adagrad", .patterns = {adagrad_pattern}, .replacement = "", .accept = lower_adagrad};
extern const Rewrite adam_lowered{.name = "adam", .patterns = {adam_pattern}, .replacement = "", .accept = lower_adam};
extern const Rewrite momentum_lowered{
    .name = "momentum", .patterns = {momentum_pattern}, .replacement = "", .accept = lower_momentum};

}  // namespace heed::ops
