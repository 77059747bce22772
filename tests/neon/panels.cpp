// The vector kernels of products and of 16-bit floats against plain loops, as a program by itself: neon_test.py compiles it
// for another machine. Its argument names the instruction set.
#include <bit>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "heed/numeric.hpp"
#include "plugins/cpu/gemm_panels.hpp"
#include "plugins/cpu/half.hpp"
#include "plugins/cpu/integer_panels.hpp"
#include "plugins/cpu/nbit_panels.hpp"

using namespace heed;
using namespace heed::cpu;

namespace {

int passed = 0, failed = 0;
void check(bool holds, const std::string& what) {
  ++(holds ? passed : failed);
  if (!holds) std::printf("FAILED: %s\n", what.c_str());
}

uint32_t seed = 1;
uint32_t next_bits() { return seed = seed * 1664525 + 1013904223; }
float next_number() { return static_cast<float>(next_bits() >> 8) / (1 << 23) - 1; }
std::vector<float> numbers(int64_t count) {
  std::vector<float> list(static_cast<size_t>(count));
  for (float& number : list) number = next_number();
  return list;
}

// Whether y [row, column] is the sum of products, of numbers within [-1, 1], with what it had before.
using Number = std::function<double(int64_t, int64_t)>;
bool is_product(const std::vector<float>& y, int64_t rows, int64_t columns, int64_t k_count, const Number& a, const Number& b,
                double before = 0) {
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t column = 0; column < columns; ++column) {
      double sum = before;
      for (int64_t k = 0; k < k_count; ++k) sum += a(row, k) * b(k, column);
      if (!(std::fabs(y[static_cast<size_t>(row * columns + column)] - sum) < 1e-6 * static_cast<double>(k_count + 1)))
        return false;
    }
  return true;
}

template <class T>
std::vector<T> packed(const std::vector<T>& b, int64_t k_count, int64_t columns, int32_t width) {
  std::vector<T> panels(static_cast<size_t>((columns + width - 1) / width * width * k_count));
  pack_panels(b.data(), columns, 1, k_count, columns, width, panels.data());
  return panels;
}

void check_floats(const PanelKernels& kernels) {
  const int64_t width = kernels.panel_width;
  for (const int64_t rows : {1, 2, 3, 4, 5, 6, 7, 8, 13, 29})
    for (const int64_t k_count : {1, 7, 64, 251})
      for (const int64_t columns : {1L, long{width} - 1, long{width}, 3L * width + 1, 10L * width + 5}) {
        const auto what = std::to_string(rows) + " x " + std::to_string(k_count) + " x " + std::to_string(columns);
        const auto a = numbers(rows * k_count), b = numbers(k_count * columns);
        const Number a_at = [&](int64_t row, int64_t k) { return a[static_cast<size_t>(row * k_count + k)]; };
        const int64_t panels = (columns + width - 1) / width;
        std::vector<float> y(static_cast<size_t>(rows * columns));
        FewRows few{a.data(), k_count, rows, k_count, nullptr, k_count * width, width, true, 0, panels, columns, y.data(), columns};

        const Number b_at = [&](int64_t k, int64_t column) { return b[static_cast<size_t>(k * columns + column)]; };
        const auto b_panels = packed(b, k_count, columns, kernels.panel_width);
        few.b = b_panels.data();
        kernels.few_rows(few);
        check(is_product(y, rows, columns, k_count, a_at, b_at), "few rows, " + what);

        FewRows in_place = few;
        in_place.b = b.data();
        in_place.panel_stride = width;
        in_place.k_stride = columns;
        in_place.padded = false;
        std::fill(y.begin(), y.end(), NAN);
        kernels.few_rows(in_place);
        check(is_product(y, rows, columns, k_count, a_at, b_at), "few rows, b in place, " + what);

        for (const DataType type : {DataType::f16, DataType::bf16}) {
          std::vector<uint16_t> narrow_b(b.size());
          std::vector<float> wide_b(b.size());
          narrow(type, b.data(), static_cast<int64_t>(b.size()), narrow_b.data());
          widen(type, narrow_b.data(), static_cast<int64_t>(b.size()), wide_b.data());
          const auto narrow_panels = packed(narrow_b, k_count, columns, kernels.panel_width);
          few.b = narrow_panels.data();
          std::fill(y.begin(), y.end(), NAN);
          (type == DataType::f16 ? kernels.few_rows_f16 : kernels.few_rows_bf16)(few);
          const Number at = [&](int64_t k, int64_t column) { return wide_b[static_cast<size_t>(k * columns + column)]; };
          check(is_product(y, rows, columns, k_count, a_at, at), "few rows, 16 bits, " + what);
        }

        std::vector<float> tile_a(static_cast<size_t>(rows * tile_stride));
        for (int64_t row = 0; row < rows; ++row)
          std::copy_n(a.data() + row * k_count, k_count, tile_a.data() + row * tile_stride);
        for (const bool accumulate : {false, true}) {
          std::fill(y.begin(), y.end(), accumulate ? 3.0f : NAN);
          kernels.tiles({tile_a.data(), rows, k_count, b_panels.data(), k_count * width, 0, panels, columns, y.data(),
                         columns, 1, accumulate});
          check(is_product(y, rows, columns, k_count, a_at, b_at, accumulate ? 3 : 0), "tiles, " + what);
        }
      }
}

