// Floats of at most 16 bits by their data type, which is known at a run only.
#pragma once

#include <cstdint>

#include "heed/data_type.hpp"

namespace heed {

// The code nearest to the value, ties to the even one; beyond the range the greatest, or infinity where f16 and bf16
// have it. `type` is a float type of at most 16 bits.
uint32_t encode_small_float(DataType type, double value);

// Exact.
float decode_small_float(DataType type, uint32_t code);

}  // namespace heed
