// heed bench --device-report: what a device can do, and how much of it Heed's kernels use.
#pragma once

#include "options.hpp"

namespace heed::tool {

// Measures the device of --device and reports; `kernels`: each kernel beside the scalar one of the CPU, too.
Result<void> report_device(const RunOptions& options, bool kernels, bool json);

}  // namespace heed::tool
