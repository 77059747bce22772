// Products of bytes by AMX through the operator, and by AVX-VNNI and AVX512-VNNI panel by panel, against plain sums.
#include <catch2/catch.hpp>

#include "emulated_bytes.hpp"
#include "ops/cases.hpp"
#include "ops/kernel_run.hpp"

namespace heed::test {
namespace {

Tensor bytes(DataType type, std::vector<int64_t> dims) {
  const double least = type == DataType::u8 ? 0 : -128;
  auto values = values_of(random(dims, least, least + 256, DataType::f64));
  for (double& value : values) value = std::floor(value);
  return numbers(type, std::move(dims), values);
}

}  // namespace

TEST_CASE("bytes by tiles give the sums of the scalar kernel, on one and more threads") {
  ThreadPool pool(3);
  for (const DataType a_type : {DataType::u8, DataType::i8})
    for (const DataType b_type : {DataType::u8, DataType::i8})
      for (const int64_t rows : {1, 8, 9, 15, 16, 17, 31, 32, 33, 47, 64, 65, 100})
        for (const auto& [k_count, columns] :
             {std::pair<int64_t, int64_t>{1, 33}, {31, 1}, {33, 16}, {64, 31}, {65, 70}, {96, 32}, {197, 19}}) {
          const Tensor a = bytes(a_type, {rows, k_count}), b = bytes(b_type, {k_count, columns});
          const Tensor a_zero = bytes(a_type, {rows}), b_zero = bytes(b_type, {columns});
          const Laid right = constant(laid(b)), expected = room(DataType::i32, {rows, columns});
          REQUIRE(run_kernel("scalar", "MatMulInteger", {laid(a), right, laid(a_zero), laid(b_zero)}, {expected}));
          for (ThreadPool* threads : {static_cast<ThreadPool*>(nullptr), &pool}) {
            const Laid y = room(DataType::i32, {rows, columns});
            INFO(name_of(a_type) << " by " << name_of(b_type) << ", " << rows << " x " << k_count << " x " << columns
                                 << (threads ? ", 3 threads" : ""));
            CHECK(text_of(run_kernel("amx", "MatMulInteger", {laid(a), right, laid(a_zero), laid(b_zero)}, {y}, threads)) == "");
            CHECK(std::memcmp(y.data(), expected.data(), static_cast<size_t>(rows * columns) * sizeof(int32_t)) == 0);
          }
        }
}

TEST_CASE("bytes by tiles at the largest numbers") {
  for (const double a_value : {0.0, 255.0})
    for (const double b_value : {-128.0, 127.0}) {
      const Tensor a = numbers(DataType::u8, {40, 160}, std::vector<double>(6400, a_value));
      const Tensor b = numbers(DataType::i8, {160, 3}, std::vector<double>(480, b_value));
      const Laid y = room(DataType::i32, {40, 3});
      REQUIRE(run_kernel("amx", "MatMulInteger", {laid(a), constant(laid(b))}, {y}));
      bool same = true;
      for (int64_t i = 0; i < y.count(); ++i)
        same = same && *reinterpret_cast<const int32_t*>(y.at(i)) == static_cast<int32_t>(160 * a_value * b_value);
      CHECK(same);
    }
}

TEST_CASE("bytes four at a time by VNNI") {
  for (const auto* kernels : {&emulated_avx_vnni(), &emulated_avx512_vnni()}) {
    const auto width = static_cast<size_t>(kernels->panel_width);
    for (int64_t rows = 1; rows <= kernels->most_rows; ++rows)
      for (const int64_t k_count : {32, 64, 96}) {
        const auto k_size = static_cast<size_t>(k_count), row_count = static_cast<size_t>(rows);
        const auto a = values_of(bytes(DataType::i8, {rows, k_count})), b = values_of(bytes(DataType::u8, {k_count, int64_t(width)}));
        std::vector<uint8_t> left(row_count * k_size), panel(k_size * width);
        for (size_t i = 0; i < left.size(); ++i) left[i] = static_cast<uint8_t>(static_cast<int8_t>(a[i]));
        for (size_t k = 0; k < k_size; ++k)
          for (size_t c = 0; c < width; ++c) panel[(k / 4 * width + c) * 4 + k % 4] = static_cast<uint8_t>(b[k * width + c]);
        std::vector<int32_t> column_sums(width), sums(row_count * width);
        std::vector<uint32_t> raised(row_count), lacking(row_count);
        for (size_t c = 0; c < width; ++c) column_sums[c] = static_cast<int32_t>(c) - 7;
        for (size_t r = 0; r < row_count; ++r) raised[r] = static_cast<uint32_t>(r), lacking[r] = static_cast<uint32_t>(3 * r);
        kernels->multiply({left.data(), k_count, rows, k_count, true, panel.data(), 0, column_sums.data(), raised.data(),
                           lacking.data()}, sums.data());
        bool same = true;
        for (size_t r = 0; r < row_count; ++r)
          for (size_t c = 0; c < width; ++c) {
            double sum = static_cast<double>(3 * r) + static_cast<double>(r) * column_sums[c];
            for (size_t k = 0; k < k_size; ++k) sum += a[r * k_size + k] * b[k * width + c];
            same = same && sums[r * width + c] == sum;
          }
        INFO(width << " columns, " << rows << " rows, " << k_count);
        CHECK(same);
      }
  }
}

TEST_CASE("codes in blocks by VNNI") {
  constexpr size_t block_size = 32, blocks = 3, k_count = block_size * blocks;
  for (const auto* kernels : {&emulated_avx_vnni(), &emulated_avx512_vnni()})
    for (const int32_t bits : {4, 8})
      for (int64_t rows = 1; rows <= kernels->most_rows; ++rows) {
        const auto width = static_cast<size_t>(kernels->panel_width), row_count = static_cast<size_t>(rows);
        const auto b = values_of(bytes(DataType::u8, {k_count, int64_t(width)}));
        const auto scales = random({blocks, int64_t(width)}, 0.5, 1), zero_points = random({blocks, int64_t(width)}, 0, 15);
        const auto a = values_of(bytes(DataType::i8, {rows, k_count}));
        const auto row_stride = static_cast<int64_t>(cpu::packed_row_bytes(k_count));
        std::vector<uint8_t> left(row_count * static_cast<size_t>(row_stride)), panel(k_count * width);
        const auto code = [&](size_t k, size_t c) { return static_cast<uint8_t>(b[k * width + c]) >> (8 - bits); };
        for (size_t k = 0; k < k_count; ++k)
          for (size_t c = 0; c < width; ++c) {
            if (bits == 8)
              panel[(k / 4 * width + c) * 4 + k % 4] = static_cast<uint8_t>(code(k, c));
            else
              panel[(k / 8 * width + c) * 4 + k % 4] |= static_cast<uint8_t>(code(k, c) << (k % 8 < 4 ? 0 : 4));
          }
        std::vector<float> a_scales(row_count * blocks), a_sums(row_count * blocks), sums(row_count * width);
        for (size_t r = 0; r < row_count; ++r)
          for (size_t k = 0; k < k_count; ++k) {
            left[r * static_cast<size_t>(row_stride) + k] = static_cast<uint8_t>(static_cast<int8_t>(a[r * k_count + k]));
            a_sums[r * blocks + k / block_size] += static_cast<float>(a[r * k_count + k]);
            a_scales[r * blocks + k / block_size] = 0.01f * static_cast<float>(r + k / block_size + 1);
          }
        const auto* scale = reinterpret_cast<const float*>(scales.data);
        const auto* zero_point = reinterpret_cast<const float*>(zero_points.data);
        kernels->multiply_codes({panel.data(), scale, zero_point, block_size, blocks}, bits,
                                {left.data(), row_stride, a_scales.data(), a_sums.data(), blocks}, rows, sums.data());
        double worst = 0;
        for (size_t r = 0; r < row_count; ++r)
          for (size_t c = 0; c < width; ++c) {
            double sum = 0, size = 1;
            for (size_t k = 0; k < k_count; ++k) {
              const size_t at = k / block_size * width + c;
              const double term = a[r * k_count + k] * double{a_scales[r * blocks + k / block_size]} *
                                  (code(k, c) - double{zero_point[at]}) * double{scale[at]};
              sum += term;
              size += std::fabs(term);
            }
            worst = std::max(worst, std::fabs(sums[r * width + c] - sum) / size);
          }
        INFO(width << " columns, " << bits << " bits, " << rows << " rows");
        CHECK(worst < 1e-6);
      }
}

}  // namespace heed::test
