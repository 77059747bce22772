// Products of quantised tensors, as quantisers write them: of DequantizeLinear's results, or spelled out around
// MatMulInteger -> com.microsoft.MatMulIntegerToFloat, DynamicQuantizeMatMul, QLinearMatMul. Sums of integers are exact:
// they differ from those of floats by rounding alone, and QLinearMatMul's codes by one.
#include <string>

#include "dequantized.hpp"

namespace heed::ops {
namespace {

constexpr Types floats{DataType::f32, DataType::f16};

bool is_one_of(const std::optional<TypeView>& type, Types types) {
  return type && type->has_element() && (types.bits() >> static_cast<int>(type->element()) & 1) != 0;
}
bool is_byte(const std::optional<TypeView>& type) { return is_one_of(type, {DataType::i8, DataType::u8}); }
bool is_one(const std::optional<TypeView>& type) {
  return type && type->has_rank() && type->rank() <= 1 && count_of(type->dims()).is_number(1);
}

// Weights [inner, column], or turned [column, inner].
bool accept_dequantized(Match& match) {
  const auto x = match.type("qx"), w = match.type("qw"), y = match.type("y");
  const bool is_turned = match.node("t").c() != nullptr;
  if (!is_byte(x) || !is_byte(w) || !match.constant("qw") || !is_one_of(y, floats)) return false;
  if (w->rank() != 2 || !is_plainly_dequantized(match, "x", "x_scale") || !is_plainly_dequantized(match, "w", "w_scale"))
    return false;
  if (is_turned && !swaps_two_axes(match.node("t"))) return false;
  // Sums of so many products of [-255, 255] fit 32 bits.
  const Dim inner = w->dim(is_turned ? 1 : 0);
  constexpr int64_t most_inner = std::numeric_limits<int32_t>::max() / (255 * 255);
  if (!inner.is_number() || inner.number() > most_inner) return false;
  if (!is_one(match.type("x_scale"))) return false;
  const int64_t axis = match.node("w").integer("axis", 1), column_axis = is_turned ? 0 : 1;
  if (!is_one(match.type("w_scale")) && axis != column_axis && axis + 2 != column_axis) return false;
  std::string text = dequantized_again(match, "x", "qx, x_scale, x_zero") + dequantized_again(match, "w", "qw, w_scale, w_zero");
  std::string b = "qw", b_zero = match.type("w_zero") ? "w_zero" : "\"\"";
  if (is_turned) {
    text += "t = Transpose<perm = [1, 0]>(w); ";
    b = "heed.Pack<transposed = 1>(qw)";
    if (match.type("w_zero"))
      b_zero = "heed.Pack(w_zero)";
    else if (w->element() == DataType::i8)
      b_zero = "Cast<to = 2>(Constant<value_int = 128>())";
  }
  const std::string x_zero = match.type("x_zero") ? "x_zero" : "\"\"";
  match.replace_by(text + "y = com.microsoft.MatMulIntegerToFloat(qx, " + b + ", x_scale, w_scale, " + x_zero + ", " +
                   b_zero + ")");
  return true;
}

bool accept_quantized(Match& match) {
  const auto scale = match.type("y_scale"), a_scale = match.type("a_scale");
  const auto node = match.node("y");
  const auto precision = static_cast<DataType>(node.integer("precision", 0));
  return is_byte(match.type("y")) && match.type("a_zero") && match.type("b_zero") && match.type("y_zero") &&
         is_one(scale) && scale->element() == a_scale->element() && node.integer("block_size", 0) == 0 &&
         (precision == DataType::undefined || precision == scale->element());
}

// As onnxruntime's dynamic quantisation has it: (sums as floats) * (a_scale * b_scale). Of two constants that is one.
bool accept_spelled_out(Match& match) {
  const auto b = match.type("b"), a_scale = match.type("a_scale"), b_scale = match.type("b_scale");
  if (!is_one_of(match.type("y"), {DataType::f32}) || !b_scale || !b->has_rank() || b->rank() < 2) return false;
  if (!is_one(b_scale) && (b_scale->rank() != 1 || !(b_scale->dim(0) == b->dim(-1)))) return false;
  if (!a_scale)
    match.replace_by("y = com.microsoft.MatMulIntegerToFloat(a, b, Constant<value_float = 1.0>(), b_scale, a_zero, b_zero)");
  return a_scale ? is_one(a_scale) : match.constant("b_scale").has_value();
}

}  // namespace

extern const Rewrite dequantized_matmul{
    .name = "dequantized_matmul",
    .patterns = {"x = DequantizeLinear(qx, x_scale, x_zero); w = DequantizeLinear(qw, w_scale, w_zero); y = MatMul(x, w)",
                 "x = DequantizeLinear(qx, x_scale, x_zero); w = DequantizeLinear(qw, w_scale, w_zero); "
                 "t = Transpose(w); y = MatMul(x, t)"},
    .replacement = "",
    .accept = accept_dequantized};

extern const Rewrite quantized_matmul{
    .name = "quantized_matmul",
    .patterns = {"p = com.microsoft.MatMulIntegerToFloat(a, b, a_scale, b_scale, a_zero, b_zero); "
                 "y = QuantizeLinear(p, y_scale, y_zero)"},
    .replacement = "y = QLinearMatMul(a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero)",
    .accept = accept_quantized};

extern const Rewrite matmul_integer_to_float_of_sums{
    .name = "matmul_integer_to_float",
    .patterns = {"p = MatMulInteger(a, b, a_zero, b_zero); f = Cast(p); s = Mul(a_scale, b_scale); y = Mul(f, s)",
                 "p = MatMulInteger(a, b, a_zero, b_zero); f = Cast(p); y = Mul(f, b_scale)"},
    .replacement = "s = Mul(a_scale, b_scale); "
                   "y = com.microsoft.MatMulIntegerToFloat(a, b, a_scale, b_scale, a_zero, b_zero)",
    .accept = accept_spelled_out};

extern const Rewrite dynamic_quantize_matmul_of_codes{
    .name = "dynamic_quantize_matmul",
    .patterns = {"q, a_scale, zero = DynamicQuantizeLinear(x); "
                 "y = com.microsoft.MatMulIntegerToFloat(q, b, a_scale, b_scale, zero, b_zero, bias)"},
    .replacement = "y = com.microsoft.DynamicQuantizeMatMul(x, b, b_scale, b_zero, bias)"};

extern const Rewrite fused_dynamic_quantize_matmul_of_codes{
    .name = "dynamic_quantize_matmul",
    .patterns = {"q, a_scale, zero = DynamicQuantizeLinear(x); "
                 "y = heed.FusedMatMulIntegerToFloat(q, b, a_scale, b_scale, zero, b_zero, bias, residual)"},
    .replacement = "y = heed.FusedDynamicQuantizeMatMul<scale = @scale, activation = @activation, gated = @gated>(x, b, "
                   "b_scale, b_zero, bias, residual)"};

}  // namespace heed::ops
