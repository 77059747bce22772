// MatMul: y[..., i, j] = sum over k of a[..., i, k] * b[..., k, j], by numpy's rules: axes before the last two broadcast; a
// vector on the left is a row, on the right a column, and that axis is not in the result.
#include "matmul.hpp"

#include <bit>

#include "matmul_cooperative.hpp"
#include "pieces.hpp"
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
  uint32_t activation = 0;
  uint32_t has_bias = 0, has_residual = 0;
  int32_t bias_offset = 0, residual_offset = 0, c_offset = 0;
  uint32_t batch_dims[most_batch_axes] = {};
  int32_t a_batch_strides[most_batch_axes] = {};
  int32_t b_batch_strides[most_batch_axes] = {};
  int32_t c_batch_strides[most_batch_axes] = {}, c_row_stride = 0;
  uint32_t first_split = 0, partial_count = 1;
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

static_assert(std::size(tiles) == cooperative_tile_count);

// Rows of a tile of shaders/matmul_lanes.comp, and columns of its threads. Tuned on an AMD Zen 4 core.
constexpr uint32_t lane_rows[] = {1, 4, 8, 16}, lane_columns = 8;

// Places of the variants in every plan: the sum, then those for few rows by the order of b and the most rows, then tiles;
// or, where threads are lanes of a CPU's vectors, those by the order of b, whether a is read in fours, and the most rows.
constexpr int32_t sum_variant = 0;
constexpr int32_t rows_variant(Order order, size_t most) {
  return 1 + static_cast<int32_t>(order * std::size(few_rows) + most);
}
constexpr int32_t first_tile_variant = rows_variant(fours_along_outer, std::size(few_rows));
constexpr int32_t lanes_variant(Order order, bool a_in_fours, size_t most) {
  return 1 + static_cast<int32_t>((order * 2 + a_in_fours) * std::size(lane_rows) + most);
}

size_t lane_rows_for(int64_t rows) {
  const auto most = std::lower_bound(std::begin(lane_rows), std::end(lane_rows) - 1, rows);
  return static_cast<size_t>(most - std::begin(lane_rows));
}

// What a device brings to products of one type.
struct Kernels {
  std::optional<CooperativeTiles> cooperative;
  uint32_t lanes = 0;  // of a CPU's vectors; 0 on a GPU
};
template <class Node>  // Planning or Binding
Kernels kernels_of(const Node& node) {
  Kernels kernels{cooperative_tiles(node)};
  if (!kernels.cooperative) kernels.lanes = cpu_lanes(node);
  return kernels;
}

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

std::string name_of_rows(uint32_t rows, Order order) {
  static constexpr const char* names[] = {"along k", "along columns", "fours along k", "fours along columns"};
  return "at most " + std::to_string(rows) + (rows == 1 ? " row, " : " rows, ") + names[order];
}

