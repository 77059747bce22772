// ReduceSum, ReduceMean, ReduceMax, ReduceMin, ReduceProd, ReduceL2, ReduceSumSquare: one number out of each slice
// along the axes, which are an attribute in old versions and an input in new ones. No axes: all, or with
// noop_with_empty_axes none.
#include "shapes.hpp"

namespace heed::ops {
namespace {

// The axes: nullopt where they are not known yet.
Result<std::optional<std::vector<int64_t>>> axes_of(const Inference& node) {
  using Axes = std::optional<std::vector<int64_t>>;
  if (const auto axes = node.integers("axes")) return Axes(std::in_place, axes->begin(), axes->end());
  if (!node.has_input(1)) return Axes(std::in_place);
  return numbers_of(node.elements(1));
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
      const auto list = node.input(1);
      if (!list.has_rank() || list.rank() != 1 || !list.dim(0).is_number()) return node.set_output(0, input.element());
      const int64_t left = list.dim(0).is_number(0) ? 0 : std::max<int64_t>(0, input.rank() - list.dim(0).number());
      return node.set_output(0, input.element(), fresh_dims(node, left, "kept"));
    }
    return node.set_output(0, input.element(), fresh_dims(node, input.rank(), "reduced"));
  }
  HEED_ASSIGN(const auto reduced, checked_axes(*axes, input.rank(), "axes"));
  const bool all = reduced.empty() && node.integer("noop_with_empty_axes") == 0;
  Dims dims;
  for (int32_t axis = 0; axis < input.rank(); ++axis) {
    const bool drop = all || std::find(reduced.begin(), reduced.end(), axis) != reduced.end();
    if (!drop) dims.push_back(input.dim(axis));
    if (drop && keep) dims.push_back(1);
  }
  HEED_TRY(node.set_output(0, input.element(), dims));

  if constexpr (combine != nullptr) {
    const auto elements = node.elements(0);
    if (!elements || elements->empty() || input.rank() != 1 || !(all || reduced.size() == 1)) return {};
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

constexpr Types int64_only{DataType::i64};

Operator reduce(std::string_view op_type, std::vector<int32_t> versions, Result<void> (*infer)(Inference&),
                Types types = any_number) {
  return {.op_type = op_type,
          .versions = std::move(versions),
          .inputs = {{"data", "T"}, {"axes", "I", HEED_OPTIONAL_PARAMETER | HEED_SHAPE_DATA}},
          .outputs = {{"reduced", "T"}},
          .types = {{"T", types}, {"I", int64_only}},
          .attributes = {optional("axes", HEED_ATTRIBUTE_INTS), attribute("keepdims", 1),
                         attribute("noop_with_empty_axes", 0)},
          .infer = infer};
}

}  // namespace

extern const Operator reduce_sum = reduce("ReduceSum", {13, 11, 1}, infer<plus>);
extern const Operator reduce_mean = reduce("ReduceMean", {18, 13, 11, 1}, infer<none>);
extern const Operator reduce_prod = reduce("ReduceProd", {18, 13, 11, 1}, infer<times>);
extern const Operator reduce_l2 = reduce("ReduceL2", {18, 13, 11, 1}, infer<none>);
extern const Operator reduce_sum_square = reduce("ReduceSumSquare", {18, 13, 11, 1}, infer<none>);
extern const Operator reduce_max =
    reduce("ReduceMax", {20, 18, 13, 12, 11, 1}, infer<greatest>, any_number | Types{DataType::boolean});
extern const Operator reduce_min =
    reduce("ReduceMin", {20, 18, 13, 12, 11, 1}, infer<least>, any_number | Types{DataType::boolean});

}  // namespace heed::ops
