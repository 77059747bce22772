// Loop: runs its body up to M times, while its condition holds. Carried values go from one iteration to the next; scan
// outputs are stacked along a new first axis. The contract and its control kernel: no data is touched here.
#include "carried.hpp"

namespace heed::ops {
namespace {

constexpr int32_t first_carried =
    2;  // inputs of the node and of its body: M or the iteration, the condition, the carried

Result<void> infer(Inference& node) {
  const int32_t body = node.subgraph("body");
  const int32_t carried_count = std::max(0, node.input_count() - first_carried);
  std::vector<Carried> carried;
  for (int32_t i = 0; i < carried_count; ++i) carried.emplace_back(node.input(first_carried + i));

  const TypeView iteration{{HEED_TENSOR, static_cast<int32_t>(DataType::i64), 0, 0, nullptr}};
  const TypeView condition{{HEED_TENSOR, static_cast<int32_t>(DataType::boolean), 0, 0, nullptr}};
  HEED_TRY(infer_carried(node, body, carried, std::array{iteration, condition}, {}, 1));

  for (int32_t i = 0; i < node.output_count(); ++i) {
    if (!node.has_output(i)) continue;
    if (i < carried_count) {
      HEED_TRY(set_last(node, i, carried[static_cast<size_t>(i)], node.subgraph_output(body, 1 + i)));
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
    if (!arguments[0] || !arguments[1]) return Error{Code::out_of_memory, "no memory for another iteration"};
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
