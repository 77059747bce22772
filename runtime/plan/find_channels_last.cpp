// Which values lie channels last: all that may do, until no more are ruled out.
#include "plan/find_channels_last.hpp"

#include <deque>

namespace heed {
namespace {

class Layouts {
 public:
  explicit Layouts(const LayoutQuestion& question)
      : question_(question),
        lie_so_(question.may_lie_so),
        offered_(lie_so_.size(), false),
        takers_(lie_so_.size(), 0),
        neighbours_(lie_so_.size()),
        taken_(question.graph.nodes.size()),
        waits_(question.graph.nodes.size(), false) {
    for (const NodeId id : question_.nodes)
      for_each_value(id, [&](ValueId value) { neighbours_[value].push_back(id); });
  }

  std::vector<bool> find() {
    for (const NodeId id : question_.nodes) ask(id);
    for (ValueId value = 0; value < lie_so_.size(); ++value) settle(value);
    while (!waiting_.empty()) {
      const NodeId id = waiting_.front();
      waiting_.pop_front();
      waits_[id] = false;
      ask(id);
      for_each_value(id, [&](ValueId value) { settle(value); });
    }
    return std::move(lie_so_);
  }

 private:
  // Those that may lie so.
  template <class Body>
  void for_each_value(NodeId id, Body&& body) const {
    const Node& node = question_.graph.nodes[id];
    for (const auto* values : {&node.inputs, &node.outputs})
      for (const ValueId value : *values)
        if (value < lie_so_.size() && question_.may_lie_so[value]) body(value);
  }

  void ask(NodeId id) {
    const Node& node = question_.graph.nodes[id];
    const auto choice = question_.ask(id, lie_so_);
    std::vector<bool>& taken = taken_[id];
    taken.resize(node.inputs.size(), false);
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      if (node.inputs[i] == no_id) continue;
      const bool takes = choice && choice->channels_last_inputs[i];
      takers_[node.inputs[i]] += takes - taken[i];
      taken[i] = takes;
    }
    for (size_t i = 0; i < node.outputs.size(); ++i)
      if (node.outputs[i] != no_id) offered_[node.outputs[i]] = choice && choice->channels_last_outputs[i];
  }

  void settle(ValueId value) {
    const int32_t takers = takers_[value];
    if (!lie_so_[value] || (offered_[value] && takers > 0 && 2 * takers >= question_.use_counts[value])) return;
    lie_so_[value] = false;
    for (const NodeId id : neighbours_[value]) {
      if (waits_[id]) continue;
      waits_[id] = true;
      waiting_.push_back(id);
    }
  }

  const LayoutQuestion& question_;
  std::vector<bool> lie_so_, offered_;           // by value
  std::vector<int32_t> takers_;                  // by value
  std::vector<std::vector<NodeId>> neighbours_;  // by value: those that make and read it
  std::vector<std::vector<bool>> taken_;         // by node: its inputs
  std::vector<bool> waits_;                      // by node
  std::deque<NodeId> waiting_;
};

}  // namespace

std::vector<bool> find_channels_last(const LayoutQuestion& question) { return Layouts(question).find(); }

}  // namespace heed
