// The discrete Fourier transform as its operator and STFT know it.
#pragma once

#include "heed/plugin.hpp"

namespace heed::ops {

// How many bins a transform of `length` elements gives.
inline Dim bins_of(Dim length, bool onesided) { return onesided ? floor_divide(length, 2) + 1 : length; }

// The one number that an optional input holds; nothing where it is absent or known to the run alone.
Result<std::optional<Dim>> number_input(const NodeView& node, int32_t input, std::string_view name);

}  // namespace heed::ops
