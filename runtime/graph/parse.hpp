// Reads ONNX's textual syntax (onnx/docs/Syntax.md): how tests build graphs, and how bodies of operators and patterns
// of rewrites are written.
//
//   agraph (float[N, 3] x, int64[2] shape) => (float[N, M] y) <float[3] w = {1, 2, 3}> {
//     t = Mul(x, w)
//     y = Reshape<allowzero = 0>(t, shape)
//   }
//
// Beyond ONNX's syntax: Heed's names of types (f32), expressions as sizes ([past + seq]), calls as arguments
// ("y = Mul(Sigmoid(x), x)"), and ';' between statements.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "graph/graph.hpp"
#include "graph/graph_builder.hpp"

namespace heed {

// All fail with invalid_model and name the line and column.

Result<ModelFile> parse_model(std::string_view text);

// Nodes have these opsets; a domain that is not among them has version 1.
Result<std::shared_ptr<Graph>> parse_graph(std::string_view text, std::shared_ptr<DimPool> dims,
                                           const Opsets& opsets = {{"", newest_opset}});

// Statements as they stand, names unresolved. A call as an argument becomes a statement of its own before the one that
// reads it; its output's name begins with '#', which no name in the text can.
Result<std::vector<Statement>> parse_statements(std::string_view text);

// The same with alternatives, tried in order: "y = Mul(x, a) | Div(x, b) | x". Each is a statement with the same
// outputs, from the second on marked; a name alone has no op_type, and is the one input.
Result<std::vector<Statement>> parse_pattern(std::string_view text);

// The body of an operator: statements that make `outputs` of `inputs`; @name refers to an attribute of the node.
Result<std::shared_ptr<const Function>> parse_body(std::span<const std::string> inputs,
                                                   std::span<const std::string> outputs, std::string_view text,
                                                   const Opsets& opsets = {{"", newest_opset}});

}  // namespace heed
