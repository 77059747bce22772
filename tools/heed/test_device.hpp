// heed devices --test: the kernels' own tables of cases on a device, and its quarantine.
#pragma once

#include "options.hpp"

namespace heed::tool {

// Runs the tables of these operators ("Trilu", "heed.Embedding"; none: all) on the device of --device (auto: every usable
// one), puts kernels that fail into quarantine and releases those that no longer do; operators of which nothing ran stay
// as they are. Gives the exit status.
int test_devices(const RunOptions& options, const std::vector<std::string>& operators, bool json);

// Empties the quarantine of the same devices.
int forget_quarantine(const RunOptions& options, bool json);

}  // namespace heed::tool
