// Loop: runs its body up to M times, while its condition holds. Carried values go from one iteration to the next; scan
// outputs are stacked along a new first axis. The contract and its control kernel: no data is touched here.
#include "shapes.hpp"

namespace heed::ops {
namespace {

constexpr int32_t first_carried =
    2;  // inputs of the node and of its body: M or the iteration, the condition, the carried

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

Result<void> infer(Inference& node) {
  const int32_t body = node.subgraph("body");
  const int32_t carried_count = std::max(0, node.input_count() - first_carried);
  std::vector<Carried> carried;
  for (int32_t i = 0; i < carried_count; ++i) carried.emplace_back(node.input(first_carried + i));

  const TypeView iteration{{HEED_TENSOR, static_cast<int32_t>(DataType::i64), 0, 0, nullptr}};
  const TypeView condition{{HEED_TENSOR, static_cast<int32_t>(DataType::boolean), 0, 0, nullptr}};
  // Each round opens at least one more axis or rank, or is the last.
  for (bool widened = true; widened;) {
    std::vector<TypeView> types{iteration, condition};
    for (const auto& value : carried) types.push_back(value.view());
    HEED_TRY(node.infer_subgraph(body, types));
    if (node.subgraph_output_count(body) < 1 + carried_count ||
        node.subgraph_output_count(body) - 1 < node.output_count())
      return Error{Code::invalid_model, "the body gives " + std::to_string(node.subgraph_output_count(body)) +
                                            " values for a condition, " + std::to_string(carried_count) +
                                            " carried values and " +
                                            std::to_string(node.output_count() - carried_count) + " scan outputs"};
    widened = false;
    for (int32_t i = 0; i < carried_count; ++i) {
      const bool grew = carried[i].widen(node, node.subgraph_output(body, 1 + i));
      widened = widened || grew;
    }
  }

  for (int32_t i = 0; i < node.output_count(); ++i) {
    if (!node.has_output(i)) continue;
    if (i < carried_count) {
      const auto result = node.subgraph_output(body, 1 + i);
      // An optional that goes in may come out as what it holds.
      Carried last = result.c.kind == carried[i].type.kind ? carried[i] : Carried(result);
      for (size_t axis = 0; axis < last.dims.size(); ++axis)
        if (last.changes[axis]) last.dims[axis] = node.fresh_symbol("final");
      HEED_TRY(node.set_output(i, last.view()));
      continue;
    }
    const auto each = node.subgraph_output(body, 1 + i);
    if (!each.has_rank()) {
      HEED_TRY(node.set_output(i, each.element()));
      continue;
    }
    const auto trips = node.has_input(0) ? node.elements(0) : std::nullopt;
    const bool bounded = trips && trips->size() == 1 && (*trips)[0].lower_bound() >= 0;
    Dims dims{bounded ? node.fresh_symbol("iterations", (*trips)[0]) : node.fresh_symbol("iterations")};
    // A size that an iteration changes must be the same in all of them: one that only a run knows.
    for (const auto dim : each.dims()) dims.push_back(dim.is_number() ? dim : node.fresh_symbol("scanned"));
    HEED_TRY(node.set_output(i, each.element(), dims));
  }
  return {};
}

Result<void> run(Controlling& node) {
  const int32_t body = node.subgraph("body");
  const int32_t result_count = host->subgraph_output_count(node.c(), body);
  int64_t trips = INT64_MAX, condition = 1;
  if (const auto limit = node.input(0)) {
    HEED_ASSIGN(trips, node.read_integer(limit));
  }
  if (const auto given = node.input(1)) {
    HEED_ASSIGN(condition, node.read_integer(given));
  }
  std::vector<ValueRef> carried;
  for (int32_t i = first_carried; i < node.input_count(); ++i) carried.push_back(node.input(i));
  const size_t carried_count = carried.size();
  std::vector<std::vector<ValueRef>> scans(static_cast<size_t>(result_count) - 1 - carried_count);

  for (int64_t iteration = 0; iteration < trips && condition; ++iteration) {
    std::vector<ValueRef> arguments{node.scalar(DataType::i64, iteration), node.scalar(DataType::boolean, condition)};
    for (size_t i = 0; i < carried_count; ++i) {
      // What came out of an optional goes in again as one.
      const auto kind = node.NodeView::input(first_carried + static_cast<int32_t>(i)).c.kind;
      const bool wrap = kind == HEED_OPTIONAL && carried[i].kind() != HEED_OPTIONAL;
      arguments.push_back(wrap ? node.new_optional(carried[i]) : std::move(carried[i]));
    }
    HEED_ASSIGN(auto results, node.call(body, arguments, result_count));
    for (size_t i = 0; i < carried_count; ++i) carried[i] = std::move(results[1 + i]);
    for (size_t i = 0; i < scans.size(); ++i) scans[i].push_back(std::move(results[1 + carried_count + i]));
    HEED_ASSIGN(condition, node.read_integer(results[0]));
  }

  for (int32_t i = 0; i < node.output_count(); ++i) {
    if (!node.has_output(i)) continue;
    const auto index = static_cast<size_t>(i);
    auto value = index < carried_count ? std::move(carried[index]) : node.stack(0, scans[index - carried_count], i);
    HEED_TRY(node.set_output(i, std::move(value)));
  }
  return {};
}

constexpr uint32_t any_kind = 1u << HEED_TENSOR | 1u << HEED_SEQUENCE | 1u << HEED_OPTIONAL;

}  // namespace

extern const Operator loop{
    .op_type = "Loop",
    .versions = {25, 24, 23, 21, 19, 16, 13, 11, 1},
    .flags = HEED_CONTROL,
    .inputs = {{"M", "I", HEED_OPTIONAL_PARAMETER},
               {"cond", "B", HEED_OPTIONAL_PARAMETER},
               {"v_initial", "V", HEED_VARIADIC | HEED_HETEROGENEOUS | HEED_OPTIONAL_PARAMETER}},
    .outputs = {{"v_final_and_scan_outputs", "W", HEED_VARIADIC | HEED_HETEROGENEOUS}},
    .types = {{"I", {DataType::i64}}, {"B", {DataType::boolean}}, {"V", any_type, any_kind}, {"W", any_type, any_kind}},
    .attributes = {required("body", HEED_ATTRIBUTE_GRAPH)},
    .infer = infer};

extern const ControlKernel loop_control{.op_type = "Loop", .run = run};

}  // namespace heed::ops
