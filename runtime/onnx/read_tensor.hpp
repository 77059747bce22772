// TensorProto and SparseTensorProto, in every form in which they keep their elements.
#pragma once

#include <string>

#include "graph/tensor.hpp"
#include "onnx/fields.hpp"
#include "onnx/source.hpp"

namespace heed::onnx_file {

struct NamedTensor {
  std::string name;
  Tensor tensor;
};

// The message lies in the source's bytes. Errors name the tensor, what was expected, and what was met.
Result<NamedTensor> read_tensor(Bytes message, Source& source);
// As a dense tensor.
Result<NamedTensor> read_sparse_tensor(Bytes message, Source& source);

}  // namespace heed::onnx_file
