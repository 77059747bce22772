// DeformConv: a convolution whose windows read between the elements, at places that offsets move, times a mask. It is made
// of heed.DeformedWindows, what the windows read as columns of a matrix, and of products with the weights.
#include "rows.hpp"
#include "shaders.hpp"
#include "shapes.hpp"
#include "windows.hpp"

namespace heed::ops {
namespace {

enum { x_input, w_input, offset_input, bias_input, mask_input };

// Of x, offset and mask, where windows of `kernel` slide over x: the sizes that the places have.
Result<Dims> places_of(Inference& node, std::span<const Dim> kernel, int32_t offset_at, int32_t mask_at) {
  const auto x = node.input(x_input), offset = node.input(offset_at);
  const int64_t groups = node.integer("offset_group", 1);
  if (groups < 1)
    return Error{Code::invalid_model, "attribute 'offset_group' is " + std::to_string(groups)};
  HEED_ASSIGN(const auto counts, window_counts(node, x.dims().subspan(2), kernel));
  HEED_TRY(node.require_equal(modulo(x.dim(1), groups), 0, "channels modulo offset_group"));
  const Dim element_count = count_of(kernel) * groups;
  const auto check = [&](int32_t input, Dim channels, const char* name) -> Result<void> {
    if (!node.has_input(input)) return {};
    const auto type = node.input(input);
    HEED_TRY(node.require_rank(input, x.rank()));
    HEED_TRY(node.require_equal(type.dim(0), x.dim(0), std::string("batch of the data and of the ") + name));
    HEED_TRY(node.require_equal(type.dim(1), channels, std::string("channels of the ") + name));
    for (int32_t axis = 2; axis < x.rank(); ++axis)
      HEED_TRY(node.require_equal(type.dim(axis), counts[static_cast<size_t>(axis - 2)],
                                  "axis " + std::to_string(axis) + " of the " + name));
    return {};
  };
  HEED_TRY(check(offset_at, element_count * (x.rank() - 2), "offset"));
  HEED_TRY(check(mask_at, element_count, "mask"));
  return Dims(offset.dims().begin() + 2, offset.dims().end());
}

Result<void> check_ranks(const Inference& node) {
  for (int32_t input = 0; input < node.input_count(); ++input)
    if (node.has_input(input) && !node.input(input).has_rank())
      return Error{Code::unsupported, "input " + std::to_string(input) + " has a rank that only the run tells"};
  if (node.input(x_input).rank() < 3)
    return Error{Code::shape_mismatch, "data " + text_of(node.input(x_input).dims()) +
                                           "; expected [batch, channel, spatial...]"};
  return {};
}

Result<void> infer(Inference& node) {
  HEED_TRY(check_ranks(node));
  const auto x = node.input(x_input), w = node.input(w_input);
  HEED_TRY(node.require_rank(w_input, x.rank()));
  const int64_t group = node.integer("group", 1);
  if (group < 1) return Error{Code::invalid_model, "attribute 'group' is " + std::to_string(group)};
  HEED_TRY(node.require_equal(x.dim(1), w.dim(1) * group, "channels of the data and of the weights"));
  HEED_TRY(node.require_equal(modulo(w.dim(0), group), 0, "output channels modulo group"));
  if (node.has_input(bias_input)) {
    HEED_TRY(node.require_rank(bias_input, 1));
    HEED_TRY(node.require_equal(node.input(bias_input).dim(0), w.dim(0), "bias and output channels"));
  }
  const Dims kernel(w.dims().begin() + 2, w.dims().end());
  if (const auto given = node.integers("kernel_shape")) {
    if (given->size() != kernel.size())
      return Error{Code::invalid_model, "attribute 'kernel_shape' does not fit weights " + text_of(w.dims())};
    for (size_t i = 0; i < kernel.size(); ++i)
      HEED_TRY(node.require_equal(kernel[i], (*given)[i], "kernel_shape and the weights"));
  }
  HEED_ASSIGN(const auto places, places_of(node, kernel, offset_input, mask_input));
  Dims dims{x.dim(0), w.dim(0)};
  dims.insert(dims.end(), places.begin(), places.end());
  return node.set_output(0, x.element(), dims);
}

bool lower(Match& match) {
  const auto node = match.node("y");
  const auto w = match.type("w");
  std::vector<int64_t> kernel;
  for (const Dim size : w->dims().subspan(2)) {
    if (!size.is_number()) return false;
    kernel.push_back(size.number());
  }
  const auto spatial = static_cast<size_t>(w->rank() - 2);
  const auto list = [&](const char* name, size_t count, int64_t otherwise) {
    const auto given = node.integers(name);
    match.set(name, given ? std::vector<int64_t>(given->begin(), given->end()) : std::vector<int64_t>(count, otherwise));
  };
  match.set("kernel_shape", kernel);
  list("strides", spatial, 1);
  list("dilations", spatial, 1);
  list("pads", 2 * spatial, 0);
  match.set("offset_group", node.integer("offset_group", 1));
  match.set("group", std::vector<int64_t>{node.integer("group", 1)});
  match.set("ones", std::vector<int64_t>(spatial, 1));
  std::string text =
      "windows = heed.DeformedWindows<kernel_shape = @kernel_shape, strides = @strides, dilations = @dilations,"
      "    pads = @pads, offset_group = @offset_group>(x, offset, mask);"
      "group = Constant<value_ints = @group>(); rest = Constant<value_ints = [-1]>();"
      "same = Constant<value_ints = [0]>(); depth = ReduceProd(Shape<start = 1>(w));"
      "columns = Reshape(windows, Concat<axis = 0>(same, group, depth, rest));"
      "rows = Reshape(w, Concat<axis = 0>(group, rest, depth));"
      "shape = Concat<axis = 0>(Shape<end = 1>(x), Shape<end = 1>(w), Shape<start = 2>(offset));";
  text += match.type("bias") ? "product = Reshape(MatMul(rows, columns), shape);"
                               "y = Add(product, Reshape(bias, Concat<axis = 0>(rest, Constant<value_ints = @ones>())))"
                             : "y = Reshape(MatMul(rows, columns), shape)";
  match.replace_by(text);
  return true;
}

// ---- heed.DeformedWindows -------------------------------------------------------------------------------------------

enum { own_offset_input = 1, own_mask_input };

Result<void> infer_windows(Inference& node) {
  HEED_TRY(check_ranks(node));
  const auto x = node.input(x_input);
  const auto given = *node.integers("kernel_shape");
  const Dims kernel(given.begin(), given.end());
  HEED_ASSIGN(const auto places, places_of(node, kernel, own_offset_input, own_mask_input));
  Dims dims{x.dim(0), x.dim(1) * count_of(kernel)};
  dims.insert(dims.end(), places.begin(), places.end());
  return node.set_output(0, x.element(), dims);
}

// Mirrors shaders/deformed_windows.comp.
struct Parameters {
  Sliding windows;
  uint32_t count, channel_count, group_channels, axis_count, has_mask;
  int32_t offset_offset, mask_offset, y_offset;
};

Result<GpuPlan> plan(Planning& node) {
  HEED_ASSIGN(const Shader shader, shader_for(node, shaders::deformed_windows));
  HEED_TRY(check_windows(node.input(x_input)));
  node.take_strided(x_input);
  // A mask that is absent is bound to something that is there, and never read.
  return GpuPlan{.variants = {{"an element of a window a thread", shader}},
                 .bindings = {read(x_input), read(own_offset_input),
                              read(node.has_input(own_mask_input) ? int32_t{own_mask_input} : x_input), write(0)}};
}

Result<Launch> bind(const Binding& node) {
  const auto x = node.input(x_input), offset = node.input(own_offset_input), y = node.output(0);
  if (y.count() == 0) return Launch{};
  HEED_TRY(check_addressable(x, "the data"));
  HEED_TRY(check_addressable(offset, "the offsets"));
  HEED_TRY(check_addressable(y, "the output"));
  const bool has_mask = node.has_input(own_mask_input);
  const Parameters p{
      .windows = sliding_of(node, x, y, *node.integers("kernel_shape")),
      .count = static_cast<uint32_t>(y.count()),
      .channel_count = static_cast<uint32_t>(x.dim(1)),
      .group_channels = static_cast<uint32_t>(x.dim(1) / node.integer("offset_group", 1)),
      .axis_count = static_cast<uint32_t>(x.rank() - 2),
      .has_mask = has_mask,
      .offset_offset = offset_of(offset),
      .mask_offset = has_mask ? offset_of(node.input(own_mask_input)) : 0,
      .y_offset = offset_of(y)};
  return Launch{.dispatches = {{0, bytes_of(p), {workgroups_for(y.count(), 64), 1, 1}}}};
}

const std::vector<AttributeRule> window_attributes{
    optional("dilations", HEED_ATTRIBUTE_INTS), attribute("offset_group", 1), optional("pads", HEED_ATTRIBUTE_INTS),
    optional("strides", HEED_ATTRIBUTE_INTS)};

std::vector<AttributeRule> with(std::vector<AttributeRule> attributes, std::initializer_list<AttributeRule> more) {
  attributes.insert(attributes.end(), more);
  return attributes;
}

}  // namespace

extern const Operator deform_conv{
    .op_type = "DeformConv",
    .versions = {22, 19},
    .inputs = {{"X", "T"}, {"W", "T"}, {"offset", "T"}, {"B", "T", HEED_OPTIONAL_PARAMETER},
               {"mask", "T", HEED_OPTIONAL_PARAMETER}},
    .outputs = {{"Y", "T"}},
    .types = {{"T", any_float}},
    .attributes = with(window_attributes, {attribute("group", 1), optional("kernel_shape", HEED_ATTRIBUTE_INTS)}),
    .infer = infer};

// Y [batch, channel * kernel, places...]: what element k of the window at each place reads from each channel.
extern const Operator heed_deformed_windows{
    .domain = "heed",
    .op_type = "DeformedWindows",
    .inputs = {{"X", "T"}, {"offset", "T"}, {"mask", "T", HEED_OPTIONAL_PARAMETER}},
    .outputs = {{"Y", "T"}},
    .types = {{"T", any_float}},
    .attributes = with(window_attributes, {required("kernel_shape", HEED_ATTRIBUTE_INTS)}),
    .infer = infer_windows,
    .plan = plan,
    .bind = bind};

extern const Rewrite deform_conv_lowered{.name = "deform_conv",
                                         .patterns = {"y = DeformConv(x, w, offset, bias, mask)"},
                                         .replacement = "",
                                         .accept = lower};

}  // namespace heed::ops
