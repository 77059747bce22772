// ConstantOfShape: a tensor of the shape that the input holds, filled with one value (f32 zero without the attribute).
#include "launch.hpp"
#include "shaders.hpp"
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
    HEED_ASSIGN(const auto rank, told_length(node, 0));
    if (!rank) return node.set_output(0, element);
    return node.set_output(0, element, fresh_dims(node, *rank, "filled"));
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

// Mirrors shaders/constant_of_shape.comp.
struct Parameters {
  uint32_t word_count, word_offset;
  std::array<uint32_t, 2> pattern;
};

Result<GpuPlan> plan(Planning& node) {
  const auto y = node.output(0);
  if (!node.elements(0)) return decline("the shape is known to the run alone");
  const int bits = y.element() == DataType::string ? 0 : bits_of(y.element());
  if (bits < 8 || bits > 64)
    return decline("the GPU kernel fills with 1 to 8 bytes an element, not " + name_in_reason(y));
  return GpuPlan{.variants = {{.name = "a word a thread", .shader = shaders::constant_of_shape}},
                 .bindings = {write(0)}};
}

Result<Launch> bind(const Binding& node) {
  const auto y = node.output(0);
  if (y.count() == 0) return Launch{};
  HEED_TRY(check_addressable(y, "the output"));
  HEED_ASSIGN(const uint32_t word_offset, word_offset_of(y));
  const int64_t element_bytes = bits_of(y.element()) / 8, word_count = (y.count() * element_bytes + 3) / 4;
  if (word_count > most_addressed) return Error{Code::unsupported, "the output has more than 2^31 words"};
  Parameters p{static_cast<uint32_t>(word_count), word_offset, {}};
  if (const auto value = node.tensor("value"))
    for (int64_t at = 0; at < 8; at += element_bytes)
      std::memcpy(reinterpret_cast<std::byte*>(p.pattern.data()) + at, value->c.data,
                  static_cast<size_t>(element_bytes));
  return Launch{.dispatches = {{0, bytes_of(p), {workgroups_for(word_count, 64), 1, 1}}}};
}

}  // namespace

extern const Operator constant_of_shape{.op_type = "ConstantOfShape",
                                        .versions = {25, 24, 23, 21, 20, 9},
                                        .flags = HEED_ENLARGES,
                                        .inputs = {{"input", "T1", HEED_SHAPE_DATA}},
                                        .outputs = {{"output", "T2"}},
                                        .types = {{"T1", {DataType::i64}}, {"T2", any_type}},
                                        .attributes = {optional("value", HEED_ATTRIBUTE_TENSOR)},
                                        .infer = infer,
                                        .plan = plan,
                                        .bind = bind};

}  // namespace heed::ops
