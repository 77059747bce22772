// Graphs as text, in ONNX's textual syntax with Heed's names of types: what parse.hpp reads, long constants aside.
#pragma once

#include <string>

#include "graph/graph.hpp"

namespace heed {

struct PrintOptions {
  size_t element_limit = 8;  // tensors and lists with more elements show that many, and "..."
};

std::string print(const Graph& graph, const PrintOptions& options = {});
std::string print(const Function& function, const PrintOptions& options = {});
// One node on one line, but for its subgraphs: "y = Softmax<axis = 1>(x)".
std::string print(const Graph& graph, const Node& node, const PrintOptions& options = {});
std::string print(const Attribute& attribute, const PrintOptions& options = {});

// "{1, 2, 3}"
std::string print_elements(const Tensor& tensor, size_t element_limit = 8);

}  // namespace heed
