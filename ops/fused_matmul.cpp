// heed.FusedMatMul: y = activation(scale * a b + bias) + residual, or, where it is gated, times the residual; a b is
// MatMul's, the bias
// [column], the residual as large as y; and what it shares with the other products that finish their sums. What stands behind a
// product of weights in a model is taken into it by rewrites/matmul_epilogue.cpp.
#include "launch.hpp"
#include "matmul.hpp"
#include "shapes.hpp"

namespace heed::ops {
namespace {

// shaders/epilogue.glsl knows them by their places.
constexpr std::string_view activations[] = {"none", "relu", "sigmoid", "tanh", "silu", "gelu", "gelu_tanh"};

Result<void> infer(Inference& node) {
  HEED_ASSIGN(const auto dims, infer_product(node));
  const auto b = node.input(b_input);
  if (node.has_input(bias_input)) {
    HEED_TRY(node.require_rank(bias_input, 1));
    const auto bias = node.input(bias_input);
    if (b.has_rank() && b.rank() == 1)
      return Error{Code::shape_mismatch, "a bias of columns, and b is a vector, which has none"};
    if (b.has_rank() && bias.has_rank()) HEED_TRY(node.require_equal(bias.dim(0), b.dim(-1), "bias and columns of b"));
  }
  return check_epilogue(node, residual_input, dims);
}

}  // namespace

Operator finishing(Operator product, std::string_view op_type) {
  product.domain = "heed";
  product.op_type = op_type;
  product.inputs.push_back({"residual", product.outputs[0].type, HEED_OPTIONAL_PARAMETER});
  for (const auto& rule : {attribute("scale", 1.0f), attribute("activation", "none"), attribute("gated", 0)})
    product.attributes.push_back(rule);
  return product;
}

Result<void> check_epilogue(Inference& node, int32_t residual_input, const std::optional<Dims>& y) {
  const auto activation = node.text("activation", "none");
  if (std::find(std::begin(activations), std::end(activations), activation) == std::end(activations))
    return Error{Code::invalid_model, "attribute 'activation' is '" + std::string(activation) + "', which is none"};
  const int64_t gated = node.integer("gated");
  if (gated != 0 && (gated != 1 || !node.has_input(residual_input)))
    return Error{Code::invalid_model, "attribute 'gated' is " + std::to_string(gated) +
                                          (gated == 1 ? ", and there is no residual to be the factor" : "; expected 0 or 1")};
  if (!y || !node.has_input(residual_input) || !node.input(residual_input).has_rank()) return {};
  HEED_TRY(node.require_rank(residual_input, static_cast<int32_t>(y->size())));
  for (size_t axis = 0; axis < y->size(); ++axis)
    HEED_TRY(node.require_equal(node.input(residual_input).dims()[axis], (*y)[axis],
                                "axis " + std::to_string(axis) + " of the residual and the product"));
  return {};
}

Epilogue epilogue_of(const Binding& node, int32_t residual_input) {
  const auto activation =
      std::find(std::begin(activations), std::end(activations), node.text("activation", "none")) - std::begin(activations);
  Epilogue epilogue{.scale = node.number("scale", 1), .activation = static_cast<uint32_t>(activation)};
  if (node.has_input(residual_input)) {
    epilogue.residual_kind = 1 + static_cast<uint32_t>(node.integer("gated"));
    epilogue.residual_offset = offset_of(node.input(residual_input));
  }
  return epilogue;
}

extern const Operator fused_matmul =
    finishing({.op_type = "MatMul",
               .inputs = {{"a", "T"}, {"b", "T"}, {"bias", "T", HEED_OPTIONAL_PARAMETER}},
               .outputs = {{"y", "T"}},
               .types = {{"T", any_float}},
               .infer = infer, .plan = plan_matmul, .bind = bind_matmul},
              "FusedMatMul");

}  // namespace heed::ops
