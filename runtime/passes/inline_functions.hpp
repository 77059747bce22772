// inline_functions: functions of the model, and operators that have a body but no kernel, become plain nodes.
#pragma once

#include <memory>

#include "graph/graph.hpp"
#include "heed/result.hpp"
#include "registry/registry.hpp"

namespace heed {

// Expands until nothing is left to expand, in subgraphs too. Who wins where a function of the model and an operator
// share a name is for the runtime to say (onnx.proto, ModelProto.functions):
//   1. an operator of a plugin that the user gave: that is what it was given for;
//   2. an operator of ai.onnx, where the contract covers the opset: ONNX says what it means, and its kernels are better
//      than any decomposition;
//   3. the model's function: a name in any other domain is the exporter's own, and may mean what it likes;
//   4. an operator that is built in.
// New nodes and values are named after the node they came from: "layer/add". Fails with invalid_model on functions that
// call each other in a circle, which it names, and with unsupported where more than a million nodes would come out.
Result<void> inline_functions(ModelFile& model, const Registry& registry);

// From what a file holds to a graph whose values all have types: inline_functions, then infer_shapes.
Result<void> type_graph(ModelFile& model, const Registry& registry);

// Puts the nodes of a function where one call of it stands; the graph wants order() afterwards. Calls inside of it
// stay.
Result<void> inline_call(Graph& graph, NodeId call, const Function& function);

// The body of an operator's contract, with the contract's defaults for attributes that the node lacks.
Result<std::shared_ptr<const Function>> body_of(const OperatorEntry& contract, const Node& node);

}  // namespace heed
