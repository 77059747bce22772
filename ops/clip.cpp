// Clip: y = min(max(x, low), high); the bounds are attributes before opset 11 and optional scalar inputs since.
#include "shapes.hpp"

namespace heed::ops {
namespace {

Result<void> infer(Inference& node) {
  HEED_TRY(like_input(node));
  const auto x = node.elements(0);
  if (!x || node.version() < 11) return {};
  Dims result(x->begin(), x->end());
  for (int32_t bound = 1; bound <= 2; ++bound) {
    if (!node.has_input(bound)) continue;
    const auto value = node.elements(bound);
    if (!value || value->size() != 1) return {};
    for (auto& dim : result) dim = bound == 1 ? max(dim, (*value)[0]) : min(dim, (*value)[0]);
  }
  for (const auto dim : result)
    if (dim.is_unknown()) return {};
  node.set_elements(0, result);
  return {};
}

}  // namespace

extern const Operator clip{
    .op_type = "Clip",
    .versions = {13, 12, 11, 6, 1},
    .inputs = {{"input", "T"}, {"min", "T", HEED_OPTIONAL_PARAMETER}, {"max", "T", HEED_OPTIONAL_PARAMETER}},
    .outputs = {{"output", "T"}},
    .types = {{"T", any_number}},
    .attributes = {optional("min", HEED_ATTRIBUTE_FLOAT), optional("max", HEED_ATTRIBUTE_FLOAT),
                   optional("consumed_inputs", HEED_ATTRIBUTE_INTS)},
    .expression =
        "low = given(min, given(@min, input)); t = select(input < low, low, input); "
        "high = given(max, given(@max, t)); select(t > high, high, t)",
    .infer = infer};

}  // namespace heed::ops
