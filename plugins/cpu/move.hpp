// Moving elements without computing: by element size, not by type.
#pragma once

#include "heed/plugin.hpp"
#include "walk.hpp"

namespace heed::cpu {

// One side of a move: the element at index zero is `first` elements from `data` on.
struct Side {
  void* data;
  std::span<const int64_t> strides;
  int64_t first = 0;
};

// Copies dims many elements from one place to another, each with its strides (0 and negative ones too). Texts are
// copied as references: see own_texts. Packed types are moved on one thread.
void move_elements(const Running& run, DataType element, std::span<const int64_t> dims, const Side& from,
                   const Side& to);

// The same between whole tensors of equal dims, with the strides that they come with.
void move_tensor(const Running& run, const TensorView& from, const TensorView& to);

// Bytes of n elements, texts as references. Not for packed types.
size_t bytes_of_elements(DataType element, int64_t n);

// An element of 16 bytes: a reference to a text, or two f64.
struct alignas(16) Sixteen {
  uint64_t halves[2];
};

// Calls body with a value of a type as large as the elements: dispatch_size(element, [&]<class E>(E) { ... }). Not for
// packed types.
template <class Body>
auto dispatch_size(DataType element, Body&& body) {
  switch (bytes_of_elements(element, 1)) {
    case 1:
      return body(uint8_t{});
    case 2:
      return body(uint16_t{});
    case 4:
      return body(uint32_t{});
    case 8:
      return body(uint64_t{});
    case 16:
      return body(Sixteen{});
  }
  __builtin_unreachable();
}

// After a move of texts: gives the output characters of its own.
void own_texts(const Running& run, int32_t output, const TensorView& to);

// Room for output 0 with these dims, filled by a dense copy of the input's elements.
Result<void> copy_as(const Running& run, std::span<const int64_t> dims);

}  // namespace heed::cpu
