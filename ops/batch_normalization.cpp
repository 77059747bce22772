// BatchNormalization-15: y = (x - mean) / sqrt(variance + epsilon) * scale + B for each channel, axis 1; always made of
// other operators. In training (training_mode, since opset 14) mean and variance are those of the data, and the running
// ones on request. Before opset 9 statistics of each element of an image are possible (spatial = 0).
#include "shapes.hpp"

namespace heed::ops {
namespace {

enum { x_input, scale_input, bias_input, mean_input, variance_input };

bool is_training(const NodeView& node) { return node.version() >= 14 && node.integer("training_mode") != 0; }
bool is_spatial(const NodeView& node) { return node.version() >= 9 || node.integer("spatial", 1) != 0; }

Result<void> infer(Inference& node) {
  const auto x = node.input(x_input);
  if (x.has_rank() && x.rank() < 2)
    return Error{Code::shape_mismatch, "the input " + text_of(x.dims()) + " has no channels, axis 1"};
  for (int32_t input = scale_input; input <= variance_input; ++input) {
    if (!is_spatial(node)) break;
    HEED_TRY(node.require_rank(input, 1));
    if (x.has_rank() && node.input(input).has_rank())
      HEED_TRY(node.require_equal(node.input(input).dim(0), x.dim(1),
                                  "input " + std::to_string(input) + " and the channels"));
  }
  for (int32_t output = 1; output < node.output_count(); ++output) {
    if (!node.has_output(output)) continue;
    if (!is_training(node))
      return Error{Code::unsupported,
                   "output " + std::to_string(output) + " is asked for without training_mode of opset 14 or newer"};
    const auto statistics = node.input(variance_input);
    if (x.has_rank())
      HEED_TRY(node.set_output(output, statistics.element(), x.dims().subspan(1, 1)));
    else
      HEED_TRY(node.set_output(output, statistics.element()));
  }
  return like_input(node);
}

bool lower(Match& match) {
  const auto node = match.node("y");
  const auto x = match.type("x"), variance = match.type("variance");
  if (!x || !x->has_rank() || !variance) return false;
  std::vector<int64_t> ones, not_channel{0};
  for (int64_t axis = 2; axis < x->rank(); ++axis) ones.push_back(1), not_channel.push_back(axis);
  match.set("epsilon", node.number("epsilon"));
  match.set("momentum", node.number("momentum"));
  match.set("of_x", int64_t{x->c.element});
  match.set("of_variance", int64_t{variance->c.element});
  match.set("ones", ones);
  match.set("not_channel", not_channel);

  // A list [channel] as it meets x [batch, channel, spatial...]. Its size is that of x, whatever it was said to be.
  const auto along_channels = [](const std::string& list) { return "Reshape(" + list + ", along_channels)"; };
  std::string text = !is_spatial(node) ? "along_channels = Shape<start = 1>(x);"
                     : ones.empty()    ? "along_channels = Shape<start = 1, end = 2>(x);"
                                       : "channels = Shape<start = 1, end = 2>(x);"
                                         "along_channels = Concat<axis = 0>(channels, Constant<value_ints = @ones>());";
  text += "least = Cast<to = @of_variance>(Constant<value_float = @epsilon>());";
  std::string mean = "mean", used_variance = "variance";
  if (is_training(node)) {
    mean = "own_mean", used_variance = "own_variance";
    text +=
        "axes = Constant<value_ints = @not_channel>(); wide = Cast<to = @of_variance>(x);"
        "own_mean = ReduceMean<keepdims = 0>(wide, axes); distance = Sub(wide, " +
        along_channels("own_mean") +
        ");"
        "own_variance = ReduceMean<keepdims = 0>(Mul(distance, distance), axes); list = Shape(own_mean);"
        "kept = Cast<to = @of_variance>(Constant<value_float = @momentum>());"
        "one = Cast<to = @of_variance>(Constant<value_float = 1.0>()); fresh = Sub(one, kept);";
    if (node.has_output(1)) text += "running_mean = Add(Mul(Reshape(mean, list), kept), Mul(own_mean, fresh));";
    if (node.has_output(2))
      text += "running_variance = Add(Mul(Reshape(variance, list), kept), Mul(own_variance, fresh));";
  }
  text += "factor = Div(Cast<to = @of_variance>(scale), Sqrt(Add(" + used_variance +
          ", least)));"
          "offset = Sub(Cast<to = @of_variance>(bias), Mul(" +
          mean +
          ", factor));"
          "y = Add(Mul(x, Cast<to = @of_x>(" +
          along_channels("factor") + ")), Cast<to = @of_x>(" + along_channels("offset") + "))";
  match.replace_by(text);
  return true;
}

}  // namespace

extern const Operator batch_normalization{
    .op_type = "BatchNormalization",
    .versions = {15, 14, 9, 7, 6, 1},
    .inputs = {{"X", "T"}, {"scale", "T1"}, {"B", "T1"}, {"input_mean", "T2"}, {"input_var", "T2"}},
    .outputs = {{"Y", "T"},
                {"running_mean", "T2", HEED_OPTIONAL_PARAMETER},
                {"running_var", "T2", HEED_OPTIONAL_PARAMETER},
                {"saved_mean", "T2", HEED_OPTIONAL_PARAMETER},
                {"saved_var", "T2", HEED_OPTIONAL_PARAMETER}},
    .types = {{"T", any_float}, {"T1", any_float}, {"T2", any_float}},
    .attributes = {optional("consumed_inputs", HEED_ATTRIBUTE_INTS), attribute("epsilon", 1e-5f),
                   attribute("is_test", 0), attribute("momentum", 0.9f), attribute("spatial", 1),
                   attribute("training_mode", 0)},
    .infer = infer};

extern const Rewrite batch_normalization_lowered{
    .name = "batch_normalization",
    .patterns = {"y, running_mean, running_variance = BatchNormalization(x, scale, bias, mean, variance)"},
    .replacement = "",
    .accept = lower};

}  // namespace heed::ops
