// Which of Highway's targets the vector kernels are compiled for. Include before hwy/foreach_target.h. The baselines that
// Highway insists on stay empty: there the scalar kernels serve.
#pragma once

// Bit 14 is SSE2, the baseline of x86 since Highway 1.0.5, which older ones do not name.
#define HWY_DISABLED_TARGETS (~(HWY_AVX2 | HWY_AVX3 | HWY_NEON | HWY_EMU128 | HWY_SCALAR | (1LL << 14)))
