// The plugins that are linked in: one list, for the tools and the tests.
#pragma once

#include "heed/plugin.h"

const heed_plugin* heed_ops_entry(const heed_host* host);
const heed_plugin* heed_cpu_entry(const heed_host* host);

namespace heed {

inline constexpr heed_plugin_entry_function built_in_plugins[] = {heed_ops_entry, heed_cpu_entry};

}  // namespace heed
