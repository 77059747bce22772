// Products of bounded rows and panels: fours of bytes are multiplied and added two by two as i16, two of them added, and then
// widened.
// clang-format off: it does not know HWY_UNROLL.
#include "bounded_panels.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

#include <hwy/base.h>

#if defined(__x86_64__)
#include <immintrin.h>

HWY_PUSH_ATTRIBUTES("avx2,fma")
namespace heed::cpu::bounded_avx2 {
namespace {

constexpr int panel_width = 16, most_rows = 4;  // what the registers hold

HWY_INLINE __m256i load(const uint8_t* from) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)); }
// What gcc may not see into: it would put sums off until all products are made, more than there are registers.
HWY_INLINE __m256i now(__m256i v) { asm("" : "+x"(v)); return v; }
HWY_INLINE __m256i broadcast(const int8_t* four) { int bits; std::memcpy(&bits, four, 4); return _mm256_set1_epi32(bits); }

template <int rows, int vectors>
void multiply_rows(const BoundedRows& left, int64_t k_count, const uint8_t* panel, int32_t* sums) {
  const __m256i ones = _mm256_set1_epi16(1);
  __m256i sum[rows][vectors];
  HWY_UNROLL(8) for (int r = 0; r < rows; ++r)
    HWY_UNROLL(2) for (int v = 0; v < vectors; ++v) sum[r][v] = _mm256_setzero_si256();
  const int8_t* bytes = left.bytes;
  const uint8_t* at = panel;
  for (int64_t k = 0; k < k_count; k += 8, bytes += 8, at += 8 * panel_width) {
    __m256i first[vectors], second[vectors];
    HWY_UNROLL(2) for (int v = 0; v < vectors; ++v) {
      first[v] = load(at + 32 * v);
      second[v] = load(at + 4 * panel_width + 32 * v);
    }
    HWY_UNROLL(8) for (int r = 0; r < rows; ++r) {
      const __m256i low = broadcast(bytes + r * left.stride), high = broadcast(bytes + r * left.stride + 4);
      HWY_UNROLL(2) for (int v = 0; v < vectors; ++v) {
        const __m256i pairs = _mm256_add_epi16(_mm256_maddubs_epi16(first[v], low), _mm256_maddubs_epi16(second[v], high));
        sum[r][v] = now(_mm256_add_epi32(sum[r][v], _mm256_madd_epi16(pairs, ones)));
      }
    }
  }
  HWY_UNROLL(8) for (int r = 0; r < rows; ++r) {
    for (int32_t i = left.first_excess[r]; i < left.first_excess[r + 1]; ++i) {
      const Excess& excess = left.excesses[i];
      const __m256i amounts = broadcast(excess.amounts);
      HWY_UNROLL(2) for (int v = 0; v < vectors; ++v) {
        const __m256i pairs = _mm256_maddubs_epi16(load(panel + excess.four * (4 * panel_width) + 32 * v), amounts);
        sum[r][v] = _mm256_add_epi32(sum[r][v], _mm256_madd_epi16(pairs, ones));
      }
    }
    HWY_UNROLL(2) for (int v = 0; v < vectors; ++v)
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(sums + r * panel_width + 8 * v), sum[r][v]);
  }
}

template <int... rows>
void multiply_any(const BoundedRows& left, int64_t row_count, int64_t k_count, const uint8_t* panel, int64_t columns,
                  int32_t* sums, std::integer_sequence<int, rows...>) {
  using Kernel = void (*)(const BoundedRows&, int64_t, const uint8_t*, int32_t*);
  static constexpr Kernel whole[] = {multiply_rows<rows + 1, 2>...}, half[] = {multiply_rows<rows + 1, 1>...};
  (columns > panel_width / 2 ? whole : half)[row_count - 1](left, k_count, panel, sums);
}
void multiply(const BoundedRows& rows, int64_t row_count, int64_t k_count, const uint8_t* panel, int64_t columns,
              int32_t* sums) {
  multiply_any(rows, row_count, k_count, panel, columns, sums, std::make_integer_sequence<int, most_rows>{});
}

constexpr BoundedPanelKernels kernels{panel_width, most_rows, multiply};

}  // namespace
}  // namespace heed::cpu::bounded_avx2
HWY_POP_ATTRIBUTES
#endif

namespace heed::cpu {

namespace {

// 255 times so much, of all numbers of one sign that are added up, fits i16.
constexpr int32_t most_added = 32767 / 255;

// Puts what byte k was cut by to its four, which may be one of those from `first` on.
void note(int64_t k, int32_t amount, size_t first, std::vector<Excess>& excesses) {
  const auto four = static_cast<int32_t>(k / 4);
  for (size_t i = first; i < excesses.size(); ++i) {
    Excess& excess = excesses[i];
    if (excess.four != four || excess.amounts[k % 4] != 0) continue;
    const int32_t other = excess.amounts[(k % 4) ^ 1];
    if (std::abs(other + amount) > most_added && (other > 0) == (amount > 0)) continue;
    excess.amounts[k % 4] = static_cast<int8_t>(amount);
    return;
  }
  excesses.push_back({four, {}});
  excesses.back().amounts[k % 4] = static_cast<int8_t>(amount);
}

}  // namespace

void bound_row(int64_t k_count, int8_t* row, std::vector<Excess>& excesses) {
  for (int64_t first = 0; first < k_count; first += 8) {
    const size_t before = excesses.size();
    for (const int64_t pair : {0, 2}) {
      const int64_t added[] = {first + pair, first + pair + 1, first + pair + 4, first + pair + 5};
      for (const int32_t sign : {1, -1}) {
        int32_t over = -most_added;
        for (const int64_t k : added) over += std::max(sign * row[k], 0);
        while (over > 0) {
          // Rather of a four that is cut already, and where that does not do of the greatest byte.
          const auto value = [&](int64_t k) {
            const bool is_cut = std::any_of(excesses.begin() + static_cast<std::ptrdiff_t>(before), excesses.end(),
                                            [&](const Excess& excess) { return excess.four == k / 4; });
            return sign * row[k] + (is_cut && sign * row[k] >= over ? 256 : 0);
          };
          const int64_t k = *std::max_element(std::begin(added), std::end(added),
                                              [&](int64_t a, int64_t b) { return value(a) < value(b); });
          const int32_t amount = std::min(over, sign * row[k]);
          row[k] = static_cast<int8_t>(row[k] - sign * amount);
          note(k, sign * amount, before, excesses);
          over -= amount;
        }
      }
    }
  }
}

const BoundedPanelKernels* bounded_panel_kernels([[maybe_unused]] Isa isa) {
#if defined(__x86_64__)
  if (isa == Isa::avx2 || isa == Isa::avx512) return &bounded_avx2::kernels;
#endif
  return nullptr;
}

}  // namespace heed::cpu
