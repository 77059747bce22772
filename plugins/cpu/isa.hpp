// The instruction sets that vector kernels are compiled for, side by side in one library and chosen at run time.
#pragma once

#include <string_view>

#include "heed/plugin.hpp"

namespace heed::cpu {

// Of those of one machine a later one is the better. `amx` is its tiles of bytes and of bf16.
enum class Isa { scalar, neon, avx2, avx_vnni, avx512, avx512_vnni, avx512_bf16, amx };
inline constexpr Isa every_isa[] = {Isa::scalar, Isa::neon,        Isa::avx2,        Isa::avx_vnni,
                                    Isa::avx512, Isa::avx512_vnni, Isa::avx512_bf16, Isa::amx};

constexpr std::string_view name_of(Isa isa) {
  constexpr std::string_view names[] = {"scalar", "neon",        "avx2",        "avx_vnni",
                                        "avx512", "avx512_vnni", "avx512_bf16", "amx"};
  return names[static_cast<int>(isa)];
}

// What it adds to: code for bytes or bf16 alone is compiled for the others.
constexpr Isa base_of(Isa isa) { return isa == Isa::avx_vnni ? Isa::avx2 : isa > Isa::avx512 ? Isa::avx512 : isa; }

// Whether this machine, and its system, can run code for it.
bool machine_has(Isa isa);

// For plan functions: declines where the machine lacks it, or where the option "cpu.isa" names a lesser one. An option
// that names none, or one that the machine lacks, is an error.
Result<void> require_isa(const Planning& node, Isa isa);

}  // namespace heed::cpu
