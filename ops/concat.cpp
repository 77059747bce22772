// Concat: the inputs one after the other along an axis.
#include "shapes.hpp"
#include "strided_copy.hpp"

namespace heed::ops {
namespace {

Result<void> infer(Inference& node) {
  DataType element = DataType::undefined;
  const int32_t count = node.input_count();
  for (int32_t i = 0; i < count; ++i) {
    if (element == DataType::undefined) element = node.input(i).element();
  }
  for (int32_t i = 0; i < count; ++i)
    if (!node.input(i).has_rank()) return node.set_output(0, element);
  if (node.version() >= 4 && !node.has_attribute("axis"))
    return Error{Code::invalid_model, "attribute 'axis' is missing"};
  const auto first = node.input(0).dims();
  HEED_ASSIGN(const int32_t axis, node.axis("axis", static_cast<int32_t>(first.size()), 1));
  Dims dims(first.begin(), first.end());
  for (int32_t i = 1; i < count; ++i) {
    const auto next = node.input(i).dims();
    if (next.size() != dims.size())
      return Error{Code::shape_mismatch, "input 0 " + text_of(first) + " and input " + std::to_string(i) + " " +
                                             text_of(next) + " differ in rank"};
    for (size_t k = 0; k < dims.size(); ++k) {
      if (static_cast<int32_t>(k) == axis)
        dims[k] += next[k];
      else
        HEED_TRY(node.require_equal(dims[k], next[k],
                                    "axis " + std::to_string(k) + " of inputs 0 and " + std::to_string(i)));
    }
  }
  HEED_TRY(node.set_output(0, element, dims));

  if (dims.size() != 1) return {};
  Dims elements;
  for (int32_t i = 0; i < count; ++i) {
    const auto part = node.elements(i);
    if (!part) return {};
    elements.insert(elements.end(), part->begin(), part->end());
  }
  node.set_elements(0, elements);
  return {};
}

// Variant k copies input k.
Result<GpuPlan> plan(Planning& node) {
  GpuPlan plan;
  for (int32_t k = 0; k < node.input_count(); ++k) {
    HEED_ASSIGN(auto copy, copy_variant(node, node.input(k)));
    copy.bindings = {in_windows(read(k)), in_windows(write(0))};
    plan.variants.push_back(std::move(copy));
    node.take_strided(k);
  }
  node.give_strided(0);
  return plan;
}

Result<Launch> bind(const Binding& node) {
  Launch launch;
  TensorView part = node.output(0);
  HEED_ASSIGN(const int32_t axis, node.axis("axis", part.rank(), 1));
  for (int32_t k = 0; k < node.input_count(); ++k) {
    const auto x = node.input(k);
    part.c.dims = x.c.dims;
    HEED_TRY(add_copy(launch, node, k, x, part));
    part.c.offset += x.dim(axis) * part.stride(axis);
  }
  return launch;
}

}  // namespace

extern const Operator concat{.op_type = "Concat",
                             .versions = {13, 11, 4, 1},
                             .flags = HEED_COPIES,
                             .inputs = {{"inputs", "T", HEED_VARIADIC}},
                             .outputs = {{"concat_result", "T"}},
                             .types = {{"T", any_type}},
                             .attributes = {optional("axis", HEED_ATTRIBUTE_INT)},  // 1 before opset 4, required since
                             .infer = infer,
                             .plan = plan,
                             .bind = bind};

}  // namespace heed::ops
