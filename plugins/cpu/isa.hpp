// The instruction sets that vector kernels are compiled for, side by side in one library and chosen at run time.
#pragma once

#include <string_view>

#include "heed/plugin.hpp"

namespace heed::cpu {

enum class Isa { scalar, neon, avx2, avx512 };

constexpr std::string_view name_of(Isa isa) {
  constexpr std::string_view names[] = {"scalar", "neon", "avx2", "avx512"};
  return names[static_cast<int>(isa)];
}

// Whether this machine can run code for it.
bool machine_has(Isa isa);

// For plan functions: declines where the machine lacks it, or where the option "cpu.isa" names a lesser one.
Result<void> require_isa(const Planning& node, Isa isa);

}  // namespace heed::cpu
