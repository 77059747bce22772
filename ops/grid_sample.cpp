// GridSample-22: the data at places between its elements that a grid tells, from -1 to 1 along each spatial axis, the
// last axis first: by the nearest element, or by linear or cubic interpolation.
#include "rows.hpp"
#include "shaders.hpp"
#include "shapes.hpp"

namespace heed::ops {
namespace {

enum { x_input, grid_input };
constexpr int32_t most_spatial = 3;

// As shaders/grid_sample.comp numbers them. Version 16 says bilinear and bicubic.
Result<uint32_t> choice(const NodeView& node, std::string_view name, std::string_view otherwise,
                        std::initializer_list<std::pair<std::string_view, uint32_t>> choices) {
  const auto text = node.text(name, otherwise);
  for (const auto& [known, number] : choices)
    if (known == text) return number;
  return Error{Code::invalid_model, "attribute '" + std::string(name) + "' is '" + std::string(text) + "'"};
}
Result<uint32_t> mode_of(const NodeView& node) {
  return choice(node, "mode", "linear", {{"nearest", 0}, {"linear", 1}, {"bilinear", 1}, {"cubic", 2}, {"bicubic", 2}});
}
Result<uint32_t> padding_of(const NodeView& node) {
  return choice(node, "padding_mode", "zeros", {{"zeros", 0}, {"border", 1}, {"reflection", 2}});
}

Result<void> infer(Inference& node) {
  HEED_TRY(mode_of(node));
  HEED_TRY(padding_of(node));
  const auto x = node.input(x_input), grid = node.input(grid_input);
  if (!x.has_rank() || !grid.has_rank()) return node.set_output(0, x.element());
  if (x.rank() < 3 || grid.rank() != x.rank())
    return Error{Code::shape_mismatch,
                 "data " + text_of(x.dims()) + " and a grid " + text_of(grid.dims()) +
                     "; expected [batch, channel, spatial...] and [batch, places..., spatial axes]"};
  HEED_TRY(node.require_equal(x.dim(0), grid.dim(0), "batch of the data and of the grid"));
  HEED_TRY(
      node.require_equal(grid.dim(-1), x.rank() - 2, "the last axis of the grid and the spatial axes of the data"));
  Dims dims{x.dim(0), x.dim(1)};
  dims.insert(dims.end(), grid.dims().begin() + 1, grid.dims().end() - 1);
  return node.set_output(0, x.element(), dims);
}

// Mirrors shaders/grid_sample.comp; where the data has fewer spatial axes the first ones have size 1.
struct Parameters {
  uint32_t place_count, batch_count, channel_count, spatial_count;
  uint32_t align_corners;
  int32_t x_offset, grid_offset, y_offset;
  int32_t x_batch_stride, x_channel_stride;
  int32_t sizes[most_spatial], strides[most_spatial];
};

Result<GpuPlan> plan(Planning& node) {
  const auto x = node.input(x_input), grid = node.input(grid_input);
  HEED_ASSIGN(const Shader shader, shader_for(node, shaders::grid_sample));
  if (!x.has_rank() || x.rank() > most_spatial + 2)
    return decline("more than " + std::to_string(most_spatial) + " spatial axes");
  if (grid.element() != x.element())
    return decline("the grid is " + name_in_reason(grid) + ", the data " + name_in_reason(x));
  HEED_ASSIGN(const uint32_t mode, mode_of(node));
  HEED_ASSIGN(const uint32_t padding, padding_of(node));
  node.take_strided(x_input);
  return GpuPlan{.variants = {{.name = "a place a thread", .shader = shader, .constants = {{0, mode}, {1, padding}}}},
                 .bindings = {read(x_input), read(grid_input), write(0)}};
}

Result<Launch> bind(const Binding& node) {
  const auto x = node.input(x_input), grid = node.input(grid_input), y = node.output(0);
  if (y.count() == 0) return Launch{};
  HEED_TRY(check_addressable(x, "the data"));
  HEED_TRY(check_addressable(grid, "the grid"));
  HEED_TRY(check_addressable(y, "the output"));
  const int32_t spatial = x.rank() - 2;
  const int64_t places = y.count(2, y.rank());
  Parameters p{.place_count = static_cast<uint32_t>(places),
               .batch_count = static_cast<uint32_t>(x.dim(0)),
               .channel_count = static_cast<uint32_t>(x.dim(1)),
               .spatial_count = static_cast<uint32_t>(spatial),
               .align_corners = node.integer("align_corners") != 0,
               .x_offset = offset_of(x),
               .grid_offset = offset_of(grid),
               .y_offset = offset_of(y),
               .x_batch_stride = stride_of(x, 0),
               .x_channel_stride = stride_of(x, 1),
               .sizes = {1, 1, 1},
               .strides = {}};
  for (int32_t axis = 0; axis < spatial; ++axis) {
    p.sizes[most_spatial - spatial + axis] = static_cast<int32_t>(x.dim(axis + 2));
    p.strides[most_spatial - spatial + axis] = stride_of(x, axis + 2);
  }
  return Launch{.dispatches = {{0, bytes_of(p), {workgroups_for(places * x.dim(0), 64), 1, 1}}}};
}

}  // namespace

extern const Operator grid_sample{
    .op_type = "GridSample",
    .versions = {22, 20, 16},
    .inputs = {{"X", "T1"}, {"grid", "T2"}},
    .outputs = {{"Y", "T1"}},
    .types = {{"T1", any_float}, {"T2", any_float}},
    .attributes = {attribute("align_corners", 0), attribute("mode", "linear"), attribute("padding_mode", "zeros")},
    .infer = infer,
    .plan = plan,
    .bind = bind};

}  // namespace heed::ops
