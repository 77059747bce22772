// CausalConvWithState-27, ONNX's and com.microsoft's: a convolution of each channel along the sequence, over what went before:
// y[t] = activation(sum over i of weight[i] * padded[t + i] + bias), padded being past_state (or zeros) and the input behind
// it; present_state is the end of it, as long as past_state.
#include "rows.hpp"
#include "shapes.hpp"

namespace heed::ops {
namespace {

enum { x_input, weight_input, bias_input, past_input };

Result<void> infer(Inference& node) {
  const auto activation = node.text("activation", "none");
  if (activation != "none" && activation != "silu" && activation != "swish")
    return Error{Code::invalid_model,
                 "attribute 'activation' is '" + std::string(activation) + "'; expected none, silu or swish"};
  if (node.integer("ndim", 1) != 1)
    return Error{Code::unsupported, "attribute 'ndim' is " + std::to_string(node.integer("ndim", 1)) + "; expected 1"};
  HEED_TRY(node.require_rank(x_input, 3));
  HEED_TRY(node.require_rank(weight_input, 3));
  if (node.has_input(bias_input)) HEED_TRY(node.require_rank(bias_input, 1));
  if (node.has_input(past_input)) HEED_TRY(node.require_rank(past_input, 3));
  const auto x = node.input(x_input), weight = node.input(weight_input);
  if (!x.has_rank() || !weight.has_rank()) {
    if (node.has_output(1)) HEED_TRY(node.set_output(1, x.element()));
    return node.set_output(0, x.element());
  }
  HEED_TRY(node.require_equal(weight.dim(0), x.dim(1), "channels of weight and input"));
  HEED_TRY(node.require_equal(weight.dim(1), 1, "axis 1 of weight and 1"));
  if (node.has_input(bias_input) && node.input(bias_input).has_rank())
    HEED_TRY(node.require_equal(node.input(bias_input).dim(0), x.dim(1), "channels of bias and input"));
  const Dims state = {x.dim(0), x.dim(1), weight.dim(2) - 1};
  if (node.has_input(past_input) && node.input(past_input).has_rank())
    for (int32_t axis = 0; axis < 3; ++axis)
      HEED_TRY(node.require_equal(node.input(past_input).dim(axis), state[static_cast<size_t>(axis)],
                                  "axis " + std::to_string(axis) + " of past_state"));
  if (node.has_output(1)) HEED_TRY(node.set_output(1, x.element(), state));
  return node.set_output(0, x.element(), x.dims());
}

// Mirrors shaders/causal_conv_with_state.comp.
struct Parameters {
  uint32_t row_count, channels, length, kernel;
  uint32_t has_bias, has_past, has_activation;
  int32_t x_offset, weight_offset, bias_offset, past_offset, y_offset, present_offset;
};
constexpr int64_t workgroup_size = 128;

Result<GpuPlan> plan(Planning& node) {
  HEED_ASSIGN(const Shader shader, shader_for(node, shaders::causal_conv_with_state));
  if (!node.has_output(1)) return decline("present_state is not asked for");
  const auto read_or_x = [&](int32_t input) { return read(node.has_input(input) ? input : x_input); };
  return GpuPlan{.variants = {{.name = "an element a thread", .shader = shader}},
                 .bindings = {read(x_input), read(weight_input), read_or_x(bias_input), read_or_x(past_input), write(0),
                              write(1)}};
}

Result<Launch> bind(const Binding& node) {
  const auto x = node.input(x_input), weight = node.input(weight_input);
  const auto offset = [&](int32_t input) { return node.has_input(input) ? offset_of(node.input(input)) : 0; };
  for (const int32_t input : {x_input, weight_input, bias_input, past_input})
    if (node.has_input(input)) HEED_TRY(check_addressable(node.input(input), "input " + std::to_string(input)));
  const Parameters p{.row_count = static_cast<uint32_t>(x.dim(0) * x.dim(1)),
                     .channels = static_cast<uint32_t>(x.dim(1)),
                     .length = static_cast<uint32_t>(x.dim(2)),
                     .kernel = static_cast<uint32_t>(weight.dim(2)),
                     .has_bias = node.has_input(bias_input),
                     .has_past = node.has_input(past_input) && weight.dim(2) > 1,
                     .has_activation = node.text("activation", "none") != "none",
                     .x_offset = offset(x_input),
                     .weight_offset = offset(weight_input),
                     .bias_offset = offset(bias_input),
                     .past_offset = offset(past_input),
                     .y_offset = offset_of(node.output(0)),
                     .present_offset = offset_of(node.output(1))};
  const int64_t count = int64_t{p.row_count} * (p.length + p.kernel - 1);
  if (count == 0 || count > most_addressed) {
    if (count == 0) return Launch{};
    return Error{Code::unsupported, "the output and the state have more than 2^31 elements, more than a GPU kernel addresses"};
  }
  return Launch{.dispatches = {{0, bytes_of(p), {workgroups_for(count, workgroup_size), 1, 1}}}};
}

Operator causal_conv(std::string_view domain, int32_t version) {
  std::vector<AttributeRule> attributes = {attribute("activation", "none")};
  if (!domain.empty()) attributes.push_back(attribute("ndim", 1));
  return {.domain = domain,
          .op_type = "CausalConvWithState",
          .versions = {version},
          .inputs = {{"input", "T"},
                     {"weight", "T"},
                     {"bias", "T", HEED_OPTIONAL_PARAMETER},
                     {"past_state", "T", HEED_OPTIONAL_PARAMETER}},
          .outputs = {{"output", "T"}, {.name = "present_state", .type = "T", .flags = HEED_OPTIONAL_PARAMETER, .state_of = past_input}},
          .types = {{"T", any_float}},
          .attributes = std::move(attributes),
          .infer = infer,
          .plan = plan,
          .bind = bind};
}

}  // namespace

extern const Operator causal_conv_with_state = causal_conv("", 27);
extern const Operator com_microsoft_causal_conv_with_state = causal_conv("com.microsoft", 1);

}  // namespace heed::ops