Variant variant_of_rows(const Planning& node, const Shader& shader, uint32_t rows, Order order) {
  return {.name = name_of_rows(rows, order),
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

Variant variant_of_lanes(const Shader& shader, uint32_t lanes, uint32_t rows, Order order, bool a_in_fours) {
  return {.name = name_of_rows(rows, order) + (a_in_fours ? ", a in fours" : ""),
          .shader = shader,
          .constants = {{0, lanes}, {1, rows}, {2, order}, {3, a_in_fours}}};
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
  p.c_row_stride = static_cast<int32_t>(p.columns);
  int64_t stride = int64_t{p.rows} * p.columns;
  for (uint32_t axis = p.batch_rank; axis-- > 0; stride *= p.batch_dims[axis])
    p.c_batch_strides[axis] = static_cast<int32_t>(stride);
  p.a_order = order_of({p.inner, p.rows, p.a_offset, p.a_inner_stride, p.a_row_stride},
                       std::span(p.a_batch_strides).first(p.batch_rank));
  p.b_order = order_of(right, std::span(p.b_batch_strides).first(p.batch_rank));
  return p;
}

void add_epilogue(const Binding& node, Parameters& p, int32_t bias, int32_t residual) {
  const Epilogue epilogue = epilogue_of(node, residual);
  p.scale = epilogue.scale;
  p.activation = epilogue.activation;
  p.has_residual = epilogue.residual_kind;
  p.residual_offset = epilogue.residual_offset;
  p.has_bias = node.has_input(bias);
  if (p.has_bias) p.bias_offset = offset_of(node.input(bias));
}

int64_t workgroups_of(const Parameters& p, TileSizes tile) {
  return int64_t{1} * ceil_divide(p.rows, tile.rows) * ceil_divide(p.columns, tile.columns) * p.batch_count;
}

// The variant for so many rows, and its workgroups for each piece of the inner axis.
struct Chosen {
  int32_t variant;
  int64_t workgroups;
};

// The largest tiles of which there are enough, counted from the first of them.
Chosen choose_tile(const Parameters& p, const Kernels& kernels) {
  const auto workgroups_of_tile = [&](size_t tile) {
    return workgroups_of(p, kernels.cooperative ? (*kernels.cooperative)[tile].sizes() : tiles[tile].sizes);
  };
  size_t tile = 0;
  while (tile + 1 < std::size(tiles) && workgroups_of_tile(tile) < enough_workgroups) ++tile;
  return {static_cast<int32_t>(tile), workgroups_of_tile(tile)};
}

Chosen choose(const Parameters& p, uint32_t all_rows, const Kernels& kernels) {
  if (kernels.lanes > 0) {
    const size_t most = lane_rows_for(all_rows);
    return {lanes_variant(p.b_order, p.a_order == fours_along_inner, most),
            workgroups_of(p, {lane_rows[most], lane_columns * kernels.lanes})};
  }
  if (const auto few = std::lower_bound(std::begin(few_rows), std::end(few_rows), all_rows); few != std::end(few_rows))
    return {rows_variant(p.b_order, static_cast<size_t>(few - std::begin(few_rows))),
            int64_t{1} * ceil_divide(p.columns, 4 * column_lanes(p.b_order)) * p.batch_count};
  const auto [tile, workgroups] = choose_tile(p, kernels);
  return {first_tile_variant + tile, workgroups};
}

int64_t count_of_c(const Parameters& p) { return int64_t{p.batch_count} * p.rows * p.columns; }

// Adds what makes all of c that these stretches of the inner axis sum up: stretches as they follow each other, each with
// its windows. All but the last are equally long. P is Parameters, or begins with them.
template <class P>
void add_stretches(Launch& launch, std::span<P> stretches, std::span<std::vector<heed_window>> windows,
                   uint32_t all_rows, const Kernels& kernels, int64_t most_bytes) {
  const Parameters& first = stretches.front();
  const auto [variant, workgroups] = choose(first, all_rows, kernels);
  int64_t splits = 1;
  if (workgroups < enough_workgroups)
    splits = std::min({int64_t{most_splits}, enough_workgroups / workgroups, int64_t{first.inner / least_split_inner},
                       most_bytes / (int64_t{sizeof(float)} * count_of_c(first) * static_cast<int64_t>(stretches.size()))});
  // Whole steps of the tiles.
  const uint32_t split_inner = ceil_divide(ceil_divide(first.inner, std::max<int64_t>(splits, 1)), 16) * 16;
  uint32_t partial_count = 0;
  for (P& p : stretches) {
    p.split_inner = split_inner;
    p.split_count = std::max(ceil_divide(p.inner, std::max(split_inner, 1u)), 1u);
    p.first_split = partial_count;
    partial_count += p.split_count;
  }
  for (size_t i = 0; i < stretches.size(); ++i) {
    stretches[i].partial_count = partial_count;
    launch.dispatches.push_back({variant,
                                 bytes_of(stretches[i]),
                                 {workgroups_for(workgroups * stretches[i].split_count, 1), 1, 1},
                                 windows[i]});
  }
  if (partial_count == 1) return;
  const int64_t count = count_of_c(first);
  launch.scratch_bytes = std::max(launch.scratch_bytes, sizeof(float) * partial_count * static_cast<size_t>(count));
  launch.dispatches.push_back(
      {sum_variant, bytes_of(stretches.front()), {workgroups_for(count, sum_threads), 1, 1}, windows.front()});
}

// Places of the bindings of every variant.
enum { a_binding, b_binding, bias_binding, residual_binding, c_binding, scratch_binding };

// The walk of all products: the batches, then rows, columns, and the inner axis. What is absent is a, as it is bound.
// Cuts keep what is read in fours in fours.
Box box_of(const Parameters& p, DataType element) {
  Box box;
  for (uint32_t axis = 0; axis < p.batch_rank; ++axis) box.add_axis(p.batch_dims[axis]);
  const size_t rows = box.rank, columns = rows + 1, inner = rows + 2;
  const bool inner_in_fours = p.a_order == fours_along_inner || p.b_order == fours_along_inner;
  box.add_axis(p.rows, p.a_order == fours_along_outer ? 4 : 1);
  box.add_axis(p.columns, p.b_order == fours_along_outer ? 4 : 1);
  box.add_axis(p.inner, inner_in_fours ? 4 : 1);
  const auto add = [&](int32_t binding, int64_t offset, const int32_t* batch_strides, int64_t row, int64_t column,
                       int64_t along_inner) {
    auto& tensor = box.add(binding, element, offset);
    if (batch_strides) std::copy_n(batch_strides, p.batch_rank, tensor.strides.begin());
    tensor.strides[rows] = row, tensor.strides[columns] = column, tensor.strides[inner] = along_inner;
  };
  const auto add_a = [&](int32_t binding) {
    add(binding, p.a_offset, p.a_batch_strides, p.a_row_stride, 0, p.a_inner_stride);
  };
  add_a(a_binding);
  add(b_binding, p.b_offset, p.b_batch_strides, 0, p.b_column_stride, p.b_inner_stride);
  p.has_bias ? add(bias_binding, p.bias_offset, nullptr, 0, 1, 0) : add_a(bias_binding);
  p.has_residual ? add(residual_binding, p.residual_offset, p.c_batch_strides, p.c_row_stride, 1, 0)
                 : add_a(residual_binding);
  add(c_binding, p.c_offset, p.c_batch_strides, p.c_row_stride, 1, 0);
  return box;
}

// The part of a product that a piece is.
Parameters part_of(const Parameters& whole, const Piece& piece) {
  Parameters p = whole;
  p.batch_count = 1;
  for (uint32_t axis = 0; axis < p.batch_rank; ++axis)
    p.batch_count *= p.batch_dims[axis] = static_cast<uint32_t>(piece.dims[axis]);
  p.rows = static_cast<uint32_t>(piece.dims[p.batch_rank]);
  p.columns = static_cast<uint32_t>(piece.dims[p.batch_rank + 1]);
  p.inner = static_cast<uint32_t>(piece.dims[p.batch_rank + 2]);
  p.a_offset = static_cast<int32_t>(piece.offsets[a_binding]);
  p.b_offset = static_cast<int32_t>(piece.offsets[b_binding]);
  p.bias_offset = static_cast<int32_t>(piece.offsets[bias_binding]);
  p.residual_offset = static_cast<int32_t>(piece.offsets[residual_binding]);
  p.c_offset = static_cast<int32_t>(piece.offsets[c_binding]);
  return p;
}

// Of tensors that are longer than a binding: parts of c one after the other, each summed up along the inner axis.
Result<Launch> launch_in_windows(const Parameters& whole, DataType element, const Kernels& kernels,
                                 int64_t most_bytes) {
  Box box = box_of(whole, element);
  const size_t inner = box.rank - 1;
  if (whole.inner == 0) box.dims[inner] = 1;
  HEED_ASSIGN(auto pieces, pieces_of(box, most_bytes));
  const auto stretch_count = [&] { return (box.dims[inner] + pieces[0].dims[inner] - 1) / pieces[0].dims[inner]; };
  if (stretch_count() > 1) {  // the sums of all stretches meet in one binding
    auto& partials = box.tensors[box.tensor_count++];
    partials = box.tensors[c_binding];
    partials.binding = scratch_binding;
    partials.element_bytes = int64_t{sizeof(float)} * stretch_count();
    HEED_ASSIGN(pieces, pieces_of(box, most_bytes));
    for (Piece& piece : pieces) piece.windows.pop_back();
  }
  const auto stretches_of_part = static_cast<size_t>(stretch_count());
  Launch launch;
  std::vector<Parameters> stretches;
  std::vector<std::vector<heed_window>> windows;
  for (Piece& piece : pieces) {
    stretches.push_back(part_of(whole, piece));
    if (whole.inner == 0) stretches.back().inner = 0;
    windows.push_back(std::move(piece.windows));
    if (stretches.size() < stretches_of_part) continue;
    add_stretches(launch, std::span(stretches), windows, whole.rows, kernels, most_bytes);
    stretches.clear(), windows.clear();
  }
  return launch;
}

// ---- com.microsoft.MatMulNBits
// --------------------------------------------------------------------------------------------------

// Mirrors the end of shaders/matmul.glsl's parameters.
struct NBitParameters : Parameters {
  uint32_t block_shift = 0, block_count = 0;
  uint32_t row_bytes = 0, zero_row_bytes = 0;
  int32_t scales_offset = 0, zero_offset = 0, group_indices_offset = 0;
};

// The kernels address scales by g_idx: its numbers must be known to be blocks.
Result<void> check_group_indices(const Planning& node) {
  const auto g_idx = node.constant(nbits_g_idx);
  if (!g_idx) return decline("g_idx is no constant");
  const int64_t block_size = node.integer("block_size"), blocks = (node.integer("K") + block_size - 1) / block_size;
  for (const int32_t block : g_idx->as<const int32_t>())
    if (block < 0 || block >= blocks)
      return decline("g_idx has " + std::to_string(block) + ", and there are " + std::to_string(blocks) + " blocks");
  return {};
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
  plan.bindings = {in_windows(read(a_input)),
                   in_windows(read(b_input)),
                   in_windows(read_or_a(bias_input)),
                   in_windows(read_or_a(residual_input)),
                   in_windows(write(0)),
                   scratch()};
  if (node.has_input(residual_input)) node.in_place(residual_input, 0);
  const auto order_of_b = known_order(node);
  const Variant sum{.name = "the sum of pieces", .shader = sum_shader};
  plan.variants.push_back(sum);
  // What the types rule out is replaced by what is there anyway: a pipeline is built once.
  const Dim rows_of_one = a.rank() > 1 ? a.dim(-2) : Dim(1), rows_of_all = count_of(a.dims().first(a.dims().size() - 1));
  const Kernels kernels = kernels_of(node);
  const auto orders = {along_inner, along_outer, fours_along_inner, fours_along_outer};
  if (kernels.lanes > 0) {
    HEED_ASSIGN(const Shader lanes_shader, shader_for(node, shaders::matmul_lanes));
    const auto place_of = [](const Dim& rows, size_t unknown) {
      return rows.is_number() ? lane_rows_for(rows.number()) : unknown;
    };
    const size_t least = place_of(rows_of_one, 0), most = place_of(rows_of_all, std::size(lane_rows) - 1);
    for (const Order order : orders)
      for (const bool a_in_fours : {false, true})
        for (size_t i = 0; i < std::size(lane_rows); ++i) {
          const Order known = order_of_b.value_or(order);
          plan.variants.push_back(
              i < least || i > most ? sum : variant_of_lanes(lanes_shader, kernels.lanes, lane_rows[i], known, a_in_fours));
        }
    return plan;
  }
  const uint32_t most = few_rows[std::size(few_rows) - 1];
  const bool may_be_few = !rows_of_one.is_number() || rows_of_one.number() <= most;
  const bool may_be_many = !rows_of_all.is_number() || rows_of_all.number() > most;
  for (const Order order : orders)
    for (const uint32_t few : few_rows)
      plan.variants.push_back(may_be_few ? variant_of_rows(node, rows_shader, few, order_of_b.value_or(order)) : sum);
  for (size_t i = 0; i < std::size(tiles); ++i) {
    const Variant variant =
        kernels.cooperative ? (*kernels.cooperative)[i].variant() : variant_of_tile(tile_shader, tiles[i]);
    plan.variants.push_back(may_be_many ? variant : sum);
  }
  return plan;
}

Result<Launch> bind_matmul(const Binding& node) {
  const auto a = node.input(0), b = node.input(1), c = node.output(0);
  if (c.count() == 0) return Launch{};
  HEED_TRY(check_addressable(a, "input 0"));
  HEED_TRY(check_addressable(b, "input 1"));
  HEED_TRY(check_addressable(c, "the output"));
  Parameters p = parameters_of(a, b, c);
  add_epilogue(node, p, bias_input, residual_input);
  const Kernels kernels = kernels_of(node);
  const int64_t most_bytes = most_binding_bytes(node);
  if (!fits_binding(a, most_bytes) || !fits_binding(b, most_bytes) || !fits_binding(c, most_bytes))
    return launch_in_windows(p, a.element(), kernels, most_bytes);
  Launch launch;
  std::vector<heed_window> none;
  add_stretches(launch, std::span(&p, 1), {&none, 1}, p.rows, kernels, most_bytes);
  return launch;
}

std::vector<Variant> stacked_product_variants(const Planning& node, heed_binding a, heed_binding b, heed_binding c) {
  std::vector<Variant> variants;
  if (const uint32_t lanes = cpu_lanes(node)) {
    const uint32_t rows = lane_rows[std::size(lane_rows) - 1];
    for (const bool a_in_fours : {false, true})
      variants.push_back(variant_of_lanes(shaders::matmul_lanes.f32, lanes, rows, fours_along_outer, a_in_fours));
  } else {
    for (const Tile& tile : tiles) variants.push_back(variant_of_tile(shaders::matmul.f32, tile));
  }
  for (Variant& variant : variants) variant.bindings = {a, b, a, a, c, c};
  return variants;
}

Dispatch stacked_product(const Binding& node, const StackedProduct& product, int32_t first) {
  const auto [stack, rows, columns, inner, a_offset, b_offset, c_offset] = product;
  Parameters p;
  p.rows = rows, p.columns = columns, p.inner = p.split_inner = inner;
  p.batch_count = p.batch_dims[0] = stack;
  p.batch_rank = 1;
  p.a_offset = static_cast<int32_t>(a_offset), p.b_offset = static_cast<int32_t>(b_offset);
  p.c_offset = static_cast<int32_t>(c_offset);
  p.a_row_stride = static_cast<int32_t>(inner), p.a_inner_stride = 1;
  p.b_inner_stride = p.c_row_stride = static_cast<int32_t>(columns), p.b_column_stride = 1;
  p.a_batch_strides[0] = static_cast<int32_t>(rows * inner);
  p.b_batch_strides[0] = static_cast<int32_t>(inner * columns);
  p.c_batch_strides[0] = static_cast<int32_t>(rows * columns);
  p.a_order = order_of({inner, rows, p.a_offset, 1, p.a_row_stride}, {p.a_batch_strides, 1});
  p.b_order = order_of({inner, columns, p.b_offset, p.b_inner_stride, 1}, {p.b_batch_strides, 1});
  const Kernels kernels{.cooperative = {}, .lanes = cpu_lanes(node)};
  Chosen chosen = choose_tile(p, kernels);
  if (kernels.lanes > 0)
    chosen = {p.a_order == fours_along_inner,
              workgroups_of(p, {lane_rows[std::size(lane_rows) - 1], lane_columns * kernels.lanes})};
  return {first + chosen.variant, bytes_of(p), {workgroups_for(chosen.workgroups, 1), 1, 1}};
}

Result<GpuPlan> plan_matmul_nbits(Planning& node) {
  const auto a = node.input(a_input);
  if (!a.has_rank()) return decline("a rank is not known");
  const bool has_group_indices = node.has_input(nbits_g_idx);
  if (has_group_indices) HEED_TRY(check_group_indices(node));
  const bool has_zero_points = node.has_input(nbits_zero_points);
  const DataType zero_point = has_zero_points ? node.input(nbits_zero_points).element() : DataType::u8;
  if (zero_point != DataType::u8 && zero_point != a.element())
    return decline("zero points are " + std::string(name_of(zero_point)) + ", and scales " +
                   std::string(name_of(a.element())));
  HEED_ASSIGN(const Shader rows_shader, shader_for(node, shaders::matmul_rows_nbits));
  HEED_ASSIGN(const Shader tile_shader, shader_for(node, shaders::matmul_nbits));
  HEED_ASSIGN(const Shader sum_shader, shader_for(node, shaders::matmul_sum));
  node.work(2 * a.dim(-1) * count_of(node.output(0).dims()));
  const auto read_or_a = [&](int32_t input) { return read(node.has_input(input) ? input : a_input); };
  GpuPlan plan;
  const std::vector<heed_binding> as_of_floats = {read(a_input), read(b_input), read_or_a(nbits_bias),
                                                  read_or_a(nbits_residual), write(0), scratch()};
  plan.bindings = as_of_floats;
  for (const heed_binding& binding : {read(nbits_scales), read_or_a(nbits_zero_points), read_or_a(nbits_g_idx)})
    plan.bindings.push_back(binding);
  if (node.has_input(nbits_residual)) node.in_place(nbits_residual, 0);
  const Variant sum{.name = "the sum of pieces", .shader = sum_shader, .bindings = as_of_floats};
  const auto with_bits = [&](Variant variant) {
    variant.constants.push_back({4, static_cast<uint32_t>(node.integer("bits", 4))});
    variant.constants.push_back({6, has_group_indices});
    variant.constants.push_back({5, !has_zero_points ? 0u : zero_point == DataType::u8 ? 1u : 2u});
    return variant;
  };
  plan.variants.assign(static_cast<size_t>(first_tile_variant) + std::size(tiles), sum);
  for (size_t few = 0; few < std::size(few_rows); ++few)
    plan.variants[static_cast<size_t>(rows_variant(fours_along_inner, few))] =
        with_bits(variant_of_rows(node, rows_shader, few_rows[few], fours_along_inner));
  for (size_t tile = 0; tile < std::size(tiles); ++tile)
    plan.variants[static_cast<size_t>(first_tile_variant) + tile] = with_bits(variant_of_tile(tile_shader, tiles[tile]));
  return plan;
}

Result<Launch> bind_matmul_nbits(const Binding& node) {
  const auto a = node.input(a_input), b = node.input(b_input), c = node.output(0);
  if (c.count() == 0) return Launch{};
  HEED_TRY(check_addressable(a, "input 0"));
  HEED_TRY(check_addressable(b, "input 1"));
  HEED_TRY(check_addressable(c, "the output"));
  const int64_t bits = node.integer("bits", 4), block_size = node.integer("block_size");
  const auto offset = [&](int32_t input) { return node.has_input(input) ? offset_of(node.input(input)) : 0; };
  NBitParameters p;
  p.inner = static_cast<uint32_t>(a.dim(-1));
  p.rows = static_cast<uint32_t>(a.count() / a.dim(-1));
  p.columns = static_cast<uint32_t>(c.dim(-1));
  p.a_offset = offset_of(a);
  p.a_row_stride = static_cast<int32_t>(p.inner);
  p.a_inner_stride = 1;
  p.a_order = order_of({p.inner, p.rows, p.a_offset, p.a_inner_stride, p.a_row_stride}, {});
  p.b_offset = offset_of(b);
  p.b_column_stride = 1;  // columns are counted
  p.b_order = fours_along_inner;
  p.c_offset = offset_of(c);
  p.c_row_stride = static_cast<int32_t>(p.columns);
  add_epilogue(node, p, nbits_bias, nbits_residual);
  p.block_shift = static_cast<uint32_t>(std::countr_zero(static_cast<uint64_t>(block_size)));
  p.block_count = ceil_divide(p.inner, block_size);
  p.row_bytes = static_cast<uint32_t>(p.block_count * (block_size * bits / 8));
  p.zero_row_bytes = ceil_divide(p.block_count * bits, 8);
  p.scales_offset = offset(nbits_scales);
  p.zero_offset = offset(nbits_zero_points);
  p.group_indices_offset = offset(nbits_g_idx);
  Launch launch;
  std::vector<heed_window> none;
  add_stretches(launch, std::span(&p, 1), {&none, 1}, p.rows, Kernels{}, most_binding_bytes(node));
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
