// Products of 8-bit integers by numpy's rules: y = (a - a_zero_point)(b - b_zero_point), summed as i32.
//   MatMulInteger          the sums
//   QLinearMatMul          saturate(round(sum * a_scale * b_scale / y_scale) + y_zero_point)
//   MatMulIntegerToFloat   sum * (a_scale * b_scale) + bias                              com.microsoft
//   DynamicQuantizeMatMul  the same, of an a that DynamicQuantizeLinear makes u8         com.microsoft
// and heed's FusedMatMulIntegerToFloat and FusedDynamicQuantizeMatMul, which finish their sums as heed.FusedMatMul does.
#include "dynamic_quantize_linear.hpp"
#include "launch.hpp"
#include "matmul.hpp"
#include "shaders.hpp"
#include "shapes.hpp"

namespace heed::ops {
namespace {

constexpr Types bytes{DataType::i8, DataType::u8};

// Which inputs of an operator are what.
constexpr int32_t none = -1;
struct Roles {
  int32_t a = 0, b = 1, a_zero = none, b_zero = none;
  int32_t a_scale = none, b_scale = none, y_scale = none, y_zero = none, bias = none, residual = none;
};
constexpr Roles integer_roles{.a_zero = 2, .b_zero = 3};
constexpr Roles qlinear_roles{.b = 3, .a_zero = 2, .b_zero = 5, .a_scale = 1, .b_scale = 4, .y_scale = 6, .y_zero = 7};
constexpr Roles to_float_roles{.a_zero = 4, .b_zero = 5, .a_scale = 2, .b_scale = 3, .bias = 6, .residual = 7};
constexpr Roles dynamic_roles{.b_zero = 3, .b_scale = 2, .bias = 4, .residual = 5};

enum class Axis { row, column };

// A scale or zero point of `matrix`: one, one for each row or column, or one for each of every matrix of the stack.
Result<void> check_places(Inference& node, int32_t input, int32_t matrix_input, Axis axis) {
  if (!node.has_input(input)) return {};
  const auto list = node.input(input), matrix = node.input(matrix_input);
  if (!list.has_rank() || !matrix.has_rank() || list.rank() == 0 || matrix.rank() == 0) return {};
  const std::string what = "input " + std::to_string(input) + " and " + (axis == Axis::row ? "rows" : "columns") +
                           " of input " + std::to_string(matrix_input);
  if (list.rank() == 1) {
    const Dim size = matrix.rank() == 1 ? Dim(1) : matrix.dim(axis == Axis::row ? -2 : -1);
    return node.require_equal(select(equal(list.dim(0), 1), size, list.dim(0)), size, what);
  }
  HEED_TRY(node.require_rank(input, matrix.rank()));
  for (int32_t i = 0; i < list.rank(); ++i) {
    const bool is_summed = i == list.rank() - (axis == Axis::row ? 1 : 2);
    HEED_TRY(node.require_equal(list.dim(i), is_summed ? Dim(1) : matrix.dim(i), what));
  }
  return {};
}

Result<void> check_bias(Inference& node, int32_t input) {
  if (!node.has_input(input)) return {};
  HEED_TRY(node.require_rank(input, 1));
  return check_places(node, input, 1, Axis::column);
}

Result<void> infer_integer(Inference& node) {
  HEED_TRY(check_places(node, 2, 0, Axis::row));
  HEED_TRY(check_places(node, 3, 1, Axis::column));
  HEED_TRY(infer_product(node, 0, 1, DataType::i32));
  return {};
}

Result<void> infer_qlinear(Inference& node) {
  for (const int32_t input : {1, 2, 6, 7}) HEED_TRY(check_places(node, input, 0, Axis::row));
  for (const int32_t input : {4, 5}) HEED_TRY(check_places(node, input, 3, Axis::column));
  HEED_TRY(infer_product(node, 0, 3, node.input(7).element()));
  return {};
}

Result<void> infer_to_float(Inference& node) {
  for (const int32_t input : {2, 4}) HEED_TRY(check_places(node, input, 0, Axis::row));
  for (const int32_t input : {3, 5}) HEED_TRY(check_places(node, input, 1, Axis::column));
  HEED_TRY(check_bias(node, 6));
  HEED_ASSIGN(const auto dims, infer_product(node, 0, 1, node.input(2).element()));
  return check_epilogue(node, to_float_roles.residual, dims);
}

Result<void> infer_dynamic(Inference& node) {
  for (const int32_t input : {2, 3}) HEED_TRY(check_places(node, input, 1, Axis::column));
  HEED_TRY(check_bias(node, 4));
  HEED_ASSIGN(const auto dims, infer_product(node, 0, 1, DataType::f32));
  return check_epilogue(node, dynamic_roles.residual, dims);
}

// ---- on a GPU: bytes are read in words and multiplied four at a time, of few rows by a shader that reads b once; all but
// ---- MatMulInteger finish the sums, that shader as it makes them where all is f32, else a dispatch of its own;
// ---- DynamicQuantizeMatMul quantises a in one or two before
// -------------------------------------------------

constexpr int32_t most_batch_axes = 6;

// Mirrors shaders/matmul_integer.glsl.
struct Parameters {
  uint32_t rows = 1, columns = 1, inner = 1;
  uint32_t batch_count = 1, batch_rank = 0;
  uint32_t split_count = 1, split_inner = 0;
  int32_t a_offset = 0, b_offset = 0, y_offset = 0;  // in elements
  int32_t a_zero_offset = 0, b_zero_offset = 0;
  uint32_t a_zero_count = 0, b_zero_count = 0;  // 0: none
  uint32_t batch_dims[most_batch_axes] = {};
  uint32_t a_batch_strides[most_batch_axes] = {}, b_batch_strides[most_batch_axes] = {};  // in matrices
};

constexpr uint32_t few_rows[] = {1, 8};  // of which shaders/matmul_integer_rows.comp makes all at once
constexpr int64_t columns_of_few_rows = 32;

// Tiles of shaders/matmul_integer.comp: of each thread's rows and columns.
struct Tile {
  const char* name;
  uint32_t row_count, column_count;
  int64_t rows() const { return 8 * row_count; }
  int64_t columns() const { return 16 * column_count; }
};
constexpr Tile tiles[] = {{"tiles of 64 x 64", 8, 4}, {"tiles of 32 x 32", 4, 2}};

// Workgroups that are worth having, and pieces of the inner axis that are worth another: as ops/matmul.cpp has them.
constexpr int64_t enough_workgroups = 64, least_split_inner = 512;

// Mirrors shaders/matmul_integer_finish.glsl.
struct List {
  int32_t offset = 0;  // in elements
  uint32_t count = 0;  // 0: none
};
struct Finish {
  List a_scales, b_scales, biases;
  Epilogue epilogue;
};

// Mirrors shaders/matmul_integer_rows.comp.
struct RowsParameters : Parameters {
  uint32_t finished_offset = 0;
  Finish finish;
};

// Mirrors shaders/matmul_integer_finish.comp.
struct FinishParameters {
  uint32_t rows, columns, batch_count, batch_rank;
  uint32_t split_count;
  uint32_t sums_offset = 0, y_offset = 0;  // in words
  List y_scales, y_zeros;
  Finish finish;
  uint32_t batch_dims[most_batch_axes] = {};
  uint32_t a_batch_strides[most_batch_axes] = {}, b_batch_strides[most_batch_axes] = {};
};
constexpr int64_t finish_threads = 128;

// Where DynamicQuantizeMatMul's scratch has what, in words; the sums lie behind the codes.
struct DynamicScratch {
  static constexpr int64_t scale = dynamic_parts_bytes / 4, zero_point = scale + 1, codes = scale + 4;
  static int64_t sums(int64_t code_count) { return codes + (code_count + 3) / 4; }
};

// Places of the variants.
enum {
  first_few_rows = 0,
  first_finished_rows = first_few_rows + std::size(few_rows),
  first_tile = first_finished_rows + std::size(few_rows),
  finish = first_tile + std::size(tiles),
  dynamic_quantize
};

// Whether few rows may be finished where they are summed up.
bool is_finished_in_f32(const NodeView& node, const Roles& roles) {
  return roles.b_scale != none && node.input(roles.b_scale).element() == DataType::f32 &&
         node.output(0).element() == DataType::f32;
}

// `bindings` are those of the product; a's scale is bound as `a_scale`.
std::vector<Variant> product_variants(const Planning& node, const Roles& roles, DataType a, heed_binding a_scale,
                                      std::vector<heed_binding> bindings) {
  const DataType b = node.input(roles.b).element();
  const bool has_dot = node.capability("integer_dot") != 0;
  const std::string how = has_dot ? ", four at once" : ", one by one";
  const auto is_unsigned = [](DataType type) { return static_cast<uint32_t>(type == DataType::u8); };
  const auto variant = [&](std::string name, const Shader& shader, std::vector<heed_constant> sizes) {
    sizes.insert(sizes.end(), {{0, is_unsigned(a)}, {1, is_unsigned(b)}});
    return Variant{.name = std::move(name), .shader = shader, .constants = std::move(sizes), .bindings = bindings};
  };
  std::vector<Variant> variants;
  const auto read_or_b = [&](int32_t input) { return read(node.has_input(input) ? input : roles.b); };
  const bool may_finish = is_finished_in_f32(node, roles);
  for (const bool finishes : {false, true})
    for (const uint32_t rows : few_rows) {
      variants.push_back(variant("at most " + std::to_string(rows) + (rows == 1 ? " row" : " rows") + how,
                                 has_dot ? shaders::matmul_integer_rows_dot : shaders::matmul_integer_rows,
                                 {{2, rows}, {3, finishes && may_finish}}));
      for (const heed_binding& binding : {may_finish ? a_scale : read(roles.b), read_or_b(roles.b_scale), read_or_b(roles.bias),
                                          read_or_b(roles.residual), write(0)})
        variants.back().bindings.push_back(binding);
    }
  for (const Tile& tile : tiles)
    variants.push_back(variant(tile.name + how, has_dot ? shaders::matmul_integer_dot : shaders::matmul_integer,
                               {{2, tile.row_count}, {3, tile.column_count}}));
  return variants;
}

Variant finish_variant(const Planning& node, const Roles& roles, heed_binding a_scale) {
  const auto read_or_b = [&](int32_t input) { return read(node.has_input(input) ? input : roles.b); };
  return {.name = "finish",
          .shader = shaders::matmul_integer_finish,
          .constants = {{0, static_cast<uint32_t>(node.input(roles.b_scale).element())},
                        {1, static_cast<uint32_t>(node.output(0).element())}},
          .bindings = {scratch(), a_scale, read(roles.b_scale), read_or_b(roles.bias), read_or_b(roles.y_scale),
                       read_or_b(roles.y_zero), write(0), read_or_b(roles.residual)}};
}

template <const Roles& roles>
Result<GpuPlan> plan(Planning& node) {
  const auto a = node.input(roles.a), b = node.input(roles.b);
  if (!a.has_rank() || !b.has_rank()) return decline("a rank is not known");
  if (std::max(a.rank(), b.rank()) - 2 > most_batch_axes) return decline("more than 8 axes");
  node.work(2 * a.dim(-1) * count_of(node.output(0).dims()));
  const auto read_or = [&](int32_t input, int32_t otherwise) { return read(node.has_input(input) ? input : otherwise); };
  const heed_binding b_zero = read_or(roles.b_zero, roles.b);
  if (node.has_input(roles.residual)) node.in_place(roles.residual, 0);
  GpuPlan plan;
  if (a.element() == DataType::f32) {
    plan.variants = product_variants(node, roles, DataType::u8, scratch(),
                                     {scratch(), read(roles.b), scratch(), b_zero, scratch()});
    plan.variants.push_back(finish_variant(node, roles, scratch()));
    for (Variant& variant : dynamic_quantize_variants({read(roles.a), scratch(), scratch(), scratch(), scratch()}))
      plan.variants.push_back(std::move(variant));
    return plan;
  }
  const heed_binding sums = roles.b_scale == none ? write(0) : scratch();
  plan.variants = product_variants(node, roles, a.element(), read_or(roles.a_scale, roles.a),
                                   {read(roles.a), read(roles.b), read_or(roles.a_zero, roles.a), b_zero, sums});
  if (roles.b_scale != none) plan.variants.push_back(finish_variant(node, roles, read(roles.a_scale)));
  return plan;
}

// Sizes and steps over batches of dense a, b and y.
Parameters product_of(const TensorView& a, const TensorView& b, const TensorView& y) {
  Parameters p;
  p.inner = static_cast<uint32_t>(a.dim(-1));
  if (a.rank() > 1) p.rows = static_cast<uint32_t>(a.dim(-2));
  if (b.rank() > 1) p.columns = static_cast<uint32_t>(b.dim(-1));
  const int32_t axes = y.rank() - (a.rank() > 1) - (b.rank() > 1);
  p.batch_rank = static_cast<uint32_t>(axes);
  uint32_t a_stride = 1, b_stride = 1;
  for (int32_t axis = axes - 1; axis >= 0; --axis) {
    const auto cross = [&](const TensorView& tensor, uint32_t& stride) {
      const int32_t own = axis - axes + tensor.rank() - 2;
      if (own < 0 || tensor.dim(own) == 1) return 0u;
      return std::exchange(stride, stride * static_cast<uint32_t>(tensor.dim(own)));
    };
    p.batch_dims[axis] = static_cast<uint32_t>(y.dim(axis));
    p.batch_count *= p.batch_dims[axis];
    p.a_batch_strides[axis] = cross(a, a_stride);
    p.b_batch_strides[axis] = cross(b, b_stride);
  }
  // Matrices of a that follow each other and meet one b are rows.
  if (b_stride == 1 && a_stride == p.batch_count) {
    p.rows *= p.batch_count;
    p.batch_count = 1;
    p.batch_rank = 0;
  }
  return p;
}

List list_of(const Binding& node, int32_t input) {
  if (!node.has_input(input)) return {};
  return {offset_of(node.input(input)), static_cast<uint32_t>(node.input(input).count())};
}

// Adds a dispatch that makes sums, of few rows perhaps in pieces of the inner axis, where somebody `adds` them; or one that
// `may_finish` them as well: whether it does.
bool add_product(Launch& launch, RowsParameters& p, bool adds, bool may_finish) {
  p.split_inner = p.inner;
  for (size_t few = 0; few < std::size(few_rows); ++few) {
    if (p.rows > few_rows[few]) continue;
    const int64_t workgroups = int64_t{1} * ceil_divide(p.columns, columns_of_few_rows) * p.batch_count;
    if (adds && workgroups < enough_workgroups && p.inner >= 2 * least_split_inner) {
      const int64_t splits = std::min(enough_workgroups / workgroups, p.inner / least_split_inner);
      p.split_inner = ceil_divide(ceil_divide(p.inner, splits), 64) * 64;  // whole steps of a workgroup
      p.split_count = ceil_divide(p.inner, p.split_inner);
    }
    const bool finishes = may_finish && p.split_count == 1;
    launch.dispatches.push_back({static_cast<int32_t>((finishes ? first_finished_rows : first_few_rows) + few), bytes_of(p),
                                 {workgroups_for(workgroups * p.split_count, 1), 1, 1}});
    return finishes;
  }
  const auto workgroups_of = [&](const Tile& tile) {
    return int64_t{1} * ceil_divide(p.rows, tile.rows()) * ceil_divide(p.columns, tile.columns()) * p.batch_count;
  };
  size_t tile = 0;
  while (tile + 1 < std::size(tiles) && workgroups_of(tiles[tile]) < enough_workgroups) ++tile;
  launch.dispatches.push_back({static_cast<int32_t>(first_tile + tile), bytes_of(static_cast<const Parameters&>(p)),
                               {workgroups_for(workgroups_of(tiles[tile]), 1), 1, 1}});
  return false;
}

template <const Roles& roles>
Result<Launch> bind(const Binding& node) {
  const auto a = node.input(roles.a), b = node.input(roles.b), y = node.output(0);
  if (y.count() == 0) return Launch{};
  HEED_TRY(check_addressable(a, "a"));
  HEED_TRY(check_addressable(b, "b"));
  HEED_TRY(check_addressable(y, "the output"));
  RowsParameters p{product_of(a, b, y), 0, {}};
  const List b_zeros = list_of(node, roles.b_zero);
  p.b_offset = offset_of(b);
  p.b_zero_offset = b_zeros.offset;
  p.b_zero_count = b_zeros.count;
  Launch launch;
  List a_scales = list_of(node, roles.a_scale);
  int64_t sums_offset = 0;
  if (a.element() == DataType::f32) {
    using At = DynamicScratch;
    add_dynamic_quantize(launch, dynamic_quantize,
                         {.count = a.count(),
                          .x_offset = offset_of(a),
                          .codes_offset = At::codes,
                          .scale_offset = At::scale,
                          .zero_point_offset = At::zero_point});
    sums_offset = At::sums(a.count());
    p.a_offset = 4 * At::codes;
    p.a_zero_offset = 4 * At::zero_point;
    p.a_zero_count = 1;
    a_scales = {At::scale, 1};
  } else {
    const List a_zeros = list_of(node, roles.a_zero);
    p.a_offset = offset_of(a);
    p.a_zero_offset = a_zeros.offset;
    p.a_zero_count = a_zeros.count;
  }
  if (roles.b_scale == none) {
    p.y_offset = offset_of(y);
    add_product(launch, p, false, false);
    return launch;
  }
  HEED_ASSIGN(const uint32_t y_offset, word_offset_of(y));
  p.y_offset = static_cast<int32_t>(sums_offset);
  p.finished_offset = y_offset;
  p.finish = {a_scales, list_of(node, roles.b_scale), list_of(node, roles.bias), epilogue_of(node, roles.residual)};
  const bool is_finished = add_product(launch, p, true, is_finished_in_f32(node, roles));
  launch.scratch_bytes = static_cast<size_t>(sums_offset + (is_finished ? 0 : p.split_count * y.count())) * sizeof(int32_t);
  if (is_finished) return launch;
  FinishParameters f{.rows = p.rows,
                     .columns = p.columns,
                     .batch_count = p.batch_count,
                     .batch_rank = p.batch_rank,
                     .split_count = p.split_count,
                     .sums_offset = static_cast<uint32_t>(sums_offset),
                     .y_offset = y_offset,
                     .y_scales = list_of(node, roles.y_scale),
                     .y_zeros = list_of(node, roles.y_zero),
                     .finish = p.finish};
  std::copy_n(p.batch_dims, most_batch_axes, f.batch_dims);
  std::copy_n(p.a_batch_strides, most_batch_axes, f.a_batch_strides);
  std::copy_n(p.b_batch_strides, most_batch_axes, f.b_batch_strides);
  const int64_t words = ceil_divide(y.count() * bits_of(y.element()), 32);
  launch.dispatches.push_back({finish, bytes_of(f), {workgroups_for(words, finish_threads), 1, 1}});
  return launch;
}

}  // namespace

extern const Operator matmul_integer{
    .op_type = "MatMulInteger", .versions = {10},
    .inputs = {{"A", "T1"}, {"B", "T2"}, {"a_zero_point", "T1", HEED_OPTIONAL_PARAMETER}, {"b_zero_point", "T2", HEED_OPTIONAL_PARAMETER}},
    .outputs = {{"Y", "T3"}},
    .types = {{"T1", bytes}, {"T2", bytes}, {"T3", {DataType::i32}}},
    .infer = infer_integer, .plan = plan<integer_roles>, .bind = bind<integer_roles>};

extern const Operator qlinear_matmul{
    .op_type = "QLinearMatMul", .versions = {21, 10},
    .inputs = {{"a", "T1"}, {"a_scale", "TS"}, {"a_zero_point", "T1"}, {"b", "T2"}, {"b_scale", "TS"}, {"b_zero_point", "T2"},
               {"y_scale", "TS"}, {"y_zero_point", "T3"}},
    .outputs = {{"y", "T3"}},
    .types = {{"T1", bytes}, {"T2", bytes}, {"T3", bytes}, {"TS", {DataType::f32, DataType::f16, DataType::bf16}}},
    .infer = infer_qlinear, .plan = plan<qlinear_roles>, .bind = bind<qlinear_roles>};

extern const Operator matmul_integer_to_float{
    .domain = "com.microsoft", .op_type = "MatMulIntegerToFloat",
    .inputs = {{"A", "T1"}, {"B", "T2"}, {"a_scale", "T3"}, {"b_scale", "T3"}, {"a_zero_point", "T1", HEED_OPTIONAL_PARAMETER},
               {"b_zero_point", "T2", HEED_OPTIONAL_PARAMETER}, {"bias", "T3", HEED_OPTIONAL_PARAMETER}},
    .outputs = {{"Y", "T3"}},
    .types = {{"T1", bytes}, {"T2", bytes}, {"T3", {DataType::f32, DataType::f16}}},
    .infer = infer_to_float, .plan = plan<to_float_roles>, .bind = bind<to_float_roles>};
extern const Operator fused_matmul_integer_to_float = finishing(matmul_integer_to_float, "FusedMatMulIntegerToFloat");

extern const Operator dynamic_quantize_matmul{
    .domain = "com.microsoft", .op_type = "DynamicQuantizeMatMul",
    .inputs = {{"A", "T1"}, {"B", "T2"}, {"b_scale", "T1"}, {"b_zero_point", "T2", HEED_OPTIONAL_PARAMETER},
               {"bias", "T1", HEED_OPTIONAL_PARAMETER}},
    .outputs = {{"Y", "T1"}},
    .types = {{"T1", {DataType::f32}}, {"T2", bytes}},
    .infer = infer_dynamic, .plan = plan<dynamic_roles>, .bind = bind<dynamic_roles>};
extern const Operator fused_dynamic_quantize_matmul = finishing(dynamic_quantize_matmul, "FusedDynamicQuantizeMatMul");

}  // namespace heed::ops
