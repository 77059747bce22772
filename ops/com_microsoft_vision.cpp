// Of com.microsoft what vision models hold beside quantised tensors: NhwcMaxPool, MaxPool of channels that come last;
// FusedConv, activation(Conv(X, W, B) + Z); GroupNorm, (x - mean) / sqrt(variance + epsilon) * gamma + beta over groups of
// channels, and on request x * sigmoid(x) of that. Rewrites lower them.
#include "conv.hpp"
#include "lowering.hpp"
#include "shapes.hpp"
#include "windows.hpp"

namespace heed::ops {
namespace {

constexpr std::string_view microsoft = "com.microsoft";

// ---- NhwcMaxPool
// -------------------------------------------------------------------------------------------------------------------

Result<void> infer_max_pool(Inference& node) {
  const auto x = node.input(0);
  if (!x.has_rank()) return node.set_output(0, x.element());
  if (x.rank() < 3)
    return Error{Code::shape_mismatch, "data " + text_of(x.dims()) + "; expected [batch, spatial..., channel]"};
  const auto kernel = node.integers("kernel_shape");
  HEED_ASSIGN(const auto counts, window_counts(node, x.dims().subspan(1, static_cast<size_t>(x.rank() - 2)),
                                               Dims(kernel->begin(), kernel->end())));
  Dims dims{x.dim(0)};
  dims.insert(dims.end(), counts.begin(), counts.end());
  dims.push_back(x.dim(-1));
  return node.set_output(0, x.element(), dims);
}

bool lower_max_pool(Match& match) {
  const auto x = match.type("x");
  if (!x || !x->has_rank()) return false;
  const auto attributes =
      carried(match, match.node("y"), {"auto_pad", "ceil_mode", "dilations", "kernel_shape", "pads", "strides"});
  match.replace_by("y = " + channels_last(match, x->rank(), "MaxPool" + attributes + "(" +
                                                                channels_second(match, x->rank(), "x") + ")"));
  return true;
}

// ---- FusedConv
// ---------------------------------------------------------------------------------------------------------------------

// ONNX Runtime's names of activations, as text behind the sum s; activation_params are its @first and @second.
struct Activation {
  std::string_view name, text;
  size_t parameter_count;
};
constexpr Activation activations[] = {
    {"", "y = Identity(s)", 0},
    {"Relu", "y = Relu(s)", 0},
    {"Sigmoid", "y = Sigmoid(s)", 0},
    {"Tanh", "y = Tanh(s)", 0},
    {"LeakyRelu", "y = LeakyRelu<alpha = @first>(s)", 1},
    {"Clip", "y = Clip(s, Cast<to = @element>(Constant<value_float = @first>()), "
             "Cast<to = @element>(Constant<value_float = @second>()))", 2},
    {"HardSigmoid", "y = HardSigmoid<alpha = @first, beta = @second>(s)", 2},
};

Result<const Activation*> activation_of(const NodeView& node) {
  const auto name = node.text("activation");
  const auto* found = std::find_if(std::begin(activations), std::end(activations),
                                   [&](const Activation& activation) { return activation.name == name; });
  if (found == std::end(activations))
    return Error{Code::unsupported, "attribute 'activation' is '" + std::string(name) +
                                        "', which is none of those that are known here"};
  const auto given = node.numbers("activation_params");
  const size_t count = given ? given->size() : 0;
  if (count != found->parameter_count)
    return Error{Code::invalid_model, "attribute 'activation_params' has " + std::to_string(count) + " numbers; " +
                                          std::string(name) + " takes " + std::to_string(found->parameter_count)};
  return found;
}

Result<void> infer_fused_conv(Inference& node) {
  HEED_TRY(activation_of(node));
  HEED_TRY(infer_convolution(node, {conv_x, conv_w, conv_bias}, node.input(conv_x).element()));
  return {};
}

bool lower_fused_conv(Match& match) {
  const auto node = match.node("y");
  const auto activation = activation_of(node);
  if (!activation) return false;
  if (const auto parameters = node.numbers("activation_params")) {
    const char* const names[] = {"first", "second"};
    for (size_t i = 0; i < parameters->size(); ++i) match.set(names[i], (*parameters)[i]);
  }
  match.set("element", int64_t{match.type("x")->c.element});
  // Which sizes are equal may be known to the run alone; the sum has the shape of the convolution.
  const auto z = match.type("z"), y = match.type("y");
  const bool is_as_large = z && std::equal(z->dims().begin(), z->dims().end(), y->dims().begin(), y->dims().end());
  const std::string text =
      "p = Conv" + carried(match, node, {"auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"}) +
      "(x, w, " + (match.type("b") ? "b" : "\"\"") + "); s = " + (is_as_large ? "Add(p, z); " : z ? "Reshape(Add(p, z), Shape(p)); " : "Identity(p); ");
  match.replace_by(text + std::string((*activation)->text));
  return true;
}

// ---- GroupNorm
// ---------------------------------------------------------------------------------------------------------------------

Result<void> infer_group_norm(Inference& node) {
  const auto x = node.input(0);
  for (const int32_t parameter : {1, 2}) HEED_TRY(node.require_rank(parameter, 1));
  const int64_t groups = node.integer("groups"), activation = node.integer("activation");
  if (groups < 1) return Error{Code::invalid_model, "attribute 'groups' is " + std::to_string(groups)};
  if (activation != 0 && activation != 1)
    return Error{Code::invalid_model, "attribute 'activation' is " + std::to_string(activation) + "; expected 0 or 1"};
  if (x.has_rank()) {
    if (x.rank() < 3)
      return Error{Code::shape_mismatch, "data " + text_of(x.dims()) + "; expected a batch, channels and spatial axes"};
    const Dim channels = x.dim(node.integer("channels_last", 1) != 0 ? -1 : 1);
    HEED_TRY(node.require_equal(modulo(channels, groups), 0, "channels modulo groups"));
    for (const int32_t parameter : {1, 2})
      if (node.input(parameter).has_rank())
        HEED_TRY(node.require_equal(node.input(parameter).dim(0), channels,
                                    "input " + std::to_string(parameter) + " and channels"));
  }
  return like_input(node);
}

// In f32, over [batch, pixel, group, channel] or [batch, group, channel, pixel].
bool lower_group_norm(Match& match) {
  const auto node = match.node("y");
  const auto x = match.type("x");
  if (!x || !x->has_rank()) return false;
  const bool is_last = node.integer("channels_last", 1) != 0, is_active = node.integer("activation") != 0;
  const int64_t groups = node.integer("groups");
  match.set("groups", std::vector<int64_t>{groups});
  match.set("axes", is_last ? std::vector<int64_t>{1, 3} : std::vector<int64_t>{2, 3});
  match.set("each", is_last ? std::vector<int64_t>{groups, -1} : std::vector<int64_t>{groups, -1, 1});
  match.set("before", is_last ? std::vector<int64_t>{0, -1, groups} : std::vector<int64_t>{0, groups});
  match.set("epsilon", node.number("epsilon"));
  match.set("element", int64_t{x->c.element});
  const std::string size =
      "Div(Shape<" + std::string(is_last ? "start = -1" : "start = 1, end = 2") + ">(x), Constant<value_ints = @groups>())";
  match.replace_by(
      "parts = Reshape(Cast<to = 1>(x), Concat<axis = 0>(Constant<value_ints = @before>(), " + size +
      (is_last ? "" : ", Constant<value_ints = [-1]>()") +
      ")); axes = Constant<value_ints = @axes>();"
      "centred = Sub(parts, ReduceMean<keepdims = 1>(parts, axes));"
      "variance = ReduceMean<keepdims = 1>(Mul(centred, centred), axes);"
      "normal = Div(centred, Sqrt(Add(variance, Constant<value_float = @epsilon>()))); each = Constant<value_ints = @each>();"
      "scaled = Add(Mul(normal, Reshape(Cast<to = 1>(gamma), each)), Reshape(Cast<to = 1>(beta), each));"
      "y = Cast<to = @element>(Reshape(" +
      std::string(is_active ? "Swish<alpha = 1.0>(scaled)" : "scaled") + ", Shape(x)))");
  return true;
}

}  // namespace

extern const Operator nhwc_max_pool{
    .domain = microsoft,
    .op_type = "NhwcMaxPool",
    .inputs = {{"x", "T"}},
    .outputs = {{"y", "T"}},
    .types = {{"T", {DataType::i8, DataType::u8}}},
    .attributes = {attribute("auto_pad", "NOTSET"), attribute("ceil_mode", 0), optional("dilations", HEED_ATTRIBUTE_INTS),
                   required("kernel_shape", HEED_ATTRIBUTE_INTS), optional("pads", HEED_ATTRIBUTE_INTS),
                   optional("strides", HEED_ATTRIBUTE_INTS)},
    .infer = infer_max_pool};

extern const Operator com_microsoft_fused_conv{
    .domain = microsoft,
    .op_type = "FusedConv",
    .inputs = {{"X", "T"}, {"W", "T"}, {"B", "T", HEED_OPTIONAL_PARAMETER}, {"Z", "T", HEED_OPTIONAL_PARAMETER}},
    .outputs = {{"Y", "T"}},
    .types = {{"T", any_float}},
    .attributes = {attribute("activation", ""), optional("activation_params", HEED_ATTRIBUTE_FLOATS),
                   attribute("auto_pad", "NOTSET"), optional("dilations", HEED_ATTRIBUTE_INTS), attribute("group", 1),
                   optional("kernel_shape", HEED_ATTRIBUTE_INTS), optional("pads", HEED_ATTRIBUTE_INTS),
                   optional("strides", HEED_ATTRIBUTE_INTS)},
    .infer = infer_fused_conv};

extern const Operator group_norm{
    .domain = microsoft,
    .op_type = "GroupNorm",
    .inputs = {{"X", "T"}, {"gamma", "M"}, {"beta", "M"}},
    .outputs = {{"Y", "T"}},
    .types = {{"T", {DataType::f32, DataType::f16}}, {"M", {DataType::f32, DataType::f16}}},
    .attributes = {required("activation", HEED_ATTRIBUTE_INT), attribute("channels_last", 1), attribute("epsilon", 1e-5f),
                   required("groups", HEED_ATTRIBUTE_INT)},
    .infer = infer_group_norm};

extern const Rewrite nhwc_max_pool_lowered{.name = "nhwc_max_pool",
                                           .patterns = {"y = com.microsoft.NhwcMaxPool(x)"},
                                           .replacement = "",
                                           .accept = lower_max_pool};
extern const Rewrite fused_conv_lowered{.name = "fused_conv",
                                        .patterns = {"y = com.microsoft.FusedConv(x, w, b, z)"},
                                        .replacement = "",
                                        .accept = lower_fused_conv};
extern const Rewrite group_norm_lowered{.name = "group_norm",
                                        .patterns = {"y = com.microsoft.GroupNorm(x, gamma, beta)"},
                                        .replacement = "",
                                        .accept = lower_group_norm};

}  // namespace heed::ops
