// Constant: the tensor that one of its attributes holds: value, value_float(s), value_int(s), value_string(s) or
// sparse_value (read as a dense tensor).
#include "shapes.hpp"

namespace heed::ops {
namespace {

constexpr std::string_view holders[] = {"value",        "value_float",   "value_floats", "value_int", "value_ints",
                                        "value_string", "value_strings", "sparse_value"};

Result<void> infer(Inference& node) {
  if (std::count_if(std::begin(holders), std::end(holders), [&](auto name) { return node.has_attribute(name); }) > 1)
    return Error{Code::invalid_model, "more than one of the attributes value, value_float(s), value_int(s), value_string(s) "
                                      "and sparse_value is there"};
  for (const auto name : {"value", "sparse_value"}) {
    const auto a = node.attribute(name);
    if (!a || (a->kind != HEED_ATTRIBUTE_TENSOR && a->kind != HEED_ATTRIBUTE_SPARSE_TENSOR)) continue;
    const TensorView value{a->tensor};
    Dims dims(value.dims().begin(), value.dims().end());
    HEED_TRY(node.set_output(0, value.element(), dims));
    if ((value.element() == DataType::i64 || value.element() == DataType::i32) && value.count() <= 1024) {
      const auto numbers = value.integers();
      node.set_elements(0, Dims(numbers.begin(), numbers.end()));
    }
    return {};
  }
  if (node.attribute("value_float", HEED_ATTRIBUTE_FLOAT)) return node.set_output(0, DataType::f32, Dims{});
  if (node.attribute("value_string", HEED_ATTRIBUTE_STRING)) return node.set_output(0, DataType::string, Dims{});
  if (const auto a = node.attribute("value_int", HEED_ATTRIBUTE_INT)) {
    HEED_TRY(node.set_output(0, DataType::i64, Dims{}));
    node.set_elements(0, Dims{a->i});
    return {};
  }
  if (const auto values = node.integers("value_ints")) {
    HEED_TRY(node.set_output(0, DataType::i64, Dims{static_cast<int64_t>(values->size())}));
    node.set_elements(0, Dims(values->begin(), values->end()));
    return {};
  }
  if (const auto values = node.numbers("value_floats"))
    return node.set_output(0, DataType::f32, Dims{static_cast<int64_t>(values->size())});
  if (const auto values = node.texts("value_strings"))
    return node.set_output(0, DataType::string, Dims{static_cast<int64_t>(values->size())});
  return Error{Code::invalid_model,
               "none of the attributes value, value_float(s), value_int(s), value_string(s) and sparse_value is there"};
}

}  // namespace

extern const Operator constant{
    .op_type = "Constant",
    .versions = {25, 24, 23, 21, 19, 13, 12, 11, 9, 1},
    .outputs = {{"output", "T"}},
    .types = {{"T", any_type}},
    .attributes = {optional("value", HEED_ATTRIBUTE_TENSOR), optional("value_float", HEED_ATTRIBUTE_FLOAT),
                   optional("value_floats", HEED_ATTRIBUTE_FLOATS), optional("value_int", HEED_ATTRIBUTE_INT),
                   optional("value_ints", HEED_ATTRIBUTE_INTS), optional("value_string", HEED_ATTRIBUTE_STRING),
                   optional("value_strings", HEED_ATTRIBUTE_STRINGS)},
    .infer = infer};

}  // namespace heed::ops
