// What goes into a run and comes out of it: a tensor, or what holds tensors.
#pragma once

#include <vector>

#include "graph/graph.hpp"

namespace heed {

struct HostValue {
  Kind kind = Kind::tensor;
  Tensor tensor;                    // of a tensor
  std::vector<HostValue> elements = {};  // of a sequence; of an optional its content, if any; of a map its keys and values
  bool present = true;              // false: an optional without content
};

}  // namespace heed
