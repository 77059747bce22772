// Reading of protobuf's wire format: https://protobuf.dev/programming-guides/encoding
#include "onnx/fields.hpp"

namespace heed::onnx_file {

bool Fields::fail(std::string why) {
  failure_ = std::move(why);
  return false;
}

bool Fields::next() {
  if (!failure_.empty()) return false;
  const auto size = static_cast<int>(message_.size());
  if (stream_.CurrentPosition() >= size) return false;
  const int start = stream_.CurrentPosition();
  const uint32_t tag = stream_.ReadTag();
  number_ = static_cast<int>(tag >> 3);
  const uint32_t wire = tag & 7;
  wire_ = static_cast<Wire>(wire);
  bits_ = 0;
  bytes_ = {};
  if (number_ == 0) return fail("byte " + std::to_string(start) + " of it begins no field");
  bool is_complete = true;
  if (wire_ == Wire::varint) {
    is_complete = stream_.ReadVarint64(&bits_);
  } else if (wire_ == Wire::fixed64) {
    is_complete = stream_.ReadLittleEndian64(&bits_);
  } else if (wire_ == Wire::fixed32) {
    uint32_t low = 0;
    is_complete = stream_.ReadLittleEndian32(&low);
    bits_ = low;
  } else if (wire_ == Wire::bytes) {
    uint32_t length = 0;
    is_complete = stream_.ReadVarint32(&length);
    const int position = stream_.CurrentPosition();
    const auto left = static_cast<uint32_t>(size - position);
    if (is_complete && length > left) {
      return fail("field " + std::to_string(number_) + " claims " + std::to_string(length) + " bytes where " +
                  std::to_string(left) + " are left");
    }
    if (is_complete) {
      bytes_ = message_.subspan(static_cast<size_t>(position), length);
      is_complete = stream_.Skip(static_cast<int>(length));
    }
  } else {  // groups occur in no message of ONNX
    return fail("field " + std::to_string(number_) + " has the wire type " + std::to_string(wire));
  }
  return is_complete || fail("field " + std::to_string(number_) + " is cut short");
}

Result<void> Fields::finish() const {
  if (failure_.empty()) return {};
  return Error{Code::invalid_model, "cut short or damaged: " + failure_};
}

}  // namespace heed::onnx_file
