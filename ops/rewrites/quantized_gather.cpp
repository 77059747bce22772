// Slices of quantised tables: chosen first, dequantised then. In blocks -> com.microsoft.GatherBlockQuantized.
#include "dequantized.hpp"

namespace heed::ops {
namespace {

bool accept_blocks(Match& match) {
  const auto data = match.type("data");
  const auto dequantize = match.node("d");
  const int64_t block_size = dequantize.integer("block_size", 0);
  if (!match.constant("data") || !is_of_scale_type(match, "d", "scale")) return false;
  // Bytes without zero points would be lowered by 128.
  const bool is_served = data->element() == DataType::i4 || data->element() == DataType::u4 ||
                         (data->element() == DataType::u8 && match.type("zero"));
  if (!is_served || block_size < 16 || (block_size & (block_size - 1)) != 0) return false;
  match.set("bits", int64_t{bits_of(data->element())});
  match.set("block_size", block_size);
  match.set("quantize_axis", dequantize.integer("axis", 1));
  match.replace_by(dequantized_again(match, "d", "data, scale, zero") +
                   "y = com.microsoft.GatherBlockQuantized<bits = @bits, block_size = @block_size, gather_axis = @axis, "
                   "quantize_axis = @quantize_axis>(data, indices, scale, zero)");
  return true;
}

// One scale for all.
bool accept_plain(Match& match) {
  const auto scale = match.type("scale");
  if (bits_of(match.type("data")->element()) != 8) return false;  // what Gather moves on every device
  if (!match.constant("data") || !is_plainly_dequantized(match, "d", "scale")) return false;
  if (scale->rank() > 1 || !count_of(scale->dims()).is_number(1)) return false;
  match.replace_by(dequantized_again(match, "d", "data, scale, zero") +
                   "y = DequantizeLinear<axis = 0>(Gather<axis = @axis>(data, indices), scale, zero)");
  return true;
}

}  // namespace

extern const Rewrite gather_of_blocks{.name = "gather_block_quantized",
                                      .patterns = {"d = DequantizeLinear(data, scale, zero); y = Gather(d, indices)"},
                                      .replacement = "",
                                      .accept = accept_blocks};

extern const Rewrite gather_before_dequantize{
    .name = "gather_before_dequantize",
    .patterns = {"d = DequantizeLinear(data, scale, zero); y = Gather(d, indices)"},
    .replacement = "",
    .accept = accept_plain};

}  // namespace heed::ops
