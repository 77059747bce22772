// Recursion and growth of model-local functions.
#include "graph/function_calls.hpp"

#include <algorithm>
#include <vector>

namespace heed {
namespace {

constexpr uint64_t inlined_node_limit = 4'000'000;

std::string describe(const FunctionKey& key) {
  return "'" + (key.domain.empty() ? "" : key.domain + ".") + key.name +
         (key.overload.empty() ? "" : ":" + key.overload) + "'";
}

class CallGraph {
 public:
  explicit CallGraph(const ModelFile& model) : model_(model) {}

  // How many nodes the graph has once its calls are inlined, capped just above the limit.
  Result<uint64_t> inlined_nodes(const Graph& graph) {
    uint64_t count = 0;
    for (const Node& node : graph.nodes) {
      HEED_ASSIGN(const uint64_t nodes, inlined_nodes(node));
      count = std::min(count + nodes, inlined_node_limit + 1);
    }
    return count;
  }

 private:
  Result<uint64_t> inlined_nodes(const Node& node) {
    uint64_t count = 1;
    for (const auto& subgraph : subgraphs_of(node)) {
      HEED_ASSIGN(const uint64_t nodes, inlined_nodes(*subgraph));
      count += nodes;
    }
    const FunctionKey key{node.domain, node.op_type, node.overload};
    const auto called = model_.functions.find(key);
    if (called == model_.functions.end()) return count;
    const auto known = known_.find(key);
    if (known != known_.end()) return count + known->second;

    const auto open = std::find(path_.begin(), path_.end(), key);
    if (open != path_.end()) {
      std::string circle;
      for (auto step = open; step != path_.end(); ++step) circle += describe(*step) + " -> ";
      return Error{Code::invalid_model, "functions call each other in a circle: " + circle + describe(key)};
    }
    constexpr size_t depth_limit = 256;
    if (path_.size() >= depth_limit) {
      return Error{Code::unsupported,
                   "functions call each other more than " + std::to_string(depth_limit) + " deep, at " + describe(key)};
    }
    path_.push_back(key);
    HEED_ASSIGN(const uint64_t nodes, inlined_nodes(*called->second->body));
    path_.pop_back();
    known_[key] = nodes;
    return count + nodes;
  }

  const ModelFile& model_;
  std::vector<FunctionKey> path_;
  std::map<FunctionKey, uint64_t> known_;
};

}  // namespace

Result<void> check_function_calls(const ModelFile& model) {
  CallGraph calls(model);
  const auto check = [&](const Graph& graph, const std::string& place) -> Result<void> {
    HEED_ASSIGN(const uint64_t nodes, calls.inlined_nodes(graph));
    if (nodes <= inlined_node_limit) return {};
    return Error{Code::unsupported, place + " has more than " + std::to_string(inlined_node_limit) +
                                        " nodes once its functions are inlined"};
  };
  for (const auto& [key, function] : model.functions) HEED_TRY(check(*function->body, "function " + describe(key)));
  return check(*model.graph, "the graph");
}

}  // namespace heed
