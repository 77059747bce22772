// Vector loops of fused element-wise programs, once per instruction set: an instruction at a time over a block.
#include <cmath>

#include "fused_elementwise.hpp"
#include "vector_targets.hpp"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "plugins/cpu/fused_elementwise_vectors.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON
#include "plugins/cpu/vector_math.hpp"

HWY_BEFORE_NAMESPACE();
namespace heed::cpu::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using Floats = hn::ScalableTag<float>;
using Vector = hn::VFromD<Floats>;

constexpr int64_t lanes = HWY_MAX_BYTES / sizeof(float);

HWY_INLINE Vector one_where(hn::Mask<Floats> mask) { return hn::IfThenElseZero(mask, hn::Set(Floats(), 1.0f)); }
// Not of Eq: Highway's Ne says no of NaN on some targets.
HWY_INLINE hn::Mask<Floats> differ(Vector x, Vector y) { return hn::Not(hn::Eq(x, y)); }
HWY_INLINE hn::Mask<Floats> is_true(Vector x) { return differ(x, hn::Zero(Floats())); }
HWY_INLINE hn::Mask<Floats> is_nan(Vector x) { return differ(x, x); }

// The operands of an instruction, list or single number, `lanes` at a time.
template <int count, bool... is_list, class Function>
HWY_INLINE void loop_over(const float* const* in, float* out, int64_t n, Function function) {
  const Floats d;
  constexpr bool lists[] = {is_list...};
  Vector v[count];
  for (int k = 0; k < count; ++k)
    if (!lists[k]) v[k] = hn::Set(d, *in[k]);
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    HWY_UNROLL(3) for (int k = 0; k < count; ++k) if (lists[k]) v[k] = hn::LoadU(d, in[k] + i);
    hn::StoreU(function(v), d, out + i);
  }
  if (i == n) return;
  const auto mask = hn::FirstN(d, static_cast<size_t>(n - i));
  for (int k = 0; k < count; ++k)
    if (lists[k]) v[k] = hn::MaskedLoad(mask, d, in[k] + i);
  hn::BlendedStore(function(v), mask, d, out + i);
}

template <class Function>
HWY_INLINE void unary(const FusedSlot& a, float* out, int64_t n, Function function) {
  const float* in[] = {a.floats()};
  const auto apply = [&](const Vector* v) HWY_ATTR { return function(v[0]); };
  if (a.is_list) return loop_over<1, true>(in, out, n, apply);
  loop_over<1, false>(in, out, n, apply);
}

template <class Function>
HWY_INLINE void binary(const FusedSlot& a, const FusedSlot& b, float* out, int64_t n, Function function) {
  const float* in[] = {a.floats(), b.floats()};
  const auto apply = [&](const Vector* v) HWY_ATTR { return function(v[0], v[1]); };
  if (a.is_list && b.is_list) return loop_over<2, true, true>(in, out, n, apply);
  if (a.is_list) return loop_over<2, true, false>(in, out, n, apply);
  if (b.is_list) return loop_over<2, false, true>(in, out, n, apply);
  loop_over<2, false, false>(in, out, n, apply);
}

HWY_NOINLINE void choose(const FusedSlot& a, const FusedSlot& b, const FusedSlot& c, float* out, int64_t n) {
  const float* in[] = {a.floats(), b.floats(), c.floats()};
  const auto apply = [](const Vector* v) HWY_ATTR { return hn::IfThenElse(is_true(v[0]), v[1], v[2]); };
  if (b.is_list && c.is_list)
    return a.is_list ? loop_over<3, true, true, true>(in, out, n, apply)
                     : loop_over<3, false, true, true>(in, out, n, apply);
  if (b.is_list)
    return a.is_list ? loop_over<3, true, true, false>(in, out, n, apply)
                     : loop_over<3, false, true, false>(in, out, n, apply);
  if (c.is_list)
    return a.is_list ? loop_over<3, true, false, true>(in, out, n, apply)
                     : loop_over<3, false, false, true>(in, out, n, apply);
  return a.is_list ? loop_over<3, true, false, false>(in, out, n, apply)
                   : loop_over<3, false, false, false>(in, out, n, apply);
}

// What has no vector code: one by one.
HWY_NOINLINE void one_by_one(ExpressionOp op, const FusedSlot& a, const FusedSlot& b, float* out, int64_t n) {
  for (int64_t i = 0; i < n; ++i) out[i] = apply(op, a.floats()[a.is_list ? i : 0], b.floats()[b.is_list ? i : 0]);
}

