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

bool is_plain_float(DataType type) {
  return type == DataType::f32 || type == DataType::f16 || type == DataType::bf16 || type == DataType::f64;
}

std::string first_other_text(const Tensor& met, const Tensor& expected) {
  for (size_t i = 0; i < met.texts().size(); ++i) {
    const std::string_view text(met.texts()[i].data, met.texts()[i].size),
        wanted(expected.texts()[i].data, expected.texts()[i].size);
    if (text != wanted)
      return "element " + std::to_string(i) + " is '" + std::string(text) + "'; expected '" + std::string(wanted) + "'";
  }
  return "";
}

std::optional<std::string> difference_text(const Distance& found) {
  if (found.agrees()) return std::nullopt;
  if (!found.mismatch.empty()) return found.mismatch;
  char text[200];
  std::snprintf(text, sizeof text,
                "%zu of %zu elements differ; the first is [%zu]: %.9g, expected %.9g; the largest difference is %.3g",
                found.differing, found.count, found.at, found.met, found.expected, found.absolute);
  return text;
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

double Distance::scaled() const {
  if (!mismatch.empty() || met_is_finite != expected_is_finite) return INFINITY;
  return absolute == 0 ? 0 : absolute / std::max(largest_expected, 1e-30);
}

Distance distance(const HostValue& met, const HostValue& expected, const Tolerance& tolerance) {
  Distance found;
  if (met.kind != expected.kind) {
    found.mismatch = "it is of another kind than expected";
  } else if (met.kind != Kind::tensor) {
    if (met.present != expected.present) {
      found.mismatch = met.present ? "it should be empty" : "it is empty";
    } else if (met.elements.size() != expected.elements.size()) {
      found.mismatch =
          std::to_string(met.elements.size()) + " elements; expected " + std::to_string(expected.elements.size());
    }
    for (size_t i = 0; found.agrees() && i < met.elements.size(); ++i) {
      found = distance(met.elements[i], expected.elements[i], tolerance);
      if (!found.agrees()) found.mismatch = "element " + std::to_string(i) + ": " + *difference_text(found);
    }
    return found;
  }
  if (!found.mismatch.empty()) return found;
  const Tensor &a = met.tensor, &e = expected.tensor;
  if ((a.type != e.type && !(is_plain_float(a.type) && is_plain_float(e.type))) || a.dims != e.dims) {
    found.mismatch = to_string(a) + "; expected " + to_string(e);
    return found;
  }
  if (a.type == DataType::string) {
    found.mismatch = first_other_text(a, e);
    return found;
  }
  const auto left = to_doubles(a), right = to_doubles(e);
  found.count = left.size();
  const auto measure = [](const std::vector<double>& numbers, double& largest, bool& is_finite) {
    for (const double number : numbers) {
      if (std::isfinite(number)) largest = std::max(largest, std::abs(number));
      is_finite &= std::isfinite(number);
    }
  };
  measure(left, found.largest_met, found.met_is_finite);
  measure(right, found.largest_expected, found.expected_is_finite);
  const double of_zero = tolerance.absolute + tolerance.of_largest * found.largest_expected;
  for (size_t i = 0; i < left.size(); ++i) {
    const double x = left[i], y = right[i];
    if ((std::isnan(x) && std::isnan(y)) || x == y) continue;
    const bool both = std::isfinite(x) && std::isfinite(y);
    const double absolute = both ? std::abs(x - y) : INFINITY;
    const bool differs = !(absolute <= of_zero + tolerance.relative * std::abs(y));
    if (differs ? found.differing++ == 0 : found.differing == 0 && absolute > found.absolute) {
      found.at = i;
      found.met = x;
      found.expected = y;
    }
    found.absolute = std::max(found.absolute, absolute);
  }
  return found;
}

std::optional<std::string> difference(const HostValue& met, const HostValue& expected, const Tolerance& tolerance) {
  if (met.kind == Kind::tensor && expected.kind == Kind::tensor && met.tensor.type != expected.tensor.type)
    return to_string(met.tensor) + "; expected " + to_string(expected.tensor);
  return difference_text(distance(met, expected, tolerance));
}

}  // namespace heed::tool
