// c = a b on a GPU: what MatMul and the operators that do more behind it share.
#pragma once

#include "heed/plugin.hpp"

namespace heed::ops {

// The type of output 0, the product of inputs 0 and 1 by numpy's rules.
Result<void> infer_matmul(Inference& node);

Result<GpuPlan> plan_matmul(Planning& node);
Result<Launch> bind_matmul(const Binding& node);

}  // namespace heed::ops
