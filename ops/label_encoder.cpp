// ai.onnx.ml LabelEncoder: each element that is a key becomes the value that stands where the key stands, others become a
// default. Version 1 knows classes alone: texts become their places, places their texts.
#include "shapes.hpp"

namespace heed::ops {
namespace {

// One of keys_strings, keys_tensor, ...
struct List {
  DataType element;
  size_t count;
};
Result<List> list_of(const NodeView& node, const std::string& prefix) {
  std::vector<List> found;
  if (const auto texts = node.texts(prefix + "strings")) found.push_back({DataType::string, texts->size()});
  if (const auto numbers = node.integers(prefix + "int64s")) found.push_back({DataType::i64, numbers->size()});
  if (const auto numbers = node.numbers(prefix + "floats")) found.push_back({DataType::f32, numbers->size()});
  if (const auto tensor = node.tensor(prefix + "tensor"))
    found.push_back({tensor->element(), static_cast<size_t>(tensor->count())});
  if (found.size() == 1) return found[0];
  return Error{Code::invalid_model,
               "there are " + std::to_string(found.size()) + " attributes '" + prefix + "...'; expected one"};
}

constexpr Types label_types{DataType::string, DataType::i64, DataType::f32, DataType::i32, DataType::i16, DataType::f64};

Result<void> infer(Inference& node) {
  const auto x = node.input(0);
  if (node.version() < 2) {
    if (!node.texts("classes_strings")) return Error{Code::invalid_model, "attribute 'classes_strings' is missing"};
    if (x.has_element() && x.element() != DataType::string && x.element() != DataType::i64)
      return Error{Code::invalid_model, "the input is " + std::string(name_of(x.element())) + "; expected string or i64"};
    return like_input(node, x.element() == DataType::string ? DataType::i64 : DataType::string);
  }
  HEED_ASSIGN(const List keys, list_of(node, "keys_"));
  HEED_ASSIGN(const List values, list_of(node, "values_"));
  if (keys.count != values.count)
    return Error{Code::invalid_model, "there are " + std::to_string(keys.count) + " keys and " +
                                          std::to_string(values.count) + " values; expected as many"};
  if (x.has_element() && x.element() != keys.element)
    return Error{Code::invalid_model, "the input is " + std::string(name_of(x.element())) + ", the keys are " +
                                          std::string(name_of(keys.element))};
  if ((label_types.bits() >> static_cast<int>(values.element) & 1) == 0)
    return Error{Code::invalid_model, "the values are " + std::string(name_of(values.element))};
  if (const auto otherwise = node.tensor("default_tensor"); otherwise && otherwise->count() != 1)
    return Error{Code::invalid_model,
                 "attribute 'default_tensor' has " + std::to_string(otherwise->count()) + " elements; expected one"};
  return like_input(node, values.element);
}

}  // namespace

extern const Operator label_encoder{
    .domain = "ai.onnx.ml",
    .op_type = "LabelEncoder",
    .versions = {4, 2, 1},
    .inputs = {{"X", "T1"}},
    .outputs = {{"Y", "T2"}},
    .types = {{"T1", label_types}, {"T2", label_types}},
    .attributes = {optional("classes_strings", HEED_ATTRIBUTE_STRINGS), attribute("default_float", -0.0f),
                   attribute("default_int64", -1), attribute("default_string", "_Unused"),
                   optional("default_tensor", HEED_ATTRIBUTE_TENSOR), optional("keys_floats", HEED_ATTRIBUTE_FLOATS),
                   optional("keys_int64s", HEED_ATTRIBUTE_INTS), optional("keys_strings", HEED_ATTRIBUTE_STRINGS),
                   optional("keys_tensor", HEED_ATTRIBUTE_TENSOR), optional("values_floats", HEED_ATTRIBUTE_FLOATS),
                   optional("values_int64s", HEED_ATTRIBUTE_INTS), optional("values_strings", HEED_ATTRIBUTE_STRINGS),
                   optional("values_tensor", HEED_ATTRIBUTE_TENSOR)},
    .infer = infer};

}  // namespace heed::ops
