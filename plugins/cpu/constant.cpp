// Constant: copies what the attribute holds.
#include "move.hpp"

namespace heed::cpu {
namespace {

template <class T>
void fill(const TensorView& out, std::span<const T> values) {
  std::copy(values.begin(), values.end(), out.data<T>());
}

Result<void> run(Running& run) {
  const auto out = run.output(0);
  for (const auto name : {"value", "sparse_value"}) {
    const auto a = run.attribute(name);
    if (!a || (a->kind != HEED_ATTRIBUTE_TENSOR && a->kind != HEED_ATTRIBUTE_SPARSE_TENSOR)) continue;
    move_tensor(run, TensorView{a->tensor}, out);
    own_texts(run, 0, out);
    return {};
  }
  if (const auto a = run.attribute("value_float", HEED_ATTRIBUTE_FLOAT)) *out.data<float>() = a->f;
  if (const auto a = run.attribute("value_int", HEED_ATTRIBUTE_INT)) *out.data<int64_t>() = a->i;
  if (const auto a = run.attribute("value_string", HEED_ATTRIBUTE_STRING))
    *out.data<heed_text>() = run.store_text(0, from_c(a->s));
  if (const auto values = run.numbers("value_floats")) fill(out, *values);
  if (const auto values = run.integers("value_ints")) fill(out, *values);
  if (const auto values = run.texts("value_strings")) {
    fill(out, *values);
    own_texts(run, 0, out);
  }
  return {};
}

}  // namespace

extern const CpuKernel constant{.op_type = "Constant", .run = run};

}  // namespace heed::cpu