void check_integers(const IntegerPanelKernels& kernels) {
  const int64_t width = kernels.panel_width;
  for (int64_t rows = 1; rows <= kernels.most_rows; ++rows)
    for (const int64_t pairs : {1, 2, 65}) {
      std::vector<int16_t> a(static_cast<size_t>(rows * 2 * pairs));
      std::vector<int8_t> b(static_cast<size_t>(width * 2 * pairs));
      for (auto& number : a) number = static_cast<int16_t>(next_bits() % 511 - 255);
      for (auto& number : b) number = static_cast<int8_t>(next_bits() >> 24);
      std::vector<int32_t> sums(static_cast<size_t>(rows * width));
      kernels.multiply(a.data(), 2 * pairs, rows, pairs, b.data(), sums.data(), width);
      bool same = true;
      for (int64_t row = 0; row < rows; ++row)
        for (int64_t column = 0; column < width; ++column) {
          int32_t sum = 0;
          for (int64_t k = 0; k < 2 * pairs; ++k)
            sum += a[static_cast<size_t>(row * 2 * pairs + k)] * b[static_cast<size_t>((k / 2 * width + column) * 2 + k % 2)];
          same = same && sums[static_cast<size_t>(row * width + column)] == sum;
        }
      check(same, "integers, " + std::to_string(rows) + " rows, " + std::to_string(pairs) + " pairs");
    }
}

