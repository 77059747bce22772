// Add, Sub, Mul, Div, Mod, Pow, Min, Max, Sum, Mean: y = a op b after broadcasting. Before opset 7 only b is broadcast,
// and only where the attribute `broadcast` says so, from `axis` on. Integer Div truncates.
#include "shapes.hpp"

namespace heed::ops {
namespace {

Result<void> infer_dims(Inference& node, DataType element) {
  for (int32_t i = 0; i < node.input_count(); ++i)
    if (!node.input(i).has_rank()) {
      if (node.version() < 7 && node.has_attribute("axis"))
        return Error{Code::unsupported, "attribute 'axis' places a tensor whose rank is known to the run alone"};
      return node.set_output(0, element);
    }
  const auto first = node.input(0).dims();
  if (node.version() < 7 && node.input_count() == 2 && node.has_attribute("broadcast")) {
    HEED_TRY(check_one_sided(node, first, node.input(1).dims()));
    return node.set_output(0, element, first);
  }
  Dims dims(first.begin(), first.end());
  for (int32_t i = 1; i < node.input_count(); ++i) {
    HEED_ASSIGN(dims, checked_broadcast(node, dims, node.input(i).dims()));
  }
  return node.set_output(0, element, dims);
}

using Combine = Dim (*)(Dim, Dim);

// Sizes that are computed: row-major lists of equal length, or one of them a single number.
template <auto combine>
Result<void> infer(Inference& node) {
  HEED_TRY(infer_dims(node, node.input(0).element()));
  if constexpr (combine != nullptr) {
    const auto first = node.elements(0);
    if (!first) return {};
    Dims result(first->begin(), first->end());
    for (int32_t i = 1; i < node.input_count(); ++i) {
      const auto next = node.elements(i);
      if (!next || node.input(i).rank() > 1 || node.input(0).rank() > 1) return {};
      if (next->size() != result.size() && next->size() != 1 && result.size() != 1) return {};
      Dims met(result.size() == 1 ? next->size() : result.size());
      for (size_t k = 0; k < met.size(); ++k)
        met[k] = combine(result[result.size() == 1 ? 0 : k], (*next)[next->size() == 1 ? 0 : k]);
      result = std::move(met);
    }
    for (const auto dim : result)
      if (dim.is_unknown()) return {};
    node.set_elements(0, result);
  }
  return {};
}

constexpr Combine plus = [](Dim a, Dim b) { return a + b; };
constexpr Combine minus = [](Dim a, Dim b) { return a - b; };
constexpr Combine times = [](Dim a, Dim b) { return a * b; };
constexpr Combine over = [](Dim a, Dim b) { return truncate_divide(a, b); };
constexpr Combine rest = [](Dim a, Dim b) { return modulo(a, b); };
constexpr Combine least = [](Dim a, Dim b) { return min(a, b); };
constexpr Combine greatest = [](Dim a, Dim b) { return max(a, b); };
constexpr Combine none = nullptr;

// Mod of integers follows the divisor; with fmod the dividend.
Result<void> infer_mod(Inference& node) {
  if (node.integer("fmod") == 0) {
    if (node.version() < 28 && is_float(node.input(0).element()))
      return Error{Code::invalid_model, "floating-point Mod needs fmod = 1 before opset 28"};
    return infer<rest>(node);
  }
  return infer<none>(node);
}

Operator arithmetic(std::string_view op_type, std::string_view expression, uint32_t flags,
                    Result<void> (*infer)(Inference&)) {
  return {.op_type = op_type,
          .versions = {14, 13, 7, 6, 1},
          .flags = flags,
          .inputs = {{"A", "T"}, {"B", "T"}},
          .outputs = {{"C", "T"}},
          .types = {{"T", any_number}},
          .attributes = {optional("broadcast", HEED_ATTRIBUTE_INT), optional("axis", HEED_ATTRIBUTE_INT),
                         optional("consumed_inputs", HEED_ATTRIBUTE_INTS)},
          .expression = expression,
          .infer = infer};
}

Operator variadic(std::string_view op_type, Types types, std::string_view expression,
                  Result<void> (*infer)(Inference&)) {
  return {.op_type = op_type,
          .versions = {13, 12, 8, 6, 1},
          .flags = HEED_COMMUTATIVE,
          .inputs = {{"data_0", "T", HEED_VARIADIC}},
          .outputs = {{"result", "T"}},
          .types = {{"T", types}},
          .attributes = {optional("consumed_inputs", HEED_ATTRIBUTE_INTS)},
          .expression = expression,
          .infer = infer};
}

}  // namespace

extern const Operator add = arithmetic("Add", "A + B", HEED_COMMUTATIVE, infer<plus>);
extern const Operator sub = arithmetic("Sub", "A - B", 0, infer<minus>);
extern const Operator mul = arithmetic("Mul", "A * B", HEED_COMMUTATIVE, infer<times>);
extern const Operator div = arithmetic("Div", "A / B", 0, infer<over>);
extern const Operator min_of = variadic("Min", any_number, "min(a, b)", infer<least>);
extern const Operator max_of = variadic("Max", any_number, "max(a, b)", infer<greatest>);

extern const Operator sum_of = variadic("Sum", any_float, "a + b", infer<none>);
// A rewrite makes a Sum of it: how many there are is no part of how two of them meet.
extern const Operator mean_of = variadic("Mean", any_float, "", infer<none>);

extern const Operator mod{.op_type = "Mod",
                          .versions = {28, 13, 10},
                          .inputs = {{"A", "T"}, {"B", "T"}},
                          .outputs = {{"C", "T"}},
                          .types = {{"T", any_number}},
                          .attributes = {attribute("fmod", 0)},
                          .expression = "select(@fmod, fmod(A, B), mod(A, B))",
                          .infer = infer_mod};

extern const Operator pow{
    .op_type = "Pow",
    .versions = {15, 13, 12, 7, 1},
    .inputs = {{"X", "T"}, {"Y", "T1"}},
    .outputs = {{"Z", "T"}},
    .types = {{"T", any_number}, {"T1", any_number}},
    .attributes = {optional("broadcast", HEED_ATTRIBUTE_INT), optional("axis", HEED_ATTRIBUTE_INT)},
    .expression = "pow(X, cast(Y, X))",
    .infer = infer<none>};

}  // namespace heed::ops
