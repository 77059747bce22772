// NumPy's .npy files: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "graph/tensor.hpp"

namespace heed {

// Versions 1 to 3, C and Fortran order, either byte order. Strings (U, S) lose the zeros that pad them. `expected`, the
// type that the tensor is for, decides what NumPy cannot tell: void elements ("V1", "V2", what ml_dtypes arrays become;
// V2 alone is bf16), and bytes that stand for 4- or 2-bit numbers, one each. Fails with io, and with invalid_argument
// for a file that is none or holds what no tensor can (objects, dates, records).
Result<Tensor> read_npy(const std::filesystem::path& path, std::optional<DataType> expected = std::nullopt);

// The same from memory: the tensor borrows the bytes, which `owner` keeps alive, where they lie aligned.
Result<Tensor> parse_npy(std::span<const std::byte> bytes, std::shared_ptr<const void> owner,
                         std::optional<DataType> expected = std::nullopt);

// What NumPy has no type for is widened without loss: bf16, fp8 and fp4 to float32, 4- and 2-bit integers to 8 bits.
// Written whole or not at all. Fails with io.
Result<void> write_npy(const std::filesystem::path& path, const Tensor& tensor);
std::string npy_bytes(const Tensor& tensor);

}  // namespace heed
