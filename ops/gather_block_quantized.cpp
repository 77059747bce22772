// com.microsoft.GatherBlockQuantized: slices of data along gather_axis, dequantised: (code - zero_point) * scale, with one
// scale and zero point for each block of block_size codes along quantize_axis. Codes are of 4 bits, or lie in bytes: one of 8
// bits in each, or two of 4 bits side by side along the last axis, which zero points then are too. Without zero points they
// are 2^(bits - 1) for bytes, else 0.
#include "launch.hpp"
#include "quantize_linear.hpp"
#include "shaders.hpp"
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

// ---- on a GPU: DequantizeLinear of what is chosen; codes are read in words
// -----------------------------------------------------------------------

// Codes of 4 bits that lie in bytes are u4.
DataType code_type(const NodeView& node, DataType data) {
  return data == DataType::u8 && node.integer("bits", 4) == 4 ? DataType::u4 : data;
}

// Mirrors shaders/dequantize.comp, GATHERED.
struct Parameters {
  QuantizedParameters quantized;
  uint32_t chosen_count, words_per_index, slice_size;
  int32_t gathered_size, indices_offset;
  uint32_t zero_row_length = 1, zero_row_stride = 1;
  int32_t otherwise;
};

Result<GpuPlan> plan(Planning& node) {
  if (!node.input(data_input).has_rank()) return decline("a rank is not known");
  const bool has_zero_points = node.has_input(zero_points_input);
  const auto constant = [](uint32_t id, DataType type) { return heed_constant{id, static_cast<uint32_t>(type)}; };
  const DataType scale = node.input(scales_input).element();
  return GpuPlan{.variants = {{.name = "gather and dequantise",
                               .shader = shaders::gather_block_quantized,
                               .constants = {constant(0, code_type(node, node.input(data_input).element())),
                                             constant(1, scale), constant(2, scale)}}},
                 .bindings = {read(data_input), read(scales_input),
                              read(has_zero_points ? zero_points_input : data_input), write(0), read(indices_input),
                              error_word()},
                 .error = "element {} of the indices is outside of the axis that it chooses from"};
}

Result<Launch> bind(const Binding& node) {
  const auto data = node.input(data_input), indices = node.input(indices_input), scales = node.input(scales_input);
  const auto zero_points = node.input(zero_points_input), y = node.output(0);
  if (y.count() == 0) return Launch{};
  const DataType code = code_type(node, data.element());
  const int32_t codes_of_byte = code == data.element() ? 1 : 2;
  HEED_ASSIGN(const int32_t gather_axis, node.axis("gather_axis", data.rank(), 0));
  HEED_ASSIGN(const int32_t quantize_axis, node.axis("quantize_axis", data.rank(), 1));
  std::vector<int64_t> dims(data.dims().begin(), data.dims().end());
  dims.back() *= codes_of_byte;
  if (dims[static_cast<size_t>(gather_axis)] == 0)
    return Error{Code::invalid_argument, "axis " + std::to_string(gather_axis) + " is empty; there is nothing to choose from"};
  const auto behind = [&](int32_t axis) {
    int64_t product = 1;
    for (int32_t i = axis + 1; i < data.rank(); ++i) product *= dims[static_cast<size_t>(i)];
    return static_cast<uint32_t>(product);
  };
  HEED_TRY(check_addressable(y, "the output"));
  HEED_TRY(check_addressable(indices, "the indices"));
  HEED_TRY(check_addressable(data, "the data"));
  if (data.count() > most_addressed / codes_of_byte - data.c.offset)
    return Error{Code::unsupported, "the data have more than 2^31 codes, more than a GPU kernel addresses"};
  HEED_ASSIGN(const uint32_t y_offset, word_offset_of(y));
  Parameters p{};
  auto& d = p.quantized;
  d.count = static_cast<uint32_t>(y.count());
  d.word_count = ceil_divide(y.count(), 32 / bits_of(y.element()));
  d.x_offset = offset_of(data) * codes_of_byte;
  d.scale_offset = offset_of(scales);
  d.has_zero_point = node.has_input(zero_points_input);
  d.y_word_offset = static_cast<int32_t>(y_offset);
  d.axis_size = static_cast<uint32_t>(dims[static_cast<size_t>(quantize_axis)]);
  d.inner_size = d.axis_stride = behind(quantize_axis);
  d.block_size = static_cast<uint32_t>(std::min(node.integer("block_size", 128), most_addressed));
  d.outer_stride = static_cast<uint32_t>(scales.dim(quantize_axis)) * d.inner_size;
  d.inner_stride = 1;
  p.chosen_count = static_cast<uint32_t>(indices.count());
  p.words_per_index = indices.element() == DataType::i64 ? 2 : 1;
  p.slice_size = behind(gather_axis);
  p.gathered_size = static_cast<int32_t>(dims[static_cast<size_t>(gather_axis)]);
  p.indices_offset = offset_of(indices);
  p.zero_row_length = p.zero_row_stride = 1;
  if (d.has_zero_point) {
    d.zero_point_offset = offset_of(zero_points) * codes_of_byte;
    if (codes_of_byte == 2) {
      p.zero_row_length = static_cast<uint32_t>(scales.dim(-1));
      p.zero_row_stride = static_cast<uint32_t>(2 * zero_points.dim(-1));
    }
  }
  if (data.element() == DataType::u8) p.otherwise = 1 << (node.integer("bits", 4) - 1);
  return Launch{.dispatches = {{0, bytes_of(p), {workgroups_for(d.word_count, 128), 1, 1}}}};
}

}  // namespace

extern const Operator gather_block_quantized{
    .domain = "com.microsoft", .op_type = "GatherBlockQuantized",
    .inputs = {{"data", "T1"}, {"indices", "Tind"}, {"scales", "T2"}, {"zero_points", "T1", HEED_OPTIONAL_PARAMETER}},
    .outputs = {{"output", "T2"}},
    .types = {{"T1", {DataType::i4, DataType::u4, DataType::u8}}, {"Tind", {DataType::i32, DataType::i64}},
              {"T2", {DataType::f32, DataType::f16, DataType::bf16}}},
    .attributes = {attribute("bits", 4), attribute("block_size", 128), attribute("gather_axis", 0), attribute("quantize_axis", 1)},
    .infer = infer, .plan = plan, .bind = bind};

}  // namespace heed::ops
