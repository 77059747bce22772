// QuantizeLinear: y = saturate(round(x / scale) + zero_point), the quotient rounded as `precision` or else the scale's
// type has it; DequantizeLinear: y = (x - zero_point) * scale in f32, rounded once. DynamicQuantizeLinear: the scale
// and zero point of [min(x, 0), max(x, 0)] on 0 to 255, and x by them.
#include <cmath>

#include "byte_panels.hpp"
#include "half.hpp"
#include "scales.hpp"
#include "walk.hpp"

namespace heed::cpu {
namespace {

constexpr int64_t block = 512;  // elements at a time

Result<Scales> scales_of(const Running& run) {
  const auto x = run.input(0), scale = run.input(1), zero_point = run.input(2);
  Scales s;
  const int64_t block_size = run.integer("block_size", 0);
  if (zero_point.present() && zero_point.count() != scale.count())
    return Error{Code::shape_mismatch, "there are " + std::to_string(scale.count()) + " scales and " +
                                           std::to_string(zero_point.count()) + " zero points"};
  if (scale.count() == 1 && block_size == 0) return s;
  HEED_ASSIGN(const int32_t axis, run.axis("axis", x.rank(), 1));
  s.axis_size = x.dim(axis);
  s.inner_size = x.count(axis + 1, x.rank());
  bool fits = block_size == 0 ? scale.count() == s.axis_size : scale.rank() == x.rank();
  for (int32_t k = 0; block_size > 0 && fits && k < x.rank(); ++k)
    fits = scale.dim(k) == (k == axis ? (s.axis_size + block_size - 1) / block_size : x.dim(k));
  if (!fits)
    return Error{Code::shape_mismatch, "the scales do not fit axis " + std::to_string(axis) + " of the input, which has " +
                                           std::to_string(s.axis_size) + " elements"};
  if (block_size == 0) {
    s.axis_stride = 1;
  } else {
    s.block_size = block_size;
    s.axis_stride = s.inner_size;
    s.outer_stride = scale.dim(axis) * s.inner_size;
    s.inner_stride = 1;
  }
  return s;
}

// Calls body(first, n) for blocks of the elements, on all threads. Packed elements of a byte stay together.
template <class Body>
void for_each_block(const Running& run, int64_t count, Body&& body) {
  run.parallel_for((count + block - 1) / block, 8, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) body(i * block, std::min(block, count - i * block));
  });
}

Result<void> run_dequantize(Running& run) {
  HEED_ASSIGN(const auto y, output_like(run));
  HEED_ASSIGN(const Scales scales, scales_of(run));
  const auto x = run.input(0);
  const PerElement<float> scale_of(run.input(1), scales);
  // Differences of integers are exact as f64.
  const bool is_exact_as_float = bits_of(x.element()) <= 16;
  const PerElement<double> zero_point_of(run.input(2), scales);
  for_each_block(run, x.count(), [&](int64_t first, int64_t n) {
    float scale[block], values[block];
    double zero_points[block], wide[block];
    scale_of.fill(first, n, scale);
    zero_point_of.fill(first, n, zero_points);
    if (is_exact_as_float) {
      read_elements(x.element(), x.c.data, first, 1, n, values);
      for (int64_t i = 0; i < n; ++i) values[i] = (values[i] - static_cast<float>(zero_points[i])) * scale[i];
    } else {
      read_elements(x.element(), x.c.data, first, 1, n, wide);
      for (int64_t i = 0; i < n; ++i) values[i] = static_cast<float>(wide[i] - zero_points[i]) * scale[i];
    }
    write_elements(y.element(), values, n, y.c.data, first);
  });
  return {};
}

struct Range {
  float least, greatest;
};
Range range_of(DataType type) {
  const int bits = bits_of(type);
  const auto size = static_cast<float>(1 << bits);
  return is_signed_integer(type) ? Range{-size / 2, size / 2 - 1} : Range{0, size - 1};
}

// To the nearest code, ties to the even one; NaN gives the least, as numpy's conversion does.
void quantize_block(const float* quotients, const float* zero_points, Range range, int64_t n, float* codes) {
  for (int64_t i = 0; i < n; ++i) {
    const float least = range.least - zero_points[i], greatest = range.greatest - zero_points[i];
    const float rounded = std::nearbyintf(quotients[i]);
    codes[i] = (rounded > least ? std::min(rounded, greatest) : least) + zero_points[i];
  }
}

template <class T>
void round_to(DataType type, T* numbers, int64_t n) {
  if constexpr (std::is_same_v<T, float>) {
    if (!is_half(type)) return;
    uint16_t codes[block];
    narrow(type, numbers, n, codes);
    widen(type, codes, n, numbers);
  }
}

