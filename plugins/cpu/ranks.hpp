// For kernels that leave their outputs' shapes to inference, which needs ranks to tell them.
#pragma once

#include <string>

#include "heed/plugin.hpp"

namespace heed::cpu {

// For plan functions: declines where the rank of an input is not known.
inline Result<void> require_ranks(const Planning& node) {
  for (int32_t i = 0; i < node.input_count(); ++i)
    if (node.has_input(i) && !node.input(i).has_rank())
      return decline("the rank of input " + std::to_string(i) + " is known to the run alone");
  return {};
}

}  // namespace heed::cpu
