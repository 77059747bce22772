// What the convolutions of floats and of bytes share.
#pragma once

#include "heed/plugin.hpp"

namespace heed::ops {

// Which inputs of a convolution are its data [batch, channel, spatial...], weights [out, channel / group, kernel...] and
// bias [out]; -1: none.
struct ConvInputs {
  int32_t x, w, bias;
};

// Output 0: [batch, out, spatial...] of `element`s.
Result<void> infer_convolution(Inference& node, ConvInputs inputs, DataType element);

}  // namespace heed::ops
