// Optional: a value that may be missing. OptionalHasElement asks; OptionalGetElement takes it out (since 18 both also
// take plain tensors and sequences).
#include "shapes.hpp"

namespace heed::ops {
namespace {

constexpr uint32_t tensor_or_sequence = 1u << HEED_TENSOR | 1u << HEED_SEQUENCE;
constexpr uint32_t any_kind = tensor_or_sequence | 1u << HEED_OPTIONAL;

Result<void> infer_optional(Inference& node) {
  if (!node.has_input(0)) {
    const auto type = node.attribute("type");
    if (!type) return Error{Code::invalid_model, "neither an input nor the attribute 'type' tells what is missing"};
    return node.set_output(0, TypeView{{HEED_OPTIONAL, type->tensor.element, -1, 0, nullptr}});
  }
  auto type = node.input(0);
  type.c.sequence_of_optional = type.c.kind == HEED_SEQUENCE;
  type.c.kind = HEED_OPTIONAL;
  return node.set_output(0, type);
}

Result<void> infer_has(Inference& node) { return node.set_output(0, DataType::boolean, Dims{}); }

Result<void> infer_get(Inference& node) {
  auto type = node.input(0);
  if (type.c.kind == HEED_OPTIONAL) type.c.kind = type.c.sequence_of_optional ? HEED_SEQUENCE : HEED_TENSOR;
  type.c.sequence_of_optional = 0;
  return node.set_output(0, type);
}

}  // namespace

extern const Operator optional_of{.op_type = "Optional",
                                  .versions = {28, 15},
                                  .inputs = {{"input", "V", HEED_OPTIONAL_PARAMETER}},
                                  .outputs = {{"output", "O"}},
                                  .types = {{"V", any_type, tensor_or_sequence}, {"O", any_type, 1u << HEED_OPTIONAL}},
                                  .attributes = {optional("type", HEED_ATTRIBUTE_TYPE)},
                                  .infer = infer_optional};

extern const Operator optional_has_element{.op_type = "OptionalHasElement",
                                           .versions = {28, 18, 15},
                                           .inputs = {{"input", "O", HEED_OPTIONAL_PARAMETER}},
                                           .outputs = {{"output", "B"}},
                                           .types = {{"O", any_type, any_kind}, {"B", {DataType::boolean}}},
                                           .infer = infer_has};

extern const Operator optional_get_element{.op_type = "OptionalGetElement",
                                           .versions = {28, 18, 15},
                                           .inputs = {{"input", "O"}},
                                           .outputs = {{"output", "V"}},
                                           .types = {{"O", any_type, any_kind}, {"V", any_type, tensor_or_sequence}},
                                           .infer = infer_get};

}  // namespace heed::ops
