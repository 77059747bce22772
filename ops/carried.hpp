// Values that a loop carries from one iteration to the next, as shape inference sees them: for Loop and Scan.
#pragma once

#include "heed/plugin.hpp"

namespace heed::ops {

inline constexpr uint32_t any_kind = 1u << HEED_TENSOR | 1u << HEED_SEQUENCE | 1u << HEED_OPTIONAL;

// The type of a carried value as the body sees it. Sizes that an iteration changes are symbols of its own.
struct Carried {
  heed_type type;
  Dims dims;
  std::vector<bool> changes;

  explicit Carried(TypeView view)
      : type(view.c), dims(view.dims().begin(), view.dims().end()), changes(dims.size(), false) {}

  TypeView view() const {
    auto c = type;
    c.dims = reinterpret_cast<const heed_dim*>(dims.data());
    return {c};
  }

  // Takes in what the body gives back; true where that changed what it may be given.
  bool widen(Inference& node, TypeView result) {
    bool widened = false;
    if (type.element == 0 && result.has_element()) type.element = result.c.element, widened = true;
    if (type.rank < 0) return widened;
    const bool same = std::equal(dims.begin(), dims.end(), result.dims().begin(), result.dims().end());
    if (result.rank() != type.rank || (type.kind != HEED_TENSOR && !same)) {
      type.rank = -1;
      dims.clear();
      changes.clear();
      return true;
    }
    for (size_t axis = 0; axis < dims.size(); ++axis) {
      if (changes[axis] || dims[axis] == result.dims()[axis]) continue;
      dims[axis] = node.fresh_symbol("carried");
      changes[axis] = true;
      widened = true;
    }
    return widened;
  }
};

// Infers a body that is given the carried values between `before` and `behind`, and gives them back from its output
// `first_result` on. Each round opens at least one more axis or rank, or is the last.
inline Result<void> infer_carried(Inference& node, int32_t body, std::vector<Carried>& carried,
                                  std::span<const TypeView> before, std::span<const TypeView> behind,
                                  int32_t first_result) {
  for (bool widened = true; widened;) {
    std::vector<TypeView> types(before.begin(), before.end());
    for (const auto& value : carried) types.push_back(value.view());
    types.insert(types.end(), behind.begin(), behind.end());
    HEED_TRY(node.infer_subgraph(body, types));
    const int32_t result_count = node.subgraph_output_count(body), carried_count = static_cast<int32_t>(carried.size());
    if (result_count < first_result + carried_count || result_count - first_result < node.output_count())
      return Error{Code::invalid_model,
                   "the body gives " + std::to_string(result_count) + " values; expected " +
                       std::to_string(first_result + std::max(carried_count, node.output_count()))};
    widened = false;
    for (int32_t i = 0; i < carried_count; ++i) {
      const bool grew = carried[static_cast<size_t>(i)].widen(node, node.subgraph_output(body, first_result + i));
      widened = widened || grew;
    }
  }
  return {};
}

// The type of a carried value when all iterations are over.
inline Result<void> set_last(Inference& node, int32_t output, const Carried& carried, TypeView result) {
  // An optional that goes in may come out as what it holds.
  Carried last = result.c.kind == carried.type.kind ? carried : Carried(result);
  for (size_t axis = 0; axis < last.dims.size(); ++axis)
    if (last.changes[axis]) last.dims[axis] = node.fresh_symbol("final");
  return node.set_output(output, last.view());
}

}  // namespace heed::ops
