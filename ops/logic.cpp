// And, Or, Xor, Not over booleans, with broadcasting (before opset 7 as Add-6).
#include "shapes.hpp"

namespace heed::ops {
namespace {

constexpr Types bool_only{DataType::boolean};

using Combine = Dim (*)(Dim, Dim);

template <Combine combine>
Result<void> infer(Inference& node) {
  if (!node.input(0).has_rank() || !node.input(1).has_rank()) return node.set_output(0, DataType::boolean);
  if (node.version() < 7) {
    HEED_TRY(check_one_sided(node, node.input(0).dims(), node.input(1).dims()));
    return node.set_output(0, DataType::boolean, node.input(0).dims());
  }
  HEED_ASSIGN(const auto dims, checked_broadcast(node, node.input(0).dims(), node.input(1).dims()));
  HEED_TRY(node.set_output(0, DataType::boolean, dims));
  const auto a = node.elements(0), b = node.elements(1);
  if (!a || !b || a->size() != b->size()) return {};
  Dims result;
  for (size_t i = 0; i < a->size(); ++i) result.push_back(combine((*a)[i], (*b)[i]));
  node.set_elements(0, result);
  return {};
}

constexpr Combine both = [](Dim a, Dim b) { return min(a, b); };
constexpr Combine either = [](Dim a, Dim b) { return max(a, b); };
constexpr Combine one = [](Dim a, Dim b) { return 1 - equal(a, b); };

Result<void> infer_not(Inference& node) {
  HEED_TRY(like_input(node, DataType::boolean));
  if (const auto elements = node.elements(0)) {
    Dims result;
    for (const auto element : *elements) result.push_back(1 - element);
    node.set_elements(0, result);
  }
  return {};
}

Operator logic(std::string_view op_type, std::string_view expression, Result<void> (*infer)(Inference&)) {
  return {.op_type = op_type,
          .versions = {7, 1},
          .flags = HEED_COMMUTATIVE,
          .inputs = {{"A", "T"}, {"B", "T"}},
          .outputs = {{"C", "T"}},
          .types = {{"T", bool_only}},
          .attributes = {optional("broadcast", HEED_ATTRIBUTE_INT), optional("axis", HEED_ATTRIBUTE_INT)},
          .expression = expression,
          .infer = infer};
}

}  // namespace

extern const Operator logical_and = logic("And", "and(A, B)", infer<both>);
extern const Operator logical_or = logic("Or", "or(A, B)", infer<either>);
extern const Operator logical_xor = logic("Xor", "A != B", infer<one>);
extern const Operator logical_not{.op_type = "Not",
                                  .versions = {1},
                                  .inputs = {{"X", "T"}},
                                  .outputs = {{"Y", "T"}},
                                  .types = {{"T", bool_only}},
                                  .expression = "not(X)",
                                  .infer = infer_not};

}  // namespace heed::ops
