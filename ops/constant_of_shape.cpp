// ConstantOfShape: a tensor of the shape that the input holds, filled with one value (f32 zero without the attribute).
#include "shapes.hpp"

namespace heed::ops {
namespace {

Result<void> infer(Inference& node) {
  const auto value = node.tensor("value");
  if (value && value->count() != 1)
    return Error{Code::invalid_model,
                 "attribute 'value' has " + std::to_string(value->count()) + " elements; expected one"};
  const auto element = value ? value->element() : DataType::f32;
  HEED_TRY(node.require_rank(0, 1));
  const auto sizes = node.elements(0);
  if (!sizes) {
    const auto list = node.input(0);
    if (!list.has_rank() || !list.dim(0).is_number()) return node.set_output(0, element);
    return node.set_output(0, element, fresh_dims(node, list.dim(0).number(), "filled"));
  }
  for (const auto dim : *sizes)
    if (dim.is_number() && dim.number() < 0)
      return Error{Code::invalid_model, "the shape " + text_of(*sizes) + " has a negative size"};
  HEED_TRY(node.set_output(0, element, *sizes));

  const Dim count = product(*sizes);
  if (!value || !count.is_number() || count.number() > 1024 || (element != DataType::i64 && element != DataType::i32))
    return {};
  node.set_elements(0, Dims(static_cast<size_t>(count.number()), value->integers()[0]));
  return {};
}

}  // namespace

extern const Operator constant_of_shape{.op_type = "ConstantOfShape",
                                        .versions = {25, 24, 23, 21, 20, 9},
                                        .flags = HEED_ENLARGES,
                                        .inputs = {{"input", "T1", HEED_SHAPE_DATA}},
                                        .outputs = {{"output", "T2"}},
                                        .types = {{"T1", {DataType::i64}}, {"T2", any_type}},
                                        .attributes = {optional("value", HEED_ATTRIBUTE_TENSOR)},
                                        .infer = infer};

}  // namespace heed::ops
