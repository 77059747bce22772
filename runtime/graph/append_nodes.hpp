// Nodes behind those of a model, for who wants something else of it than its file gives.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "graph/graph.hpp"

namespace heed {

// Adds statements in ONNX's textual syntax over the values of the graph: "token = ArgMax<axis = -1>(logits)". Fails with
// invalid_argument on a name that nothing makes, or that something makes already.
Result<void> append_nodes(ModelFile& file, std::string_view statements);

// From now on the graph gives these values, in this order. Fails with invalid_argument where there is none of a name.
Result<void> choose_outputs(Graph& graph, std::span<const std::string> names);

}  // namespace heed
