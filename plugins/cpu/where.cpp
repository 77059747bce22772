// Where: output = condition ? x : y, by element size.
#include "move.hpp"

namespace heed::cpu {
namespace {

template <class E>
void choose(const Running& run, const TensorView& out) {
  const auto condition = run.input(0), x = run.input(1), y = run.input(2);
  const auto dims = out.dims();
  const std::array strides{broadcast_strides(condition, dims), broadcast_strides(x, dims), broadcast_strides(y, dims)};
  walk(run, dims, strides, [&](int64_t first, const int64_t* firsts, const int64_t* steps, int64_t n) {
    const auto* c = condition.data<uint8_t>() + firsts[0];
    const E *a = x.data<E>() + firsts[1], *b = y.data<E>() + firsts[2];
    E* to = out.data<E>() + first;
    if (steps[0] == 1 && steps[1] == 1 && steps[2] == 1) {
      for (int64_t i = 0; i < n; ++i) to[i] = c[i] ? a[i] : b[i];
    } else {
      for (int64_t i = 0; i < n; ++i) to[i] = c[i * steps[0]] ? a[i * steps[1]] : b[i * steps[2]];
    }
  });
}

Result<void> run(Running& run) {
  HEED_ASSIGN(const auto out, broadcast_output(run));
  if (is_packed(out.element())) return Error{Code::unsupported, "Where of " + std::string(name_of(out.element()))};
  dispatch_size(out.element(), [&]<class E>(E) { choose<E>(run, out); });
  own_texts(run, 0, out);
  return {};
}

// Texts are given to the output one by one: never in the input's place.
Result<void> plan(Planning& node) {
  if (node.output(0).element() != DataType::string) return plan_elementwise(node);
  for (int32_t i = 0; i < 3; ++i) node.take_strided(i);
  return {};
}

}  // namespace

extern const CpuKernel where{.op_type = "Where", .plan = plan, .run = run};

}  // namespace heed::cpu
