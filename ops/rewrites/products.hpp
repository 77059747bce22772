// The products that finish their sums, as rewrites meet them: plain ones, and those of heed that do something already.
#pragma once

#include <string>
#include <vector>

#include "heed/plugin.hpp"

namespace heed::ops {

// Pattern text: p is a product of `a`, b being its other matrix; heed's have no residual yet. Names of inputs tell them apart.
inline std::string any_product(const std::string& a) {
  return "p = MatMul(" + a + ", b) | heed.FusedMatMul(" + a + ", b, bias)" +
         " | com.microsoft.MatMulNBits(" + a + ", b, scales, zero_points, g_idx, bias)" +
         " | heed.FusedMatMulNBits(" + a + ", b, scales, zero_points, g_idx, bias)" +
         " | com.microsoft.MatMulIntegerToFloat(" + a + ", b, a_scale, b_scale, a_zero, b_zero, bias)" +
         " | heed.FusedMatMulIntegerToFloat(" + a + ", b, a_scale, b_scale, a_zero, b_zero, bias)" +
         " | com.microsoft.DynamicQuantizeMatMul(" + a + ", b, b_scale, b_zero, bias)" +
         " | heed.FusedDynamicQuantizeMatMul(" + a + ", b, b_scale, b_zero, bias);";
}

// What the product p of a match does with its sums.
struct Finish {
  float scale = 1;
  std::string activation = "none";
  std::string bias = {}, residual = {};  // names; empty: none
  bool is_gated = false;

  bool is_linear() const { return activation == "none"; }
};
inline Finish finish_of(Match& match) {
  const auto p = match.node("p");
  return {.scale = p.number("scale", 1),
          .activation = std::string(p.text("activation", "none")),
          .bias = match.type("bias") ? "bias" : ""};
}

// Replacement text: y = the product p of the match, of `a`, that finishes so.
inline std::string product_again(Match& match, const std::string& a, const Finish& finish) {
  struct Product {
    const char* input;  // that those before it lack
    std::string domain, op_type, inputs;
    bool has_bias;  // without heed, too
    std::vector<const char*> attributes;
  };
  static const Product products[] = {
      {"scales", "com.microsoft.", "MatMulNBits", ", scales, zero_points, g_idx", true,
       {"K", "N", "bits", "block_size", "accuracy_level"}},
      {"a_scale", "com.microsoft.", "MatMulIntegerToFloat", ", a_scale, b_scale, a_zero, b_zero", true, {}},
      {"b_scale", "com.microsoft.", "DynamicQuantizeMatMul", ", b_scale, b_zero", true, {}},
      {"b", "", "MatMul", "", false, {}}};
  const Product& product = *std::find_if(std::begin(products), std::end(products),
                                         [&](const Product& one) { return match.type(one.input).has_value(); });
  const bool is_plain = finish.scale == 1 && finish.is_linear() && finish.residual.empty() &&
                        (finish.bias.empty() || product.has_bias);
  std::string attributes;
  for (const char* name : product.attributes) {
    match.set(name, match.node("p").integer(name));
    attributes += std::string(name) + " = @" + name + ", ";
  }
  if (!is_plain) {
    match.set("scale", finish.scale);
    match.set("activation", finish.activation);
    match.set("gated", int64_t{finish.is_gated});
    attributes += "scale = @scale, activation = @activation, gated = @gated, ";
  }
  if (!attributes.empty()) attributes = "<" + attributes.substr(0, attributes.size() - 2) + ">";
  std::string inputs = a + ", b" + product.inputs;
  if (!finish.bias.empty() || !finish.residual.empty()) inputs += ", " + (finish.bias.empty() ? "\"\"" : finish.bias);
  if (!finish.residual.empty()) inputs += ", " + finish.residual;
  return "y = " + (is_plain ? product.domain : "heed.Fused") + product.op_type + attributes + "(" + inputs + ")";
}

}  // namespace heed::ops
