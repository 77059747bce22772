// Range-11: start, start + delta, ... as long as they lie before limit: max(0, ceil((limit - start) / delta)) numbers.
#include "shapes.hpp"

namespace heed::ops {
namespace {

Result<void> infer(Inference& node) {
  const auto element = node.input(0).element();
  const auto start = node.elements(0), limit = node.elements(1), delta = node.elements(2);
  if (!is_integer(element) || !start || !limit || !delta || start->size() != 1 || limit->size() != 1 ||
      delta->size() != 1)
    return node.set_output(0, element, Dims{node.fresh_symbol("range")});
  const Dim first = (*start)[0], step = (*delta)[0];
  if (step.is_number(0)) return Error{Code::invalid_model, "delta is 0"};
  Dim count = max(0, ceil_divide((*limit)[0] - first, step));
  if (count.is_unknown()) count = node.fresh_symbol("range");
  HEED_TRY(node.set_output(0, element, Dims{count}));
  if (!count.is_number() || count.number() > 1024) return {};
  Dims elements;
  for (int64_t i = 0; i < count.number(); ++i) elements.push_back(first + step * i);
  node.set_elements(0, elements);
  return {};
}

}  // namespace

extern const Operator range{
    .op_type = "Range",
    .versions = {27, 11},
    .inputs = {{"start", "T", HEED_SHAPE_DATA}, {"limit", "T", HEED_SHAPE_DATA}, {"delta", "T", HEED_SHAPE_DATA}},
    .outputs = {{"output", "T"}},
    .types = {{"T", any_number}},
    .attributes = {optional("stash_type", HEED_ATTRIBUTE_INT)},
    .infer = infer};

}  // namespace heed::ops
