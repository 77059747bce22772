// QuantizeLinear: y = saturate(round(x / scale) + zero_point), DequantizeLinear: y = (x - zero_point) * scale, ONNX's and
// com.microsoft's. One scale for all, one for each place of an axis, or (block_size) one for each block along it.
#include "quantize_linear.hpp"

#include "checks.hpp"
#include "launch.hpp"
#include "shaders.hpp"
#include "shapes.hpp"

namespace heed::ops {
namespace {

constexpr int32_t scale_input = 1, zero_point_input = 2;

constexpr Types narrow_integers{DataType::i8, DataType::u8, DataType::i16, DataType::u16, DataType::i4,
                                DataType::u4, DataType::i2, DataType::u2};
constexpr Types narrow_floats{DataType::f8e4m3fn, DataType::f8e4m3fnuz, DataType::f8e5m2, DataType::f8e5m2fnuz,
                              DataType::f4e2m1};
constexpr Types plain_floats{DataType::f32, DataType::f16, DataType::bf16};

// Scale, and zero point with it, fit x.
Result<void> check_scales(Inference& node) {
  const auto x = node.input(0), scale = node.input(scale_input);
  const int64_t block_size = node.integer("block_size", 0);
  if (block_size < 0)
    return Error{Code::invalid_model, "attribute 'block_size' is " + std::to_string(block_size) + "; expected 0 or more"};
  if (node.has_input(zero_point_input) && scale.has_rank() && node.input(zero_point_input).has_rank()) {
    const auto zero_point = node.input(zero_point_input);
    if (block_size == 0 && scale.rank() + zero_point.rank() == 1) {  // a number, and a list of one
      HEED_TRY(node.require_equal(count_of(scale.dims()) * count_of(zero_point.dims()), 1, "scales or zero points and 1"));
    } else {
      HEED_TRY(node.require_rank(zero_point_input, scale.rank()));
      for (int32_t axis = 0; axis < scale.rank(); ++axis)
        HEED_TRY(node.require_equal(scale.dim(axis), zero_point.dim(axis),
                                    "axis " + std::to_string(axis) + " of scale and zero point"));
    }
  }
  if (!x.has_rank() || !scale.has_rank() || scale.rank() == 0) return {};
  if (block_size == 0) {
    if (scale.rank() > 1)
      return Error{Code::shape_mismatch, "the scale has rank " + std::to_string(scale.rank()) +
                                             " and there is no block_size; expected a number or a list"};
    if (scale.dim(0).is_number(1)) return {};
    const int64_t given = node.integer("axis", 1);
    // A list that may turn out to be of one scale has no axis to fit.
    if (!scale.dim(0).is_number() && (given < -x.rank() || given >= x.rank()))
      return node.require_equal(scale.dim(0), 1, "scales of an input without axis " + std::to_string(given) + ", and 1");
    HEED_ASSIGN(const int32_t axis, node.axis("axis", x.rank(), 1));
    return node.require_equal(select(equal(scale.dim(0), 1), x.dim(axis), scale.dim(0)), x.dim(axis),
                              "scales and axis " + std::to_string(axis) + " of the input");
  }
  HEED_ASSIGN(const int32_t blocked, node.axis("axis", x.rank(), 1));
  HEED_TRY(node.require_rank(scale_input, x.rank()));
  for (int32_t axis = 0; axis < x.rank(); ++axis) {
    const Dim expected = axis == blocked ? ceil_divide(x.dim(axis), Dim(block_size)) : x.dim(axis);
    HEED_TRY(node.require_equal(scale.dim(axis), expected,
                                "axis " + std::to_string(axis) + " of the scale and the input in blocks of " +
                                    std::to_string(block_size)));
  }
  return {};
}

Result<void> set_output(Inference& node, DataType element) {
  return node.input(0).has_rank() ? node.set_output(0, element, node.input(0).dims()) : node.set_output(0, element);
}

Result<void> infer_quantize(Inference& node) {
  HEED_ASSIGN(const DataType named, type_attribute(node, "output_dtype", narrow_integers | narrow_floats));
  HEED_TRY(type_attribute(node, "precision", plain_floats));
  DataType element = named != DataType::undefined ? named : DataType::u8;
  if (node.has_input(zero_point_input)) {
    const DataType zero_point = node.input(zero_point_input).element();
    if (named != DataType::undefined && named != zero_point)
      return Error{Code::invalid_model, "output_dtype is " + std::string(name_of(named)) + " and the zero point " +
                                            std::string(name_of(zero_point))};
    element = zero_point;
  }
  HEED_TRY(check_scales(node));
  return set_output(node, element);
}

Result<void> infer_dequantize(Inference& node) {
  HEED_ASSIGN(const DataType named, type_attribute(node, "output_dtype", plain_floats));
  const DataType scale = node.input(scale_input).element();
  if (named == DataType::undefined && scale == DataType::f8e8m0)
    return Error{Code::invalid_model, "the scale is f8e8m0, and no output_dtype says what the output is"};
  HEED_TRY(check_scales(node));
  return set_output(node, named != DataType::undefined ? named : scale);
}

// ---- on a GPU: all tensors are read and written as words, whatever their elements are
// ------------------------------------

constexpr int64_t workgroup_size = 128;

// What the shaders read and write.
constexpr Types served = narrow_integers | narrow_floats | plain_floats | Types{DataType::i32, DataType::f8e8m0};

Result<GpuPlan> plan_with(Planning& node, const Shader& shader, Types x_types) {
  const DataType x = node.input(0).element(), scale = node.input(scale_input).element(), y = node.output(0).element();
  for (const auto& [type, types] : {std::pair{x, x_types}, {scale, plain_floats | Types{DataType::f8e8m0}}})
    if ((types.bits() >> static_cast<int>(type) & 1) == 0)
      return decline("the GPU kernel takes no " + std::string(name_of(type)));
  DataType precision = static_cast<DataType>(node.integer("precision", 0));
  if (precision == DataType::undefined) precision = scale;
  const auto constant = [](uint32_t id, DataType type) { return heed_constant{id, static_cast<uint32_t>(type)}; };
  const Variant variant{.name = std::string(name_of(x)) + " to " + std::string(name_of(y)),
                        .shader = shader,
                        .constants = {constant(0, x), constant(1, scale), constant(2, y), constant(3, precision),
                                      {4, node.integer("saturate", 1) != 0}}};
  return GpuPlan{.variants = {variant},
                 .bindings = {read(0), read(scale_input), read(node.has_input(zero_point_input) ? zero_point_input : 0),
                              write(0)}};
}
Result<GpuPlan> plan_quantize(Planning& node) { return plan_with(node, shaders::quantize, plain_floats); }
Result<GpuPlan> plan_dequantize(Planning& node) { return plan_with(node, shaders::dequantize, served); }

Result<Launch> bind(const Binding& node) {
  const auto x = node.input(0), scale = node.input(scale_input), y = node.output(0);
  if (y.count() == 0) return Launch{};
  HEED_TRY(check_addressable(x, "the input"));
  HEED_TRY(check_addressable(scale, "the scale"));
  HEED_TRY(check_addressable(y, "the output"));
  const int64_t elements_of_word = 32 / bits_of(y.element());
  QuantizedParameters p{};
  p.count = static_cast<uint32_t>(y.count());
  p.word_count = ceil_divide(y.count(), elements_of_word);
  p.x_offset = offset_of(x);
  p.scale_offset = offset_of(scale);
  p.has_zero_point = node.has_input(zero_point_input);
  if (p.has_zero_point) p.zero_point_offset = offset_of(node.input(zero_point_input));
  HEED_ASSIGN(const uint32_t word_offset, word_offset_of(y));
  p.y_word_offset = static_cast<int32_t>(word_offset);
  p.axis_size = p.inner_size = p.block_size = 1;
  const int64_t block_size = node.integer("block_size", 0);
  if (scale.count() != 1 || block_size != 0) {
    HEED_ASSIGN(const int32_t axis, node.axis("axis", x.rank(), 1));
    p.axis_size = static_cast<uint32_t>(x.dim(axis));
    p.inner_size = static_cast<uint32_t>(x.count(axis + 1, x.rank()));
    p.axis_stride = 1;
    if (block_size != 0) {
      p.block_size = static_cast<uint32_t>(std::min(block_size, x.dim(axis)));
      p.axis_stride = p.inner_size;
      p.outer_stride = static_cast<uint32_t>(scale.dim(axis)) * p.inner_size;
      p.inner_stride = 1;
    }
  }
  return Launch{.dispatches = {{0, bytes_of(p), {workgroups_for(p.word_count, workgroup_size), 1, 1}}}};
}

std::vector<AttributeRule> attributes(std::vector<std::string_view> more) {
  std::vector<AttributeRule> rules = {attribute("axis", 1)};
  for (const auto name : more)
    rules.push_back(attribute(name, name == "saturate" ? 1 : 0));
  return rules;
}

Operator quantize(std::string_view domain, std::vector<int32_t> versions) {
  return {.domain = domain,
          .op_type = "QuantizeLinear",
          .versions = std::move(versions),
          .inputs = {{"x", "T1"}, {"y_scale", "T2"}, {"y_zero_point", "T3", HEED_OPTIONAL_PARAMETER}},
          .outputs = {{"y", "T3"}},
          .types = {{"T1", plain_floats | Types{DataType::i32}},
                    {"T2", plain_floats | Types{DataType::i32, DataType::f8e8m0}},
                    {"T3", narrow_integers | narrow_floats}},
          .attributes = attributes({"block_size", "output_dtype", "precision", "saturate"}),
          .infer = infer_quantize,
          .plan = plan_quantize,
          .bind = bind};
}

Operator dequantize(std::string_view domain, std::vector<int32_t> versions) {
  return {.domain = domain,
          .op_type = "DequantizeLinear",
          .versions = std::move(versions),
          .flags = HEED_ENLARGES,
          .inputs = {{"x", "T1"}, {"x_scale", "T2"}, {"x_zero_point", "T1", HEED_OPTIONAL_PARAMETER}},
          .outputs = {{"y", "T3"}},
          .types = {{"T1", narrow_integers | narrow_floats | Types{DataType::i32}},
                    {"T2", plain_floats | Types{DataType::f8e8m0}},
                    {"T3", plain_floats}},
          .attributes = attributes({"block_size", "output_dtype"}),
          .infer = infer_dequantize,
          .plan = plan_dequantize,
          .bind = bind};
}

}  // namespace

extern const Operator quantize_linear = quantize("", {25, 24, 23, 21, 19, 13, 10});
extern const Operator dequantize_linear = dequantize("", {25, 24, 23, 21, 19, 13, 10});
extern const Operator com_microsoft_quantize_linear = quantize("com.microsoft", {1});
extern const Operator com_microsoft_dequantize_linear = dequantize("com.microsoft", {1});

}  // namespace heed::ops
