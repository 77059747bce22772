// The entry of the CPU fallback plugin: kernels on the host for every built-in operator.
#pragma once

#include "heed/plugin.h"

const heed_plugin* heed_cpu_entry(const heed_host* host);
