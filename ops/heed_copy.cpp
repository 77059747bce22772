// heed.Copy: the same elements elsewhere; it reads and writes strided tensors. The plan puts it where a kernel needs a
// dense tensor and gets another.
#include "launch.hpp"
#include "shaders.hpp"
#include "shapes.hpp"

namespace heed::ops {
namespace {

Result<void> infer(Inference& node) {
  HEED_TRY(like_input(node));
  pass_elements(node);
  return {};
}

constexpr int32_t most_axes = 8;

// Mirrors shaders/copy.comp.
struct Parameters {
  uint32_t count, rank;
  int32_t x_offset, y_offset;
  uint32_t dims[most_axes];
  int32_t x_strides[most_axes], y_strides[most_axes];
};

Result<GpuPlan> plan(Planning& node) {
  const auto input = node.input(0);
  if (!input.has_element() || !input.has_rank()) return decline("its type is not known");
  const auto bits = input.element() == DataType::string ? 0 : bits_of(input.element());
  if (bits != 32 && bits != 64)
    return decline("the GPU copy moves 4 or 8 bytes an element, not " + name_in_reason(input));
  if (input.rank() > most_axes) return decline("more than 8 axes");
  node.take_strided(0);
  node.give_strided(0);
  return GpuPlan{.variants = {bits == 32 ? Variant{.name = "4 bytes", .shader = shaders::copy_4}
                                         : Variant{.name = "8 bytes", .shader = shaders::copy_8}},
                 .bindings = {read(0), write(0)}};
}

Result<Launch> bind(const Binding& node) {
  const auto x = node.input(0), y = node.output(0);
  if (x.count() == 0) return Launch{};
  HEED_TRY(check_addressable(x, "the input"));
  HEED_TRY(check_addressable(y, "the output"));
  Parameters parameters{
      static_cast<uint32_t>(x.count()), static_cast<uint32_t>(x.rank()), offset_of(x), offset_of(y), {}, {}, {}};
  for (int32_t axis = 0; axis < x.rank(); ++axis) {
    parameters.dims[axis] = static_cast<uint32_t>(x.dim(axis));
    parameters.x_strides[axis] = stride_of(x, axis);
    parameters.y_strides[axis] = stride_of(y, axis);
  }
  return Launch{.dispatches = {{0, bytes_of(parameters), {workgroups_for(x.count(), 64), 1, 1}}}};
}

}  // namespace

extern const Operator heed_copy{.domain = "heed",
                                .op_type = "Copy",
                                .role = "copy",
                                .flags = HEED_COPIES,
                                .inputs = {{"input", "T"}},
                                .outputs = {{"output", "T"}},
                                .types = {{"T", any_type}},
                                .infer = infer,
                                .plan = plan,
                                .bind = bind};

}  // namespace heed::ops
