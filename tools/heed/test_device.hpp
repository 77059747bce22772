// heed devices --test: the kernels' own tables of cases on a device, and its quarantine.
#pragma once

#include "options.hpp"

namespace heed::tool {

// Runs the tables on the device of --device (auto: every usable one), puts kernels that fail into quarantine and
// releases those that no longer do. Gives the exit status.
int test_devices(const RunOptions& options, bool json);

// Empties the quarantine of the same devices.
int forget_quarantine(const RunOptions& options, bool json);

}  // namespace heed::tool
