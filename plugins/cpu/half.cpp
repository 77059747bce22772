// Lists of 16-bit floats as f32 and back, once per instruction set.
#include "half.hpp"

#include <cstring>

#include "isa.hpp"
#include "vector_targets.hpp"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "plugins/cpu/half.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON
HWY_BEFORE_NAMESPACE();
namespace heed::cpu::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using Floats = hn::ScalableTag<float>;
using Halves = hn::Rebind<hwy::float16_t, Floats>;

// Lists of fewer numbers than a vector has go through a copy that is filled up; of others the last vector ends with
// them.
template <class From, class To, class Convert>
void convert_here(const From* from, int64_t n, To* to, Convert&& convert) {
  constexpr int64_t lanes = HWY_MAX_BYTES / sizeof(float);
  if (n == 0) return;
  if (n < lanes) {
    From some[lanes] = {};
    To converted[lanes];
    std::memcpy(some, from, static_cast<size_t>(n) * sizeof(From));
    convert(some, converted);
    std::memcpy(to, converted, static_cast<size_t>(n) * sizeof(To));
    return;
  }
  for (int64_t i = 0; i + lanes < n; i += lanes) convert(from + i, to + i);
  convert(from + n - lanes, to + n - lanes);
}
void widen_f16_here(const void* from, int64_t n, float* to) {
  convert_here(static_cast<const hwy::float16_t*>(from), n, to, [](const hwy::float16_t* halves, float* floats) {
    hn::StoreU(hn::PromoteTo(Floats(), hn::LoadU(Halves(), halves)), Floats(), floats);
  });
}
void narrow_f16_here(const float* from, int64_t n, void* to) {
  convert_here(from, n, static_cast<hwy::float16_t*>(to), [](const float* floats, hwy::float16_t* halves) {
    hn::StoreU(hn::DemoteTo(Halves(), hn::LoadU(Floats(), floats)), Halves(), halves);
  });
}

}  // namespace heed::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif

#if HWY_ONCE
namespace heed::cpu {
namespace {

using Widen = void (*)(const void*, int64_t, float*);
using Narrow = void (*)(const float*, int64_t, void*);

template <class Function>
Function best_of([[maybe_unused]] Function avx512, [[maybe_unused]] Function avx2, [[maybe_unused]] Function neon) {
  return machine_has(Isa::avx512) ? avx512 : machine_has(Isa::avx2) ? avx2 : machine_has(Isa::neon) ? neon : nullptr;
}
#if HWY_TARGETS & HWY_AVX3
#define HEED_AVX512(name) N_AVX3::name
#else
#define HEED_AVX512(name) nullptr
#endif
#if HWY_TARGETS & HWY_AVX2
#define HEED_AVX2(name) N_AVX2::name
#else
#define HEED_AVX2(name) nullptr
#endif
#if HWY_TARGETS & HWY_NEON
#define HEED_NEON(name) N_NEON::name
#else
#define HEED_NEON(name) nullptr
#endif

uint16_t narrow_bf16(float number) {
  uint32_t bits;
  std::memcpy(&bits, &number, sizeof bits);
  const uint32_t rounded = bits + 0x7FFF + (bits >> 16 & 1), quiet_nan = bits | 0x400000;
  return static_cast<uint16_t>(((bits & 0x7FFFFFFF) > 0x7F800000 ? quiet_nan : rounded) >> 16);
}

}  // namespace

void widen(DataType type, const void* from, int64_t n, float* to) {
  if (type == DataType::bf16) {
    const auto* codes = static_cast<const uint16_t*>(from);
    for (int64_t i = 0; i < n; ++i) {
      const uint32_t bits = uint32_t{codes[i]} << 16;
      std::memcpy(to + i, &bits, sizeof bits);
    }
    return;
  }
  static const Widen vectors =
      best_of<Widen>(HEED_AVX512(widen_f16_here), HEED_AVX2(widen_f16_here), HEED_NEON(widen_f16_here));
  if (vectors) return vectors(from, n, to);
  const auto* halves = static_cast<const Float16*>(from);
  for (int64_t i = 0; i < n; ++i) to[i] = static_cast<float>(halves[i]);
}

void narrow(DataType type, const float* from, int64_t n, void* to) {
  if (type == DataType::bf16) {
    auto* codes = static_cast<uint16_t*>(to);
    for (int64_t i = 0; i < n; ++i) codes[i] = narrow_bf16(from[i]);
    return;
  }
  static const Narrow vectors =
      best_of<Narrow>(HEED_AVX512(narrow_f16_here), HEED_AVX2(narrow_f16_here), HEED_NEON(narrow_f16_here));
  if (vectors) return vectors(from, n, to);
  auto* halves = static_cast<Float16*>(to);
  for (int64_t i = 0; i < n; ++i) halves[i] = Float16(from[i]);
}

}  // namespace heed::cpu
#endif
