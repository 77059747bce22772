// MatMul: y[..., i, j] = sum over k of a[..., i, k] * b[..., k, j], by numpy's rules: axes before the last two broadcast; a
// vector on the left is a row, on the right a column, and that axis is not in the result.
#include "rows.hpp"
#include "shapes.hpp"

namespace heed::ops {
namespace {

Result<void> infer(Inference& node) {
  const auto a = node.input(0), b = node.input(1);
  if (!a.has_rank() || !b.has_rank()) return node.set_output(0, a.element());
  for (int32_t input = 0; input < 2; ++input)
    if (node.input(input).rank() == 0)
      return Error{Code::shape_mismatch, "input " + std::to_string(input) + " has rank 0; expected at least one axis"};
  const auto text = text_of(a.dims()) + " and " + text_of(b.dims());
  HEED_TRY(node.require_equal(a.dim(-1), b.dim(b.rank() == 1 ? 0 : -2), "inner sizes of " + text));
  const auto outer = [](TypeView type) { return type.dims().first(static_cast<size_t>(std::max(type.rank() - 2, 0))); };
  HEED_ASSIGN(Dims dims, checked_broadcast(node, outer(a), outer(b)));
  if (a.rank() > 1) dims.push_back(a.dim(-2));
  if (b.rank() > 1) dims.push_back(b.dim(-1));
  return node.set_output(0, a.element(), dims);
}

constexpr int32_t most_batch_axes = 6;

// Mirrors shaders/matmul.glsl.
struct Parameters {
  uint32_t rows = 1, columns = 1, inner = 1, batch_count = 1, batch_rank = 0;
  int32_t a_offset = 0, a_row_stride = 0, a_inner_stride = 0;
  int32_t b_offset = 0, b_inner_stride = 0, b_column_stride = 0;
  int32_t c_offset = 0;
  uint32_t batch_dims[most_batch_axes] = {};
  int32_t a_batch_strides[most_batch_axes] = {};
  int32_t b_batch_strides[most_batch_axes] = {};
};

// A workgroup makes 32 columns: of a tile of 32 rows, or, where there are few, of all rows (at most constant 0 of
// matmul_rows.comp).
constexpr uint32_t workgroup_columns = 32, tile_rows = 32;
constexpr uint32_t few_rows[] = {1, 2, 4, 8};
enum { tiles, first_of_few_rows };

Result<GpuPlan> plan(Planning& node) {
  const auto a = node.input(0), b = node.input(1);
  if (!a.has_rank() || !b.has_rank()) return decline("a rank is not known");
  HEED_ASSIGN(const Shader tile_shader, shader_for(node, shaders::matmul));
  HEED_ASSIGN(const Shader row_shader, shader_for(node, shaders::matmul_rows));
  const Dim inner = a.dim(-1);
  if (std::max(a.rank(), b.rank()) - 2 > most_batch_axes) return decline("more than 8 axes");
  node.take_strided(0);
  node.take_strided(1);
  node.work(2 * inner * count_of(node.output(0).dims()));
  GpuPlan plan{.variants = {{.name = "32 x 32 tiles", .shader = tile_shader}},
               .bindings = {read(0), read(1), write(0)}};
  for (const uint32_t rows : few_rows)
    plan.variants.push_back({.name = "at most " + std::to_string(rows) + (rows == 1 ? " row" : " rows"),
                             .shader = row_shader, .constants = {{0, rows}}});
  return plan;
}

// The stride along axis `back`, counted backwards from the last batch axis; 0 where it is broadcast.
int32_t batch_stride(const TensorView& tensor, int32_t back) {
  const int32_t axis = tensor.rank() - 3 - back;
  return axis < 0 || tensor.dim(axis) == 1 ? 0 : stride_of(tensor, axis);
}

Result<Launch> bind(const Binding& node) {
  const auto a = node.input(0), b = node.input(1), c = node.output(0);
  if (c.count() == 0) return Launch{};
  HEED_TRY(check_addressable(a, "input 0"));
  HEED_TRY(check_addressable(b, "input 1"));
  HEED_TRY(check_addressable(c, "the output"));
  Parameters p;
  p.inner = static_cast<uint32_t>(a.dim(-1));
  p.a_offset = offset_of(a);
  p.b_offset = offset_of(b);
  p.c_offset = offset_of(c);
  p.a_inner_stride = stride_of(a, -1);
  p.b_inner_stride = stride_of(b, b.rank() == 1 ? 0 : -2);
  int32_t batch_axes = c.rank();
  if (b.rank() > 1) {
    p.columns = static_cast<uint32_t>(b.dim(-1));
    p.b_column_stride = stride_of(b, -1);
    --batch_axes;
  }
  if (a.rank() > 1) {
    p.rows = static_cast<uint32_t>(a.dim(-2));
    p.a_row_stride = stride_of(a, -2);
    --batch_axes;
  }
  // Batches of a that meet one b and follow each other as rows do are rows: [batch, seq, k] x [k, n].
  int32_t back = 0;
  for (; back < batch_axes; ++back) {
    const int64_t size = c.dim(batch_axes - 1 - back);
    if (size == 1) continue;
    if (batch_stride(b, back) != 0 || (p.rows > 1 && batch_stride(a, back) != static_cast<int64_t>(p.rows) * p.a_row_stride)) break;
    if (p.rows == 1) p.a_row_stride = batch_stride(a, back);
    p.rows *= static_cast<uint32_t>(size);
  }
  p.batch_rank = static_cast<uint32_t>(batch_axes - back);
  for (int32_t axis = 0; axis < batch_axes - back; ++axis) {
    p.batch_dims[axis] = static_cast<uint32_t>(c.dim(axis));
    p.batch_count *= p.batch_dims[axis];
    p.a_batch_strides[axis] = batch_stride(a, batch_axes - 1 - axis);
    p.b_batch_strides[axis] = batch_stride(b, batch_axes - 1 - axis);
  }
  int32_t variant = tiles;
  uint32_t along_rows = ceil_divide(p.rows, tile_rows);
  if (const auto few = std::lower_bound(std::begin(few_rows), std::end(few_rows), p.rows); few != std::end(few_rows)) {
    variant = first_of_few_rows + static_cast<int32_t>(few - std::begin(few_rows));
    along_rows = 1;
  }
  const uint32_t along_columns = ceil_divide(p.columns, workgroup_columns);
  if (along_columns > most_workgroups || along_rows > most_workgroups)
    return Error{Code::unsupported, "a matrix of more than " + std::to_string(most_workgroups * workgroup_columns) + " rows or columns"};
  return Launch{.dispatches = {{variant, bytes_of(p), {along_columns, along_rows, workgroups_for(p.batch_count, 1)}}}};
}

}  // namespace

extern const Operator matmul{
    .op_type = "MatMul", .versions = {13, 9, 1},
    .inputs = {{"A", "T"}, {"B", "T"}}, .outputs = {{"Y", "T"}},
    .types = {{"T", any_float | Types{DataType::i32, DataType::i64, DataType::u32, DataType::u64}}},
    .infer = infer, .plan = plan, .bind = bind};

}  // namespace heed::ops