#define HEED_UNARY(name, expression)                \
  case ExpressionOp::name:                          \
    return unary(a, out, n, [](Vector x) HWY_ATTR { \
      const Floats d;                               \
      (void)d;                                      \
      return expression;                            \
    });
#define HEED_BINARY(name, expression) \
  case ExpressionOp::name:            \
    return binary(a, b, out, n, [](Vector x, Vector y) HWY_ATTR { return expression; });

HWY_NOINLINE void run_instruction(ExpressionOp op, const FusedSlot& a, const FusedSlot& b, const FusedSlot& c,
                                  float* out, int64_t n) {
  switch (op) {
    HEED_UNARY(input, x)
    HEED_UNARY(cast, x)  // of narrow integers, which are floats here
    HEED_UNARY(negative, hn::Neg(x))
    HEED_UNARY(absolute, hn::Abs(x))
    HEED_UNARY(sign, hn::IfThenElse(hn::Gt(hn::Abs(x), hn::Zero(d)), hn::CopySign(hn::Set(d, 1.0f), x), x))
    HEED_UNARY(sqrt, hn::Sqrt(x))
    HEED_UNARY(exp, vector_math::exp(d, x))
    HEED_UNARY(log, vector_math::log(d, x))
    HEED_UNARY(tanh, vector_math::tanh(d, x))
    HEED_UNARY(sigmoid, vector_math::sigmoid(d, x))
    HEED_UNARY(erf, vector_math::erf(d, x))
    HEED_UNARY(floor, hn::Floor(x))
    HEED_UNARY(ceil, hn::Ceil(x))
    HEED_UNARY(round, hn::Round(x))
    HEED_UNARY(logical_not, one_where(hn::Eq(x, hn::Zero(d))))
    HEED_BINARY(add, hn::Add(x, y))
    HEED_BINARY(subtract, hn::Sub(x, y))
    HEED_BINARY(multiply, hn::Mul(x, y))
    HEED_BINARY(divide, hn::Div(x, y))
    HEED_BINARY(min, hn::IfThenElse(hn::Or(hn::Lt(y, x), is_nan(y)), y, x))
    HEED_BINARY(max, hn::IfThenElse(hn::Or(hn::Gt(y, x), is_nan(y)), y, x))
    HEED_BINARY(less, one_where(hn::Lt(x, y)))
    HEED_BINARY(less_equal, one_where(hn::Le(x, y)))
    HEED_BINARY(greater, one_where(hn::Gt(x, y)))
    HEED_BINARY(greater_equal, one_where(hn::Ge(x, y)))
    HEED_BINARY(equal, one_where(hn::Eq(x, y)))
    HEED_BINARY(not_equal, one_where(differ(x, y)))
    HEED_BINARY(logical_and, one_where(hn::And(is_true(x), is_true(y))))
    HEED_BINARY(logical_or, one_where(hn::Or(is_true(x), is_true(y))))
    case ExpressionOp::select:
      return choose(a, b, c, out, n);
    default:
      return one_by_one(op, a, b, out, n);
  }
}

void run(const FusedProgram& program, const FusedSlot* slots, int64_t n) {
  for (int32_t i = 0; i < program.instruction_count; ++i) {
    const FusedInstruction& step = program.instructions[i];
    run_instruction(step.op, slots[step.arguments[0]], slots[step.arguments[1]], slots[step.arguments[2]],
                    slots[step.to].floats(), n);
  }
}

#undef HEED_UNARY
#undef HEED_BINARY

}  // namespace

extern const RunFused run_fused_here;
const RunFused run_fused_here = run;

}  // namespace heed::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif

#if HWY_ONCE
namespace heed::cpu {

RunFused fused_with(Isa isa) {
#if HWY_TARGETS & HWY_AVX3
  if (isa == Isa::avx512) return N_AVX3::run_fused_here;
#endif
#if HWY_TARGETS & HWY_AVX2
  if (isa == Isa::avx2) return N_AVX2::run_fused_here;
#endif
#if HWY_TARGETS & HWY_NEON
  if (isa == Isa::neon) return N_NEON::run_fused_here;
#endif
  static_cast<void>(isa);
  return nullptr;
}

}  // namespace heed::cpu
#endif
