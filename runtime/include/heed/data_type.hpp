// The types of a tensor's elements: all of ONNX's, under ONNX's numbers (TensorProto.DataType).
#pragma once

#include <cstdint>
#include <string_view>

namespace heed {

enum class DataType : int32_t {
  undefined = 0,
  f32 = 1,
  u8 = 2,
  i8 = 3,
  u16 = 4,
  i16 = 5,
  i32 = 6,
  i64 = 7,
  string = 8,
  boolean = 9,
  f16 = 10,
  f64 = 11,
  u32 = 12,
  u64 = 13,
  c64 = 14,   // two f32: real, imaginary
  c128 = 15,  // two f64
  bf16 = 16,
  f8e4m3fn = 17,
  f8e4m3fnuz = 18,
  f8e5m2 = 19,
  f8e5m2fnuz = 20,
  u4 = 21,
  i4 = 22,
  f4e2m1 = 23,
  f8e8m0 = 24,
  u2 = 25,
  i2 = 26,
};

constexpr int32_t data_type_count = 27;  // with undefined

constexpr bool is_known(DataType type) {
  return static_cast<int32_t>(type) > 0 && static_cast<int32_t>(type) < data_type_count;
}

// "f32", "i64", "bool"...; "undefined" for what is none of them.
constexpr std::string_view name_of(DataType type) {
  constexpr std::string_view names[data_type_count] = {
      "undefined",  "f32",    "u8",         "i8",  "u16", "i16",    "i32",    "i64",  "string",
      "bool",       "f16",    "f64",        "u32", "u64", "c64",    "c128",   "bf16", "f8e4m3fn",
      "f8e4m3fnuz", "f8e5m2", "f8e5m2fnuz", "u4",  "i4",  "f4e2m1", "f8e8m0", "u2",   "i2"};
  return names[is_known(type) ? static_cast<int32_t>(type) : 0];
}

// Bits an element takes; 0 for strings and undefined. Those below 8 are packed, the first element in the low bits.
constexpr int32_t bits_of(DataType type) {
  constexpr uint8_t bits[data_type_count] = {0,  32,  8,  8, 16, 16, 32, 64, 0, 8, 16, 64, 32, 64,
                                             64, 128, 16, 8, 8,  8,  8,  4,  4, 4, 8,  2,  2};
  return bits[is_known(type) ? static_cast<int32_t>(type) : 0];
}

constexpr bool is_packed(DataType type) { return bits_of(type) > 0 && bits_of(type) < 8; }

constexpr bool is_float(DataType type) {
  const auto number = static_cast<int32_t>(type);
  return type == DataType::f32 || type == DataType::f16 || type == DataType::f64 || (number >= 16 && number <= 20) ||
         type == DataType::f4e2m1 || type == DataType::f8e8m0;
}

constexpr bool is_complex(DataType type) { return type == DataType::c64 || type == DataType::c128; }

// Booleans and strings are none.
constexpr bool is_signed_integer(DataType type) {
  return type == DataType::i8 || type == DataType::i16 || type == DataType::i32 || type == DataType::i64 ||
         type == DataType::i4 || type == DataType::i2;
}

constexpr bool is_unsigned_integer(DataType type) {
  return type == DataType::u8 || type == DataType::u16 || type == DataType::u32 || type == DataType::u64 ||
         type == DataType::u4 || type == DataType::u2;
}

constexpr bool is_integer(DataType type) { return is_signed_integer(type) || is_unsigned_integer(type); }

// Bytes that count elements take when dense, packed types rounded up to a whole byte; -1 where count is negative, the
// type has no fixed size, or the result does not fit 63 bits.
constexpr int64_t size_bytes_or_negative(DataType type, int64_t count) {
  const int64_t bits = bits_of(type);
  if (count < 0 || bits == 0) return -1;
  if (bits < 8) return count / (8 / bits) + (count % (8 / bits) != 0);
  int64_t result = 0;
  return __builtin_mul_overflow(count, bits / 8, &result) ? -1 : result;
}

}  // namespace heed
