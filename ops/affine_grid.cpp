// AffineGrid-20: the grid of GridSample for an affine transformation, theta [batch, 2, 3] or [batch, 3, 4]: for each
// place of an image of the given size theta (x, y, 1).
#include "rows.hpp"
#include "shaders.hpp"
#include "shapes.hpp"

namespace heed::ops {
namespace {

// [batch, channel, sizes...], of which theta knows how many there are.
int64_t spatial_count(const NodeView& node) {
  const auto theta = node.input(0), size = node.input(1);
  if (theta.has_rank() && theta.rank() == 3 && theta.dim(1).is_number()) return theta.dim(1).number();
  if (size.has_rank() && size.rank() == 1 && size.dim(0).is_number()) return size.dim(0).number() - 2;
  return 0;
}

Result<void> infer(Inference& node) {
  const auto theta = node.input(0);
  HEED_TRY(node.require_rank(0, 3));
  HEED_TRY(node.require_rank(1, 1));
  const int64_t spatial = spatial_count(node);
  if (spatial == 0 || !theta.has_rank()) return node.set_output(0, theta.element());
  if (spatial != 2 && spatial != 3)
    return Error{Code::shape_mismatch, "theta " + text_of(theta.dims()) + "; expected [batch, 2, 3] or [batch, 3, 4]"};
  HEED_TRY(node.require_equal(theta.dim(1), spatial, "rows of theta and spatial axes"));
  HEED_TRY(node.require_equal(theta.dim(2), spatial + 1, "columns of theta and spatial axes"));
  if (node.input(1).has_rank())
    HEED_TRY(node.require_equal(node.input(1).dim(0), spatial + 2, "sizes and spatial axes"));
  Dims dims{theta.dim(0)};
  const auto sizes = node.elements(1);
  for (int32_t axis = 0; axis < spatial; ++axis)
    dims.push_back(sizes ? (*sizes)[static_cast<size_t>(axis) + 2] : node.fresh_symbol("grid"));
  if (sizes) HEED_TRY(node.require_equal((*sizes)[0], theta.dim(0), "batch of the sizes and of theta"));
  dims.push_back(spatial);
  return node.set_output(0, theta.element(), dims);
}

constexpr int32_t most_spatial = 3;

// Mirrors shaders/affine_grid.comp.
struct Parameters {
  uint32_t count, place_count, spatial_count, align_corners;
  int32_t theta_offset, grid_offset;
  uint32_t sizes[most_spatial];
};

Result<GpuPlan> plan(Planning& node) {
  HEED_ASSIGN(const Shader shader, shader_for(node, shaders::affine_grid));
  if (!node.elements(1)) return decline("the sizes are known to the run alone");
  return GpuPlan{.variants = {{.name = "a place a thread", .shader = shader}}, .bindings = {read(0), write(0)}};
}

Result<Launch> bind(const Binding& node) {
  const auto theta = node.input(0), grid = node.output(0);
  if (grid.count() == 0) return Launch{};
  HEED_TRY(check_addressable(grid, "the grid"));
  const int32_t spatial = grid.rank() - 2;
  const int64_t places = grid.count(1, grid.rank() - 1);
  Parameters p{.count = static_cast<uint32_t>(grid.dim(0) * places),
               .place_count = static_cast<uint32_t>(places),
               .spatial_count = static_cast<uint32_t>(spatial),
               .align_corners = node.integer("align_corners") != 0,
               .theta_offset = offset_of(theta),
               .grid_offset = offset_of(grid),
               .sizes = {}};
  for (int32_t axis = 0; axis < spatial; ++axis) p.sizes[axis] = static_cast<uint32_t>(grid.dim(axis + 1));
  return Launch{.dispatches = {{0, bytes_of(p), {workgroups_for(p.count, 64), 1, 1}}}};
}

}  // namespace

extern const Operator affine_grid{.op_type = "AffineGrid",
                                  .versions = {20},
                                  .inputs = {{"theta", "T1"}, {"size", "T2", HEED_SHAPE_DATA}},
                                  .outputs = {{"grid", "T1"}},
                                  .types = {{"T1", any_float}, {"T2", {DataType::i64}}},
                                  .attributes = {attribute("align_corners", 0)},
                                  .infer = infer,
                                  .plan = plan,
                                  .bind = bind};

}  // namespace heed::ops
