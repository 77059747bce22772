// MaxUnpool: each element goes back to where MaxPool met it, and zeros stand elsewhere. Indices count through the shape
// that kernel, strides and pads infer; a larger output_shape is filled up with zeros behind. Where all sizes are known
// before the run ScatterElements does it.
#include "shapes.hpp"

namespace heed::ops {
namespace {

enum { x_input, indices_input, shape_input };

// What the attributes say of a spatial axis: inferred size = (size - 1) * stride + rest.
struct Axis {
  int64_t stride = 1, rest = 1;
};
Result<std::vector<Axis>> axes_of(const NodeView& node, size_t count) {
  const auto kernel = *node.integers("kernel_shape");
  const auto strides = node.integers("strides"), pads = node.integers("pads");
  if (kernel.size() != count || (strides && strides->size() != count) || (pads && pads->size() != 2 * count))
    return Error{Code::shape_mismatch, "kernel_shape, strides or pads do not fit the " + std::to_string(count) +
                                           " spatial axes of the data"};
  std::vector<Axis> axes(count);
  for (size_t k = 0; k < count; ++k) {
    if (strides) axes[k].stride = (*strides)[k];
    if (kernel[k] < 1 || axes[k].stride < 1 || kernel[k] > INT32_MAX || axes[k].stride > INT32_MAX ||
        (pads && (std::min((*pads)[k], (*pads)[count + k]) < 0 || std::max((*pads)[k], (*pads)[count + k]) > INT32_MAX)))
      return Error{Code::invalid_model, "kernel_shape, strides or pads hold a number that is out of range"};
    axes[k].rest = kernel[k] - (pads ? (*pads)[k] + (*pads)[count + k] : 0);
  }
  return axes;
}

Result<void> infer(Inference& node) {
  const auto x = node.input(x_input);
  if (!x.has_rank()) return node.set_output(0, x.element());
  if (x.rank() < 3)
    return Error{Code::shape_mismatch, "data " + text_of(x.dims()) + "; expected [batch, channel, spatial...]"};
  HEED_TRY(node.require_rank(indices_input, x.rank()));
  if (node.input(indices_input).has_rank())
    for (int32_t k = 0; k < x.rank(); ++k)
      HEED_TRY(node.require_equal(x.dim(k), node.input(indices_input).dim(k),
                                  "axis " + std::to_string(k) + " of the data and of the indices"));
  HEED_ASSIGN(const auto axes, axes_of(node, x.dims().size() - 2));
  if (node.has_input(shape_input)) {
    const auto shape = node.elements(shape_input);
    if (!shape) return node.set_output(0, x.element(), fresh_dims(node, x.rank(), "unpooled"));
    if (shape->size() != x.dims().size())
      return Error{Code::shape_mismatch,
                   "output_shape is " + text_of(*shape) + " for data " + text_of(x.dims()) + "; expected equal ranks"};
    return node.set_output(0, x.element(), *shape);
  }
  Dims dims{x.dim(0), x.dim(1)};
  for (size_t k = 0; k < axes.size(); ++k) {
    dims.push_back((x.dims()[k + 2] - 1) * axes[k].stride + axes[k].rest);
    if (dims.back().is_number() && dims.back().number() < 0)
      return Error{Code::shape_mismatch, "the pads leave nothing of axis " + std::to_string(k + 2)};
  }
  return node.set_output(0, x.element(), dims);
}

bool lower(Match& match) {
  const auto x = match.type("x");
  if (!x || !x->has_rank() || (match.type("output_shape") && !match.elements("output_shape"))) return false;
  const auto axes = axes_of(match.node("y"), x->dims().size() - 2);
  if (!axes) return false;
  std::vector<int64_t> strides, rests;
  for (const Axis axis : *axes) {
    strides.push_back(axis.stride);
    rests.push_back(axis.rest);
  }
  match.set("strides", strides);
  match.set("rests", rests);
  std::string text =
      "one = Constant<value_ints = [1]>(); all = Constant<value_ints = [-1]>();"
      "spaces = Mul(Sub(Shape<start = 2>(x), one), Constant<value_ints = @strides>());"
      "sizes = Concat<axis = 0>(Shape<end = 2>(x), Add(spaces, Constant<value_ints = @rests>()));"
      "zero = CastLike(Constant<value_float = 0.0>(), x);"
      "zeros = Expand(zero, ReduceProd(sizes));"
      "filled = ScatterElements<axis = 0>(zeros, Reshape(indices, all), Reshape(x, all));";
  text += match.type("output_shape")
              ? "whole = Reshape(filled, sizes); behind = Sub(output_shape, sizes);"
                "y = Pad(whole, Concat<axis = 0>(Sub(sizes, sizes), behind))"
              : "y = Reshape(filled, sizes)";
  match.replace_by(text);
  return true;
}

}  // namespace

extern const Operator max_unpool{
    .op_type = "MaxUnpool",
    .versions = {22, 11, 9},
    .inputs = {{"X", "T1"}, {"I", "T2"}, {"output_shape", "T2", HEED_SHAPE_DATA | HEED_OPTIONAL_PARAMETER}},
    .outputs = {{"output", "T1"}},
    .types = {{"T1", any_float}, {"T2", {DataType::i64}}},
    .attributes = {required("kernel_shape", HEED_ATTRIBUTE_INTS), optional("pads", HEED_ATTRIBUTE_INTS),
                   optional("strides", HEED_ATTRIBUTE_INTS)},
    .infer = infer};

extern const Rewrite max_unpool_lowered{.name = "max_unpool",
                                        .patterns = {"y = MaxUnpool(x, indices, output_shape)"},
                                        .replacement = "",
                                        .accept = lower};

}  // namespace heed::ops
