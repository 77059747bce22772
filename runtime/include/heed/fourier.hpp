// What the kernels of DFT share: factors of a length, and roots of unity.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <utility>
#include <vector>

namespace heed {

// The radices of the passes that together transform `length` elements, in the order of pocketfft: 4 as often as it
// divides, a 2 that is left over first of all, then odd primes. At least one.
inline std::vector<int64_t> fourier_factors(int64_t length) {
  std::vector<int64_t> factors;
  for (; length % 4 == 0; length /= 4) factors.push_back(4);
  if (length % 2 == 0) {
    length /= 2;
    factors.push_back(2);
    std::swap(factors.front(), factors.back());
  }
  for (int64_t prime = 3; prime * prime <= length; prime += 2)
    for (; length % prime == 0; length /= prime) factors.push_back(prime);
  if (length > 1 || factors.empty()) factors.push_back(length);
  return factors;
}

// exp(2 pi i k / n), k in [0, n), by angles of an eighth of the circle: mirrored roots have mirrored bits.
inline std::array<double, 2> root_of_unity(int64_t k, int64_t n) {
  if (2 * k > n) {
    const auto [re, im] = root_of_unity(n - k, n);
    return {re, -im};
  }
  if (4 * k > n) {
    const double angle = std::numbers::pi / 2 * static_cast<double>(4 * k - n) / static_cast<double>(n);
    if (8 * k > 3 * n) {
      const double rest = std::numbers::pi * static_cast<double>(n - 2 * k) / static_cast<double>(n);
      return {-std::cos(rest), std::sin(rest)};
    }
    return {-std::sin(angle), std::cos(angle)};
  }
  if (8 * k > n) {
    const double angle = std::numbers::pi / 2 * static_cast<double>(n - 4 * k) / static_cast<double>(n);
    return {std::sin(angle), std::cos(angle)};
  }
  const double angle = 2 * std::numbers::pi * static_cast<double>(k) / static_cast<double>(n);
  return {std::cos(angle), std::sin(angle)};
}

}  // namespace heed
