// BitwiseAnd, BitwiseOr, BitwiseXor, BitwiseNot, BitShift: by element size; signs matter to shifts to the right alone.
#include "heed/expression.hpp"
#include "walk.hpp"

namespace heed::cpu {
namespace {

template <ExpressionOp op>
struct Function {
  template <class T>
  T operator()(T x, T y = 0) const {
    using Wide = std::conditional_t<std::is_signed_v<T>, int64_t, uint64_t>;
    return static_cast<T>(heed::apply<Wide>(op, x, y));
  }
};

template <ExpressionOp op, class T>
void run_of(const Running& run, const TensorView& out) {
  const auto a = run.input(0), b = run.input(1);
  std::vector<Strides> strides{broadcast_strides(a, out.dims())};
  if (b.present()) strides.push_back(broadcast_strides(b, out.dims()));
  walk(run, out.dims(), strides, [&](int64_t first, const int64_t* firsts, const int64_t* steps, int64_t n) {
    const T* in[] = {a.data<T>() + firsts[0], b.present() ? b.data<T>() + firsts[1] : nullptr};
    T* y = out.data<T>() + first;
    if constexpr (op == ExpressionOp::bit_not)
      unary_block<Function<op>>(in, steps, y, n);
    else
      binary_block<Function<op>>(in, steps, y, n);
  });
}

template <ExpressionOp op, class T>
void run_signed_or_not(const Running& run, const TensorView& out) {
  if constexpr (op == ExpressionOp::shift_right)
    if (is_signed_integer(out.element())) return run_of<op, std::make_signed_t<T>>(run, out);
  run_of<op, T>(run, out);
}

template <ExpressionOp op>
Result<void> run(Running& run) {
  HEED_ASSIGN(const auto out, broadcast_output(run));
  switch (bits_of(out.element())) {
    case 8:
      run_signed_or_not<op, uint8_t>(run, out);
      break;
    case 16:
      run_signed_or_not<op, uint16_t>(run, out);
      break;
    case 32:
      run_signed_or_not<op, uint32_t>(run, out);
      break;
    default:
      run_signed_or_not<op, uint64_t>(run, out);
  }
  return {};
}

Result<void> run_shift(Running& node) {
  return node.text("direction") == "LEFT" ? run<ExpressionOp::shift_left>(node) : run<ExpressionOp::shift_right>(node);
}

}  // namespace

extern const CpuKernel bitwise_and{
    .op_type = "BitwiseAnd", .plan = plan_elementwise, .run = run<ExpressionOp::bit_and>};
extern const CpuKernel bitwise_or{.op_type = "BitwiseOr", .plan = plan_elementwise, .run = run<ExpressionOp::bit_or>};
extern const CpuKernel bitwise_xor{
    .op_type = "BitwiseXor", .plan = plan_elementwise, .run = run<ExpressionOp::bit_xor>};
extern const CpuKernel bitwise_not{
    .op_type = "BitwiseNot", .plan = plan_elementwise, .run = run<ExpressionOp::bit_not>};
extern const CpuKernel bit_shift{.op_type = "BitShift", .plan = plan_elementwise, .run = run_shift};

}  // namespace heed::cpu
