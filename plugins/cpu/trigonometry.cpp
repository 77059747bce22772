// Tan, Asin, Acos, Atan, Sinh, Cosh, Asinh, Acosh, Atanh: the C library's functions, in f32 or f64.
#include "heed/expression.hpp"
#include "walk.hpp"

namespace heed::cpu {
namespace {

template <ExpressionOp op>
struct Function {
  template <class T>
  T operator()(T x) const {
    return heed::apply(op, x);
  }
};

template <ExpressionOp op>
Result<void> run(Running& run) {
  HEED_ASSIGN(const auto out, output_like(run));
  const auto in = run.input(0);
  dispatch_float(out.element(), [&]<class T>(T) {
    apply<T, T, 1>(run, out, {in}, {broadcast_strides(in, out.dims())}, unary_block<Function<op>, T, T>);
  });
  return {};
}

}  // namespace

extern const CpuKernel tan_of{.op_type = "Tan", .plan = plan_elementwise, .run = run<ExpressionOp::tan>};
extern const CpuKernel asin_of{.op_type = "Asin", .plan = plan_elementwise, .run = run<ExpressionOp::asin>};
extern const CpuKernel acos_of{.op_type = "Acos", .plan = plan_elementwise, .run = run<ExpressionOp::acos>};
extern const CpuKernel atan_of{.op_type = "Atan", .plan = plan_elementwise, .run = run<ExpressionOp::atan>};
extern const CpuKernel sinh_of{.op_type = "Sinh", .plan = plan_elementwise, .run = run<ExpressionOp::sinh>};
extern const CpuKernel cosh_of{.op_type = "Cosh", .plan = plan_elementwise, .run = run<ExpressionOp::cosh>};
extern const CpuKernel asinh_of{.op_type = "Asinh", .plan = plan_elementwise, .run = run<ExpressionOp::asinh>};
extern const CpuKernel acosh_of{.op_type = "Acosh", .plan = plan_elementwise, .run = run<ExpressionOp::acosh>};
extern const CpuKernel atanh_of{.op_type = "Atanh", .plan = plan_elementwise, .run = run<ExpressionOp::atanh>};

}  // namespace heed::cpu
