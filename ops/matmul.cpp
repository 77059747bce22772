// MatMul: y[..., i, j] = sum over k of a[..., i, k] * b[..., k, j], by numpy's rules: axes before the last two broadcast; a
// vector on the left is a row, on the right a column, and that axis is not in the result.
#include "matmul.hpp"

#include "matmul_cooperative.hpp"
#include "rows.hpp"
#include "shapes.hpp"

namespace heed::ops {
namespace {

constexpr int32_t most_batch_axes = 6;

// Along which of its axes a matrix is best read; of a the rows are outer, of b the columns. Mirrors shaders/matmul.glsl.
enum Order : uint32_t { along_inner, along_outer, fours_along_inner, fours_along_outer };

struct Matrix {
  uint32_t inner = 1, outer = 1;
  int32_t offset = 0, inner_stride = 0, outer_stride = 0;
};

// Mirrors shaders/matmul.glsl.
struct Parameters {
  uint32_t rows = 1, columns = 1, inner = 1;
  uint32_t batch_count = 1, batch_rank = 0;
  uint32_t split_count = 1, split_inner = 0;
  Order a_order, b_order;
  int32_t a_offset = 0, a_row_stride = 0, a_inner_stride = 0;
  int32_t b_offset = 0, b_inner_stride = 0, b_column_stride = 0;
  float scale = 1;
  uint32_t activation = 0;  // an index of `activations`
  uint32_t has_bias = 0, has_residual = 0;
  int32_t bias_offset = 0, residual_offset = 0, c_offset = 0;
  uint32_t batch_dims[most_batch_axes] = {};
  int32_t a_batch_strides[most_batch_axes] = {};
  int32_t b_batch_strides[most_batch_axes] = {};
};

// ---- variants: what the plan offers and the binding chooses from
// ----------------------------------------------------------------------

constexpr uint32_t few_rows[] = {1, 4, 8};  // of which shaders/matmul_rows.comp makes all at once

// Tiles of shaders/matmul.comp, the larger ones of more sums a thread. All keep to what every device has: 128 threads,
// 16 KiB of shared memory.
struct Tile {
  const char* name;
  TileSizes sizes;
  uint32_t threads, column_threads, row_blocks, column_blocks;
};
constexpr Tile tiles[] = {{"tiles of 128 x 64", {128, 64}, 128, 8, 2, 2},
                          {"tiles of 64 x 64", {64, 64}, 128, 16, 2, 1},
                          {"tiles of 32 x 32", {32, 32}, 64, 8, 1, 1}};

// Columns of a workgroup of shaders/matmul_rows.comp are 4 for each of its column lanes.
uint32_t column_lanes(Order order) { return order == along_inner || order == fours_along_inner ? 4 : 16; }

// Threads of that workgroup: more read more at once, but their sums must fit 16 KiB of shared memory. Lanes along inner
// have work for no more than the least.
uint32_t row_threads(uint32_t rows, Order order, uint64_t max_workgroup_size) {
  const uint32_t least = 128, most = std::min(512u, 1024 / rows);
  const bool is_along_inner = order == along_inner || order == fours_along_inner;
  return is_along_inner || max_workgroup_size < most ? least : most;
}

// Places of the variants in every plan: for few rows by the order of b and the most rows, then tiles, then the sum.
constexpr int32_t rows_variant(Order order, size_t most) {
  return static_cast<int32_t>(order * std::size(few_rows) + most);
}
constexpr int32_t first_tile_variant = rows_variant(fours_along_outer, std::size(few_rows));
constexpr int32_t sum_variant = first_tile_variant + static_cast<int32_t>(std::size(tiles));
static_assert(std::size(tiles) == cooperative_tile_count);

Order order_of(const Matrix& m, std::span<const int32_t> batch_strides) {
  const bool inner_first = m.inner_stride == 1 && !(m.outer_stride == 1 && m.outer > 1);
  const uint32_t side_by_side = inner_first ? m.inner : m.outer;
  const bool is_contiguous = inner_first || m.outer_stride == 1;
  const int32_t other_stride = inner_first ? (m.outer == 1 ? 0 : m.outer_stride) : (m.inner == 1 ? 0 : m.inner_stride);
  const bool in_fours =
      is_contiguous && side_by_side % 4 == 0 && m.offset % 4 == 0 && other_stride % 4 == 0 &&
      std::all_of(batch_strides.begin(), batch_strides.end(), [](int32_t stride) { return stride % 4 == 0; });
  if (inner_first) return in_fours ? fours_along_inner : along_inner;
  return in_fours ? fours_along_outer : along_outer;
}

// The matrices that an input holds.
Matrix left_matrix(const TensorView& a) {
  Matrix m{.inner = static_cast<uint32_t>(a.dim(-1)), .offset = offset_of(a), .inner_stride = stride_of(a, -1)};
  if (a.rank() > 1) m.outer = static_cast<uint32_t>(a.dim(-2)), m.outer_stride = stride_of(a, -2);
  return m;
}
Matrix right_matrix(const TensorView& b) {
  const int32_t inner_axis = b.rank() == 1 ? 0 : -2;
  Matrix m{.inner = static_cast<uint32_t>(b.dim(inner_axis)),
           .offset = offset_of(b),
           .inner_stride = stride_of(b, inner_axis)};
  if (b.rank() > 1) m.outer = static_cast<uint32_t>(b.dim(-1)), m.outer_stride = stride_of(b, -1);
  return m;
}

// The order of b where it is known already: of a dense constant.
std::optional<Order> known_order(const NodeView& node) {
  const auto b = node.constant(b_input);
  if (!b || b->count() == 0 || b->c.offset != 0) return std::nullopt;
  std::vector<int32_t> batch_strides;
  int64_t stride = 1;
  for (int32_t axis = b->rank() - 1; axis >= 0; stride *= b->dim(axis--)) {
    if (b->stride(axis) != stride || stride > most_addressed) return std::nullopt;
    if (axis < b->rank() - 2) batch_strides.push_back(stride_of(*b, axis));
  }
  return order_of(right_matrix(*b), batch_strides);
}

Variant variant_of_rows(const Planning& node, const Shader& shader, uint32_t rows, Order order) {
  static constexpr const char* names[] = {"along k", "along columns", "fours along k", "fours along columns"};
  return {.name = "at most " + std::to_string(rows) + (rows == 1 ? " row, " : " rows, ") + names[order],
          .shader = shader,
          .constants = {{0, row_threads(rows, order, node.capability("max_workgroup_size"))},
                        {1, column_lanes(order)},
                        {2, rows},
                        {3, order}}};
}

Variant variant_of_tile(const Shader& shader, const Tile& tile) {
  return {.name = tile.name,
          .shader = shader,
          .constants = {{0, tile.threads}, {1, tile.column_threads}, {2, tile.row_blocks}, {3, tile.column_blocks}}};
}

// ---- binding
// --------------------------------------------------------------------------------------------------------------------

// Workgroups that are worth having; below this the inner axis is cut into pieces, as long as these stay so long. Untuned:
// a large GPU takes a few hundred workgroups at once, and a further dispatch costs it some microseconds.
constexpr uint32_t enough_workgroups = 64, least_split_inner = 512, most_splits = 16;
constexpr int64_t sum_threads = 128;  // of a workgroup of shaders/matmul_sum.comp

// The stride along axis `back`, counted backwards from the last batch axis; 0 where it is broadcast.
int32_t batch_stride(const TensorView& tensor, int32_t back) {
  const int32_t axis = tensor.rank() - 3 - back;
  return axis < 0 || tensor.dim(axis) == 1 ? 0 : stride_of(tensor, axis);
}

Parameters parameters_of(const TensorView& a, const TensorView& b, const TensorView& c) {
  const Matrix left = left_matrix(a), right = right_matrix(b);
  Parameters p;
  p.rows = left.outer;
  p.columns = right.outer;
  p.inner = left.inner;
  p.a_offset = left.offset;
  p.a_row_stride = left.outer_stride;
  p.a_inner_stride = left.inner_stride;
  p.b_offset = right.offset;
  p.b_inner_stride = right.inner_stride;
  p.b_column_stride = right.outer_stride;
  p.c_offset = offset_of(c);
  const int32_t batch_axes = c.rank() - (a.rank() > 1) - (b.rank() > 1);
  // Batches of a that meet one b and follow each other as rows do are rows: [batch, seq, k] x [k, n].
  int32_t back = 0;
  for (; back < batch_axes; ++back) {
    const int64_t size = c.dim(batch_axes - 1 - back);
    if (size == 1) continue;
    const bool follow = p.rows == 1 || batch_stride(a, back) == static_cast<int64_t>(p.rows) * p.a_row_stride;
    if (batch_stride(b, back) != 0 || !follow) break;
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
  p.a_order = order_of({p.inner, p.rows, p.a_offset, p.a_inner_stride, p.a_row_stride},
                       std::span(p.a_batch_strides).first(p.batch_rank));
  p.b_order = order_of(right, std::span(p.b_batch_strides).first(p.batch_rank));
  return p;
}

void add_epilogue(const Binding& node, Parameters& p) {
  p.scale = node.number("scale", 1);
  p.activation = static_cast<uint32_t>(
      std::find(std::begin(activations), std::end(activations), node.text("activation", "none")) - std::begin(activations));
  p.has_bias = node.has_input(bias_input);
  p.has_residual = node.has_input(residual_input);
  if (p.has_bias) p.bias_offset = offset_of(node.input(bias_input));
  if (p.has_residual) p.residual_offset = offset_of(node.input(residual_input));
}

int64_t workgroups_of(const Parameters& p, TileSizes tile) {
  return int64_t{1} * ceil_divide(p.rows, tile.rows) * ceil_divide(p.columns, tile.columns) * p.batch_count;
}

}  // namespace

Result<std::optional<Dims>> infer_product(Inference& node) {
  return infer_product(node, a_input, b_input, node.input(a_input).element());
}

Result<std::optional<Dims>> infer_product(Inference& node, int32_t left, int32_t right, DataType element) {
  const auto a = node.input(left), b = node.input(right);
  if (!a.has_rank() || !b.has_rank()) {
    HEED_TRY(node.set_output(0, element));
    return std::optional<Dims>();
  }
  for (const int32_t input : {left, right})
    if (node.input(input).rank() == 0)
      return Error{Code::shape_mismatch, "input " + std::to_string(input) + " has rank 0; expected at least one axis"};
  const auto text = text_of(a.dims()) + " and " + text_of(b.dims());
  HEED_TRY(node.require_equal(a.dim(-1), b.dim(b.rank() == 1 ? 0 : -2), "inner sizes of " + text));
  const auto outer = [](TypeView type) { return type.dims().first(static_cast<size_t>(std::max(type.rank() - 2, 0))); };
  HEED_ASSIGN(Dims dims, checked_broadcast(node, outer(a), outer(b)));
  if (a.rank() > 1) dims.push_back(a.dim(-2));
  if (b.rank() > 1) dims.push_back(b.dim(-1));
  HEED_TRY(node.set_output(0, element, dims));
  return std::optional(std::move(dims));
}

Result<GpuPlan> plan_matmul(Planning& node) {
  const auto a = node.input(0), b = node.input(1);
  if (!a.has_rank() || !b.has_rank()) return decline("a rank is not known");
  if (std::max(a.rank(), b.rank()) - 2 > most_batch_axes) return decline("more than 8 axes");
  HEED_ASSIGN(const Shader rows_shader, shader_for(node, shaders::matmul_rows));
  HEED_ASSIGN(const Shader tile_shader, shader_for(node, shaders::matmul));
  HEED_ASSIGN(const Shader sum_shader, shader_for(node, shaders::matmul_sum));
  node.take_strided(0);
  node.take_strided(1);
  node.work(2 * a.dim(-1) * count_of(node.output(0).dims()));
  // Whoever has no bias or residual shares the pipelines of who has: a stands in their places.
  const auto read_or_a = [&](int32_t input) { return read(node.has_input(input) ? input : a_input); };
  GpuPlan plan;
  plan.bindings = {read(a_input), read(b_input), read_or_a(bias_input), read_or_a(residual_input), write(0), scratch()};
  if (node.has_input(residual_input)) node.in_place(residual_input, 0);
  // What the types rule out is replaced by what is there anyway: a pipeline is built once.
  const Dim rows_of_one = a.rank() > 1 ? a.dim(-2) : Dim(1), rows_of_all = count_of(a.dims().first(a.dims().size() - 1));
  const uint32_t most = few_rows[std::size(few_rows) - 1];
  const bool may_be_few = !rows_of_one.is_number() || rows_of_one.number() <= most;
  const bool may_be_many = !rows_of_all.is_number() || rows_of_all.number() > most;
  const auto order_of_b = known_order(node);
  const Variant sum{.name = "the sum of pieces", .shader = sum_shader};
  for (const Order order : {along_inner, along_outer, fours_along_inner, fours_along_outer})
    for (const uint32_t few : few_rows)
      plan.variants.push_back(may_be_few ? variant_of_rows(node, rows_shader, few, order_of_b.value_or(order)) : sum);
  const auto cooperative = cooperative_tiles(node);
  for (size_t i = 0; i < std::size(tiles); ++i) {
    const Variant variant = cooperative ? (*cooperative)[i].variant() : variant_of_tile(tile_shader, tiles[i]);
    plan.variants.push_back(may_be_many ? variant : sum);
  }
  plan.variants.push_back(sum);
  return plan;
}

Result<Launch> bind_matmul(const Binding& node) {
  const auto a = node.input(0), b = node.input(1), c = node.output(0);
  if (c.count() == 0) return Launch{};
  HEED_TRY(check_addressable(a, "input 0"));
  HEED_TRY(check_addressable(b, "input 1"));
  HEED_TRY(check_addressable(c, "the output"));
  Parameters p = parameters_of(a, b, c);
  add_epilogue(node, p);

  int32_t variant;
  int64_t workgroups;
  if (const auto few = std::lower_bound(std::begin(few_rows), std::end(few_rows), p.rows); few != std::end(few_rows)) {
    variant = rows_variant(p.b_order, static_cast<size_t>(few - std::begin(few_rows)));
    workgroups = int64_t{1} * ceil_divide(p.columns, 4 * column_lanes(p.b_order)) * p.batch_count;
  } else {
    const auto cooperative = cooperative_tiles(node);
    const auto workgroups_of_tile = [&](size_t tile) {
      return workgroups_of(p, cooperative ? (*cooperative)[tile].sizes() : tiles[tile].sizes);
    };
    size_t tile = 0;
    while (tile + 1 < std::size(tiles) && workgroups_of_tile(tile) < enough_workgroups) ++tile;
    variant = first_tile_variant + static_cast<int32_t>(tile);
    workgroups = workgroups_of_tile(tile);
  }
  if (workgroups < enough_workgroups) {
    const auto splits = std::min({int64_t{most_splits}, enough_workgroups / workgroups, int64_t{p.inner / least_split_inner}});
    p.split_count = static_cast<uint32_t>(std::max<int64_t>(splits, 1));
  }
  p.split_inner = ceil_divide(ceil_divide(p.inner, p.split_count), 16) * 16;  // whole steps of the tiles
  p.split_count = std::max(ceil_divide(p.inner, std::max(p.split_inner, 1u)), 1u);

  Launch launch;
  const auto dispatch = [&](int32_t chosen, uint32_t count) {
    launch.dispatches.push_back({chosen, bytes_of(p), {count, 1, 1}});
  };
  dispatch(variant, workgroups_for(workgroups * p.split_count, 1));
  if (p.split_count > 1) {
    launch.scratch_bytes = sizeof(float) * p.split_count * static_cast<size_t>(c.count());
    dispatch(sum_variant, workgroups_for(c.count(), sum_threads));
  }
  return launch;
}

extern const Operator matmul{
    .op_type = "MatMul", .versions = {13, 9, 1},
    .inputs = {{"A", "T"}, {"B", "T"}}, .outputs = {{"Y", "T"}},
    .types = {{"T", any_float | Types{DataType::i32, DataType::i64, DataType::u32, DataType::u64}}},
    .infer = [](Inference& node) -> Result<void> {
      HEED_TRY(infer_product(node));
      return {};
    },
    .plan = plan_matmul, .bind = bind_matmul};

}  // namespace heed::ops
