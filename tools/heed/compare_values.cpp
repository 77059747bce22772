// ONNX's rules for whether a result is what was expected.
#include "compare_values.hpp"

#include <cmath>
#include <cstdio>

#include "heed/numeric.hpp"

namespace heed::tool {
namespace {

template <class T>
void append(const Tensor& tensor, std::vector<double>& out) {
  for (const T value : tensor.as<T>()) out.push_back(static_cast<double>(value));
}

}  // namespace

std::vector<double> to_doubles(const Tensor& tensor) {
  std::vector<double> out;
  const auto bytes = [&] { return tensor.as<uint8_t>(); };
  const auto packed = [&](int bits, auto convert) {
    const auto count = static_cast<size_t>(tensor.element_count());
    const size_t per_byte = 8 / static_cast<size_t>(bits);
    for (size_t i = 0; i < count; ++i)
      out.push_back(static_cast<double>(convert(static_cast<uint8_t>(
          bytes()[i / per_byte] >> (i % per_byte * static_cast<size_t>(bits)) & ((1 << bits) - 1)))));
  };
  switch (tensor.type) {
    case DataType::f32:
    case DataType::c64:
      append<float>(tensor, out);
      break;
    case DataType::f64:
    case DataType::c128:
      append<double>(tensor, out);
      break;
    case DataType::u8:
      append<uint8_t>(tensor, out);
      break;
    case DataType::i8:
      append<int8_t>(tensor, out);
      break;
    case DataType::u16:
      append<uint16_t>(tensor, out);
      break;
    case DataType::i16:
      append<int16_t>(tensor, out);
      break;
    case DataType::u32:
      append<uint32_t>(tensor, out);
      break;
    case DataType::i32:
      append<int32_t>(tensor, out);
      break;
    case DataType::u64:
      append<uint64_t>(tensor, out);
      break;
    case DataType::i64:
      append<int64_t>(tensor, out);
      break;
    case DataType::boolean:
      for (const uint8_t b : bytes()) out.push_back(b != 0);
      break;
    case DataType::f16:
      for (const auto v : tensor.as<Float16>()) out.push_back(static_cast<float>(v));
      break;
    case DataType::bf16:
      for (const auto v : tensor.as<BFloat16>()) out.push_back(static_cast<float>(v));
      break;
    case DataType::f8e4m3fn:
    case DataType::f8e4m3fnuz:
    case DataType::f8e5m2:
    case DataType::f8e5m2fnuz:
    case DataType::f8e8m0:
      // Equal bits are equal numbers; what lies between is compared as steps of the format.
      for (const uint8_t b : bytes()) out.push_back(b);
      break;
    case DataType::u4:
      packed(4, [](uint8_t v) { return v; });
      break;
    case DataType::i4:
      packed(4, [](uint8_t v) { return v < 8 ? v : v - 16; });
      break;
    case DataType::f4e2m1:
      packed(4, [](uint8_t v) { return v; });
      break;
    case DataType::u2:
      packed(2, [](uint8_t v) { return v; });
      break;
    case DataType::i2:
      packed(2, [](uint8_t v) { return v < 2 ? v : v - 4; });
      break;
    case DataType::undefined:
    case DataType::string:
      break;
  }
  return out;
}

std::optional<std::string> difference(const HostValue& met, const HostValue& expected, const Tolerance& tolerance) {
  if (met.kind != expected.kind) return "it is of another kind than expected";
  if (met.kind != Kind::tensor) {
    if (met.present != expected.present) return met.present ? "it should be empty" : "it is empty";
    if (met.elements.size() != expected.elements.size())
      return std::to_string(met.elements.size()) + " elements; expected " + std::to_string(expected.elements.size());
    for (size_t i = 0; i < met.elements.size(); ++i)
      if (auto inner = difference(met.elements[i], expected.elements[i], tolerance))
        return "element " + std::to_string(i) + ": " + *inner;
    return std::nullopt;
  }
  const Tensor &a = met.tensor, &e = expected.tensor;
  if (a.type != e.type || a.dims != e.dims) return to_string(a) + "; expected " + to_string(e);
  if (a.type == DataType::string) {
    for (size_t i = 0; i < a.texts().size(); ++i) {
      const std::string_view met_text(a.texts()[i].data, a.texts()[i].size),
          wanted(e.texts()[i].data, e.texts()[i].size);
      if (met_text != wanted)
        return "element " + std::to_string(i) + " is '" + std::string(met_text) + "'; expected '" +
               std::string(wanted) + "'";
    }
    return std::nullopt;
  }
  const auto left = to_doubles(a), right = to_doubles(e);
  size_t count = 0, first = 0;
  double worst = 0;
  for (size_t i = 0; i < left.size(); ++i) {
    if ((std::isnan(left[i]) && std::isnan(right[i])) || left[i] == right[i]) continue;
    const double distance = std::abs(left[i] - right[i]);
    if (distance <= tolerance.absolute + tolerance.relative * std::abs(right[i])) continue;
    if (count++ == 0) first = i;
    worst = std::max(worst, distance);
  }
  if (!count) return std::nullopt;
  char text[200];
  std::snprintf(text, sizeof text,
                "%zu of %zu elements differ; the first is [%zu]: %.9g, expected %.9g; the largest difference is %.3g",
                count, left.size(), first, left[first], right[first], worst);
  return text;
}

}  // namespace heed::tool
