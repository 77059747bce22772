// Which instruction sets this machine has.
#include "isa.hpp"

namespace heed::cpu {

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
  for (const Isa named : {Isa::scalar, Isa::neon, Isa::avx2, Isa::avx512}) {
    if (from_c(chosen) != name_of(named)) continue;
    if (named < isa) return decline("option cpu.isa is " + std::string(name_of(named)));
    return {};
  }
  return Error{Code::invalid_argument,
               "option cpu.isa is '" + std::string(from_c(chosen)) + "'; expected scalar, neon, avx2 or avx512"};
}

}  // namespace heed::cpu
