// Fields: walks one protobuf message field by field. Nested messages and bytes are borrowed as spans and not touched,
// so that a tensor of gigabytes costs nothing until it is read.
#pragma once

#include <google/protobuf/io/coded_stream.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "heed/result.hpp"

namespace heed::onnx_file {

using Bytes = std::span<const std::byte>;

// What the wire says a field's content is; the numbers are protobuf's.
enum class Wire : int32_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

class Fields {
 public:
  explicit Fields(Bytes message)
      : message_(message),
        stream_(reinterpret_cast<const uint8_t*>(message.data()), static_cast<int>(message.size())) {}

  // False at the end, and where the message is damaged: finish() tells.
  bool next();
  Result<void> finish() const;

  int number() const { return number_; }
  Wire wire() const { return wire_; }
  bool is(int number, Wire wire) const { return number_ == number && wire_ == wire; }

  // Of the field that next() reached: of the wire types varint, fixed64 and fixed32; the bits of a float.
  uint64_t bits() const { return bits_; }
  int64_t integer() const { return static_cast<int64_t>(bits_); }
  // Of the wire type bytes: a nested message, a string, or packed numbers.
  Bytes bytes() const { return bytes_; }
  std::string_view text() const { return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()}; }
  std::string string() const { return std::string(text()); }

 private:
  bool fail(std::string why);

  Bytes message_;
  google::protobuf::io::CodedInputStream stream_;
  int number_ = 0;
  Wire wire_ = Wire::varint;
  uint64_t bits_ = 0;
  Bytes bytes_;
  std::string failure_;
};

// Calls take(bits) for each number of a repeated field, packed or not. False where packed numbers are cut short.
template <class Take>
bool for_each_number(const Fields& field, Wire unpacked, Take take) {
  if (field.wire() == unpacked) {
    take(field.bits());
    return true;
  }
  if (field.wire() != Wire::bytes) return true;  // as protobuf: of another type, so another field
  const Bytes packed = field.bytes();
  if (unpacked == Wire::varint) {
    google::protobuf::io::CodedInputStream stream(reinterpret_cast<const uint8_t*>(packed.data()),
                                                  static_cast<int>(packed.size()));
    uint64_t bits = 0;
    while (stream.CurrentPosition() < static_cast<int>(packed.size())) {
      if (!stream.ReadVarint64(&bits)) return false;
      take(bits);
    }
    return true;
  }
  const size_t width = unpacked == Wire::fixed64 ? 8 : 4;
  for (size_t at = 0; at + width <= packed.size(); at += width) {
    uint64_t bits = 0;
    std::memcpy(&bits, packed.data() + at, width);  // both little-endian
    take(bits);
  }
  return packed.size() % width == 0;
}

}  // namespace heed::onnx_file
