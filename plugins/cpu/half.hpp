// Lists of 16-bit floats as f32 and back, as fast as memory: by the machine's own instructions where it has them, with the
// bits of heed/numeric.hpp.
#pragma once

#include <cstdint>

#include "heed/data_type.hpp"

namespace heed::cpu {

constexpr bool is_half(DataType type) { return type == DataType::f16 || type == DataType::bf16; }

// n numbers that lie side by side; `type` is f16 or bf16.
void widen(DataType type, const void* from, int64_t n, float* to);
void narrow(DataType type, const float* from, int64_t n, void* to);

}  // namespace heed::cpu
