// ReduceSum, ReduceMean, ReduceMax, ReduceMin, ReduceProd, ReduceL1, ReduceL2, ReduceSumSquare, ReduceLogSum,
// ReduceLogSumExp: one number out of each slice along the axes, which are an attribute in old versions and an input in
// new ones. No axes: all, or with noop_with_empty_axes none.
#include "rows.hpp"
#include "shaders.hpp"
#include "shapes.hpp"

namespace heed::ops {
namespace {

// The axes: nullopt where they are not known yet.
Result<std::optional<std::vector<int64_t>>> axes_of(const NodeView& node) {
  using Axes = std::optional<std::vector<int64_t>>;
  if (const auto axes = node.integers("axes")) return Axes(std::in_place, axes->begin(), axes->end());
  if (!node.has_input(1)) return Axes(std::in_place);
  return numbers_of(node.elements(1));
}

// Which of `rank` axes those are.
std::vector<bool> reduced_axes(const NodeView& node, std::span<const int64_t> axes, int32_t rank) {
  const bool all = axes.empty() && node.integer("noop_with_empty_axes") == 0;
  std::vector<bool> reduced(static_cast<size_t>(rank), all);
  for (const auto axis : axes) reduced[static_cast<size_t>(axis < 0 ? axis + rank : axis)] = true;
  return reduced;
}

using Combine = Dim (*)(Dim, Dim);

template <auto combine>
Result<void> infer(Inference& node) {
  const auto input = node.input(0);
  if (!input.has_rank()) return node.set_output(0, input.element());
  const bool keep = node.integer("keepdims", 1) != 0;
  HEED_ASSIGN(const auto axes, axes_of(node));
  if (!axes) {
    if (!keep) {
      HEED_ASSIGN(const auto axis_count, told_length(node, 1));
      if (!axis_count) return node.set_output(0, input.element());
      const int64_t left = *axis_count == 0 ? 0 : std::max<int64_t>(0, input.rank() - *axis_count);
      return node.set_output(0, input.element(), fresh_dims(node, left, "kept"));
    }
    return node.set_output(0, input.element(), fresh_dims(node, input.rank(), "reduced"));
  }
  HEED_TRY(checked_axes(*axes, input.rank(), "axes"));
  const auto reduced = reduced_axes(node, *axes, input.rank());
  Dims dims;
  for (int32_t axis = 0; axis < input.rank(); ++axis) {
    const bool drop = reduced[static_cast<size_t>(axis)];
    if (!drop) dims.push_back(input.dim(axis));
    if (drop && keep) dims.push_back(1);
  }
  HEED_TRY(node.set_output(0, input.element(), dims));

  if constexpr (combine != nullptr) {
    const auto elements = node.elements(0);
    if (!elements || elements->empty() || input.rank() != 1 || !reduced[0]) return {};
    Dim result = (*elements)[0];
    for (const auto element : elements->subspan(1)) result = combine(result, element);
    if (!result.is_unknown()) node.set_elements(0, Dims{result});
  }
  return {};
}

constexpr Combine plus = [](Dim a, Dim b) { return a + b; };
constexpr Combine times = [](Dim a, Dim b) { return a * b; };
constexpr Combine least = [](Dim a, Dim b) { return min(a, b); };
constexpr Combine greatest = [](Dim a, Dim b) { return max(a, b); };
constexpr Combine none = nullptr;

// ---- on the GPU -----------------------------------------------------------------------------------------------------

// shaders/reduce.comp's constant 2.
enum class Kind : uint32_t {
  sum,
  product,
  sum_of_squares,
  smallest,
  largest,
  mean,
  root_of_squares,
  sum_of_sizes,
  log_of_sum,
  log_of_sum_of_exps
};

// Mirrors shaders/reduce.glsl.
struct Parameters {
  Rows rows;
  int32_t y_offset;
  uint32_t part_count, part_length;
};

// Variants behind those of whole rows, which come first.
enum { parts_of_rows = 3, join_of_parts };

// Rows too few to keep a GPU busy are cut into parts, if they are long: so many workgroups, untuned, and so many
// elements.
constexpr int64_t busy_workgroups = 256, least_part_length = 4096;

// Into how many parts each row is cut. A function of sizes alone: the same bits each run.
int64_t part_count_of(int64_t row_count, int64_t row_length) {
  return std::clamp<int64_t>(busy_workgroups / row_count, 1, std::max<int64_t>(1, row_length / least_part_length));
}

// Whether there may be rows of two parts at a run.
bool may_be_cut(const NodeView& node, const std::vector<bool>& reduced) {
  Dim length = 1;
  for (size_t axis = 0; axis < reduced.size(); ++axis)
    if (reduced[axis]) length *= node.input(0).dims()[axis];
  return !length.is_number() || length.number() >= 2 * least_part_length;
}

template <Kind kind>
Result<GpuPlan> plan(Planning& node) {
  const auto x = node.input(0);
  HEED_ASSIGN(const auto axes, axes_of(node));
  if (!axes) return decline("the axes are known to the run alone");
  if ((kind == Kind::mean || kind == Kind::root_of_squares) && !is_float(x.element()))
    return decline("the GPU kernel takes means and norms of floats, not of " + name_in_reason(x));
  if ((kind == Kind::log_of_sum || kind == Kind::log_of_sum_of_exps) &&
      (!is_float(x.element()) || x.element() == DataType::f64))
    return decline("the GPU kernel computes logarithms in f32, not of " + name_in_reason(x));
  HEED_ASSIGN(const Shader shader, shader_for(node, shaders::reduce));
  node.take_strided(0);
  const heed_constant which{2, static_cast<uint32_t>(kind)};
  GpuPlan plan{.variants = row_variants(node, shader, {which}), .bindings = {read(0), write(0)}};
  if (!may_be_cut(node, reduced_axes(node, *axes, x.rank()))) return plan;
  HEED_ASSIGN(const Shader parts, shader_for(node, shaders::reduce_parts));
  HEED_ASSIGN(const Shader join, shader_for(node, shaders::reduce_join));
  const std::vector<heed_constant> constants{{0, row_threads}, {1, row_threads}, which};
  plan.variants.push_back({"parts of rows", parts, constants, {read(0), scratch()}});
  plan.variants.push_back({"parts joined", join, constants, {scratch(), write(0)}});
  return plan;
}

Result<Launch> bind(const Binding& node) {
  const auto x = node.input(0), y = node.output(0);
  if (y.count() == 0) return Launch{};
  HEED_TRY(check_addressable(x, "the input"));
  HEED_TRY(check_addressable(y, "the output"));
  HEED_ASSIGN(const auto axes, axes_of(node));
  if (!axes) return Error{Code::unsupported, "the axes are not known"};  // planned with them
  Parameters p{rows_of(x.dims(), reduced_axes(node, *axes, x.rank()), std::array{x}), offset_of(y), 1, 0};
  const int64_t part_count = part_count_of(p.rows.row_count, p.rows.row_length);
  if (part_count == 1) return Launch{.dispatches = {row_dispatch(p.rows, bytes_of(p))}};
  p.part_count = static_cast<uint32_t>(part_count);
  p.part_length = ceil_divide(p.rows.row_length, part_count);
  const int64_t all_parts = p.rows.row_count * part_count;
  const size_t number_size = bits_of(x.element()) == 64 ? 8 : 4;  // that the shader computes with
  return Launch{.dispatches = {{parts_of_rows, bytes_of(p), {workgroups_for(all_parts, 1), 1, 1}},
                               {join_of_parts, bytes_of(p), {workgroups_for(p.rows.row_count, 1), 1, 1}}},
                .scratch_bytes = static_cast<size_t>(all_parts) * number_size};
}

constexpr Types int64_only{DataType::i64};

Operator reduce(std::string_view op_type, std::vector<int32_t> versions, Result<void> (*infer)(Inference&),
                Result<GpuPlan> (*plan)(Planning&), Types types = any_number) {
  return {.op_type = op_type,
          .versions = std::move(versions),
          .inputs = {{"data", "T"}, {"axes", "I", HEED_OPTIONAL_PARAMETER | HEED_SHAPE_DATA}},
          .outputs = {{"reduced", "T"}},
          .types = {{"T", types}, {"I", int64_only}},
          .attributes = {optional("axes", HEED_ATTRIBUTE_INTS), attribute("keepdims", 1),
                         attribute("noop_with_empty_axes", 0)},
          .infer = infer,
          .plan = plan,
          .bind = bind};
}

}  // namespace

extern const Operator reduce_sum = reduce("ReduceSum", {13, 11, 1}, infer<plus>, plan<Kind::sum>);
extern const Operator reduce_mean = reduce("ReduceMean", {18, 13, 11, 1}, infer<none>, plan<Kind::mean>);
extern const Operator reduce_prod = reduce("ReduceProd", {18, 13, 11, 1}, infer<times>, plan<Kind::product>);
extern const Operator reduce_l2 = reduce("ReduceL2", {18, 13, 11, 1}, infer<none>, plan<Kind::root_of_squares>);
extern const Operator reduce_l1 = reduce("ReduceL1", {18, 13, 11, 1}, infer<none>, plan<Kind::sum_of_sizes>);
extern const Operator reduce_log_sum = reduce("ReduceLogSum", {18, 13, 11, 1}, infer<none>, plan<Kind::log_of_sum>);
extern const Operator reduce_log_sum_exp =
    reduce("ReduceLogSumExp", {18, 13, 11, 1}, infer<none>, plan<Kind::log_of_sum_of_exps>);
extern const Operator reduce_sum_square =
    reduce("ReduceSumSquare", {18, 13, 11, 1}, infer<none>, plan<Kind::sum_of_squares>);
extern const Operator reduce_max = reduce("ReduceMax", {20, 18, 13, 12, 11, 1}, infer<greatest>, plan<Kind::largest>,
                                          any_number | Types{DataType::boolean});
extern const Operator reduce_min = reduce("ReduceMin", {20, 18, 13, 12, 11, 1}, infer<least>, plan<Kind::smallest>,
                                          any_number | Types{DataType::boolean});

}  // namespace heed::ops
