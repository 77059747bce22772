// infer_shapes: gives every value a data type and a shape of Dims, by asking each operator's contract.
#pragma once

#include "graph/graph.hpp"
#include "heed/result.hpp"
#include "registry/registry.hpp"

namespace heed {

// Types a graph and the subgraphs in it from what its inputs and constants are; nodes stand in order. Each node is
// checked against its contract first: number and types of inputs, attributes. What inference knows it takes, where it
// knows less than the model declares it takes that, and what both prove to be different is an error. Equalities that it
// cannot prove become Graph::constraints, of which those from an earlier inference are dropped.
//
// A size that no shape tells becomes a symbol of its own at the value where it first appears, in its dims or in its
// elements; its number is known once the node that makes that value ran. Sizes of graph inputs that have no name get
// one.
//
// Fails with unsupported and one text for all operators that nobody here knows; with invalid_model or shape_mismatch
// and the node, its inputs, their types and where they come from. May be repeated after nodes were replaced: symbols
// stay.
Result<void> infer_shapes(Graph& graph, const Registry& registry);

// The same for one node whose inputs are typed: what a rewrite does after it added nodes. Adds to the constraints.
Result<void> infer_node(Graph& graph, NodeId node, const Registry& registry);

// A type with its sizes as they are where the graph's constraints hold: min(64, n) is n where n is at most 64.
ValueType settled(const Graph& graph, ValueType type);

// One error for all operators of a graph and its subgraphs that the registry does not know at their opset.
Result<void> check_operators(const Graph& graph, const Registry& registry);

// The error, told of a node: "node 'add' (Add): ..." and a line per input: its type and where it comes from.
Error explain_at(const Graph& graph, const Node& node, Error error);

}  // namespace heed
