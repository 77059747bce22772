// Which instruction sets this machine has.
#include "isa.hpp"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace heed::cpu {

#if defined(__x86_64__)
namespace {

// Which gcc 12's __builtin_cpu_supports does not know: bit 4 of eax of leaf 7, subleaf 1.
bool has_avx_vnni() {
  unsigned int a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 && (a >> 4 & 1) != 0;
}

}  // namespace
#endif

bool machine_has(Isa isa) {
  switch (isa) {
    case Isa::scalar:
      return true;
    case Isa::neon:
#if defined(__aarch64__)
      return true;
#else
      return false;
#endif
    case Isa::avx2:
#if defined(__x86_64__)
      // Highway's AVX2 also takes F16C, which every processor with AVX2 and FMA has.
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
             __builtin_cpu_supports("bmi2");
#else
      return false;
#endif
    case Isa::avx_vnni:
#if defined(__x86_64__)
      return machine_has(Isa::avx2) && has_avx_vnni();
#else
      return false;
#endif
    case Isa::avx512_vnni:
#if defined(__x86_64__)
      return machine_has(Isa::avx512) && __builtin_cpu_supports("avx512vnni");
#else
      return false;
#endif
    case Isa::avx512:
#if defined(__x86_64__)
      return machine_has(Isa::avx2) && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512cd") &&
             __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
             __builtin_cpu_supports("avx512vl");
#else
      return false;
#endif
  }
  return false;
}

Result<void> require_isa(const Planning& node, Isa isa) {
  if (!machine_has(isa)) return decline("this machine has no " + std::string(name_of(isa)));
  heed_text chosen{};
  if (!host->prepare_option(node.c(), to_c("cpu.isa"), &chosen)) return {};
  for (const Isa named : {Isa::scalar, Isa::neon, Isa::avx2, Isa::avx_vnni, Isa::avx512, Isa::avx512_vnni}) {
    if (from_c(chosen) != name_of(named)) continue;
    if (named < isa) return decline("option cpu.isa is " + std::string(name_of(named)));
    return {};
  }
  return Error{Code::invalid_argument,
               "option cpu.isa is '" + std::string(from_c(chosen)) + "'; expected scalar, neon, avx2, avx_vnni, avx512 or avx512_vnni"};
}

}  // namespace heed::cpu
