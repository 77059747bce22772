// Where-9, -16: y = condition ? x : y, after broadcasting all three.
#include "shapes.hpp"

namespace heed::ops {
namespace {

Result<void> infer(Inference& node) {
  const auto element = node.input(1).has_element() ? node.input(1).element() : node.input(2).element();
  for (int32_t i = 0; i < 3; ++i)
    if (!node.input(i).has_rank()) return node.set_output(0, element);
  HEED_ASSIGN(auto dims, checked_broadcast(node, node.input(0).dims(), node.input(1).dims()));
  HEED_ASSIGN(dims, checked_broadcast(node, dims, node.input(2).dims()));
  HEED_TRY(node.set_output(0, element, dims));

  const auto condition = node.elements(0), x = node.elements(1), y = node.elements(2);
  if (!condition || !x || !y || dims.size() > 1 || condition->empty() || x->empty() || y->empty()) return {};
  Dims result(std::max({condition->size(), x->size(), y->size()}));
  const auto at = [](std::span<const Dim> list, size_t i) { return list[list.size() == 1 ? 0 : i]; };
  for (size_t i = 0; i < result.size(); ++i) {
    result[i] = select(at(*condition, i), at(*x, i), at(*y, i));
    if (result[i].is_unknown()) return {};
  }
  node.set_elements(0, result);
  return {};
}

}  // namespace

extern const Operator where{.op_type = "Where",
                            .versions = {16, 9},
                            .inputs = {{"condition", "B"}, {"X", "T"}, {"Y", "T"}},
                            .outputs = {{"output", "T"}},
                            .types = {{"B", {DataType::boolean}}, {"T", any_type}},
                            .expression = "select(condition, X, Y)",
                            .infer = infer};

}  // namespace heed::ops
