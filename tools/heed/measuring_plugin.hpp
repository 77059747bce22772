// Operators that measure a device rather than compute: what it reads a second, and how much it multiplies and adds.
#pragma once

#include "heed/plugin.h"

// heed.measure.Read: y[i] = before[i] + a part of the sum over x, of which all (f32, a multiple of 4) is read once.
// heed.measure.MultiplyAdd: y[i] = what `count` rounds of 32 multiplications and 32 additions make of before[i], in
// registers alone; with half = 1 in f16, where the GPU computes with it.
// `before` of both is f32 [threads], which should fill the device.
const heed_plugin* heed_measuring_entry(const heed_host* host);

namespace heed::tool {
inline constexpr double operations_per_round = 64;  // of MultiplyAdd
}
