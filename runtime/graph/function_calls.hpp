// Checks how a model's own functions call each other, before anything is inlined.
#pragma once

#include "graph/graph.hpp"

namespace heed {

// Fails with invalid_model where a function calls itself, directly or through others (the circle is named), and with
// unsupported where inlining would make more than 4 million nodes.
Result<void> check_function_calls(const ModelFile& model);

}  // namespace heed
