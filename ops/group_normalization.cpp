// InstanceNormalization-6 and GroupNormalization-18: LayerNormalization of each channel, or of each group of channels,
// with a scale and a bias for each channel (before opset 21 for each group).
#include "shapes.hpp"

namespace heed::ops {

extern const Operator instance_normalization{
    .op_type = "InstanceNormalization",
    .versions = {22, 6, 1},
    .inputs = {{"input", "T"}, {"scale", "T"}, {"B", "T"}},
    .outputs = {{"output", "T"}},
    .types = {{"T", any_float}},
    .attributes = {optional("consumed_inputs", HEED_ATTRIBUTE_INTS), attribute("epsilon", 1e-5f)},
    .body =
        "one = Constant<value_int = 1>();"
        "spatial = Range(one, Sub(Size(Shape(input)), one), one);"
        "output = LayerNormalization<axis = 2, epsilon = @epsilon>(input, Unsqueeze(scale, spatial), "
        "Unsqueeze(B, spatial))"};

// [batch, group, channel of the group, spatial]
extern const Operator group_normalization{
    .op_type = "GroupNormalization",
    .versions = {21, 18},
    .inputs = {{"X", "T"}, {"scale", "T"}, {"bias", "T"}},
    .outputs = {{"Y", "T"}},
    .types = {{"T", any_float}},
    .attributes = {attribute("epsilon", 1e-5f), required("num_groups", HEED_ATTRIBUTE_INT), attribute("stash_type", 1)},
    .body =
        "one = Constant<value_ints = [1]>(); rest = Constant<value_ints = [-1]>();"
        "groups = Reshape(Constant<value_int = @num_groups>(), one);"
        "sizes = Shape(X); in_group = Div(Shape<start = 1, end = 2>(X), groups);"
        "groups_apart = Concat<axis = 0>(Shape<end = 1>(X), groups, in_group, rest);"
        "of_group = Concat<axis = 0>(groups, rest, one);"
        "normal = LayerNormalization<axis = 2, epsilon = @epsilon, stash_type = @stash_type>("
        "Reshape(X, groups_apart), Reshape(scale, of_group), Reshape(bias, of_group));"
        "Y = Reshape(normal, sizes)"};

}  // namespace heed::ops
