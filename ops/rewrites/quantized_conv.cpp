// Convolutions of quantised tensors, as quantisers write them, of DequantizeLinear's results and quantised again, a Relu or
// Clip between (conv_epilogue.cpp has taken it into heed.FusedConv) -> QLinearConv. Sums of integers are exact: codes
// differ by one from those that sums of floats round to.
#include <cmath>
#include <string>

#include "../lowering.hpp"
#include "dequantized.hpp"

namespace heed::ops {
namespace {

bool is_byte(const std::optional<TypeView>& type) {
  return type && type->has_element() && (type->element() == DataType::i8 || type->element() == DataType::u8);
}
bool is_one(const std::optional<TypeView>& type) {
  return type && type->has_rank() && type->rank() <= 1 && count_of(type->dims()).is_number(1);
}

// A bias as i32 on the scale of the sums, as text; empty where it is not known, or would not fit. One that is quantised is
// folded to floats before.
std::string bias_on_scale(Match& match) {
  if (!match.type("bias")) return "\"\"";
  const auto x_scale = match.scalar("x_scale");
  const auto w_scale = match.constant("w_scale"), bias = match.constant("bias");
  if (!x_scale || !w_scale || !bias || bias->element() != DataType::f32) return "";
  for (int64_t i = 0; i < bias->count(); ++i) {
    const double scale = *x_scale * static_cast<double>(w_scale->data<float>()[w_scale->count() == 1 ? 0 : i]);
    if (!(std::abs(bias->data<float>()[i]) < 1e9 * scale)) return "";
  }
  return "Cast<to = 6>(Round(Div(bias, Mul(x_scale, w_scale))))";
}

// What c's activation leaves of codes: [least, greatest]; nullopt where it is not known.
struct Bounds {
  float least, greatest;
};
std::optional<Bounds> bounds_of(Match& match, Bounds all) {
  const auto c = match.node("c");
  const std::string_view activation = c.text("activation", "none");
  if (activation == "none") return all;
  const auto scale = match.scalar("y_scale");
  const auto zero = match.constant("y_zero");
  if ((activation != "relu" && activation != "clip") || !scale || !zero || zero->count() != 1) return std::nullopt;
  const int zero_point = zero->element() == DataType::i8 ? *zero->data<int8_t>() : *zero->data<uint8_t>();
  const auto code = [&](float number) {
    const float steps = std::nearbyintf(number / static_cast<float>(*scale));
    return std::clamp(steps + static_cast<float>(zero_point), all.least, all.greatest);
  };
  if (activation == "relu") return Bounds{code(0), all.greatest};
  return Bounds{code(c.number("alpha")), code(c.number("beta"))};
}

bool accept(Match& match) {
  const auto x = match.type("qx"), w = match.type("qw"), y = match.type("y"), y_scale = match.type("y_scale");
  if (!is_byte(x) || !is_byte(w) || !is_byte(y) || !match.constant("qw") || !w->has_rank() || !match.type("y_zero"))
    return false;
  for (const char* scale : {"x_scale", "w_scale", "y_scale"})
    if (!match.type(scale) || !match.type(scale)->has_element() || match.type(scale)->element() != DataType::f32) return false;
  if (!is_plainly_dequantized(match, "x", "x_scale") || !is_plainly_dequantized(match, "w", "w_scale")) return false;
  if (!is_one(match.type("x_scale")) || !is_one(y_scale)) return false;
  if (!is_one(match.type("w_scale"))) {
    const int64_t axis = match.node("w").integer("axis", 1);
    if (axis != 0 && axis + w->rank() != 0) return false;
  }
  const auto quantize = match.node("y");
  const auto precision = static_cast<DataType>(quantize.integer("precision", 0));
  if (quantize.integer("block_size", 0) != 0 || (precision != DataType::undefined && precision != DataType::f32)) return false;
  // Sums of so many products of [-255, 255], and a bias as large, fit 32 bits.
  constexpr int64_t most_summed = std::numeric_limits<int32_t>::max() / (255 * 255) / 2;
  const Dim summed = count_of(w->dims().subspan(1));
  if (!summed.is_number() || summed.number() > most_summed) return false;
  const float least = y->element() == DataType::i8 ? -128 : 0;
  const Bounds all{least, least + 255};
  const auto bounds = bounds_of(match, all);
  const std::string bias = bias_on_scale(match);
  if (!bounds || bias.empty()) return false;

  const auto zero_of = [&](const char* name, const TypeView& of) {
    if (match.type(name)) return std::string(name);
    return "Cast<to = " + std::to_string(of.c.element) + ">(Constant<value_int = 0>())";
  };
  // Others may read what was dequantised.
  const std::string text = dequantized_again(match, "x", "qx, x_scale, x_zero") + dequantized_again(match, "w", "qw, w_scale, w_zero");
  std::string codes =
      "QLinearConv" +
      carried(match, match.node("c"), {"auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"}) +
      "(qx, x_scale, " + zero_of("x_zero", *x) + ", qw, w_scale, " + zero_of("w_zero", *w) + ", y_scale, y_zero, " + bias + ")";
  if (bounds->least != all.least || bounds->greatest != all.greatest) {
    match.set("least_code", static_cast<int64_t>(bounds->least));
    match.set("greatest_code", static_cast<int64_t>(bounds->greatest));
    match.set("code_type", int64_t{y->c.element});
    codes = "Clip(" + codes + ", Cast<to = @code_type>(Constant<value_int = @least_code>()), "
            "Cast<to = @code_type>(Constant<value_int = @greatest_code>()))";
  }
  match.replace_by(text + "y = " + codes);
  return true;
}

}  // namespace

extern const Rewrite quantized_conv{
    .name = "quantized_conv",
    .patterns = {"x = DequantizeLinear(qx, x_scale, x_zero); w = DequantizeLinear(qw, w_scale, w_zero);"
                 "c = Conv(x, w, bias) | heed.FusedConv(x, w, bias); y = QuantizeLinear(c, y_scale, y_zero)"},
    .replacement = "",
    .accept = accept};

}  // namespace heed::ops
