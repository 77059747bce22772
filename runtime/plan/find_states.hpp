// Which outputs are the later selves of which inputs.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "heed/result.hpp"
#include "plan/plan.hpp"

namespace heed {

// By step: its inputs and the outputs that may lie where they lie.
using InPlacePairs = std::vector<std::vector<std::pair<int32_t, int32_t>>>;

// Pairs that the caller names (input, output), then those told by an operator's contract, by data flow (present =
// Concat(past, x)) and by names (past_key_values.3.key and present.3.key); never from shapes alone. Fails where a pair
// that the caller names does not exist, or is of two types.
Result<std::vector<StatePair>> find_states(const Plan& plan, const InPlacePairs& in_place,
                                           const std::vector<std::pair<std::string, std::string>>& named);

}  // namespace heed
