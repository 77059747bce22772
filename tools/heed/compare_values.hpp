// ONNX's rules for whether a result is what was expected.
#pragma once

#include <optional>
#include <string>

#include "graph/host_value.hpp"

namespace heed::tool {

struct Tolerance {
  double relative = 1e-3, absolute = 1e-7;  // ONNX's backend suite
  double of_largest = 0;                    // times the largest number expected: what is left where large sums cancel
};

// How far a value is from what was expected. Numbers agree where they are no farther apart than
// absolute + relative * |expected| + of_largest * max |expected|; NaN equals NaN.
struct Distance {
  std::string mismatch;  // of kind, type, shape or text; else empty, and the elements were compared:
  size_t count = 0, differing = 0;
  size_t at = 0;  // the first that differs, else the one that is farthest away
  double met = 0, expected = 0;
  double absolute = 0;  // the largest difference
  double largest_met = 0, largest_expected = 0;  // finite magnitudes
  bool met_is_finite = true, expected_is_finite = true;

  bool agrees() const { return mismatch.empty() && differing == 0; }
  // The largest difference in terms of the largest number expected: what errors of different values compare by.
  double scaled() const;
};

// Tensors of two float types may agree; otherwise types are equal where values are.
Distance distance(const HostValue& met, const HostValue& expected, const Tolerance& tolerance);

// nullopt where they agree, types among it. Else where they first differ, and by how much at most.
std::optional<std::string> difference(const HostValue& met, const HostValue& expected, const Tolerance& tolerance);

// The elements of a numeric tensor as doubles, real and imaginary parts beside each other; packed types unpacked.
std::vector<double> to_doubles(const Tensor& tensor);

}  // namespace heed::tool
