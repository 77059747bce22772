// The entry of the built-in operators: contracts, GPU halves, control kernels and rewrites.
#pragma once

#include "heed/plugin.h"

const heed_plugin* heed_ops_entry(const heed_host* host);
