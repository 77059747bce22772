// Equal, Less, LessOrEqual, Greater, GreaterOrEqual: y = a op b as a boolean, after broadcasting (before opset 7 as
// Add-6). IsNaN and IsInf: what a number is.
#include "shapes.hpp"

namespace heed::ops {
namespace {

using Compare = Dim (*)(Dim, Dim);

template <Compare compare>
Result<void> infer(Inference& node) {
  if (!node.input(0).has_rank() || !node.input(1).has_rank()) return node.set_output(0, DataType::boolean);
  const auto a_dims = node.input(0).dims(), b_dims = node.input(1).dims();
  if (node.version() < 7) {
    HEED_TRY(check_one_sided(node, a_dims, b_dims));
    return node.set_output(0, DataType::boolean, a_dims);
  }
  HEED_ASSIGN(const auto dims, checked_broadcast(node, a_dims, b_dims));
  HEED_TRY(node.set_output(0, DataType::boolean, dims));

  const auto a = node.elements(0), b = node.elements(1);
  if (!a || !b || dims.size() > 1 || a->empty() || b->empty()) return {};
  Dims result(std::max(a->size(), b->size()));
  for (size_t i = 0; i < result.size(); ++i) {
    result[i] = compare((*a)[a->size() == 1 ? 0 : i], (*b)[b->size() == 1 ? 0 : i]);
    if (result[i].is_unknown()) return {};
  }
  node.set_elements(0, result);
  return {};
}

constexpr Compare same = [](Dim a, Dim b) { return equal(a, b); };
constexpr Compare below = [](Dim a, Dim b) { return less(a, b); };
constexpr Compare at_most = [](Dim a, Dim b) { return 1 - less(b, a); };
constexpr Compare above = [](Dim a, Dim b) { return less(b, a); };
constexpr Compare at_least = [](Dim a, Dim b) { return 1 - less(a, b); };

constexpr Types bool_only{DataType::boolean};
constexpr Types comparable = any_number | Types{DataType::boolean, DataType::string};

Operator comparison(std::string_view op_type, std::vector<int32_t> versions, Types types, std::string_view expression,
                    Result<void> (*infer)(Inference&)) {
  return {.op_type = op_type,
          .versions = std::move(versions),
          .inputs = {{"A", "T"}, {"B", "T"}},
          .outputs = {{"C", "T1"}},
          .types = {{"T", types}, {"T1", bool_only}},
          .attributes = {optional("broadcast", HEED_ATTRIBUTE_INT), optional("axis", HEED_ATTRIBUTE_INT)},
          .expression = expression,
          .infer = infer};
}

}  // namespace

extern const Operator equal_to = comparison("Equal", {19, 13, 11, 7, 1}, comparable, "A == B", infer<same>);
extern const Operator less_than = comparison("Less", {13, 9, 7, 1}, any_number, "A < B", infer<below>);
extern const Operator less_or_equal = comparison("LessOrEqual", {16, 12}, any_number, "A <= B", infer<at_most>);
extern const Operator greater = comparison("Greater", {13, 9, 7, 1}, any_number, "A > B", infer<above>);
extern const Operator greater_or_equal = comparison("GreaterOrEqual", {16, 12}, any_number, "A >= B", infer<at_least>);

constexpr Types any_infinite =
    any_float | Types{DataType::f8e4m3fn, DataType::f8e4m3fnuz, DataType::f8e5m2, DataType::f8e5m2fnuz};

extern const Operator is_nan{.op_type = "IsNaN",
                             .versions = {20, 13, 9},
                             .inputs = {{"X", "T1"}},
                             .outputs = {{"Y", "T2"}},
                             .types = {{"T1", any_infinite}, {"T2", bool_only}},
                             .expression = "X != X",
                             .infer = [](Inference& node) { return like_input(node, DataType::boolean); }};

extern const Operator is_inf{.op_type = "IsInf",
                             .versions = {20, 10},
                             .inputs = {{"X", "T1"}},
                             .outputs = {{"Y", "T2"}},
                             .types = {{"T1", any_infinite}, {"T2", bool_only}},
                             .attributes = {attribute("detect_positive", 1), attribute("detect_negative", 1)},
                             .expression = "or(and(@detect_positive, X == inf), and(@detect_negative, X == -inf))",
                             .infer = [](Inference& node) { return like_input(node, DataType::boolean); }};

}  // namespace heed::ops
