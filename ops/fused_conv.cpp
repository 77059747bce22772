// heed.FusedConv: y = activation(c + residual), or, where the residual comes last, activation(c) + residual; c is
// Conv's, the residual as large as y. alpha and beta are a clip's bounds, the slope of a leaky_relu, and the factor and
// summand of a hard_sigmoid. What stands behind a convolution in a model is taken into it by
// rewrites/conv_epilogue.cpp.
#include "conv.hpp"

namespace heed::ops {
namespace {

Result<void> infer(Inference& node) {
  HEED_ASSIGN(const auto y, infer_convolution(node, {conv_x, conv_w, conv_bias}, node.input(conv_x).element()));
  const auto activation = node.text("activation", "none");
  if (std::find(std::begin(conv_activations), std::end(conv_activations), activation) == std::end(conv_activations))
    return Error{Code::invalid_model, "attribute 'activation' is '" + std::string(activation) + "', which is none"};
  if (!y || !node.has_input(conv_residual) || !node.input(conv_residual).has_rank()) return {};
  HEED_TRY(node.require_rank(conv_residual, static_cast<int32_t>(y->size())));
  for (size_t axis = 0; axis < y->size(); ++axis)
    HEED_TRY(node.require_equal(node.input(conv_residual).dims()[axis], (*y)[axis],
                                "axis " + std::to_string(axis) + " of the residual and the output"));
  return {};
}

}  // namespace

extern const Operator fused_conv{
    .domain = "heed",
    .op_type = "FusedConv",
    .inputs = {{"X", "T"}, {"W", "T"}, {"B", "T", HEED_OPTIONAL_PARAMETER}, {"residual", "T", HEED_OPTIONAL_PARAMETER}},
    .outputs = {{"Y", "T"}},
    .types = {{"T", any_float}},
    .attributes = {attribute("auto_pad", "NOTSET"), optional("dilations", HEED_ATTRIBUTE_INTS), attribute("group", 1),
                   optional("kernel_shape", HEED_ATTRIBUTE_INTS), optional("pads", HEED_ATTRIBUTE_INTS),
                   optional("strides", HEED_ATTRIBUTE_INTS), attribute("activation", "none"), attribute("alpha", 0.0f),
                   attribute("beta", 0.0f), attribute("residual_last", 0)},
    .infer = infer,
    .plan = plan_conv,
    .bind = bind_conv,
    .prepare = prepare_conv};

}  // namespace heed::ops
