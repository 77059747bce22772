// Narrow numbers against their formats' definitions, worked out here in double arithmetic.
#include "heed/numeric.hpp"

#include <bit>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <random>
#include <utility>
#include <vector>

using namespace heed;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

enum class Last { ieee, nan_only, nan_at_minus_zero, number };

// (-1)^s * 2^(e - bias) * (1 + m/2^M), or 2^(1 - bias) * m/2^M where e is 0 (ONNX, docs/technical/float8).
double value_of_code(uint32_t code, int exponent_bits, int mantissa_bits, int bias, Last last) {
  const uint32_t sign = code >> (exponent_bits + mantissa_bits) & 1;
  const uint32_t exponent = code >> mantissa_bits & ((1u << exponent_bits) - 1);
  const uint32_t mantissa = code & ((1u << mantissa_bits) - 1);
  const bool is_last = exponent == (1u << exponent_bits) - 1;
  if (last == Last::ieee && is_last) return mantissa != 0 ? not_a_number : sign ? -infinity : infinity;
  if (last == Last::nan_only && is_last && mantissa == (1u << mantissa_bits) - 1) return not_a_number;
  if (last == Last::nan_at_minus_zero && sign && exponent == 0 && mantissa == 0) return not_a_number;
  const double fraction = std::ldexp(mantissa, -mantissa_bits);
  const double magnitude =
      exponent == 0 ? std::ldexp(fraction, 1 - bias) : std::ldexp(1 + fraction, static_cast<int>(exponent) - bias);
  return sign ? -magnitude : magnitude;
}

bool same(double a, double b) {
  return (std::isnan(a) && std::isnan(b)) || (a == b && std::signbit(a) == std::signbit(b));
}

// Every code has the value of its definition and comes back from it; between neighbours the nearer one is taken, and
// at the middle the even one.
template <class Small>
void check_format(int exponent_bits, int mantissa_bits, int bias, Last last) {
  const uint32_t code_count = 1u << (1 + exponent_bits + mantissa_bits);
  const auto value_of = [&](uint32_t code) { return value_of_code(code, exponent_bits, mantissa_bits, bias, last); };
  const auto bits = [](uint32_t code) { return static_cast<decltype(Small::bits)>(code); };
  int failures = 0;
  for (uint32_t code = 0; code < code_count; ++code) {
    const double expected = value_of(code);
    const float decoded = static_cast<float>(Small::from_bits(bits(code)));
    bool is_right = same(decoded, expected);
    if (std::isnan(expected)) {
      is_right = is_right && std::isnan(static_cast<float>(Small(decoded)));
    } else {
      is_right = is_right && Small(decoded, Overflow::keep).bits == code;
    }
    const uint32_t next = code + 1;
    const double above = next % (code_count / 2) == 0 ? not_a_number : value_of(next);
    if (std::isfinite(expected) && std::isfinite(above)) {
      const double middle = (expected + above) / 2;
      const uint32_t even = code % 2 == 0 ? code : next;
      const bool lost_sign = last == Last::nan_at_minus_zero && even == code_count / 2;
      is_right = is_right && Small(middle).bits == (lost_sign ? 0 : even);
      is_right = is_right && Small(std::nextafter(middle, above)).bits == next;
      const bool lost_sign_below = last == Last::nan_at_minus_zero && code == code_count / 2;
      is_right = is_right && Small(std::nextafter(middle, expected)).bits == (lost_sign_below ? 0 : code);
    }
    if (!is_right && ++failures < 5) {
      FAIL_CHECK("code " << code << ": " << expected << ", decoded " << decoded << ", encoded "
                         << static_cast<int>(Small(decoded).bits));
    }
  }
  CHECK(failures == 0);
}

}  // namespace

TEST_CASE("every code of every format: its value, its way back, and the ties beside it") {
  SECTION("fp16") { check_format<Float16>(5, 10, 15, Last::ieee); }
  SECTION("bf16") { check_format<BFloat16>(8, 7, 127, Last::ieee); }
  SECTION("f8e4m3fn") { check_format<Float8E4M3FN>(4, 3, 7, Last::nan_only); }
  SECTION("f8e4m3fnuz") { check_format<Float8E4M3FNUZ>(4, 3, 8, Last::nan_at_minus_zero); }
  SECTION("f8e5m2") { check_format<Float8E5M2>(5, 2, 15, Last::ieee); }
  SECTION("f8e5m2fnuz") { check_format<Float8E5M2FNUZ>(5, 2, 16, Last::nan_at_minus_zero); }
  SECTION("f4e2m1") { check_format<Float4E2M1>(2, 1, 1, Last::number); }
}

