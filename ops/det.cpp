// Det: the determinant of each matrix of the last two axes. The GPU kernel is a workgroup for a matrix, which it
// eliminates in scratch memory.
#include "rows.hpp"
#include "shaders.hpp"
#include "shapes.hpp"

namespace heed::ops {
namespace {

Result<void> infer(Inference& node) {
  const auto x = node.input(0);
  if (!x.has_rank()) return node.set_output(0, x.element());
  if (x.rank() < 2) return Error{Code::shape_mismatch, "the input " + text_of(x.dims()) + " is no matrix"};
  HEED_TRY(node.require_equal(x.dim(x.rank() - 2), x.dim(x.rank() - 1), "rows and columns"));
  return node.set_output(0, x.element(), x.dims().first(x.dims().size() - 2));
}

// Mirrors shaders/det.comp.
struct Parameters {
  Rows rows;  // a matrix each
  uint32_t size;
  int32_t y_offset;
};

Result<GpuPlan> plan(Planning& node) {
  HEED_ASSIGN(const Shader shader, shader_for(node, shaders::det));
  node.take_strided(0);
  return GpuPlan{.variants = {{"a matrix a workgroup", shader, {{0, row_threads}, {1, row_threads}}}},
                 .bindings = {read(0), write(0), scratch()}};
}

Result<Launch> bind(const Binding& node) {
  const auto x = node.input(0), y = node.output(0);
  if (y.count() == 0) return Launch{};
  HEED_TRY(check_addressable(x, "the input"));
  HEED_TRY(check_addressable(y, "the output"));
  const Parameters p{rows_of(x.dims(), last_axes(x.rank(), 2), std::array{x}),
                     static_cast<uint32_t>(x.dim(x.rank() - 1)), offset_of(y)};
  Launch launch{.dispatches = {{0, bytes_of(p), {workgroups_for(p.rows.row_count, 1), 1, 1}}}};
  launch.scratch_bytes = static_cast<size_t>(std::max<int64_t>(x.count(), 1)) * sizeof(float);
  return launch;
}

}  // namespace

extern const Operator det{.op_type = "Det",
                          .versions = {22, 11},
                          .inputs = {{"X", "T"}},
                          .outputs = {{"Y", "T"}},
                          .types = {{"T", any_float}},
                          .infer = infer,
                          .plan = plan,
                          .bind = bind};

}  // namespace heed::ops
