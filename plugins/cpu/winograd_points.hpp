// Winograd's transforms of vectors of lines, with the points that conv_panels.hpp tells. Once per instruction set: include
// after hwy/highway.h, inside of files that hwy/foreach_target.h compiles.
// clang-format off: it does not know HWY_UNROLL.
#if defined(HEED_WINOGRAD_POINTS_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef HEED_WINOGRAD_POINTS_HPP
#undef HEED_WINOGRAD_POINTS_HPP
#else
#define HEED_WINOGRAD_POINTS_HPP
#endif

#include <numbers>

#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON
HWY_BEFORE_NAMESPACE();
namespace heed::cpu::HWY_NAMESPACE {
namespace winograd {

namespace hn = hwy::HWY_NAMESPACE;

constexpr float root = std::numbers::sqrt2_v<float>, half_root = root / 2;

// B^T d, of six vectors `step` apart.
template <class D, class Vector = hn::VFromD<D>>
HWY_INLINE void transform_input(D d, const Vector* from, int step, Vector* to) {
  const Vector d0 = from[0], d1 = from[step], d2 = from[2 * step], d3 = from[3 * step], d4 = from[4 * step],
               d5 = from[5 * step];
  const Vector odd = hn::Set(d, 2.5f), wide = hn::Set(d, root), narrow = hn::Set(d, half_root);
  const Vector even1 = hn::NegMulAdd(hn::Set(d, 2.0f), d2, d4), even2 = hn::NegMulAdd(hn::Set(d, 0.5f), d2, d4);
  const Vector odd1 = hn::MulSub(narrow, d3, hn::Mul(wide, d1)), odd2 = hn::MulSub(wide, d3, hn::Mul(narrow, d1));
  to[0] = hn::NegMulAdd(odd, d2, hn::Add(d0, d4));
  to[1] = hn::Add(even1, odd1);
  to[2] = hn::Sub(even1, odd1);
  to[3] = hn::Add(even2, odd2);
  to[4] = hn::Sub(even2, odd2);
  to[5] = hn::NegMulAdd(odd, d3, hn::Add(d1, d5));
}

// A^T m, for two pixels and for four.
template <class D, class Vector = hn::VFromD<D>>
HWY_INLINE void transform_to_two(D d, const Vector* m, Vector* to) {
  to[0] = hn::Add(m[0], hn::Add(hn::Add(m[1], m[2]), hn::Add(m[3], m[4])));
  to[1] = hn::MulAdd(hn::Set(d, half_root), hn::Sub(m[1], m[2]), hn::MulAdd(hn::Set(d, root), hn::Sub(m[3], m[4]), m[5]));
}
template <class D, class Vector = hn::VFromD<D>>
HWY_INLINE void transform_to_four(D d, const Vector* m, Vector* to) {
  const Vector sum1 = hn::Add(m[1], m[2]), sum2 = hn::Add(m[3], m[4]);
  const Vector difference1 = hn::Sub(m[1], m[2]), difference2 = hn::Sub(m[3], m[4]);
  to[0] = hn::Add(m[0], hn::Add(sum1, sum2));
  to[1] = hn::MulAdd(hn::Set(d, half_root), difference1, hn::Mul(hn::Set(d, root), difference2));
  to[2] = hn::MulAdd(hn::Set(d, 0.5f), sum1, hn::Add(sum2, sum2));
  to[3] = hn::MulAdd(hn::Set(d, half_root / 2), difference1, hn::MulAdd(hn::Set(d, 2 * root), difference2, m[5]));
}

}  // namespace winograd
}  // namespace heed::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif

#endif