Result<void> run_quantize(Running& run) {
  HEED_ASSIGN(const auto y, output_like(run));
  HEED_ASSIGN(const Scales scales, scales_of(run));
  const auto x = run.input(0), scale = run.input(1);
  const bool is_integer_quotient = x.element() == DataType::i32 || scale.element() == DataType::i32;
  auto precision = static_cast<DataType>(run.integer("precision", 0));
  if (precision == DataType::undefined) precision = is_integer_quotient ? DataType::f64 : scale.element();
  const auto zero_point = run.input(2);
  // To bytes by one scale, on f32 alone: as loops of vectors.
  const bool is_byte = y.element() == DataType::u8 || y.element() == DataType::i8;
  if (is_byte && scale.count() == 1 && x.element() == DataType::f32 && scale.element() == DataType::f32 &&
      precision == DataType::f32) {
    float code_of_zero = 0;
    if (zero_point.present()) read_elements(zero_point.element(), zero_point.c.data, 0, 1, 1, &code_of_zero);
    const bool is_signed = y.element() == DataType::i8;
    for_each_block(run, x.count(), [&](int64_t first, int64_t n) {
      uint8_t* codes = y.data<uint8_t>() + first;
      quantize_row(x.data<float>() + first, n, *scale.data<float>(), code_of_zero + (is_signed ? 128 : 0), codes);
      for (int64_t i = 0; is_signed && i < n; ++i) codes[i] ^= 0x80;
    });
    return {};
  }
  const Narrowing narrowing{run.integer("saturate", 1) != 0 ? Overflow::saturate : Overflow::keep};
  const PerElement<double> scale_of(scale, scales);
  const PerElement<float> zero_point_of(run.input(2), scales);
  for_each_block(run, x.count(), [&](int64_t first, int64_t n) {
    double scale[block], wide[block];
    float values[block], zero_points[block];
    scale_of.fill(first, n, scale);
    zero_point_of.fill(first, n, zero_points);
    if (is_integer_quotient) {
      read_elements(x.element(), x.c.data, first, 1, n, wide);
      for (int64_t i = 0; i < n; ++i) values[i] = static_cast<float>(std::nearbyint(wide[i] / scale[i]));
    } else {
      read_elements(x.element(), x.c.data, first, 1, n, values);
      for (int64_t i = 0; i < n; ++i) values[i] /= static_cast<float>(scale[i]);
    }
    round_to(precision, values, n);
    if (is_float(y.element())) {
      for (int64_t i = 0; i < n; ++i) values[i] += zero_points[i];
    } else {
      quantize_block(values, zero_points, range_of(y.element()), n, values);
    }
    write_elements(y.element(), values, n, y.c.data, first, 1, narrowing);
  });
  return {};
}

Result<void> run_dynamic(Running& run) {
  const auto x = run.input(0);
  HEED_ASSIGN(const auto y, output_like(run));
  HEED_ASSIGN(const auto y_scale, run.allocate(1, {}));
  HEED_ASSIGN(const auto y_zero_point, run.allocate(2, {}));
  float least = 0, greatest = 0;
  for (const float value : x.as<const float>()) {
    least = std::min(least, value);
    greatest = std::max(greatest, value);
  }
  // Where all is 0 any scale does.
  const float scale = least == greatest ? 1 : (greatest - least) / 255;
  const float zero_point = std::nearbyintf(std::clamp(-least / scale, 0.0f, 255.0f));
  *y_scale.data<float>() = scale;
  *y_zero_point.data<uint8_t>() = static_cast<uint8_t>(zero_point);
  for_each_block(run, x.count(), [&](int64_t first, int64_t n) {
    float values[block], zero_points[block];
    std::fill_n(zero_points, n, zero_point);
    for (int64_t i = 0; i < n; ++i) values[i] = x.data<float>()[first + i] / scale;
    quantize_block(values, zero_points, range_of(DataType::u8), n, values);
    write_elements(DataType::u8, values, n, y.c.data, first);
  });
  return {};
}

}  // namespace

extern const CpuKernel quantize_linear{.op_type = "QuantizeLinear", .run = run_quantize};
extern const CpuKernel dequantize_linear{.op_type = "DequantizeLinear", .run = run_dequantize};
extern const CpuKernel com_microsoft_quantize_linear{
    .domain = "com.microsoft", .op_type = "QuantizeLinear", .run = run_quantize};
extern const CpuKernel com_microsoft_dequantize_linear{
    .domain = "com.microsoft", .op_type = "DequantizeLinear", .run = run_dequantize};
extern const CpuKernel dynamic_quantize_linear{.op_type = "DynamicQuantizeLinear", .run = run_dynamic};

}  // namespace heed::cpu
