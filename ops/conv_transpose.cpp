// ConvTranspose: y[n, m, o] = b[m] + sum over c and window positions k of x[n, c, i] * w[c, m, k], where o = i * stride
// + k * dilation - pad, in groups of channels.
#include "rows.hpp"
#include "shaders.hpp"
#include "shapes.hpp"
#include "windows.hpp"

namespace heed::ops {
namespace {

enum { x_input, w_input, bias_input };

Result<void> infer(Inference& node) {
  const int64_t group = node.integer("group", 1);
  if (group < 1) return Error{Code::invalid_model, "attribute 'group' is " + std::to_string(group)};
  const auto x = node.input(x_input), w = node.input(w_input);
  if (!x.has_rank() || !w.has_rank()) return node.set_output(0, x.element());
  if (x.rank() < 3 || w.rank() != x.rank())
    return Error{Code::shape_mismatch,
                 "data " + text_of(x.dims()) + " and weights " + text_of(w.dims()) +
                     "; expected [batch, channel, spatial...] and [channel, out / group, kernel...]"};
  HEED_TRY(node.require_equal(x.dim(1), w.dim(0), "channels of the data and of the weights"));
  HEED_TRY(node.require_equal(modulo(x.dim(1), group), 0, "channels modulo 'group'"));
  if (node.has_input(bias_input)) {
    HEED_TRY(node.require_rank(bias_input, 1));
    if (node.input(bias_input).has_rank())
      HEED_TRY(node.require_equal(node.input(bias_input).dim(0), w.dim(1) * group, "bias and output channels"));
  }
  const auto rank = static_cast<size_t>(x.rank()) - 2;
  HEED_ASSIGN(const auto strides, axis_numbers(node, "strides", rank, 1, 1));
  HEED_ASSIGN(const auto dilations, axis_numbers(node, "dilations", rank, 1, 1));
  HEED_ASSIGN(const auto pads, axis_numbers(node, "pads", 2 * rank, 0, 0));
  HEED_ASSIGN(const auto more, axis_numbers(node, "output_padding", rank, 0, 0));
  const auto auto_pad = node.text("auto_pad", "NOTSET");
  const bool same = auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER";
  if (!same && auto_pad != "NOTSET" && auto_pad != "VALID" && !auto_pad.empty())
    return Error{Code::invalid_model, "attribute 'auto_pad' is '" + std::string(auto_pad) + "'"};
  const auto wanted = node.integers("output_shape");
  if (wanted && wanted->size() != rank && wanted->size() != rank + 2)
    return Error{Code::invalid_model, "attribute 'output_shape' has " + std::to_string(wanted->size()) +
                                          " numbers; expected " + std::to_string(rank)};
  if (const auto kernel = node.integers("kernel_shape")) {
    if (kernel->size() != rank)
      return Error{Code::invalid_model, "attribute 'kernel_shape' has " + std::to_string(kernel->size()) +
                                            " numbers; expected " + std::to_string(rank)};
    for (size_t i = 0; i < rank; ++i)
      HEED_TRY(node.require_equal(w.dims()[i + 2], (*kernel)[i], "kernel_shape and the weights"));
  }
  Dims dims{x.dim(0), w.dim(1) * group};
  for (size_t i = 0; i < rank; ++i) {
    const Dim in = x.dims()[i + 2];
    const Dim full = (in - 1) * strides[i] + more[i] + (w.dims()[i + 2] - 1) * dilations[i] + 1;
    Dim out = full - (auto_pad == "VALID" ? 0 : pads[i] + pads[rank + i]);
    if (wanted)
      out = (*wanted)[wanted->size() - rank + i];
    else if (same)
      out = in * strides[i];
    if (out.is_number() && out.number() < 0)
      return Error{Code::shape_mismatch,
                   "the pads of axis " + std::to_string(i + 2) + " leave nothing of " + to_string(full)};
    dims.push_back(out);
  }
  return node.set_output(0, x.element(), dims);
}

// Mirrors shaders/conv_transpose.comp.
struct Parameters {
  Sliding windows;                                                     // x's sizes, y's, and the pads that y lacks
  uint32_t count, channel_count, output_count, group_count, has_bias;  // channels and outputs: of a group
  int32_t w_offset, bias_offset, y_offset;
};

// How many places of the full output stand before the first of y. Where y is larger, zeros stand behind it.
int64_t pad_before(const NodeView& node, const Sliding& windows, int32_t axis, size_t own) {
  const auto auto_pad = node.text("auto_pad", "NOTSET");
  const auto more = node.integers("output_padding"), pads = node.integers("pads");
  if (auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER" || node.has_attribute("output_shape")) {
    const int64_t full = (int64_t{windows.in[axis]} - 1) * windows.strides[axis] + (more ? (*more)[own] : 0) +
                         (int64_t{windows.kernel[axis]} - 1) * windows.dilations[axis] + 1;
    const int64_t total = std::max<int64_t>(0, full - windows.out[axis]);
    return auto_pad == "SAME_UPPER" ? total / 2 : total - total / 2;
  }
  return auto_pad == "VALID" || !pads ? 0 : (*pads)[own];
}

Result<GpuPlan> plan(Planning& node) {
  const auto w = node.input(w_input);
  HEED_TRY(check_windows(node.input(x_input)));
  HEED_ASSIGN(const Shader shader, shader_for(node, shaders::conv_transpose));
  if (!w.has_rank()) return decline("the rank of the weights is not known");
  node.take_strided(x_input);
  node.work(2 * count_of(node.input(x_input).dims()) * count_of(w.dims().subspan(1)));
  // A bias that is absent is bound to something that is there, and never read.
  return GpuPlan{
      .variants = {{.name = "an output a thread", .shader = shader}},
      .bindings = {read(x_input), read(w_input), read(node.has_input(bias_input) ? bias_input : x_input), write(0)}};
}

Result<Launch> bind(const Binding& node) {
  const auto x = node.input(x_input), w = node.input(w_input), y = node.output(0);
  if (y.count() == 0) return Launch{};
  HEED_TRY(check_addressable(x, "the data"));
  HEED_TRY(check_addressable(w, "the weights"));
  HEED_TRY(check_addressable(y, "the output"));
  const int64_t groups = node.integer("group", 1);
  const auto rank = static_cast<size_t>(x.rank()) - 2;
  const bool has_bias = node.has_input(bias_input);
  Parameters p{.windows = sliding_of(node, x, y, w.dims().subspan(2)),
               .count = static_cast<uint32_t>(y.count()),
               .channel_count = static_cast<uint32_t>(x.dim(1) / groups),
               .output_count = static_cast<uint32_t>(w.dim(1)),
               .group_count = static_cast<uint32_t>(groups),
               .has_bias = has_bias,
               .w_offset = offset_of(w),
               .bias_offset = has_bias ? offset_of(node.input(bias_input)) : 0,
               .y_offset = offset_of(y)};
  for (size_t own = 0; own < rank; ++own) {
    const auto axis = static_cast<int32_t>(most_window_axes - rank + own);
    p.windows.pads[axis] = static_cast<int32_t>(pad_before(node, p.windows, axis, own));
  }
  return Launch{.dispatches = {{0, bytes_of(p), {workgroups_for(y.count(), 64), 1, 1}}}};
}

}  // namespace

extern const Operator conv_transpose{
    .op_type = "ConvTranspose",
    .versions = {22, 11, 1},
    .inputs = {{"X", "T"}, {"W", "T"}, {"B", "T", HEED_OPTIONAL_PARAMETER}},
    .outputs = {{"Y", "T"}},
    .types = {{"T", any_float}},
    .attributes = {attribute("auto_pad", "NOTSET"), optional("dilations", HEED_ATTRIBUTE_INTS), attribute("group", 1),
                   optional("kernel_shape", HEED_ATTRIBUTE_INTS), optional("output_padding", HEED_ATTRIBUTE_INTS),
                   optional("output_shape", HEED_ATTRIBUTE_INTS), optional("pads", HEED_ATTRIBUTE_INTS),
                   optional("strides", HEED_ATTRIBUTE_INTS)},
    .infer = infer,
    .plan = plan,
    .bind = bind};

}  // namespace heed::ops
