// A length that a caller gives as a number, not as the size of a tensor.
#pragma once

#include "graph/graph.hpp"

namespace heed {

// The symbol whose number the one element of a graph's input is; null where it is none.
inline const DimSymbol* told_length(const Value& input) {
  return input.elements && input.elements->size() == 1 ? as_symbol(input.elements->front()) : nullptr;
}

}  // namespace heed
