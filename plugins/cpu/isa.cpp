// Which instruction sets this machine has.
#include "isa.hpp"

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#if defined(__x86_64__) && defined(__linux__)
#include <asm/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace heed::cpu {

#if defined(__x86_64__)
namespace {

// Leaf 7 of cpuid, of which gcc 12's __builtin_cpu_supports does not know all.
struct Leaf7 {
  unsigned int a = 0, b = 0, c = 0, d = 0;
  explicit Leaf7(unsigned int subleaf) { __get_cpuid_count(7, subleaf, &a, &b, &c, &d); }
};
bool is_set(unsigned int bits, int bit) { return (bits >> bit & 1) != 0; }

// Linux lends a process the registers of tiles when it asks, once and for all its threads.
bool may_use_tiles() {
#if defined(__linux__)
  constexpr int tile_data = 18;  // a component of the state that a thread keeps
  return syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, tile_data) == 0;
#else
  return false;
#endif
}

bool has_amx() {
  const unsigned int d = Leaf7(0).d;
  constexpr int bf16 = 22, tile = 24, bytes = 25;
  return is_set(d, bf16) && is_set(d, tile) && is_set(d, bytes) && may_use_tiles();
}

}  // namespace

bool machine_has(Isa isa) {
  switch (isa) {
    case Isa::scalar:
      return true;
    case Isa::avx2:
      // Highway's AVX2 also takes F16C, which every processor with AVX2 and FMA has.
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
             __builtin_cpu_supports("bmi2");
    case Isa::avx_vnni:
      return machine_has(Isa::avx2) && is_set(Leaf7(1).a, 4);
    case Isa::avx512:
      return machine_has(Isa::avx2) && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512cd") &&
             __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
             __builtin_cpu_supports("avx512vl");
    case Isa::avx512_vnni:
      return machine_has(Isa::avx512) && __builtin_cpu_supports("avx512vnni");
    case Isa::avx512_bf16:
      return machine_has(Isa::avx512_vnni) && is_set(Leaf7(1).a, 5);
    case Isa::amx: {
      static const bool has = machine_has(Isa::avx512_bf16) && has_amx();
      return has;
    }
    case Isa::neon:
      break;
  }
  return false;
}
#elif defined(__aarch64__)
bool machine_has(Isa isa) { return isa == Isa::scalar || isa == Isa::neon; }
#else
bool machine_has(Isa isa) { return isa == Isa::scalar; }
#endif

}  // namespace heed::cpu
