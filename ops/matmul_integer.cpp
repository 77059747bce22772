// Products of 8-bit integers by numpy's rules: y = (a - a_zero_point)(b - b_zero_point), summed as i32.
//   MatMulInteger          the sums
//   QLinearMatMul          saturate(round(sum * a_scale * b_scale / y_scale) + y_zero_point)
//   MatMulIntegerToFloat   sum * (a_scale * b_scale) + bias                              com.microsoft
//   DynamicQuantizeMatMul  the same, of an a that DynamicQuantizeLinear makes u8         com.microsoft
#include "launch.hpp"
#include "matmul.hpp"
#include "shaders.hpp"
#include "shapes.hpp"

namespace heed::ops {
namespace {

constexpr Types bytes{DataType::i8, DataType::u8};

enum class Axis { row, column };

// A scale or zero point of `matrix`: one, one for each row or column, or one for each of every matrix of the stack.
Result<void> check_places(Inference& node, int32_t input, int32_t matrix_input, Axis axis) {
  if (!node.has_input(input)) return {};
  const auto list = node.input(input), matrix = node.input(matrix_input);
  if (!list.has_rank() || !matrix.has_rank() || list.rank() == 0) return {};
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
  HEED_TRY(infer_product(node, 0, 1, node.input(2).element()));
  return {};
}

Result<void> infer_dynamic(Inference& node) {
  for (const int32_t input : {2, 3}) HEED_TRY(check_places(node, input, 1, Axis::column));
  HEED_TRY(check_bias(node, 4));
  HEED_TRY(infer_product(node, 0, 1, DataType::f32));
  return {};
}

// ---- MatMulInteger on a GPU: bytes are read in words and multiplied four at a time
// ---------------------------------------------

constexpr int32_t most_batch_axes = 6;

// Mirrors shaders/matmul_integer.comp.
struct Parameters {
  uint32_t rows = 1, columns = 1, inner = 1;
  uint32_t batch_count = 1, batch_rank = 0;
  int32_t a_offset = 0, b_offset = 0, y_offset = 0;  // in elements
  int32_t a_zero_offset = 0, b_zero_offset = 0;
  uint32_t a_zero_count = 0, b_zero_count = 0;  // 0: none
  uint32_t batch_dims[most_batch_axes] = {};
  uint32_t a_batch_strides[most_batch_axes] = {}, b_batch_strides[most_batch_axes] = {};  // in matrices
};
constexpr int64_t tile_size = 32;

Result<GpuPlan> plan_integer(Planning& node) {
  const auto a = node.input(0), b = node.input(1);
  if (!a.has_rank() || !b.has_rank()) return decline("a rank is not known");
  if (std::max(a.rank(), b.rank()) - 2 > most_batch_axes) return decline("more than 8 axes");
  node.work(2 * a.dim(-1) * count_of(node.output(0).dims()));
  const bool has_dot = node.capability("integer_dot") != 0;
  const auto is_unsigned = [](TypeView type) { return static_cast<uint32_t>(type.element() == DataType::u8); };
  return GpuPlan{.variants = {{.name = has_dot ? "four at once" : "one by one",
                               .shader = has_dot ? shaders::matmul_integer_dot : shaders::matmul_integer,
                               .constants = {{0, is_unsigned(a)}, {1, is_unsigned(b)}}}},
                 .bindings = {read(0), read(1), read(node.has_input(2) ? 2 : 0), read(node.has_input(3) ? 3 : 1), write(0)}};
}

Result<Launch> bind_integer(const Binding& node) {
  const auto a = node.input(0), b = node.input(1), y = node.output(0);
  if (y.count() == 0) return Launch{};
  HEED_TRY(check_addressable(a, "input 0"));
  HEED_TRY(check_addressable(b, "input 1"));
  HEED_TRY(check_addressable(y, "the output"));
  Parameters p;
  p.inner = static_cast<uint32_t>(a.dim(-1));
  if (a.rank() > 1) p.rows = static_cast<uint32_t>(a.dim(-2));
  if (b.rank() > 1) p.columns = static_cast<uint32_t>(b.dim(-1));
  p.a_offset = offset_of(a);
  p.b_offset = offset_of(b);
  p.y_offset = offset_of(y);
  if (node.has_input(2)) p.a_zero_offset = offset_of(node.input(2)), p.a_zero_count = static_cast<uint32_t>(node.input(2).count());
  if (node.has_input(3)) p.b_zero_offset = offset_of(node.input(3)), p.b_zero_count = static_cast<uint32_t>(node.input(3).count());
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
  const int64_t tiles = int64_t{1} * ceil_divide(p.rows, tile_size) * ceil_divide(p.columns, tile_size) * p.batch_count;
  return Launch{.dispatches = {{0, bytes_of(p), {workgroups_for(tiles, 1), 1, 1}}}};
}

}  // namespace

extern const Operator matmul_integer{
    .op_type = "MatMulInteger", .versions = {10},
    .inputs = {{"A", "T1"}, {"B", "T2"}, {"a_zero_point", "T1", HEED_OPTIONAL_PARAMETER}, {"b_zero_point", "T2", HEED_OPTIONAL_PARAMETER}},
    .outputs = {{"Y", "T3"}},
    .types = {{"T1", bytes}, {"T2", bytes}, {"T3", {DataType::i32}}},
    .infer = infer_integer, .plan = plan_integer, .bind = bind_integer};

extern const Operator qlinear_matmul{
    .op_type = "QLinearMatMul", .versions = {21, 10},
    .inputs = {{"a", "T1"}, {"a_scale", "TS"}, {"a_zero_point", "T1"}, {"b", "T2"}, {"b_scale", "TS"}, {"b_zero_point", "T2"},
               {"y_scale", "TS"}, {"y_zero_point", "T3"}},
    .outputs = {{"y", "T3"}},
    .types = {{"T1", bytes}, {"T2", bytes}, {"T3", bytes}, {"TS", {DataType::f32, DataType::f16, DataType::bf16}}},
    .infer = infer_qlinear};

extern const Operator matmul_integer_to_float{
    .domain = "com.microsoft", .op_type = "MatMulIntegerToFloat",
    .inputs = {{"A", "T1"}, {"B", "T2"}, {"a_scale", "T3"}, {"b_scale", "T3"}, {"a_zero_point", "T1", HEED_OPTIONAL_PARAMETER},
               {"b_zero_point", "T2", HEED_OPTIONAL_PARAMETER}, {"bias", "T3", HEED_OPTIONAL_PARAMETER}},
    .outputs = {{"Y", "T3"}},
    .types = {{"T1", bytes}, {"T2", bytes}, {"T3", {DataType::f32, DataType::f16}}},
    .infer = infer_to_float};

extern const Operator dynamic_quantize_matmul{
    .domain = "com.microsoft", .op_type = "DynamicQuantizeMatMul",
    .inputs = {{"A", "T1"}, {"B", "T2"}, {"b_scale", "T1"}, {"b_zero_point", "T2", HEED_OPTIONAL_PARAMETER},
               {"bias", "T1", HEED_OPTIONAL_PARAMETER}},
    .outputs = {{"Y", "T1"}},
    .types = {{"T1", {DataType::f32}}, {"T2", bytes}},
    .infer = infer_dynamic};

}  // namespace heed::ops
