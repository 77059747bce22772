// Dropout: the input itself; in training (since opset 12, where `training_mode` is true) each element is dropped with
// the probability `ratio`, and what is kept is scaled by 1 / (1 - ratio). The mask tells what is kept. Outside of
// training it is rewritten to Identity: rewrites/simplify.cpp. Before opset 12 nothing is dropped, as in other
// runtimes.
#include "shapes.hpp"

namespace heed::ops {
namespace {

Result<void> infer(Inference& node) {
  HEED_TRY(like_input(node));
  if (!node.has_output(1)) return {};
  auto mask = node.input(0);
  if (node.version() >= 10) mask.c.element = static_cast<int32_t>(DataType::boolean);
  return node.set_output(1, mask);
}

constexpr Types floats = any_float | Types{DataType::f8e4m3fn, DataType::f8e4m3fnuz, DataType::f8e5m2, DataType::f8e5m2fnuz};

}  // namespace

extern const Operator dropout{
    .op_type = "Dropout",
    .versions = {22, 13, 12, 10, 7, 6, 1},
    .flags = HEED_RANDOM,
    .inputs = {{"data", "T"}, {"ratio", "R", HEED_OPTIONAL_PARAMETER}, {"training_mode", "B", HEED_OPTIONAL_PARAMETER}},
    .outputs = {{"output", "T"}, {"mask", "M", HEED_OPTIONAL_PARAMETER}},
    .types = {{"T", floats}, {"R", floats}, {"B", {DataType::boolean}}, {"M", any_type}},
    .attributes = {attribute("ratio", 0.5f), attribute("is_test", 0), optional("seed", HEED_ATTRIBUTE_INT),
                   optional("consumed_inputs", HEED_ATTRIBUTE_INTS)},
    .infer = infer};

}  // namespace heed::ops
