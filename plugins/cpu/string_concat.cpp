// StringConcat: the texts of two tensors joined, element by element.
#include "walk.hpp"

namespace heed::cpu {
namespace {

Result<void> run(Running& run) {
  HEED_ASSIGN(const auto out, broadcast_output(run));
  const auto a = run.input(0), b = run.input(1);
  const auto a_strides = broadcast_strides(a, out.dims()), b_strides = broadcast_strides(b, out.dims());
  std::string joined;
  for (int64_t i = 0; i < out.count(); ++i) {
    int64_t rest = i, at_a = 0, at_b = 0;
    for (size_t axis = out.dims().size(); axis-- > 0; rest /= out.dims()[axis]) {
      at_a += rest % out.dims()[axis] * a_strides[axis];
      at_b += rest % out.dims()[axis] * b_strides[axis];
    }
    joined = from_c(a.data<heed_text>()[at_a]);
    joined += from_c(b.data<heed_text>()[at_b]);
    out.data<heed_text>()[i] = run.store_text(0, joined);
  }
  return {};
}

}  // namespace

extern const CpuKernel string_concat{.op_type = "StringConcat", .run = run};

}  // namespace heed::cpu
