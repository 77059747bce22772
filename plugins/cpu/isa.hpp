// The instruction sets that vector kernels are compiled for, side by side in one library and chosen at run time.
#pragma once

#include <string_view>

#include "heed/plugin.hpp"

namespace heed::cpu {

// Of those of one machine a later one is the better.
enum class Isa { scalar, neon, avx2, avx_vnni, avx512, avx512_vnni };

constexpr std::string_view name_of(Isa isa) {
  constexpr std::string_view names[] = {"scalar", "neon", "avx2", "avx_vnni", "avx512", "avx512_vnni"};
  return names[static_cast<int>(isa)];
}

// What it adds to: code for bytes alone is compiled for the VNNI ones.
constexpr Isa base_of(Isa isa) { return isa == Isa::avx_vnni ? Isa::avx2 : isa == Isa::avx512_vnni ? Isa::avx512 : isa; }

// Whether this machine can run code for it.
bool machine_has(Isa isa);

// For plan functions: declines where the machine lacks it, or where the option "cpu.isa" names a lesser one.
Result<void> require_isa(const Planning& node, Isa isa);

}  // namespace heed::cpu