TEST_CASE("fp16 and bf16 round floats once and to the nearest: random floats against both neighbours") {
  std::mt19937 random(7);
  int failures = 0;
  const auto check = [&](float value, auto small, float greatest) {
    if (!std::isfinite(value) || std::abs(value) >= greatest) return;
    using Small = decltype(small);
    const double distance = std::abs(static_cast<double>(static_cast<float>(small)) - value);
    for (const int step : {-1, 1}) {
      const auto bits = static_cast<uint16_t>(small.bits + step);
      const double other = static_cast<double>(static_cast<float>(Small::from_bits(bits)));
      if (std::isfinite(other) && std::abs(other - value) < distance) ++failures;
    }
  };
  for (int i = 0; i < 300000; ++i) {
    const auto value = std::bit_cast<float>(static_cast<uint32_t>(random()));
    check(value, BFloat16(value), 3.3e38f);
    // Most random floats lie outside of fp16: bring the exponent near.
    int exponent = 0;
    const float near = std::ldexp(std::frexp(value, &exponent), static_cast<int>(random() % 44) - 27);
    check(near, Float16(near), 65504.0f);
  }
  CHECK(failures == 0);
}

TEST_CASE("fp16: the edges of its range") {
  CHECK(Float16(65504.0).bits == 0x7BFF);
  CHECK(Float16(65519.99).bits == 0x7BFF);
  CHECK(Float16(65520.0).bits == 0x7C00);
  CHECK(Float16(-1e30).bits == 0xFC00);
  CHECK(Float16(infinity).bits == 0x7C00);
  CHECK(Float16(std::ldexp(1.0, -24)).bits == 1);
  CHECK(Float16(std::ldexp(1.0, -25)).bits == 0);
  CHECK(Float16(std::ldexp(1.0001, -25)).bits == 1);
  CHECK(Float16(-0.0).bits == 0x8000);
  CHECK(Float16(1e-320).bits == 0);
  CHECK(Float16(2049).bits == Float16(2048).bits);
  CHECK(Float16(not_a_number).bits == 0x7E00);
  // Rounded from double at once: by way of float this is a tie.
  CHECK(Float16(1.0 + std::ldexp(1.0, -11) + std::ldexp(1.0, -40)).bits == 0x3C01);
  CHECK(BFloat16(3.4e38f).bits == 0x7F80);
  CHECK(BFloat16(std::numeric_limits<float>::denorm_min()).bits == 0);
}

// Inputs and outputs of ONNX's backend tests test_cast_FLOAT_to_FLOAT8*, test_cast_no_saturate_FLOAT_to_FLOAT8* and
// test_cast_FLOAT_to_FLOAT4E2M1 (1.23).
TEST_CASE("fp8 and fp4 beyond their range, as ONNX's backend tests have it") {
  constexpr double values[] = {1e6, 1e-7, not_a_number, infinity, -infinity, -1e-7, -1e6};
  const auto check = [&](auto convert, std::vector<int> expected) {
    for (size_t i = 0; i < std::size(values); ++i) {
      INFO(values[i]);
      CHECK(convert(values[i]) == expected[i]);
    }
  };
  check([](double x) { return Float8E4M3FN(x).bits; }, {0x7E, 0, 0x7F, 0x7E, 0xFE, 0x80, 0xFE});
  check([](double x) { return Float8E4M3FNUZ(x).bits; }, {0x7F, 0, 0x80, 0x7F, 0xFF, 0, 0xFF});
  check([](double x) { return Float8E5M2(x).bits; }, {0x7B, 0, 0x7E, 0x7B, 0xFB, 0x80, 0xFB});
  check([](double x) { return Float8E5M2FNUZ(x).bits; }, {0x7F, 0, 0x80, 0x7F, 0xFF, 0, 0xFF});
  constexpr auto keep = Overflow::keep;
  check([](double x) { return Float8E4M3FN(x, keep).bits; }, {0x7F, 0, 0x7F, 0x7F, 0xFF, 0x80, 0xFF});
  check([](double x) { return Float8E4M3FNUZ(x, keep).bits; }, {0x80, 0, 0x80, 0x80, 0x80, 0, 0x80});
  check([](double x) { return Float8E5M2(x, keep).bits; }, {0x7C, 0, 0x7E, 0x7C, 0xFC, 0x80, 0xFC});
  check([](double x) { return Float8E5M2FNUZ(x, keep).bits; }, {0x80, 0, 0x80, 0x80, 0x80, 0, 0x80});
  const std::pair<double, int> fp4[] = {{0.48, 1},       {0.25, 0}, {1.05, 2}, {-3.5, 14},        {-8, 15},
                                        {9, 7},          {1e6, 7},  {1e-7, 0}, {not_a_number, 8}, {infinity, 7},
                                        {-infinity, 15}, {-4, 14},  {0.01, 0}, {-0.0, 8}};
  for (const auto& [value, code] : fp4) {
    INFO(value);
    CHECK(Float4E2M1(value).bits == code);
  }
  // What rounds back into the range is in it.
  CHECK(Float8E4M3FN(463.9, keep).bits == 0x7E);
  CHECK(Float8E4M3FN(464.0, keep).bits == 0x7E);
  CHECK(Float8E4M3FN(464.1, keep).bits == 0x7F);
}

