// If: runs one of two subgraphs. The contract and its control kernel: no data is touched here.
#include "shapes.hpp"

namespace heed::ops {
namespace {

// What both branches agree on: sizes that differ become fresh symbols.
Result<void> set_met(Inference& node, int32_t output, TypeView a, TypeView b) {
  if (a.c.kind != b.c.kind || (a.has_element() && b.has_element() && a.c.element != b.c.element))
    return Error{Code::invalid_model, "the branches give output " + std::to_string(output) + " different types"};
  Dims dims;
  auto type = a;
  type.c.element = a.has_element() ? a.c.element : b.c.element;
  if (a.has_rank() && b.has_rank() && a.rank() == b.rank()) {
    bool same = true;
    for (int32_t axis = 0; axis < a.rank(); ++axis) {
      const bool equal = a.dim(axis) == b.dim(axis);
      same = same && equal;
      dims.push_back(equal ? a.dim(axis) : node.fresh_symbol("branch"));
    }
    if (!same && !a.is_tensor()) type.c.rank = -1;
    type.c.dims = reinterpret_cast<const heed_dim*>(dims.data());
  } else {
    type.c.rank = -1;
    type.c.dims = nullptr;
  }
  return node.set_output(output, type);
}

// The node gives what the branch gives, whatever the other one is.
Result<void> set_outputs_of(Inference& node, int32_t branch) {
  for (int32_t i = 0; i < node.output_count(); ++i)
    if (node.has_output(i)) HEED_TRY(node.set_output(i, node.subgraph_output(branch, i)));
  return {};
}

Result<void> infer(Inference& node) {
  const int32_t then_branch = node.subgraph("then_branch"), else_branch = node.subgraph("else_branch");
  const int32_t then_count = node.subgraph_output_count(then_branch), else_count = node.subgraph_output_count(else_branch);
  const auto check_counts = [&](bool are_right) -> Result<void> {
    if (are_right) return {};
    return Error{Code::invalid_model, "the branches give " + std::to_string(then_count) + " and " +
                                          std::to_string(else_count) + " values for " +
                                          std::to_string(node.output_count()) + " outputs"};
  };
  // A branch that was found to fit no run has no outputs left.
  HEED_TRY(check_counts(then_count == else_count || then_count == 0 || else_count == 0));
  const auto condition = node.elements(0);
  if (condition && condition->size() == 1 && (*condition)[0].is_number()) {
    const bool is_then = !(*condition)[0].is_number(0);
    const int32_t taken = is_then ? then_branch : else_branch;
    HEED_TRY(check_counts((is_then ? then_count : else_count) >= node.output_count()));
    HEED_TRY(node.becomes(taken));
    HEED_TRY(node.infer_subgraph(taken, {}));  // the other one need not fit
    return set_outputs_of(node, taken);
  }
  HEED_TRY(check_counts(std::max(then_count, else_count) >= node.output_count()));
  // One made for other sizes than the file's is never taken: silero-vad's for the other sampling rate.
  HEED_ASSIGN(const bool then_fits, node.infer_untaken_subgraph(then_branch));
  if (!then_fits) {
    HEED_TRY(node.infer_subgraph(else_branch, {}));
    return set_outputs_of(node, else_branch);
  }
  HEED_ASSIGN(const bool else_fits, node.infer_untaken_subgraph(else_branch));
  if (!else_fits) return set_outputs_of(node, then_branch);
  HEED_TRY(check_counts(then_count == else_count));
  for (int32_t i = 0; i < node.output_count(); ++i)
    if (node.has_output(i))
      HEED_TRY(set_met(node, i, node.subgraph_output(then_branch, i), node.subgraph_output(else_branch, i)));
  return {};
}

Result<void> run(Controlling& node) {
  HEED_ASSIGN(const int64_t condition, node.read_integer(node.input(0)));
  HEED_ASSIGN(auto results,
              node.call(node.subgraph(condition ? "then_branch" : "else_branch"), {}, node.output_count()));
  for (int32_t i = 0; i < node.output_count(); ++i)
    if (node.has_output(i)) HEED_TRY(node.set_output(i, std::move(results[i])));
  return {};
}

constexpr uint32_t any_kind = 1u << HEED_TENSOR | 1u << HEED_SEQUENCE | 1u << HEED_OPTIONAL;

}  // namespace

extern const Operator if_else{
    .op_type = "If",
    .versions = {25, 24, 23, 21, 19, 16, 13, 11, 1},
    .flags = HEED_CONTROL,
    .inputs = {{"cond", "B"}},
    .outputs = {{"outputs", "V", HEED_VARIADIC | HEED_HETEROGENEOUS}},
    .types = {{"B", {DataType::boolean}}, {"V", any_type, any_kind}},
    .attributes = {required("then_branch", HEED_ATTRIBUTE_GRAPH), required("else_branch", HEED_ATTRIBUTE_GRAPH)},
    .infer = infer};

extern const ControlKernel if_else_control{.op_type = "If", .run = run};

}  // namespace heed::ops
