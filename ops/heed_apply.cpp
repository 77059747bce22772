// heed.Apply: runs its body once, on one value, which keeps its type and shape.
#include "shapes.hpp"

namespace heed::ops {
namespace {

Result<void> infer(Inference& node) {
  const int32_t body = node.subgraph("body");
  HEED_TRY(node.infer_subgraph(body, std::array{node.input(0)}));
  if (node.subgraph_output_count(body) != 1)
    return Error{Code::invalid_model,
                 "the body gives " + std::to_string(node.subgraph_output_count(body)) + " values; expected one"};
  const auto x = node.input(0), y = node.subgraph_output(body, 0);
  if (y.has_element() && y.element() != x.element())
    return Error{Code::invalid_model, "the body gives " + std::string(name_of(y.element())) + " for " +
                                          std::string(name_of(x.element()))};
  if (y.has_rank() && x.has_rank()) {
    if (y.rank() != x.rank())
      return Error{Code::shape_mismatch, "the body gives " + text_of(y.dims()) + " for " + text_of(x.dims())};
    for (int32_t axis = 0; axis < x.rank(); ++axis)
      HEED_TRY(node.require_equal(x.dim(axis), y.dim(axis), "axis " + std::to_string(axis) + " of what the body gives"));
  }
  return like_input(node);
}

Result<void> run(Controlling& node) {
  HEED_ASSIGN(auto results, node.call(node.subgraph("body"), std::array{node.input(0)}, 1));
  return node.set_output(0, std::move(results[0]));
}

}  // namespace

extern const Operator heed_apply{.domain = "heed",
                                 .op_type = "Apply",
                                 .flags = HEED_CONTROL,
                                 .inputs = {{"x", "T"}},
                                 .outputs = {{"y", "T"}},
                                 .types = {{"T", any_type}},
                                 .attributes = {required("body", HEED_ATTRIBUTE_GRAPH)},
                                 .infer = infer};

extern const ControlKernel heed_apply_control{.domain = "heed", .op_type = "Apply", .run = run};

}  // namespace heed::ops
