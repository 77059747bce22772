// Values in files of their own, as ONNX's test data keeps them: input_0.pb, output_0.pb.
#pragma once

#include <filesystem>
#include <string>

#include "graph/host_value.hpp"

namespace heed {

// Reads a TensorProto, SequenceProto, OptionalProto or MapProto: the file does not say which, `expected` does. Tensors
// borrow the mapped file. Fails with io and invalid_model.
Result<HostValue> read_value(const std::filesystem::path& path, const ValueType& expected);

// Writes such a file, whole or not at all; `name` is the tensor's name in it. Fails with io, and with unsupported
// beyond 2 GiB.
Result<void> write_value(const std::filesystem::path& path, const HostValue& value, const std::string& name = "");

}  // namespace heed
