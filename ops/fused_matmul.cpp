// heed.FusedMatMul: y = activation(scale * a b + bias) + residual, or, where it is gated, times the residual; a b is
// MatMul's, the bias [column], the residual as large as y. What stands behind a product of weights in a model is taken into it by rewrites/matmul_epilogue.cpp.
#include "matmul.hpp"
#include "shapes.hpp"

namespace heed::ops {
namespace {

Result<void> infer(Inference& node) {
  const auto activation = node.text("activation", "none");
  if (std::find(std::begin(activations), std::end(activations), activation) == std::end(activations))
    return Error{Code::invalid_model, "attribute 'activation' is '" + std::string(activation) + "', which is none"};
  const int64_t gated = node.integer("gated");
  if (gated != 0 && (gated != 1 || !node.has_input(residual_input)))
    return Error{Code::invalid_model, "attribute 'gated' is " + std::to_string(gated) +
                                          (gated == 1 ? ", and there is no residual to be the factor" : "; expected 0 or 1")};
  HEED_ASSIGN(const auto dims, infer_product(node));
  const auto b = node.input(b_input), residual = node.input(residual_input);
  if (node.has_input(bias_input)) {
    HEED_TRY(node.require_rank(bias_input, 1));
    const auto bias = node.input(bias_input);
    if (b.has_rank() && b.rank() == 1)
      return Error{Code::shape_mismatch, "a bias of columns, and b is a vector, which has none"};
    if (b.has_rank() && bias.has_rank()) HEED_TRY(node.require_equal(bias.dim(0), b.dim(-1), "bias and columns of b"));
  }
  if (dims && node.has_input(residual_input) && residual.has_rank()) {
    HEED_TRY(node.require_rank(residual_input, static_cast<int32_t>(dims->size())));
    for (size_t axis = 0; axis < dims->size(); ++axis)
      HEED_TRY(node.require_equal(residual.dims()[axis], (*dims)[axis],
                                  "axis " + std::to_string(axis) + " of the residual and the product"));
  }
  return {};
}

}  // namespace

extern const Operator fused_matmul{
    .domain = "heed", .op_type = "FusedMatMul",
    .inputs = {{"a", "T"}, {"b", "T"}, {"bias", "T", HEED_OPTIONAL_PARAMETER}, {"residual", "T", HEED_OPTIONAL_PARAMETER}},
    .outputs = {{"y", "T"}},
    .types = {{"T", any_float}},
    .attributes = {attribute("scale", 1.0f), attribute("activation", "none"), attribute("gated", 0)},
    .infer = infer, .plan = plan_matmul, .bind = bind_matmul};

}  // namespace heed::ops
