// Cast: each element in another type. CastLike takes the type from a second input. Floats go to integers towards zero;
// to 8-bit and 4-bit floats by rounding to nearest, out of range to the largest (saturate = 1) or to NaN or infinity.
#include "launch.hpp"
#include "shaders.hpp"
#include "shapes.hpp"

namespace heed::ops {
namespace {

constexpr std::string_view scale_roundings[] = {"up", "down", "nearest"};  // shaders/cast.comp knows them by their places
size_t rounding_of(const NodeView& node) {
  return static_cast<size_t>(
      std::find(std::begin(scale_roundings), std::end(scale_roundings), node.text("round_mode", "up")) -
      std::begin(scale_roundings));
}

Result<void> infer_as(Inference& node, DataType element) {
  if (is_complex(element) != is_complex(node.input(0).element()) && node.input(0).has_element())
    return Error{Code::unsupported, "no cast from " + std::string(name_of(node.input(0).element())) + " to " +
                                        std::string(name_of(element))};
  if (rounding_of(node) == std::size(scale_roundings))
    return Error{Code::invalid_model, "attribute 'round_mode' is '" + std::string(node.text("round_mode")) +
                                          "'; expected 'up', 'down' or 'nearest'"};
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
  const int64_t number = node.integer("to");
  const auto element = to && to->kind == HEED_ATTRIBUTE_STRING ? type_named(from_c(to->s))  // Cast-1
                                                               : static_cast<DataType>(number);
  if (!is_known(element) || number < 0 || number >= data_type_count)
    return Error{Code::invalid_model, "attribute 'to' is no data type: " + std::to_string(number)};
  return infer_as(node, element);
}

Result<void> infer_cast_like(Inference& node) {
  if (!node.input(1).has_element()) return {};
  return infer_as(node, node.input(1).element());
}

// ---- on a GPU: what the expression does not hold, since GLSL has no such types
// --------------------------------------------------------------------

// Mirrors shaders/cast.comp.
struct Parameters {
  uint32_t word_count, count;
  int32_t x_offset, y_word_offset;
};
constexpr int64_t workgroup_size = 128;

constexpr Types plain{DataType::f32, DataType::f16, DataType::bf16, DataType::boolean, DataType::i8,
                      DataType::u8,  DataType::i16, DataType::u16,  DataType::i32,     DataType::u32};
constexpr Types narrow{DataType::f8e4m3fn, DataType::f8e4m3fnuz, DataType::f8e5m2, DataType::f8e5m2fnuz,
                       DataType::f8e8m0,   DataType::f4e2m1,     DataType::i4,     DataType::u4,
                       DataType::i2,       DataType::u2};

bool is_among(Types types, DataType type) { return (types.bits() >> static_cast<int>(type) & 1) != 0; }

Result<GpuPlan> plan(Planning& node) {
  const DataType x = node.input(0).element(), y = node.output(0).element();
  for (const DataType type : {x, y})
    if (!is_among(plain | narrow, type)) return decline("the GPU kernel takes no " + std::string(name_of(type)));
  if (!is_among(narrow, x) && !is_among(narrow, y)) return decline("element-wise kernels cast ordinary types");
  return GpuPlan{.variants = {{.name = std::string(name_of(x)) + " to " + std::string(name_of(y)),
                               .shader = shaders::cast,
                               .constants = {{0, static_cast<uint32_t>(x)},
                                             {1, static_cast<uint32_t>(y)},
                                             {2, node.integer("saturate", 1) != 0},
                                             {3, static_cast<uint32_t>(rounding_of(node))}}}},
                 .bindings = {read(0), write(0)}};
}

Result<Launch> bind(const Binding& node) {
  const auto x = node.input(0), y = node.output(0);
  if (y.count() == 0) return Launch{};
  HEED_TRY(check_addressable(x, "the input"));
  HEED_TRY(check_addressable(y, "the output"));
  HEED_ASSIGN(const uint32_t word_offset, word_offset_of(y));
  const Parameters p{.word_count = ceil_divide(y.count(), 32 / bits_of(y.element())),
                     .count = static_cast<uint32_t>(y.count()),
                     .x_offset = offset_of(x),
                     .y_word_offset = static_cast<int32_t>(word_offset)};
  return Launch{.dispatches = {{0, bytes_of(p), {workgroups_for(p.word_count, workgroup_size), 1, 1}}}};
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
                           .infer = infer_cast,
                           .plan = plan,
                           .bind = bind};

extern const Operator cast_like{.op_type = "CastLike",
                                .versions = {25, 24, 23, 21, 19, 15},
                                .inputs = {{"input", "T1"}, {"target_type", "T2"}},
                                .outputs = {{"output", "T2"}},
                                .types = {{"T1", any_type}, {"T2", any_type}},
                                .attributes = {attribute("saturate", 1), attribute("round_mode", "up")},
                                .expression = "cast(input, target_type)",
                                .infer = infer_cast_like,
                                .plan = plan,
                                .bind = bind};

}  // namespace heed::ops
