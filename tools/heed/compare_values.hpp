// ONNX's rules for whether a result is what was expected.
#pragma once

#include <optional>
#include <string>

#include "graph/host_value.hpp"

namespace heed::tool {

struct Tolerance {
  double relative = 1e-3, absolute = 1e-7;  // ONNX's backend suite
};

// nullopt where they agree: equal types and shapes, |met - expected| <= absolute + relative * |expected|, NaN equals
// NaN, strings equal. Else where they first differ, and by how much at most.
std::optional<std::string> difference(const HostValue& met, const HostValue& expected, const Tolerance& tolerance);

// The elements of a numeric tensor as doubles, real and imaginary parts beside each other; packed types unpacked.
std::vector<double> to_doubles(const Tensor& tensor);

}  // namespace heed::tool
