// Weights that lie quantised in blocks along the inner axis: MatMul of their DequantizeLinear -> com.microsoft.MatMulNBits,
// which reads them as they are.
#include <string>

#include "dequantized.hpp"

namespace heed::ops {
namespace {

// The width of codes that MatMulNBits has a kernel for everywhere; 0: none.
int64_t code_bits(DataType type) {
  switch (type) {
    case DataType::i2:
    case DataType::u2:
    case DataType::i4:
    case DataType::u4:
    case DataType::i8:
    case DataType::u8:
      return bits_of(type);
    default:
      return 0;
  }
}

// Weights [inner, column], or turned [column, inner].
bool accept(Match& match) {
  const auto q = match.type("q"), a = match.type("a"), y = match.type("y");
  const auto dequantize = match.node("w");
  const bool is_turned = match.node("t").c() != nullptr;
  const int64_t block_size = dequantize.integer("block_size", 0), axis = dequantize.integer("axis", 1);
  const int32_t inner_axis = is_turned ? 1 : 0;
  if (!match.constant("q") || !match.constant("scale") || (match.type("zero") && !match.constant("zero"))) return false;
  if (q->rank() != 2 || (axis != inner_axis && axis + 2 != inner_axis) || code_bits(q->element()) == 0) return false;
  if (!a || !a->has_rank() || a->c.element != y->c.element || !is_of_scale_type(match, "w", "scale")) return false;
  if (is_turned && !swaps_two_axes(match.node("t"))) return false;
  const int64_t inner = q->dim(inner_axis).number(), columns = q->dim(1 - inner_axis).number();
  const bool is_power_of_2 = (block_size & (block_size - 1)) == 0;
  if (block_size < 16 || !is_power_of_2 || inner == 0 || columns == 0 || inner % block_size != 0) return false;

  match.set("K", inner);
  match.set("N", columns);
  match.set("bits", code_bits(q->element()));
  match.set("block_size", block_size);
  match.set("transposed", int64_t{!is_turned});
  std::string text = dequantized_again(match, "w", "q, scale, zero"), zero_points = "\"\"";
  if (is_turned) text += "t = Transpose<perm = [1, 0]>(w); ";
  if (match.type("zero")) {
    zero_points = "heed.Pack<transposed = @transposed>(zero)";
  } else if (!is_signed_integer(q->element())) {  // codes from 0 on; MatMulNBits would take their middle
    match.set("zero_bytes", columns * ((inner / block_size * code_bits(q->element()) + 7) / 8));
    zero_points = "ConstantOfShape<value = uint8[1] {0}>(Unsqueeze(Constant<value_int = @zero_bytes>(), "
                  "Constant<value_ints = [0]>()))";
  }
  match.replace_by(text + "y = com.microsoft.MatMulNBits<K = @K, N = @N, bits = @bits, block_size = @block_size>(a, "
                          "heed.Pack<transposed = @transposed>(q), heed.Pack<transposed = @transposed>(scale), " +
                   zero_points + ")");
  return true;
}

}  // namespace

extern const Rewrite matmul_of_blocks{
    .name = "matmul_nbits",
    .patterns = {"w = DequantizeLinear(q, scale, zero); y = MatMul(a, w)",
                 "w = DequantizeLinear(q, scale, zero); t = Transpose(w); y = MatMul(a, t)"},
    .replacement = "",
    .accept = accept};

}  // namespace heed::ops
