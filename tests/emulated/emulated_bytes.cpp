// The code of byte_panels_x86.hpp as it ships, its instructions emulated.
#include "emulated_bytes.hpp"

#include <cmath>
#include <cstring>
#include <utility>

#include <hwy/base.h>

#define BYTES_INSTRUCTIONS "tests/emulated/byte_vectors.hpp"

namespace heed::cpu {
namespace {
namespace avx_vnni {
#define BYTES_WIDE 32
#define BYTES_VNNI 1
#include "plugins/cpu/byte_panels_x86.hpp"
}  // namespace avx_vnni
namespace avx512_vnni {
#define BYTES_WIDE 64
#define BYTES_VNNI 1
#include "plugins/cpu/byte_panels_x86.hpp"
}  // namespace avx512_vnni
}  // namespace
}  // namespace heed::cpu

namespace heed::test {

const cpu::BytePanelKernels& emulated_avx_vnni() { return cpu::avx_vnni::kernels; }
const cpu::BytePanelKernels& emulated_avx512_vnni() { return cpu::avx512_vnni::kernels; }

}  // namespace heed::test
