// com.microsoft.GatherBlockQuantized: slices of data along gather_axis, dequantised: (code - zero_point) * scale, with one
// scale and zero point for each block of block_size codes along quantize_axis. Codes are of 4 bits, or lie in bytes: one of 8
// bits in each, or two of 4 bits side by side along the last axis, which zero points then are too. Without zero points they
// are 2^(bits - 1) for bytes, else 0.
#include "shapes.hpp"

namespace heed::ops {
namespace {

enum { data_input, indices_input, scales_input, zero_points_input };

Result<void> infer(Inference& node) {
  const auto data = node.input(data_input), indices = node.input(indices_input), scales = node.input(scales_input);
  const int64_t bits = node.integer("bits", 4), block_size = node.integer("block_size", 128);
  if (bits != 4 && bits != 8)
    return Error{Code::invalid_model, "attribute 'bits' is " + std::to_string(bits) + "; expected 4 or 8"};
  if (block_size < 16 || (block_size & (block_size - 1)) != 0)
    return Error{Code::invalid_model, "attribute 'block_size' is " + std::to_string(block_size) +
                                          "; expected a power of 2 of at least 16"};
  if (bits == 8 && data.element() != DataType::u8)
    return Error{Code::invalid_model, "attribute 'bits' is 8, and the data are " + std::string(name_of(data.element()))};
  if (!data.has_rank() || !indices.has_rank()) return node.set_output(0, scales.element());
  HEED_ASSIGN(const int32_t gather_axis, node.axis("gather_axis", data.rank(), 0));
  HEED_ASSIGN(const int32_t quantize_axis, node.axis("quantize_axis", data.rank(), 1));
  Dims codes(data.dims().begin(), data.dims().end());
  const bool are_pairs = data.element() == DataType::u8 && bits == 4;
  if (are_pairs) {
    if (quantize_axis != data.rank() - 1 || gather_axis == quantize_axis)
      return Error{Code::unsupported, "codes lie in pairs along the last axis, which is not the quantised one alone"};
    codes.back() *= 2;
  }
  Dims blocks = codes;
  blocks[static_cast<size_t>(quantize_axis)] = ceil_divide(codes[static_cast<size_t>(quantize_axis)], Dim(block_size));
  const auto check = [&](int32_t input, const Dims& expected, std::string_view name) -> Result<void> {
    if (!node.has_input(input) || !node.input(input).has_rank()) return {};
    HEED_TRY(node.require_rank(input, data.rank()));
    for (int32_t axis = 0; axis < data.rank(); ++axis)
      HEED_TRY(node.require_equal(node.input(input).dim(axis), expected[static_cast<size_t>(axis)],
                                  "axis " + std::to_string(axis) + " of " + std::string(name) + " and blocks of data"));
    return {};
  };
  HEED_TRY(check(scales_input, blocks, "scales"));
  if (are_pairs) blocks.back() = ceil_divide(blocks.back(), Dim(2));
  HEED_TRY(check(zero_points_input, blocks, "zero_points"));
  Dims dims(codes.begin(), codes.begin() + gather_axis);
  dims.insert(dims.end(), indices.dims().begin(), indices.dims().end());
  dims.insert(dims.end(), codes.begin() + gather_axis + 1, codes.end());
  return node.set_output(0, scales.element(), dims);
}

}  // namespace

extern const Operator gather_block_quantized{
    .domain = "com.microsoft", .op_type = "GatherBlockQuantized",
    .inputs = {{"data", "T1"}, {"indices", "Tind"}, {"scales", "T2"}, {"zero_points", "T1", HEED_OPTIONAL_PARAMETER}},
    .outputs = {{"output", "T2"}},
    .types = {{"T1", {DataType::i4, DataType::u4, DataType::u8}}, {"Tind", {DataType::i32, DataType::i64}},
              {"T2", {DataType::f32, DataType::f16, DataType::bf16}}},
    .attributes = {attribute("bits", 4), attribute("block_size", 128), attribute("gather_axis", 0), attribute("quantize_axis", 1)},
    .infer = infer};

}  // namespace heed::ops
