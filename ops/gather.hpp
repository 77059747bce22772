// The GPU half that Gather and heed.Embedding share.
#pragma once

#include "heed/plugin.hpp"

namespace heed::ops {

// Of slices of input 0, chosen by input 1.
Result<GpuPlan> plan_gather(Planning& node);
Result<Launch> bind_gather(const Binding& node, int32_t axis);

}  // namespace heed::ops
