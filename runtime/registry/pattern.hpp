// Pattern: a few nodes in ONNX's textual syntax, and the places of a graph that they fit. A value may be made in one of
// several ways, the first of which that fits counts: "s = Mul(x, factor) | Div(x, divisor) | x".
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "graph/graph.hpp"
#include "graph/graph_builder.hpp"
#include "heed/result.hpp"

namespace heed {

class Registry;

// Where a pattern fits: a value for each of its names, a node for each of its nodes. A variable that stands for an
// absent input, an output that a node lacks, and names and nodes of alternatives that were not taken are no_id.
struct Fit {
  static constexpr ValueId unbound = no_id - 1;
  std::vector<ValueId> values;  // by name
  std::vector<NodeId> nodes;    // by node of the pattern; one node of the graph may stand for two equal ones
};

class Pattern {
 public:
  // Fails with invalid_argument on a text that cannot be read, on attributes that no pattern can ask for, and on nodes
  // that the last one does not depend on: they would never be found.
  static Result<Pattern> parse(std::string_view text);

  const std::string& root_domain() const { return nodes_.back().domain; }
  const std::string& root_op_type() const { return nodes_.back().op_type; }
  size_t node_count() const { return nodes_.size(); }
  const std::vector<std::string>& names() const { return names_; }
  // Index of a name; no_id where the pattern does not use it.
  uint32_t find_name(std::string_view name) const;
  // Whether a node of the pattern makes this name; else it is a variable.
  bool makes(uint32_t name) const { return !makers_[name].empty(); }
  // The node of the graph that makes a name where the pattern fits; no_id for variables, and for a name that is another
  // one there.
  NodeId maker_in(const Fit& fit, uint32_t name) const;

  // Calls `accept` for the ways in which the pattern fits with its last node at `root`, until one is taken (true) or
  // there are no more. Values have their producers; removed nodes fit nothing.
  bool match(const Graph& graph, const Registry& registry, NodeId root,
             const std::function<bool(const Fit&)>& accept) const;

 private:
  struct PatternNode {
    std::string domain, op_type;  // no op_type: the output is the input
    std::map<std::string, Attribute, std::less<>> attributes;
    std::vector<uint32_t> inputs, outputs;  // names; no_id: absent
  };
  class Search;

  struct Maker {
    uint32_t node, output;
  };

  uint32_t name_index(const std::string& name);

  std::vector<PatternNode> nodes_;
  std::vector<std::string> names_;
  std::vector<std::vector<Maker>> makers_;  // by name: the alternatives, none for variables
};

}  // namespace heed
