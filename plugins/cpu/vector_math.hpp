// Elementary functions over vectors of f32, once per instruction set. Include after hwy/highway.h, inside of files that
// hwy/foreach_target.h compiles. Errors, measured against f64 at every 61st f32 (AVX2): exp 1.0 ulp, log 0.8, tanh 1.3,
// sigmoid 2 (0 below -88.7), erf 3.1. Polynomials are those of Cephes (expf, logf, tanhf, erff) and of Abramowitz and
// Stegun 7.1.26.
#if defined(HEED_VECTOR_MATH_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef HEED_VECTOR_MATH_HPP
#undef HEED_VECTOR_MATH_HPP
#else
#define HEED_VECTOR_MATH_HPP
#endif

#include <limits>

HWY_BEFORE_NAMESPACE();
namespace heed::cpu::HWY_NAMESPACE {
namespace vector_math {

namespace hn = hwy::HWY_NAMESPACE;

// x * 2^n for whole n in [-252, 254], in two factors: an exponent holds only half of that.
template <class D, class V>
HWY_INLINE V scale(D d, V x, V n) {
  const hn::RebindToSigned<D> di;
  const auto whole = hn::ConvertTo(di, n);
  const auto half = hn::ShiftRight<1>(whole);
  const auto bias = hn::Set(di, 127);
  const V first = hn::BitCast(d, hn::ShiftLeft<23>(hn::Add(half, bias)));
  const V second = hn::BitCast(d, hn::ShiftLeft<23>(hn::Add(hn::Sub(whole, half), bias)));
  return hn::Mul(hn::Mul(x, first), second);
}

// 0 below -104, infinity above 88.73; NaN stays.
template <class D, class V>
HWY_INLINE V exp(D d, V x) {
  const V bounded = hn::Min(hn::Set(d, 89.0f), hn::Max(hn::Set(d, -104.0f), x));  // in this order NaN stays
  const V n = hn::Round(hn::Mul(bounded, hn::Set(d, 1.44269504f)));
  V r = hn::NegMulAdd(n, hn::Set(d, 0.693359375f), bounded);
  r = hn::NegMulAdd(n, hn::Set(d, -2.12194440e-4f), r);
  V p = hn::Set(d, 1.9875691500e-4f);
  p = hn::MulAdd(p, r, hn::Set(d, 1.3981999507e-3f));
  p = hn::MulAdd(p, r, hn::Set(d, 8.3334519073e-3f));
  p = hn::MulAdd(p, r, hn::Set(d, 4.1665795894e-2f));
  p = hn::MulAdd(p, r, hn::Set(d, 1.6666665459e-1f));
  p = hn::MulAdd(p, r, hn::Set(d, 5.0000001201e-1f));
  p = hn::Add(hn::MulAdd(p, hn::Mul(r, r), r), hn::Set(d, 1.0f));
  return hn::IfThenElse(hn::Eq(x, x), scale(d, p, n), x);
}

// -inf at 0, NaN below.
template <class D, class V>
HWY_INLINE V log(D d, V x) {
  const hn::RebindToSigned<D> di;
  const V infinity = hn::Set(d, std::numeric_limits<float>::infinity());
  const auto tiny = hn::Lt(x, hn::Set(d, std::numeric_limits<float>::min()));
  const V normal = hn::IfThenElse(tiny, hn::Mul(x, hn::Set(d, 16777216.0f)), x);
  // m in [sqrt(1/2), sqrt(2)), x = m 2^e
  const auto bits = hn::BitCast(di, normal);
  const auto shifted = hn::Sub(bits, hn::Set(di, 0x3F3504F3));
  V e = hn::ConvertTo(d, hn::ShiftRight<23>(shifted));
  const V m = hn::BitCast(d, hn::Add(hn::And(shifted, hn::Set(di, 0x007FFFFF)), hn::Set(di, 0x3F3504F3)));
  e = hn::Sub(e, hn::IfThenElseZero(tiny, hn::Set(d, 24.0f)));
  const V r = hn::Sub(m, hn::Set(d, 1.0f)), z = hn::Mul(r, r);
  V p = hn::Set(d, 7.0376836292e-2f);
  p = hn::MulAdd(p, r, hn::Set(d, -1.1514610310e-1f));
  p = hn::MulAdd(p, r, hn::Set(d, 1.1676998740e-1f));
  p = hn::MulAdd(p, r, hn::Set(d, -1.2420140846e-1f));
  p = hn::MulAdd(p, r, hn::Set(d, 1.4249322787e-1f));
  p = hn::MulAdd(p, r, hn::Set(d, -1.6668057665e-1f));
  p = hn::MulAdd(p, r, hn::Set(d, 2.0000714765e-1f));
  p = hn::MulAdd(p, r, hn::Set(d, -2.4999993993e-1f));
  p = hn::MulAdd(p, r, hn::Set(d, 3.3333331174e-1f));
  V y = hn::Mul(hn::Mul(p, r), z);
  y = hn::MulAdd(e, hn::Set(d, -2.12194440e-4f), y);
  y = hn::NegMulAdd(hn::Set(d, 0.5f), z, y);
  V result = hn::MulAdd(e, hn::Set(d, 0.693359375f), hn::Add(r, y));
  result = hn::IfThenElse(hn::Lt(x, infinity), result, x);  // infinity and NaN stay
  const V zero = hn::Zero(d);
  result = hn::IfThenElse(hn::Eq(x, zero), hn::Neg(infinity), result);
  return hn::IfThenElse(hn::Lt(x, zero), hn::Set(d, std::numeric_limits<float>::quiet_NaN()), result);
}

template <class D, class V>
HWY_INLINE V sigmoid(D d, V x) {
  const V one = hn::Set(d, 1.0f);
  return hn::Div(one, hn::Add(one, exp(d, hn::Neg(x))));
}

template <class D, class V>
HWY_INLINE V tanh(D d, V x) {
  const V size = hn::Abs(x), one = hn::Set(d, 1.0f), z = hn::Mul(x, x);
  V p = hn::Set(d, -5.70498872745e-3f);
  p = hn::MulAdd(p, z, hn::Set(d, 2.06390887954e-2f));
  p = hn::MulAdd(p, z, hn::Set(d, -5.37397155531e-2f));
  p = hn::MulAdd(p, z, hn::Set(d, 1.33314422036e-1f));
  p = hn::MulAdd(p, z, hn::Set(d, -3.33332819422e-1f));
  const V near = hn::MulAdd(hn::Mul(p, z), x, x);
  const V far = hn::Sub(one, hn::Div(hn::Set(d, 2.0f), hn::Add(exp(d, hn::Add(size, size)), one)));
  return hn::IfThenElse(hn::Lt(size, hn::Set(d, 0.625f)), near, hn::CopySign(far, x));
}

template <class D, class V>
HWY_INLINE V erf(D d, V x) {
  const V size = hn::Abs(x), one = hn::Set(d, 1.0f), z = hn::Mul(x, x);
  V p = hn::Set(d, 7.853861353153693e-5f);
  p = hn::MulAdd(p, z, hn::Set(d, -8.010193625184903e-4f));
  p = hn::MulAdd(p, z, hn::Set(d, 5.188327685732524e-3f));
  p = hn::MulAdd(p, z, hn::Set(d, -2.685381193529856e-2f));
  p = hn::MulAdd(p, z, hn::Set(d, 1.128358514861418e-1f));
  p = hn::MulAdd(p, z, hn::Set(d, -3.761262582423300e-1f));
  p = hn::MulAdd(p, z, hn::Set(d, 1.128379165726710f));
  const V near = hn::Mul(p, x);
  const V t = hn::Div(one, hn::MulAdd(hn::Set(d, 0.3275911f), size, one));
  V q = hn::Set(d, 1.061405429f);
  q = hn::MulAdd(q, t, hn::Set(d, -1.453152027f));
  q = hn::MulAdd(q, t, hn::Set(d, 1.421413741f));
  q = hn::MulAdd(q, t, hn::Set(d, -0.284496736f));
  q = hn::MulAdd(q, t, hn::Set(d, 0.254829592f));
  const V far = hn::NegMulAdd(hn::Mul(q, t), exp(d, hn::Neg(z)), one);
  return hn::IfThenElse(hn::Lt(size, one), near, hn::CopySign(far, x));
}

}  // namespace vector_math
}  // namespace heed::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
