// The products over panels of bytes: which of them this build has, and how rows of a are laid out for them.
#include "byte_panels.hpp"

#include <cstring>
#include <utility>

#include <hwy/base.h>

#if defined(__x86_64__)
#include <immintrin.h>

HWY_PUSH_ATTRIBUTES("avx2,fma")
namespace heed::cpu::bytes_avx2 {
namespace {
#define BYTES_WIDE 32
#define BYTES_VNNI 0
#include "byte_panels_x86.hpp"
}  // namespace
}  // namespace heed::cpu::bytes_avx2
HWY_POP_ATTRIBUTES

HWY_PUSH_ATTRIBUTES("avx2,fma,avxvnni")
namespace heed::cpu::bytes_avx_vnni {
namespace {
#define BYTES_WIDE 32
#define BYTES_VNNI 1
#include "byte_panels_x86.hpp"
}  // namespace
}  // namespace heed::cpu::bytes_avx_vnni
HWY_POP_ATTRIBUTES

HWY_PUSH_ATTRIBUTES("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma")
namespace heed::cpu::bytes_avx512_vnni {
namespace {
#define BYTES_WIDE 64
#define BYTES_VNNI 1
#include "byte_panels_x86.hpp"
}  // namespace
}  // namespace heed::cpu::bytes_avx512_vnni
HWY_POP_ATTRIBUTES
#endif

namespace heed::cpu {

int32_t pack_row(const BytePanelKernels& kernels, const uint8_t* codes, int64_t count, int64_t padded_count, uint8_t* to) {
  if (kernels.bytes_of_four == 4) {
    std::memcpy(to, codes, static_cast<size_t>(count));
    std::memset(to + count, 0, static_cast<size_t>(padded_count - count));
    return 0;
  }
  // The sizes of four, and all bits of those that are negative.
  int32_t lacking = 0;
  const auto put = [&](uint8_t* four, int32_t code) {
    const int32_t sign = code >> 31, size = (code ^ sign) - sign;
    four[0] = static_cast<uint8_t>(size);
    four[4] = static_cast<uint8_t>(sign);
    lacking += size & sign;
  };
  for (int64_t k = 0; k < padded_count; k += 4, to += 8)
    for (int64_t i = 0; i < 4; ++i) put(to + i, k + i < count ? codes[k + i] - kernels.a_less : 0);
  return lacking;
}

const BytePanelKernels* byte_panel_kernels([[maybe_unused]] Isa isa) {
#if defined(__x86_64__)
  switch (isa) {
    case Isa::avx2:
    case Isa::avx512:
      return &bytes_avx2::kernels;
    case Isa::avx_vnni:
      return &bytes_avx_vnni::kernels;
    case Isa::avx512_vnni:
      return &bytes_avx512_vnni::kernels;
    default:
      break;
  }
#endif
  return nullptr;
}

}  // namespace heed::cpu
