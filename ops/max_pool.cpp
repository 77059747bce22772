// MaxPool: the greatest element of each window, and on request where it stands in the flattened input.
#include "shapes.hpp"
#include "windows.hpp"

namespace heed::ops {
namespace {

Result<void> infer(Inference& node) {
  const auto x = node.input(0);
  const auto kernel = node.integers("kernel_shape");
  if (!kernel) return Error{Code::invalid_model, "attribute 'kernel_shape' is missing"};
  for (int32_t output = 0; output < node.output_count(); ++output) {
    if (!node.has_output(output)) continue;
    const auto element = output == 0 ? x.element() : DataType::i64;
    if (!x.has_rank()) {
      HEED_TRY(node.set_output(output, element));
      continue;
    }
    if (x.rank() < 3)
      return Error{Code::shape_mismatch, "data " + text_of(x.dims()) + "; expected [batch, channel, spatial...]"};
    HEED_ASSIGN(const auto windows, windows_of(node, x.dims().subspan(2), {kernel->begin(), kernel->end()}));
    Dims dims{x.dim(0), x.dim(1)};
    dims.insert(dims.end(), windows.output.begin(), windows.output.end());
    HEED_TRY(node.set_output(output, element, dims));
  }
  return {};
}

}  // namespace

extern const Operator max_pool{
    .op_type = "MaxPool",
    .versions = {22, 12, 11, 10, 8, 1},
    .inputs = {{"X", "T"}},
    .outputs = {{"Y", "T"}, {"Indices", "I", HEED_OPTIONAL_PARAMETER}},
    .types = {{"T", any_float | Types{DataType::i8, DataType::u8}}, {"I", {DataType::i64}}},
    .attributes = {attribute("auto_pad", "NOTSET"), attribute("ceil_mode", 0),
                   optional("dilations", HEED_ATTRIBUTE_INTS), required("kernel_shape", HEED_ATTRIBUTE_INTS),
                   optional("pads", HEED_ATTRIBUTE_INTS), attribute("storage_order", 0),
                   optional("strides", HEED_ATTRIBUTE_INTS)},
    .infer = infer};

}  // namespace heed::ops
