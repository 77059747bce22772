// heed.Pack: weights laid out anew, once, where constants are folded: the last two axes swapped where `transposed`, and
// integer codes lifted from signed to unsigned ones (by 2^(bits - 1)) and packed side by side from the lowest bits of bytes
// on, as com.microsoft.MatMulNBits has them; each row begins in a byte of its own. Floats stay what they are.
#include "shapes.hpp"

namespace heed::ops {
namespace {

Result<void> infer(Inference& node) {
  const auto x = node.input(0);
  const bool is_codes = x.has_element() && !is_float(x.element()), transposed = node.integer("transposed") != 0;
  const DataType element = is_codes ? DataType::u8 : x.element();
  if (!x.has_rank()) return node.set_output(0, element);
  if (transposed && x.rank() < 2)
    return Error{Code::shape_mismatch, "input 0 has rank " + std::to_string(x.rank()) + "; expected two axes to swap"};
  Dims dims(x.dims().begin(), x.dims().end());
  if (transposed) std::swap(dims[dims.size() - 1], dims[dims.size() - 2]);
  if (is_codes && !dims.empty()) dims.back() = ceil_divide(dims.back() * bits_of(x.element()), Dim(8));
  return node.set_output(0, element, dims);
}

}  // namespace

extern const Operator heed_pack{
    .domain = "heed", .op_type = "Pack",
    .inputs = {{"x", "T1"}}, .outputs = {{"y", "T2"}},
    .types = {{"T1", {DataType::i8, DataType::u8, DataType::i4, DataType::u4, DataType::i2, DataType::u2, DataType::f32,
                      DataType::f16, DataType::bf16}},
              {"T2", {DataType::u8, DataType::f32, DataType::f16, DataType::bf16}}},
    .attributes = {attribute("transposed", 0)},
    .infer = infer};

}  // namespace heed::ops
