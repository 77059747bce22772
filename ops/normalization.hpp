// The GPU half that LayerNormalization and RMSNormalization share.
#pragma once

#include "heed/plugin.hpp"

namespace heed::ops {

enum class Normalization { layer, rms };  // rms: without a mean and a bias

Result<GpuPlan> plan_normalization(Planning& node, Normalization kind);
Result<Launch> bind_normalization(const Binding& node);

}  // namespace heed::ops
