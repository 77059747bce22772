// What the runtime asks of data types beyond include/heed/data_type.hpp: names read, sizes with errors.
#pragma once

#include <cstddef>
#include <string_view>

#include "heed/data_type.hpp"
#include "heed/result.hpp"

namespace heed {

// Our names ("f32"), ONNX's ("float", "FLOAT", "int64") and type strings ("tensor(float)"). Fails with
// invalid_argument.
Result<DataType> parse_data_type(std::string_view name);

// ONNX's name: "float", "int64"...
std::string_view onnx_name_of(DataType type);

// Bytes of count dense elements. Fails with invalid_argument where count is negative or the size does not fit, with
// unsupported where the type has no fixed size.
Result<size_t> size_bytes(DataType type, int64_t count);

}  // namespace heed
