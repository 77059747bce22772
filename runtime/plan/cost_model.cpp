// What running a node and moving a value cost, roughly.
#include "plan/cost_model.hpp"

#include <algorithm>

namespace heed {
namespace {

// Of two cores of a server, and of a GPU behind PCIe 4: within a factor of three of what is met elsewhere.
constexpr double cpu_bytes_per_ns = 8, cpu_operations_per_ns = 32, cpu_step_ns = 300;
constexpr double crossing_bytes_per_ns = 10, crossing_start_ns = 20'000;

constexpr double unknown_bytes = 4096;  // of a value whose shape is not known

int64_t whole(double ns) { return static_cast<int64_t>(std::min(ns, 1e15)); }

}  // namespace

CostModel::CostModel(const Graph& graph, const std::vector<std::pair<std::string, int64_t>>& size_hints)
    : graph_(graph) {
  for (uint32_t index = 0; index < graph.dims().symbol_count(); ++index) {
    const DimSymbol& symbol = graph.dims().symbol_info(index);
    int64_t value = symbol.name.find("batch") != std::string::npos ? 1 : 128;
    value = std::clamp(value, symbol.lower, symbol.upper);
    for (const auto& [name, hint] : size_hints)
      if (name == symbol.name) value = hint;
    symbol_values_.push_back(value);
  }
}

double CostModel::number_of(Dim dim) const {
  if (dim.is_unknown()) return 128;
  const auto number = evaluate(dim, symbol_values_);
  return number ? static_cast<double>(*number) : 1e9;  // hints that contradict each other, or an overflow
}

double CostModel::bytes_of(const ValueType& type) const {
  if (type.kind != Kind::tensor || !type.dims || !type.element) return unknown_bytes;
  double bytes = bits_of(*type.element) / 8.0;
  for (const Dim dim : *type.dims) bytes *= number_of(dim);
  return bytes;
}

int64_t CostModel::cpu_ns(const Node& node, Dim operation_count) const {
  double bytes = 0;
  for (const auto* list : {&node.inputs, &node.outputs})
    for (const ValueId value : *list)
      if (value != no_id) bytes += bytes_of(graph_.values[value].type);
  return whole(cpu_step_ns + std::max(bytes / cpu_bytes_per_ns, number_of(operation_count) / cpu_operations_per_ns));
}

int64_t CostModel::crossing_ns(const ValueType& type) const {
  return whole(crossing_start_ns + bytes_of(type) / crossing_bytes_per_ns);
}

}  // namespace heed
