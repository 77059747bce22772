// Elements of any type as numbers of one of four wide types, and back.
#include "convert.hpp"

#include "half.hpp"
#include "heed/numeric.hpp"

namespace heed::cpu {
namespace {

template <class E, class T>
void read_plain(const void* data, int64_t first, int64_t step, int64_t n, T* to) {
  const E* from = static_cast<const E*>(data) + first;
  for (int64_t i = 0; i < n; ++i) to[i] = static_cast<T>(from[i * step]);
}

// Numbers of 8 and 16 bits with a float in them.
template <class E, class T>
void read_small(const void* data, int64_t first, int64_t step, int64_t n, T* to) {
  const E* from = static_cast<const E*>(data) + first;
  for (int64_t i = 0; i < n; ++i) to[i] = static_cast<T>(static_cast<float>(from[i * step]));
}

template <class T, class Decode>
void read_packed(const void* data, int64_t first, int64_t step, int64_t n, int bits, T* to, Decode decode) {
  for (int64_t i = 0; i < n; ++i)
    to[i] = static_cast<T>(decode(packed_element(static_cast<const uint8_t*>(data), first + i * step, bits)));
}

template <class T, class Encode>
void write_packed(const T* from, int64_t n, void* data, int64_t first, int64_t step, int bits, Encode encode) {
  for (int64_t i = 0; i < n; ++i)
    set_packed_element(static_cast<uint8_t*>(data), first + i * step, bits, encode(from[i]));
}

template <class E, class T>
void write_floats(const T* from, int64_t n, void* data, int64_t first, int64_t step) {
  E* to = static_cast<E*>(data) + first;
  for (int64_t i = 0; i < n; ++i) to[i * step] = static_cast<E>(from[i]);
}

template <class E, class T>
void write_saturating(const T* from, int64_t n, void* data, int64_t first, int64_t step, Overflow overflow) {
  E* to = static_cast<E*>(data) + first;
  for (int64_t i = 0; i < n; ++i) to[i * step] = E(from[i], overflow);
}

template <class E, class T>
void write_integers(const T* from, int64_t n, void* data, int64_t first, int64_t step) {
  E* to = static_cast<E*>(data) + first;
  if constexpr (std::is_same_v<T, float> && sizeof(E) <= 2) {
    // What an i32 holds: loops of it are vectors.
    constexpr float end = 2147483648.0f;
    bool fits = step == 1;
    for (int64_t i = 0; i < n; ++i) fits &= from[i] >= -end && from[i] < end;
    if (fits) {
      for (int64_t i = 0; i < n; ++i) to[i] = static_cast<E>(static_cast<int32_t>(from[i]));
      return;
    }
  }
  for (int64_t i = 0; i < n; ++i) {
    if constexpr (std::is_integral_v<T>)
      to[i * step] = static_cast<E>(from[i]);
    else if constexpr (std::is_same_v<E, uint64_t>)
      to[i * step] = truncate_to_uint64(from[i]);
    else
      to[i * step] = static_cast<E>(truncate_to_int64(from[i]));
  }
}

}  // namespace

Wide wide_of(DataType type) {
  if (type == DataType::f64) return Wide::f64;
  if (type == DataType::u64) return Wide::u64;
  return is_float(type) ? Wide::f32 : Wide::i64;
}

template <class T>
void read_elements(DataType type, const void* data, int64_t first, int64_t step, int64_t n, T* to) {
  if constexpr (std::is_same_v<T, float>)
    if (is_half(type) && step == 1) return widen(type, static_cast<const uint16_t*>(data) + first, n, to);
  switch (type) {
    case DataType::f32:
      return read_plain<float>(data, first, step, n, to);
    case DataType::f64:
      return read_plain<double>(data, first, step, n, to);
    case DataType::i8:
      return read_plain<int8_t>(data, first, step, n, to);
    case DataType::i16:
      return read_plain<int16_t>(data, first, step, n, to);
    case DataType::i32:
      return read_plain<int32_t>(data, first, step, n, to);
    case DataType::i64:
      return read_plain<int64_t>(data, first, step, n, to);
    case DataType::u8:
      return read_plain<uint8_t>(data, first, step, n, to);
    case DataType::u16:
      return read_plain<uint16_t>(data, first, step, n, to);
    case DataType::u32:
      return read_plain<uint32_t>(data, first, step, n, to);
    case DataType::u64:
      return read_plain<uint64_t>(data, first, step, n, to);
    case DataType::boolean:
      return read_plain<uint8_t>(data, first, step, n, to);
    case DataType::f16:
      return read_small<Float16>(data, first, step, n, to);
    case DataType::bf16:
      return read_small<BFloat16>(data, first, step, n, to);
    case DataType::f8e4m3fn:
      return read_small<Float8E4M3FN>(data, first, step, n, to);
    case DataType::f8e4m3fnuz:
      return read_small<Float8E4M3FNUZ>(data, first, step, n, to);
    case DataType::f8e5m2:
      return read_small<Float8E5M2>(data, first, step, n, to);
    case DataType::f8e5m2fnuz:
      return read_small<Float8E5M2FNUZ>(data, first, step, n, to);
    case DataType::f8e8m0:
      return read_small<Float8E8M0>(data, first, step, n, to);
    case DataType::f4e2m1:
      return read_packed(data, first, step, n, 4, to,
                         [](uint8_t code) { return static_cast<float>(Float4E2M1::from_bits(code)); });
    case DataType::u4:
    case DataType::u2:
      return read_packed(data, first, step, n, bits_of(type), to, [](uint8_t code) { return code; });
    case DataType::i4:
    case DataType::i2: {
      const int bits = bits_of(type);
      return read_packed(data, first, step, n, bits, to, [=](uint8_t code) { return sign_extended(code, bits); });
    }
    case DataType::undefined:
    case DataType::string:
    case DataType::c64:
    case DataType::c128:
      return;
  }
}

template <class T>
void write_elements(DataType type, const T* from, int64_t n, void* data, int64_t first, int64_t step,
                    Narrowing narrowing) {
  if constexpr (std::is_same_v<T, float>)
    if (is_half(type) && step == 1) return narrow(type, from, n, static_cast<uint16_t*>(data) + first);
  switch (type) {
    case DataType::f32:
      return write_floats<float>(from, n, data, first, step);
    case DataType::f64:
      return write_floats<double>(from, n, data, first, step);
    case DataType::i8:
      return write_integers<int8_t>(from, n, data, first, step);
    case DataType::i16:
      return write_integers<int16_t>(from, n, data, first, step);
    case DataType::i32:
      return write_integers<int32_t>(from, n, data, first, step);
    case DataType::i64:
      return write_integers<int64_t>(from, n, data, first, step);
    case DataType::u8:
      return write_integers<uint8_t>(from, n, data, first, step);
    case DataType::u16:
      return write_integers<uint16_t>(from, n, data, first, step);
    case DataType::u32:
      return write_integers<uint32_t>(from, n, data, first, step);
    case DataType::u64:
      return write_integers<uint64_t>(from, n, data, first, step);
    case DataType::boolean: {
      auto* to = static_cast<uint8_t*>(data) + first;
      for (int64_t i = 0; i < n; ++i) to[i * step] = from[i] != 0;
      return;
    }
    case DataType::f16:
      return write_floats<Float16>(from, n, data, first, step);
    case DataType::bf16:
      return write_floats<BFloat16>(from, n, data, first, step);
    case DataType::f8e4m3fn:
      return write_saturating<Float8E4M3FN>(from, n, data, first, step, narrowing.overflow);
    case DataType::f8e4m3fnuz:
      return write_saturating<Float8E4M3FNUZ>(from, n, data, first, step, narrowing.overflow);
    case DataType::f8e5m2:
      return write_saturating<Float8E5M2>(from, n, data, first, step, narrowing.overflow);
    case DataType::f8e5m2fnuz:
      return write_saturating<Float8E5M2FNUZ>(from, n, data, first, step, narrowing.overflow);
    case DataType::f8e8m0: {
      auto* to = static_cast<Float8E8M0*>(data) + first;
      for (int64_t i = 0; i < n; ++i) to[i * step] = Float8E8M0(from[i], narrowing.overflow, narrowing.scale);
      return;
    }
    case DataType::f4e2m1:
      return write_packed(from, n, data, first, step, 4, [](T value) { return Float4E2M1(value).bits; });
    case DataType::u4:
    case DataType::i4:
    case DataType::u2:
    case DataType::i2: {
      const int bits = bits_of(type);
      return write_packed(from, n, data, first, step, bits, [=](T value) {
        if constexpr (std::is_integral_v<T>) return wrap_to_bits(static_cast<int64_t>(value), bits);
        return wrap_to_bits(truncate_to_int64(value), bits);
      });
    }
    case DataType::undefined:
    case DataType::string:
    case DataType::c64:
    case DataType::c128:
      return;
  }
}

template void read_elements(DataType, const void*, int64_t, int64_t, int64_t, float*);
template void read_elements(DataType, const void*, int64_t, int64_t, int64_t, double*);
template void read_elements(DataType, const void*, int64_t, int64_t, int64_t, int64_t*);
template void read_elements(DataType, const void*, int64_t, int64_t, int64_t, uint64_t*);
template void write_elements(DataType, const float*, int64_t, void*, int64_t, int64_t, Narrowing);
template void write_elements(DataType, const double*, int64_t, void*, int64_t, int64_t, Narrowing);
template void write_elements(DataType, const int64_t*, int64_t, void*, int64_t, int64_t, Narrowing);
template void write_elements(DataType, const uint64_t*, int64_t, void*, int64_t, int64_t, Narrowing);

}  // namespace heed::cpu
