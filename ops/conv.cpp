// Conv: y[n, m, ...] = b[m] + sum over c and the window of w[m, c, ...] * x[n, c, ...], in groups of channels.
#include "shapes.hpp"
#include "windows.hpp"

namespace heed::ops {
namespace {

Result<void> infer(Inference& node) {
  const auto x = node.input(0), w = node.input(1);
  if (!x.has_rank() || !w.has_rank()) return node.set_output(0, x.element());
  if (x.rank() < 3 || w.rank() != x.rank())
    return Error{Code::shape_mismatch,
                 "data " + text_of(x.dims()) + " and weights " + text_of(w.dims()) +
                     "; expected [batch, channel, spatial...] and [out, channel / group, kernel...]"};
  const int64_t group = node.integer("group", 1);
  if (group < 1) return Error{Code::invalid_model, "attribute 'group' is " + std::to_string(group)};
  HEED_TRY(node.require_equal(x.dim(1), w.dim(1) * group, "channels of the data and of the weights"));
  if (w.dim(0).is_number() && w.dim(0).number() % group != 0)
    return Error{Code::shape_mismatch,
                 to_string(w.dim(0)) + " output channels do not divide into " + std::to_string(group) + " groups"};
  if (node.has_input(2)) {
    HEED_TRY(node.require_rank(2, 1));
    if (node.input(2).has_rank())
      HEED_TRY(node.require_equal(node.input(2).dim(0), w.dim(0), "bias and output channels"));
  }

  Dims dims{x.dim(0), w.dim(0)};
  std::vector<int64_t> kernel;
  if (const auto given = node.integers("kernel_shape")) {
    kernel.assign(given->begin(), given->end());
    for (size_t i = 0; i < kernel.size() && i + 2 < w.dims().size(); ++i)
      HEED_TRY(node.require_equal(w.dims()[i + 2], kernel[i], "kernel_shape and the weights"));
  } else {
    for (const auto size : w.dims().subspan(2)) {
      if (!size.is_number()) {  // a kernel computed at a run
        for (int32_t i = 2; i < x.rank(); ++i) dims.push_back(node.fresh_symbol("convolved"));
        return node.set_output(0, x.element(), dims);
      }
      kernel.push_back(size.number());
    }
  }
  HEED_ASSIGN(const auto windows, windows_of(node, x.dims().subspan(2), kernel));
  dims.insert(dims.end(), windows.output.begin(), windows.output.end());
  return node.set_output(0, x.element(), dims);
}

}  // namespace

extern const Operator conv{
    .op_type = "Conv",
    .versions = {22, 11, 1},
    .inputs = {{"X", "T"}, {"W", "T"}, {"B", "T", HEED_OPTIONAL_PARAMETER}},
    .outputs = {{"Y", "T"}},
    .types = {{"T", any_float}},
    .attributes = {attribute("auto_pad", "NOTSET"), optional("dilations", HEED_ATTRIBUTE_INTS), attribute("group", 1),
                   optional("kernel_shape", HEED_ATTRIBUTE_INTS), optional("pads", HEED_ATTRIBUTE_INTS),
                   optional("strides", HEED_ATTRIBUTE_INTS)},
    .infer = infer};

}  // namespace heed::ops
