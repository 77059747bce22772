// What files that are no ONNX models most likely are, to say so.
#pragma once

#include <string>

#include "onnx/fields.hpp"

namespace heed::onnx_file {

// "a zip archive, ..."; empty where it is like nothing known.
std::string likely_kind(Bytes file);

}  // namespace heed::onnx_file
