// Which outputs are the later selves of which inputs.
#pragma once

#include <vector>

#include "plan/plan.hpp"

namespace heed {

// Pairs told by an operator's contract, then by data flow (present = Concat(past, x)), then those that names tell
// (past_key_values.3.key and present.3.key); never from shapes alone.
std::vector<StatePair> find_states(const Plan& plan);

}  // namespace heed
