// The products that finish their sums, as rewrites meet them: plain ones, and those of heed that do something already.
#pragma once

#include <string>

#include "heed/plugin.hpp"

namespace heed::ops {

// Pattern text: p is a product of a, a text, b being its other matrix; heed's have no residual yet. Names of inputs tell
// them apart.
#define ANY_PRODUCT(a)                                                                     \
  "p = MatMul(" a ", b) | heed.FusedMatMul(" a ", b, bias)"                                \
  "| com.microsoft.MatMulNBits(" a ", b, scales, zero_points, g_idx, bias)"                \
  "| heed.FusedMatMulNBits(" a ", b, scales, zero_points, g_idx, bias)"                    \
  "| com.microsoft.MatMulIntegerToFloat(" a ", b, a_scale, b_scale, a_zero, b_zero, bias)" \
  "| heed.FusedMatMulIntegerToFloat(" a ", b, a_scale, b_scale, a_zero, b_zero, bias)"     \
  "| com.microsoft.DynamicQuantizeMatMul(" a ", b, b_scale, b_zero, bias)"                 \
  "| heed.FusedDynamicQuantizeMatMul(" a ", b, b_scale, b_zero, bias);"

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
inline std::string product_again(Match& match, std::string_view a, const Finish& finish) {
  static constexpr struct Product {
    const char* input;  // that those before it lack
    const char *domain, *op_type, *inputs, *attributes;
    bool has_bias;  // without heed, too
  } products[] = {
      {"scales", "com.microsoft.", "MatMulNBits", ", scales, zero_points, g_idx",
       "K = @K, N = @N, bits = @bits, block_size = @block_size, accuracy_level = @accuracy_level", true},
      {"a_scale", "com.microsoft.", "MatMulIntegerToFloat", ", a_scale, b_scale, a_zero, b_zero", "", true},
      {"b_scale", "com.microsoft.", "DynamicQuantizeMatMul", ", b_scale, b_zero", "", true},
      {"b", "", "MatMul", "", "", false}};
  const Product& product = *std::find_if(std::begin(products), std::end(products),
                                         [&](const Product& one) { return match.type(one.input).has_value(); });
  const bool is_plain = finish.scale == 1 && finish.is_linear() && finish.residual.empty() &&
                        (finish.bias.empty() || product.has_bias);
  match.set("scale", finish.scale);
  match.set("activation", finish.activation);
  match.set("gated", int64_t{finish.is_gated});
  for (const char* name : {"K", "N", "bits", "block_size", "accuracy_level"})
    if (product.attributes[0]) match.set(name, match.node("p").integer(name));

  std::string text = is_plain ? "y = " : "y = heed.Fused";
  const auto add = [&](std::initializer_list<std::string_view> parts) {
    for (const auto part : parts) text += part;
  };
  add({is_plain ? product.domain : "", product.op_type});
  const std::string_view own = product.attributes;
  const std::string_view added = is_plain ? "" : "scale = @scale, activation = @activation, gated = @gated";
  if (!own.empty() || !added.empty()) add({"<", own, own.empty() || added.empty() ? "" : ", ", added, ">"});
  add({"(", a, ", b", product.inputs});
  if (!finish.bias.empty()) add({", ", finish.bias});
  if (finish.bias.empty() && !finish.residual.empty()) add({", \"\""});
  if (!finish.residual.empty()) add({", ", finish.residual});
  add({")"});
  return text;
}

}  // namespace heed::ops
