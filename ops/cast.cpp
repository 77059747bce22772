// Cast: each element in another type. CastLike takes the type from a second input. Floats go to integers towards zero;
// to 8-bit and 4-bit floats by rounding to nearest, out of range to the largest (saturate = 1) or to NaN or infinity.
#include "shapes.hpp"

namespace heed::ops {
namespace {

Result<void> infer_as(Inference& node, DataType element) {
  if (is_complex(element) != is_complex(node.input(0).element()) && node.input(0).has_element())
    return Error{Code::unsupported, "no cast from " + std::string(name_of(node.input(0).element())) + " to " +
                                        std::string(name_of(element))};
  HEED_TRY(like_input(node, element));
  if (is_integer(element)) pass_elements(node);
  return {};
}

DataType type_named(std::string_view name) {
  constexpr std::pair<std::string_view, DataType> names[] = {
      {"FLOAT", DataType::f32},   {"UINT8", DataType::u8},   {"INT8", DataType::i8},    {"UINT16", DataType::u16},
      {"INT16", DataType::i16},   {"INT32", DataType::i32},  {"INT64", DataType::i64},  {"BOOL", DataType::boolean},
      {"FLOAT16", DataType::f16}, {"DOUBLE", DataType::f64}, {"UINT32", DataType::u32}, {"UINT64", DataType::u64}};
  for (const auto& [text, type] : names)
    if (text == name) return type;
  return DataType::undefined;
}

Result<void> infer_cast(Inference& node) {
  const auto to = node.attribute("to");
  const auto element = to && to->kind == HEED_ATTRIBUTE_STRING ? type_named(from_c(to->s))  // Cast-1
                                                               : static_cast<DataType>(node.integer("to"));
  if (!is_known(element))
    return Error{Code::invalid_model, "attribute 'to' is no data type: " + std::to_string(node.integer("to"))};
  return infer_as(node, element);
}

Result<void> infer_cast_like(Inference& node) {
  if (!node.input(1).has_element()) return {};
  return infer_as(node, node.input(1).element());
}

}  // namespace

extern const Operator cast{.op_type = "Cast",
                           .role = "cast",
                           .versions = {28, 25, 24, 23, 21, 19, 13, 9, 6, 1},
                           .inputs = {{"input", "T1"}},
                           .outputs = {{"output", "T2"}},
                           .types = {{"T1", any_type}, {"T2", any_type}},
                           .attributes = {attribute("saturate", 1), attribute("round_mode", "up")},
                           .expression = "cast(input, @to)",
                           .infer = infer_cast};

extern const Operator cast_like{.op_type = "CastLike",
                                .versions = {25, 24, 23, 21, 19, 15},
                                .inputs = {{"input", "T1"}, {"target_type", "T2"}},
                                .outputs = {{"output", "T2"}},
                                .types = {{"T1", any_type}, {"T2", any_type}},
                                .attributes = {attribute("saturate", 1), attribute("round_mode", "up")},
                                .expression = "cast(input, target_type)",
                                .infer = infer_cast_like};

}  // namespace heed::ops
