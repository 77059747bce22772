// The products of bytes by AVX-VNNI and AVX512-VNNI, their instructions emulated.
#pragma once

#include "plugins/cpu/byte_panels.hpp"

namespace heed::test {

const cpu::BytePanelKernels& emulated_avx_vnni();
const cpu::BytePanelKernels& emulated_avx512_vnni();

}  // namespace heed::test
