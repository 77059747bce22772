// A small plugin that tests of the registry and the passes bring themselves: one operator of each kind, so that they
// need none of those that are built in.
#pragma once

#include "heed/plugin.h"

namespace heed::test {

const heed_plugin* toy_plugin(const heed_host* host);

}  // namespace heed::test