void check_codes(const NBitKernels& kernels) {
  const int64_t width = kernels.panel_width, block_size = 32, blocks = 3, k_count = blocks * block_size;
  for (const int32_t bits : {2, 4, 8})
    for (const bool has_zero_points : {false, true}) {
      const int64_t codes_of_word = 32 / bits, word_stride = k_count / codes_of_word * width, panels = kernels.most_sums;
      std::vector<uint32_t> words(static_cast<size_t>(panels * word_stride));
      for (uint32_t& word : words) word = next_bits() ^ next_bits() >> 16;
      const auto scales = numbers(panels * blocks * width);
      std::vector<float> zero_points(scales.size());
      for (float& zero_point : zero_points) zero_point = static_cast<float>(next_bits() >> (32 - bits));
      const NBitPanel first{words.data(), scales.data(), has_zero_points ? zero_points.data() : nullptr,
                            block_size, blocks, word_stride};
      const Number weight = [&](int64_t k, int64_t column) {
        const int64_t panel = column / width, lane = column % width;
        const uint32_t word = words[static_cast<size_t>(panel * word_stride + k / codes_of_word * width + lane)];
        const uint32_t code = word >> (k % codes_of_word * bits) & ((1u << bits) - 1);
        const auto at = static_cast<size_t>((panel * blocks + k / block_size) * width + lane);
        return (code - double{has_zero_points ? zero_points[at] : static_cast<float>(1 << (bits - 1))}) * double{scales[at]} / (1 << bits);
      };
      const auto what = std::to_string(bits) + " bits" + (has_zero_points ? ", zero points" : "");
      std::vector<float> floats(static_cast<size_t>(k_count * width));
      kernels.dequantize(first, bits, 0, blocks, floats.data());
      bool same = true;
      for (int64_t k = 0; k < k_count; ++k)
        for (int64_t column = 0; column < width; ++column)
          same = same && std::fabs(floats[static_cast<size_t>(k * width + column)] / (1 << bits) - weight(k, column)) < 1e-6;
      check(same, "dequantised, " + what);

      for (const auto& [rows, panel_count] : {std::pair<int64_t, int64_t>{1, 4}, {1, 1}, {2, 2}, {3, 1}, {4, 1}}) {
        const auto a = numbers(rows * k_count);
        auto scaled = a;
        std::vector<float> a_sums(static_cast<size_t>(rows * blocks));
        for (int64_t row = 0; row < rows; ++row)
          for (int64_t k = 0; k < k_count; ++k) {
            a_sums[static_cast<size_t>(row * blocks + k / block_size)] += a[static_cast<size_t>(row * k_count + k)];
            scaled[static_cast<size_t>(row * k_count + k)] *= a_scale(bits, k);
          }
        std::vector<float> sums(static_cast<size_t>(rows * panel_count * width));
        kernels.few_rows(first, bits, scaled.data(), k_count, a_sums.data(), blocks, rows, panel_count, sums.data());
        for (float& sum : sums) sum /= static_cast<float>(1 << bits);
        const Number a_at = [&](int64_t row, int64_t k) { return a[static_cast<size_t>(row * k_count + k)]; };
        check(is_product(sums, rows, panel_count * width, k_count, a_at, weight),
              "codes, " + what + ", " + std::to_string(rows) + " rows");
      }
    }
}

void check_halves() {
  std::vector<uint16_t> codes(65536);
  for (size_t code = 0; code < codes.size(); ++code) codes[code] = static_cast<uint16_t>(code);
  std::vector<float> wide(codes.size());
  widen(DataType::f16, codes.data(), 65536, wide.data());
  bool same = true;
  for (size_t code = 0; code < codes.size(); ++code) {
    const auto half = std::bit_cast<Float16>(codes[code]);
    const auto expected = static_cast<float>(half);
    same = same && (std::isnan(expected) ? std::isnan(wide[code]) : std::memcmp(&expected, &wide[code], sizeof expected) == 0);
  }
  check(same, "every f16 as f32");
  std::vector<float> any(100003);
  for (float& number : any) {
    const uint32_t bits = next_bits() ^ next_bits() >> 16;
    std::memcpy(&number, &bits, sizeof number);
    if (std::isnan(number)) number = 1;
    if (bits % 2 != 0) number = std::ldexp(next_number(), static_cast<int>(bits >> 8) % 40 - 25);  // around f16's range
  }
  std::vector<uint16_t> narrowed(any.size());
  narrow(DataType::f16, any.data(), static_cast<int64_t>(any.size()), narrowed.data());
  same = true;
  for (size_t i = 0; i < any.size(); ++i) {
    const Float16 expected(any[i]);
    same = same && std::memcmp(&expected, &narrowed[i], sizeof expected) == 0;
  }
  check(same, "f32 as f16");
}

}  // namespace

int main(int count, char** arguments) {
  for (const Isa isa : every_isa) {
    if (count < 2 || name_of(isa) != arguments[1]) continue;
    check(machine_has(isa), "the machine has it");
    check_floats(*panel_kernels(isa));
    check_integers(*integer_panel_kernels(isa));
    check_codes(*nbit_kernels(isa));
    check_halves();
  }
  std::printf("%d passed, %d failed, 0 skipped\n", passed, failed);
  return failed == 0 && passed > 0 ? 0 : 1;
}
