// SHA-1, for the checksums of external data. Not for anything that someone could want to forge.
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace heed::onnx_file {

// 40 lower-case hexadecimal digits.
std::string sha1_hex(std::span<const std::byte> bytes);

}  // namespace heed::onnx_file
