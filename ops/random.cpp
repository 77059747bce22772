// RandomNormal, RandomUniform and their -Like forms: numbers drawn from a distribution. Bernoulli: 1 as often as the
// input says, else 0. Multinomial: places in rows, whose elements are logarithms of how often each is drawn. The generator is Heed's own (see plugins/cpu/random.cpp): ONNX fixes none. With the attribute
// `seed` every run gives the same numbers.
#include "checks.hpp"
#include "shapes.hpp"

namespace heed::ops {
namespace {

Result<void> infer_of_shape(Inference& node) {
  const auto shape = node.integers("shape");
  if (!shape) return Error{Code::invalid_model, "attribute 'shape' is missing"};
  for (const auto size : *shape)
    if (size < 0) return Error{Code::invalid_model, "attribute 'shape' holds " + std::to_string(size)};
  HEED_ASSIGN(const DataType named, type_attribute(node, "dtype", any_float));
  return node.set_output(0, named == DataType::undefined ? DataType::f32 : named, Dims(shape->begin(), shape->end()));
}

// Without dtype it is that of the input, which then must be one of those allowed.
Result<void> infer_as(Inference& node, Types allowed) {
  HEED_ASSIGN(const DataType named, type_attribute(node, "dtype", allowed));
  const DataType element = named == DataType::undefined ? node.input(0).element() : named;
  if (element != DataType::undefined && (allowed.bits() >> static_cast<int>(element) & 1) == 0)
    return Error{Code::invalid_model, "there are no random numbers of " + std::string(name_of(element))};
  return like_input(node, element);
}

Result<void> infer_like(Inference& node) { return infer_as(node, any_float); }

constexpr Types place_types{DataType::i32, DataType::i64};
Result<void> infer_multinomial(Inference& node) {
  HEED_TRY(node.require_rank(0, 2));
  const int64_t sample_size = node.integer("sample_size");
  if (sample_size < 0)
    return Error{Code::invalid_model, "attribute 'sample_size' is " + std::to_string(sample_size)};
  HEED_ASSIGN(const DataType element, type_attribute(node, "dtype", place_types));
  const auto x = node.input(0);
  return node.set_output(0, element, Dims{x.has_rank() ? x.dim(0) : node.fresh_symbol("batch"), sample_size});
}

constexpr Types bernoulli_types = any_number | Types{DataType::boolean};
Result<void> infer_bernoulli(Inference& node) { return infer_as(node, bernoulli_types); }

Operator random(std::string_view op_type, AttributeRule first, AttributeRule second, bool like) {
  Operator op{.op_type = op_type,
              .versions = {22, 1},
              .flags = HEED_RANDOM,
              .outputs = {{"output", "T2"}},
              .types = {{"T1", any_type}, {"T2", any_float}},
              .attributes = {std::move(first), std::move(second), optional("dtype", HEED_ATTRIBUTE_INT),
                             optional("seed", HEED_ATTRIBUTE_FLOAT)}};
  if (like) {
    op.inputs = {{"input", "T1"}};
    op.infer = infer_like;
  } else {
    op.attributes.push_back(required("shape", HEED_ATTRIBUTE_INTS));
    op.infer = infer_of_shape;
  }
  return op;
}

}  // namespace

extern const Operator random_normal = random("RandomNormal", attribute("mean", 0.0f), attribute("scale", 1.0f), false);
extern const Operator random_normal_like =
    random("RandomNormalLike", attribute("mean", 0.0f), attribute("scale", 1.0f), true);
extern const Operator random_uniform = random("RandomUniform", attribute("low", 0.0f), attribute("high", 1.0f), false);
extern const Operator random_uniform_like =
    random("RandomUniformLike", attribute("low", 0.0f), attribute("high", 1.0f), true);

extern const Operator bernoulli{
    .op_type = "Bernoulli",
    .versions = {22, 15},
    .flags = HEED_RANDOM,
    .inputs = {{"input", "T1"}},
    .outputs = {{"output", "T2"}},
    .types = {{"T1", any_float}, {"T2", bernoulli_types}},
    .attributes = {optional("dtype", HEED_ATTRIBUTE_INT), optional("seed", HEED_ATTRIBUTE_FLOAT)},
    .infer = infer_bernoulli};

extern const Operator multinomial{
    .op_type = "Multinomial",
    .versions = {22, 7},
    .flags = HEED_RANDOM,
    .inputs = {{"input", "T1"}},
    .outputs = {{"output", "T2"}},
    .types = {{"T1", any_float}, {"T2", place_types}},
    .attributes = {attribute("dtype", static_cast<int64_t>(DataType::i32)), attribute("sample_size", 1),
                   optional("seed", HEED_ATTRIBUTE_FLOAT)},
    .infer = infer_multinomial};

}  // namespace heed::ops
