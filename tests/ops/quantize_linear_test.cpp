// QuantizeLinear, DequantizeLinear, DynamicQuantizeLinear, GatherBlockQuantized: every type; one scale, one for each place of an axis, blocks.
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>

#include "cases.hpp"

namespace heed::test {
namespace {

constexpr DataType narrow_integers[] = {DataType::i8, DataType::u8, DataType::i16, DataType::u16,
                                        DataType::i4, DataType::u4, DataType::i2,  DataType::u2};
constexpr DataType narrow_floats[] = {DataType::f8e4m3fn, DataType::f8e4m3fnuz, DataType::f8e5m2, DataType::f8e5m2fnuz,
                                      DataType::f4e2m1};

// Where along which axis an element's scale changes; block_size 0: at each place.
struct Along {
  size_t axis = 0;
  int64_t block_size = 0;
};

size_t scale_of(const Tensor& x, const Tensor& scale, const Along& along, size_t index) {
  if (scale.element_count() == 1) return 0;
  size_t inner = 1, outer = 0;
  for (size_t axis = along.axis + 1; axis < x.dims.size(); ++axis) inner *= static_cast<size_t>(x.dims[axis]);
  const auto size = static_cast<size_t>(x.dims[along.axis]);
  const size_t place = index / inner % size;
  outer = index / inner / size;
  if (along.block_size == 0) return place;
  const auto block = static_cast<size_t>(along.block_size);
  return (outer * ((size + block - 1) / block) + place / block) * inner + index % inner;
}

std::string attributes(const Along& along) {
  std::string text = "axis = " + std::to_string(along.axis);
  if (along.block_size) text += ", block_size = " + std::to_string(along.block_size);
  return text;
}

double rounded_to(DataType type, double value) { return values_of(numbers(type, {1}, {value}))[0]; }

// In the type of the scale, as `precision` says by default.
Case quantized(std::string what, Tensor x, Tensor scale, Tensor zero_point, DataType type, Along along = {}) {
  const auto reference = [=](const Tensors& in) {
    const auto xs = values_of(in[0]), scales = values_of(in[1]);
    const auto zeros = in.size() > 2 ? values_of(in[2]) : std::vector<double>(scales.size(), 0);
    const double size = 1 << std::min(bits_of(type), 30);
    const double least = is_signed_integer(type) ? -size / 2 : 0, greatest = least + size - 1;
    std::vector<double> y;
    for (size_t i = 0; i < xs.size(); ++i) {
      const size_t at = scale_of(in[0], in[1], along, i);
      const double quotient = rounded_to(in[1].type, static_cast<float>(xs[i]) / static_cast<float>(scales[at]));
      y.push_back(is_float(type) ? quotient + zeros[at]
                                 : std::clamp(std::nearbyint(quotient) + zeros[at], least, greatest));
    }
    return Tensors{numbers(type, in[0].dims, y)};
  };
  Tensors in = {std::move(x), std::move(scale)};
  std::string text = attributes(along);
  if (zero_point.type != DataType::undefined)
    in.push_back(std::move(zero_point));
  else
    text += ", output_dtype = " + std::to_string(static_cast<int>(type));
  return by(reference, std::move(what), std::move(in), 0, text);
}

Case dequantized(std::string what, Tensor x, Tensor scale, Tensor zero_point, Along along = {}, double tolerance = 0) {
  const auto reference = [=](const Tensors& in) {
    const auto xs = values_of(in[0]), scales = values_of(in[1]);
    const auto zeros = in.size() > 2 ? values_of(in[2]) : std::vector<double>(scales.size(), 0);
    std::vector<double> y;
    for (size_t i = 0; i < xs.size(); ++i) {
      const size_t at = scale_of(in[0], in[1], along, i);
      y.push_back(static_cast<float>(xs[i] - zeros[at]) * static_cast<float>(scales[at]));
    }
    return Tensors{numbers(in[1].type, in[0].dims, y)};
  };
  Tensors in = {std::move(x), std::move(scale)};
  if (zero_point.type != DataType::undefined) in.push_back(std::move(zero_point));
  return by(reference, std::move(what), std::move(in), tolerance, attributes(along));
}

Tensor integers(DataType type, std::vector<int64_t> dims) {
  const double size = 1 << std::min(bits_of(type), 30), least = is_signed_integer(type) ? -size / 2 : 0;
  Tensor wide = random(std::move(dims), least, least + size, DataType::f64);
  std::vector<double> values = values_of(wide);
  for (double& value : values) value = std::floor(value);
  return numbers(type, wide.dims, values);
}

// A list of numbers by their codes, a byte each.
Tensor codes(DataType type, const std::vector<uint8_t>& bytes) {
  auto tensor = *Tensor::allocate(type, {static_cast<int64_t>(bytes.size())});
  std::memcpy(tensor.writable(), bytes.data(), bytes.size());
  return tensor;
}

std::vector<Case> quantize_rows() {
  std::vector<Case> rows;
  for (const auto type : narrow_integers) {
    const std::string name(name_of(type));
    const double most = 3 << bits_of(type);
    rows.push_back(quantized(name + ", one scale", random({3, 41}, -most, most), f32({}, {2.7}), integers(type, {}), type));
    rows.push_back(quantized(name + ", no zero point, of f16", random({131}, -most / 4, most / 4, DataType::f16),
                             f16({1}, {0.37}), absent(), type));
    rows.push_back(quantized(name + ", along an axis", random({2, 5, 3}, -most, most), random({5}, 0.5, 3),
                             integers(type, {5}), type, {1}));
    rows.push_back(quantized(name + ", in blocks", random({2, 7, 3}, -most, most), random({2, 3, 3}, 0.5, 3),
                             integers(type, {2, 3, 3}), type, {1, 3}));
  }
  for (const auto type : narrow_floats) {
    const std::string name(name_of(type));
    rows.push_back(quantized(name, random({211}, -30, 30), f32({}, {0.7}), absent(), type));
    rows.push_back(quantized(name + ", of bf16, along the last axis", random({9, 7}, -4, 4, DataType::bf16),
                             random({7}, 0.5, 3, DataType::bf16), absent(), type, {1}));
  }
  rows.push_back(quantized("small and large", f32({9}, {0, -0.0, 1e-10, -1e-3, 1e-2, 1e30, -1e30, infinity, -infinity}),
                           f32({}, {1}), absent(), DataType::f8e5m2));
  rows.push_back({"without saturation", {f32({4}, {1e6, -1e6, 2, nan}), f32({}, {1})},
                  {codes(DataType::f8e5m2, {0x7C, 0xFC, 0x40, 0x7E})}, 0, "saturate = 0, output_dtype = 19"});
  rows.push_back({"halves go to the even one", {f32({6}, {0.5, 1.5, 2.5, -0.5, -1.5, -2.5}), f32({}, {1})},
                  {numbers(DataType::i8, {6}, {0, 2, 2, 0, -2, -2})}, 0, "output_dtype = 3"});
  rows.push_back({"quotients that f32 rounds to a half",
                  {f32({3}, {0.35, 0.15, 2.45}), f32({}, {0.1})},
                  {u8({3}, {4, 2, 24})}});
  rows.push_back({"i32 by an i32 scale", {i32({4}, {7, -7, 9, 2147483647}), i32({}, {2})},
                  {numbers(DataType::i16, {4}, {4, -4, 4, 32767})}, 0, "output_dtype = 5"});
  rows.push_back({"precision f32 for f16", {f16({2}, {1000, 1001}), f16({}, {0.75})},
                  {numbers(DataType::u16, {2}, {1333, 1335})}, 0, "precision = 1, output_dtype = 4"});
  rows.push_back({"a negative axis", {f32({2, 2}, {1, 2, 3, 4}), f32({2}, {1, 2}), u8({2}, {0, 10})},
                  {u8({2, 2}, {1, 2, 12, 12})}, 0, "axis = -2"});
  rows.push_back({"version 10", {f32({3}, {-1, 3, 1000}), f32({}, {2}), u8({}, {1})}, {u8({3}, {1, 3, 255})}, 0, "", 10});
  rows.push_back(quantized("empty", f32({0, 3}, {}), f32({3}, {1, 2, 3}), u8({3}, {1, 2, 3}), DataType::u8, {1}));
  rows.push_back(quantized("more than a workgroup, 4 bits", random({67, 131}, -9, 9), random({131}, 0.5, 1.5),
                           absent(), DataType::i4, {1}));
  return rows;
}

std::vector<Case> dequantize_rows() {
  std::vector<Case> rows;
  for (const auto type : narrow_integers) {
    const std::string name(name_of(type));
    rows.push_back(dequantized(name + ", one scale", integers(type, {3, 41}), f32({}, {0.17}), integers(type, {})));
    rows.push_back(dequantized(name + ", no zero point, to f16", integers(type, {131}), f16({1}, {0.0012}), absent()));
    rows.push_back(dequantized(name + ", along an axis", integers(type, {2, 5, 3}), random({5}), integers(type, {5}), {1}));
    rows.push_back(dequantized(name + ", in blocks", integers(type, {2, 7, 3}), random({2, 3, 3}),
                               integers(type, {2, 3, 3}), {1, 3}));
  }
  for (const auto type : narrow_floats) {
    std::vector<double> codes = values_of(random({101}, -6, 6));
    for (size_t i = 0; i < codes.size(); i += 3) codes[i] /= 256;
    const Tensor x = numbers(type, {101}, codes);
    rows.push_back(dequantized(std::string(name_of(type)), x, f32({}, {0.7}), absent()));
    rows.push_back(dequantized(std::string(name_of(type)) + " to bf16", x, numbers(DataType::bf16, {}, {0.7}), absent()));
  }
  rows.push_back(dequantized("what is no number stays so", numbers(DataType::f8e5m2, {3}, {nan, infinity, 1}),
                             f32({}, {2}), absent()));
  rows.push_back(dequantized("i32", i32({4}, {1, -1, 2147483647, 16777217}), f32({}, {0.5}), absent()));
  rows.push_back({"f8e8m0 scales in blocks, to f32",
                  {numbers(DataType::f4e2m1, {1, 4}, {1, 6, -0.5, 3}), numbers(DataType::f8e8m0, {1, 2}, {2, 0.25})},
                  {f32({1, 4}, {2, 12, -0.125, 0.75})}, 0, "block_size = 2, output_dtype = 1"});
  rows.push_back({"f32 scales, to bf16", {u8({2}, {3, 9}), f32({}, {0.5})}, {bf16({2}, {1.5, 4.5})}, 0, "output_dtype = 16"});
  rows.push_back({"version 10", {u8({3}, {0, 3, 255}), f32({}, {2}), u8({}, {1})}, {f32({3}, {-2, 4, 508})}, 0, "", 10});
  rows.push_back(dequantized("empty", u8({0, 3}, {}), f32({3}, {1, 2, 3}), u8({3}, {1, 2, 3}), {1}));
  rows.push_back(dequantized("more than a workgroup, 4 bits", integers(DataType::u4, {67, 131}), random({67}),
                             integers(DataType::u4, {67}), {0}));
  return rows;
}

const std::vector<Case> quantize_cases = quantize_rows(), dequantize_cases = dequantize_rows();

const std::vector<Case> microsoft_quantize_cases = {
    {"along an axis", {f32({2, 2}, {1, 2, 3, 4}), f32({2}, {1, 2}), u8({2}, {0, 10})}, {u8({2, 2}, {1, 11, 3, 12})}},
};
const std::vector<Case> microsoft_dequantize_cases = {
    {"4 bits along an axis",
     {numbers(DataType::i4, {2, 2}, {1, -2, 3, -8}), f32({2}, {1, 2}), numbers(DataType::i4, {2}, {0, 1})},
     {f32({2, 2}, {1, -6, 3, -18})}},
};

// By ONNX's formula in f32; the scale and the zero point follow from the least and the greatest.
Tensors dynamically(const Tensors& in) {
  float least = 0, greatest = 0;
  for (const double x : values_of(in[0])) {
    least = std::min(least, static_cast<float>(x));
    greatest = std::max(greatest, static_cast<float>(x));
  }
  const float scale = (greatest - least) / 255, zero = std::nearbyintf(-least / scale);
  std::vector<double> y;
  for (const double x : values_of(in[0]))
    y.push_back(std::clamp(std::nearbyintf(static_cast<float>(x) / scale) + zero, 0.0f, 255.0f));
  return {numbers(DataType::u8, in[0].dims, y), f32({}, {scale}), u8({}, {zero})};
}
const std::vector<Case> dynamic_cases = {
    by(dynamically, "around zero", {random({7, 131}, -3, 5)}),
    by(dynamically, "all positive", {random({41}, 2, 5)}),
    by(dynamically, "all negative", {random({41}, -5, -2)}),
    by(dynamically, "a number", {f32({}, {3})}),
    by(dynamically, "longer than a workgroup folds at once, its ends in the middle", {random({3, 4001}, -1, 7)}),
    {"nothing but zeros", {f32({2}, {0, 0})}, {u8({2}, {0, 0}), f32({}, {1}), u8({}, {0})}},
    {"empty", {f32({0}, {})}, {u8({0}, {}), f32({}, {1}), u8({}, {0})}},
};

// Slices of dequantised data, by hand: rows 1 and -1 of three, in blocks of 16 along the last axis.
std::vector<Case> gather_rows() {
  std::vector<Case> rows;
  const auto row = [&](std::string what, DataType type, int64_t bits, bool has_zero_points, DataType scale_type,
                       double tolerance) {
    const int64_t width = 21, blocks = 2;
    const DataType code_type = type != DataType::u8 ? type : bits == 4 ? DataType::u4 : DataType::u8;
    const bool is_packed_bytes = type == DataType::u8 && bits == 4;
    const int64_t padded = is_packed_bytes ? 22 : width;  // whole bytes
    const Tensor codes = integers(code_type, {3, padded}), scales = random({3, blocks}, 0.5, 2, scale_type);
    const Tensor zeros = integers(code_type, {3, blocks});
    const auto as_bytes = [&](const Tensor& packed) {
      if (!is_packed_bytes) return packed;
      auto tensor = *Tensor::allocate(DataType::u8, {packed.dims[0], packed.dims[1] / 2});
      std::memcpy(tensor.writable(), packed.data, static_cast<size_t>(tensor.element_count()));
      return tensor;
    };
    const double otherwise = type != DataType::u8 ? 0 : bits == 4 ? 8 : 128;
    const auto code = values_of(codes), scale = values_of(scales), zero = values_of(zeros);
    std::vector<double> y;
    for (const size_t chosen : {1, 2})
      for (size_t i = 0; i < static_cast<size_t>(padded); ++i) {
        const size_t block = chosen * 2 + i / 16;
        y.push_back((code[chosen * static_cast<size_t>(padded) + i] - (has_zero_points ? zero[block] : otherwise)) * scale[block]);
      }
    Tensors in = {as_bytes(codes), i64({2}, {1, -1}), scales};
    if (has_zero_points) in.push_back(as_bytes(zeros));
    rows.push_back({std::move(what), std::move(in), {numbers(scale_type, {2, padded}, y)}, tolerance,
                    "block_size = 16, gather_axis = 0, quantize_axis = 1, bits = " + std::to_string(bits)});
  };
  row("i4", DataType::i4, 4, true, DataType::f32, 1e-6);
  row("u4, no zero points", DataType::u4, 4, false, DataType::f16, 1e-3);
  row("bytes of two codes", DataType::u8, 4, true, DataType::f32, 1e-6);
  row("bytes of two codes, no zero points", DataType::u8, 4, false, DataType::bf16, 1e-2);
  row("bytes", DataType::u8, 8, true, DataType::f32, 1e-6);
  row("bytes, no zero points", DataType::u8, 8, false, DataType::f32, 1e-6);
  // Scales along the axis that is gathered, and an index of rank 0.
  const Tensor codes = integers(DataType::i4, {33, 3}), scales = random({3, 3}, 0.5, 2);
  std::vector<double> y;
  for (size_t i = 0; i < 3; ++i) y.push_back(values_of(codes)[20 * 3 + i] * values_of(scales)[3 + i]);
  rows.push_back({"blocks along the gathered axis", {codes, i32({}, {20}), scales}, {f32({3}, y)}, 1e-6,
                  "block_size = 16, gather_axis = 0, quantize_axis = 0"});
  return rows;
}
const std::vector<Case> gather_cases = gather_rows();

}  // namespace

HEED_TEST_OPERATOR("com.microsoft.GatherBlockQuantized", gather_cases)
HEED_TEST_OPERATOR("QuantizeLinear", quantize_cases)
HEED_TEST_OPERATOR("DequantizeLinear", dequantize_cases)
HEED_TEST_OPERATOR("com.microsoft.QuantizeLinear", microsoft_quantize_cases)
HEED_TEST_OPERATOR("com.microsoft.DequantizeLinear", microsoft_dequantize_cases)
HEED_TEST_OPERATOR("DynamicQuantizeLinear", dynamic_cases)

TEST_CASE("QuantizeLinear and DequantizeLinear refuse what does not fit") {
  const auto refused = [](std::string_view op_type, Tensors inputs, std::string attributes, std::string_view part) {
    check_refused(op_type, {"", std::move(inputs), {f32({1}, {0})}, 0, std::move(attributes)}, part);
  };
  refused("QuantizeLinear", {random({2, 3}), random({4})}, "", "scales and axis 1");
  refused("QuantizeLinear", {random({2, 3}), random({2, 3})}, "", "no block_size");
  refused("QuantizeLinear", {random({2, 3}), random({2, 2})}, "block_size = 3", "axis 1 of the scale");
  refused("QuantizeLinear", {random({2, 3}), random({})}, "output_dtype = 1", "output_dtype");
  refused("QuantizeLinear", {random({2, 3}), random({}), u8({}, {0})}, "output_dtype = 3", "the zero point u8");
  refused("com.microsoft.GatherBlockQuantized", {u8({2, 32}, std::vector<double>(64)), i64({1}, {0}), random({2, 3})},
          "bits = 8, block_size = 16, quantize_axis = 1", "axis 1 of scales");
  refused("DequantizeLinear", {u8({2}, {0, 1}), random({}), u8({2}, {0, 0})}, "", "scales or zero points");
  refused("DequantizeLinear", {u8({2}, {0, 1}), numbers(DataType::f8e8m0, {}, {1})}, "", "output_dtype");
}

}  // namespace heed::test
