// And, Or, Xor, Not over booleans, a byte each.
#include "walk.hpp"

namespace heed::cpu {
namespace {

struct Both {
  uint8_t operator()(uint8_t a, uint8_t b) const { return (a != 0) & (b != 0); }
};
struct Either {
  uint8_t operator()(uint8_t a, uint8_t b) const { return (a | b) != 0; }
};
struct One {
  uint8_t operator()(uint8_t a, uint8_t b) const { return (a != 0) != (b != 0); }
};
struct Inverse {
  uint8_t operator()(uint8_t a) const { return a == 0; }
};

template <class Function>
Result<void> run_logic(Running& run) {
  HEED_ASSIGN(const auto out, broadcast_output(run));
  const auto a = run.input(0), b = run.input(1);
  int64_t trailing = 0;
  if (run.version() < 7 && run.has_attribute("axis")) trailing = a.rank() - run.integer("axis") - b.rank();
  const std::array strides{broadcast_strides(a, out.dims()), broadcast_strides(b, out.dims(), trailing)};
  walk(run, out.dims(), strides, [&](int64_t first, const int64_t* firsts, const int64_t* steps, int64_t n) {
    const uint8_t* in[] = {a.data<uint8_t>() + firsts[0], b.data<uint8_t>() + firsts[1]};
    binary_block<Function>(in, steps, out.data<uint8_t>() + first, n);
  });
  return {};
}

Result<void> run_not(Running& run) {
  HEED_ASSIGN(const auto out, output_like(run));
  const auto a = run.input(0);
  const std::array strides{broadcast_strides(a, out.dims())};
  walk(run, out.dims(), strides, [&](int64_t first, const int64_t* firsts, const int64_t* steps, int64_t n) {
    const uint8_t* in[] = {a.data<uint8_t>() + firsts[0]};
    unary_block<Inverse>(in, steps, out.data<uint8_t>() + first, n);
  });
  return {};
}

}  // namespace

extern const CpuKernel logical_and{.op_type = "And", .plan = plan_elementwise, .run = run_logic<Both>};
extern const CpuKernel logical_or{.op_type = "Or", .plan = plan_elementwise, .run = run_logic<Either>};
extern const CpuKernel logical_xor{.op_type = "Xor", .plan = plan_elementwise, .run = run_logic<One>};
extern const CpuKernel logical_not{.op_type = "Not", .plan = plan_elementwise, .run = run_not};

}  // namespace heed::cpu
