// com.microsoft.GatherBlockQuantized: slices along gather_axis, dequantised: (code - zero_point) * scale.
#include "ranks.hpp"
#include "scales.hpp"

namespace heed::cpu {
namespace {

enum { data_input, indices_input, scales_input, zero_points_input };

// One for each block, in rows of `row_length`; packed ones begin each row in a byte of their own.
std::vector<float> zero_points_of(const TensorView& zero_points, DataType code_type, int64_t count, int64_t row_length,
                                  float otherwise) {
  if (!zero_points.present()) return {otherwise};
  std::vector<float> values(static_cast<size_t>(count));
  const bool are_pairs = code_type != zero_points.element();
  const int64_t stored_length = are_pairs ? 2 * zero_points.dim(-1) : row_length;
  for (int64_t row = 0; row * row_length < count; ++row)
    read_elements(code_type, zero_points.c.data, row * stored_length, 1, row_length, values.data() + row * row_length);
  return values;
}

Result<void> run(Running& run) {
  const auto data = run.input(data_input), scale = run.input(scales_input), y = run.output(0);
  const int64_t bits = run.integer("bits", 4);
  const bool are_pairs = data.element() == DataType::u8 && bits == 4;
  const DataType code_type = are_pairs ? DataType::u4 : data.element();
  HEED_ASSIGN(const int32_t gather_axis, run.axis("gather_axis", data.rank(), 0));
  HEED_ASSIGN(const int32_t quantize_axis, run.axis("quantize_axis", data.rank(), 1));
  std::vector<int64_t> dims(data.dims().begin(), data.dims().end());
  if (are_pairs) dims.back() *= 2;
  const auto count = [&](int32_t begin, int32_t end) {
    int64_t product = 1;
    for (int32_t axis = begin; axis < end; ++axis) product *= dims[static_cast<size_t>(axis)];
    return product;
  };
  if (y.count() == 0) return {};
  const int64_t axis_size = dims[static_cast<size_t>(gather_axis)], inner = count(gather_axis + 1, data.rank());
  const int64_t scale_inner = count(quantize_axis + 1, data.rank());
  const Scales scales{.axis_size = dims[static_cast<size_t>(quantize_axis)],
                      .inner_size = scale_inner,
                      .block_size = run.integer("block_size", 128),
                      .outer_stride = scale.dim(quantize_axis) * scale_inner,
                      .axis_stride = scale_inner,
                      .inner_stride = 1};
  const PerElement<float> scale_of(scale, scales);
  const float otherwise = data.element() == DataType::u8 ? static_cast<float>(1 << (bits - 1)) : 0;
  const PerElement<float> zero_point_of(
      zero_points_of(run.input(zero_points_input), code_type, scale.count(), scale.dim(-1), otherwise), scales);
  std::vector<int64_t> indices = run.input(indices_input).integers();
  for (size_t i = 0; i < indices.size(); ++i) {
    const int64_t given = indices[i];
    if (given < -axis_size || given >= axis_size)
      return Error{Code::invalid_argument, "index " + std::to_string(i) + " is " + std::to_string(given) +
                                               ", outside of an axis of " + std::to_string(axis_size)};
    if (given < 0) indices[i] += axis_size;
  }
  const auto chosen_count = static_cast<int64_t>(indices.size());
  run.parallel_for(
      count(0, gather_axis) * chosen_count, std::max<int64_t>(1, 4096 / inner), [&](int64_t begin, int64_t end) {
        constexpr int64_t block = 512;
        float values[block], zeros[block], by[block];
        for (int64_t slice = begin; slice < end; ++slice) {
          const int64_t from =
              (slice / chosen_count * axis_size + indices[static_cast<size_t>(slice % chosen_count)]) * inner;
          for (int64_t i = 0; i < inner; i += block) {
            const int64_t n = std::min(block, inner - i);
            read_elements(code_type, data.c.data, from + i, 1, n, values);
            zero_point_of.fill(from + i, n, zeros);
            scale_of.fill(from + i, n, by);
            for (int64_t k = 0; k < n; ++k) values[k] = (values[k] - zeros[k]) * by[k];
            write_elements(y.element(), values, n, y.c.data, slice * inner + i);
          }
        }
      });
  return {};
}

Result<void> plan(Planning& node) { return require_ranks(node); }

}  // namespace

extern const CpuKernel gather_block_quantized{.domain = "com.microsoft", .op_type = "GatherBlockQuantized", .plan = plan, .run = run};

}  // namespace heed::cpu
