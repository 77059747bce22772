// MaxPool: the greatest element of each window, and on request where it stands in the flattened input.
#include "rows.hpp"
#include "shaders.hpp"
#include "shapes.hpp"
#include "windows.hpp"

namespace heed::ops {
namespace {

// Mirrors shaders/max_pool.comp.
struct Parameters {
  Sliding windows;
  uint32_t count, channel_count, has_indices, column_major;
  int32_t y_offset, indices_offset;
};

Result<GpuPlan> plan(Planning& node) {
  HEED_TRY(check_windows(node.input(0)));
  HEED_ASSIGN(const Shader shader, shader_for(node, shaders::max_pool));
  node.take_strided(0);
  // Indices that nobody asks for are bound to something that is there, and never touched.
  return GpuPlan{.variants = {{.name = "a window a thread", .shader = shader}},
                 .bindings = {read(0), write(0), node.has_output(1) ? write(1) : read(0)}};
}

Result<Launch> bind(const Binding& node) {
  const auto x = node.input(0), y = node.output(0);
  if (y.count() == 0) return Launch{};
  HEED_TRY(check_addressable(x, "the data"));
  HEED_TRY(check_addressable(y, "the output"));
  const bool has_indices = node.has_output(1);
  const Parameters p{.windows = sliding_of(node, x, y, *node.integers("kernel_shape")),
                     .count = static_cast<uint32_t>(y.count()),
                     .channel_count = static_cast<uint32_t>(x.dim(1)),
                     .has_indices = has_indices,
                     .column_major = node.integer("storage_order") != 0,
                     .y_offset = offset_of(y),
                     .indices_offset = has_indices ? offset_of(node.output(1)) : 0};
  return Launch{.dispatches = {{0, bytes_of(p), {workgroups_for(y.count(), 64), 1, 1}}}};
}

}  // namespace

extern const Operator max_pool{
    .op_type = "MaxPool",
    .versions = {22, 12, 11, 10, 8, 1},
    .inputs = {{"X", "T"}},
    .outputs = {{"Y", "T"}, {"Indices", "I", HEED_OPTIONAL_PARAMETER}},
    .types = {{"T", any_float | Types{DataType::i8, DataType::u8}}, {"I", {DataType::i64}}},
    .attributes = {attribute("auto_pad", "NOTSET"), attribute("ceil_mode", 0),
                   optional("dilations", HEED_ATTRIBUTE_INTS), required("kernel_shape", HEED_ATTRIBUTE_INTS),
                   optional("pads", HEED_ATTRIBUTE_INTS), attribute("storage_order", 0),
                   optional("strides", HEED_ATTRIBUTE_INTS)},
    .infer = infer_pooling,
    .plan = plan,
    .bind = bind};

}  // namespace heed::ops