// Cast-24's table, and test_cast_e8m0_FLOAT_to_FLOAT8E8M0.
TEST_CASE("f8e8m0 is a power of two, rounded as asked") {
  for (int code = 0; code < 255; ++code) {
    const auto scale = Float8E8M0::from_bits(static_cast<uint8_t>(code));
    CHECK(static_cast<float>(scale) == std::ldexp(1.0f, code - 127));
    CHECK(Float8E8M0(static_cast<float>(scale)).bits == code);
  }
  CHECK(std::isnan(static_cast<float>(Float8E8M0::from_bits(255))));
  const std::pair<double, int> suite[] = {{0.0, 0},    {0.124, 0x7C}, {0.25, 0x7D}, {0.5, 0x7E},
                                          {1.1, 0x80}, {2.0, 0x80},   {4.0, 0x81},  {8.0, 0x82}};
  for (const auto& [value, code] : suite) CHECK(Float8E8M0(value).bits == code);
  CHECK(Float8E8M0(1.25).bits == 0x80);
  constexpr auto keep = Overflow::keep, saturate = Overflow::saturate;
  constexpr auto nearest = ScaleRounding::nearest, down = ScaleRounding::down;
  CHECK(Float8E8M0(1.49, saturate, nearest).bits == 0x7F);
  CHECK(Float8E8M0(1.5, saturate, nearest).bits == 0x80);
  CHECK(Float8E8M0(1.99, saturate, down).bits == 0x7F);
  CHECK(Float8E8M0(not_a_number).bits == 0xFF);
  CHECK(Float8E8M0(infinity).bits == 0xFE);
  CHECK(Float8E8M0(1e300).bits == 0xFE);
  CHECK(Float8E8M0(1e-300).bits == 0);
  CHECK(Float8E8M0(0.0, keep, nearest).bits == 0xFF);
  CHECK(Float8E8M0(infinity, keep, nearest).bits == 0xFF);
  CHECK(Float8E8M0(1e300, keep, nearest).bits == 0xFF);
  CHECK(Float8E8M0(1e-300, keep, nearest).bits == 0xFF);
}

TEST_CASE("integers of 4 and 2 bits wrap, and are packed from the low bits up") {
  // test_cast_FLOAT_to_INT4: -9 is 7, 8 is -8.
  CHECK(sign_extended(wrap_to_bits(-9, 4), 4) == 7);
  CHECK(sign_extended(wrap_to_bits(8, 4), 4) == -8);
  CHECK(wrap_to_bits(17, 4) == 1);
  CHECK(wrap_to_bits(-1, 2) == 3);
  for (int value = -8; value < 8; ++value) CHECK(sign_extended(wrap_to_bits(value, 4), 4) == value);
  for (int value = -2; value < 2; ++value) CHECK(sign_extended(wrap_to_bits(value, 2), 2) == value);
  for (const int bits : {2, 4}) {
    uint8_t bytes[5] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF};
    const int count = 33 / bits;
    for (int i = 0; i < count; ++i) set_packed_element(bytes, i, bits, wrap_to_bits(i * 7, bits));
    for (int i = 0; i < count; ++i) CHECK(packed_element(bytes, i, bits) == wrap_to_bits(i * 7, bits));
    CHECK(bytes[4] == 0xFF);
  }
  const uint8_t suite[] = {0x87, 0xA9};  // -9, -8, -7, -6
  CHECK(packed_element(suite, 0, 4) == 7);
  CHECK(packed_element(suite, 1, 4) == 8);
  CHECK(packed_element(suite, 2, 4) == 9);
}

TEST_CASE("truncation is defined for every value") {
  CHECK(truncate_to_int64(-2.9) == -2);
  CHECK(truncate_to_int64(not_a_number) == INT64_MIN);
  CHECK(truncate_to_int64(1e30) == INT64_MIN);
  CHECK(truncate_to_int64(-0x1p63) == INT64_MIN);
  CHECK(truncate_to_uint64(0x1p63) == uint64_t{1} << 63);
  CHECK(truncate_to_uint64(-1.0) == UINT64_MAX);
}
