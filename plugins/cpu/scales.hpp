// Which scale, and which zero point, an element of a quantised tensor has.
#pragma once

#include "convert.hpp"

namespace heed::cpu {

// Which scale an element has: element [outer, axis, inner] has scale outer * outer_stride + axis / block_size *
// axis_stride + inner * inner_stride.
struct Scales {
  int64_t axis_size = 1, inner_size = 1, block_size = 1;
  int64_t outer_stride = 0, axis_stride = 0, inner_stride = 0;

  int64_t of(int64_t index) const {
    const int64_t inner = index % inner_size, along = index / inner_size;
    return along / axis_size * outer_stride + along % axis_size / block_size * axis_stride + inner * inner_stride;
  }
};

// A list of scales or zero points as numbers, read once, and those of `n` elements from `first` on.
template <class T>
class PerElement {
 public:
  PerElement(const TensorView& tensor, const Scales& scales) : scales_(scales), values_(1, T{0}) {
    if (!tensor.present()) return;
    values_.resize(static_cast<size_t>(tensor.count()));
    read_elements(tensor.element(), tensor.c.data, 0, 1, tensor.count(), values_.data());
  }
  PerElement(std::vector<T> values, const Scales& scales) : scales_(scales), values_(std::move(values)) {}
  void fill(int64_t first, int64_t n, T* to) const {
    if (values_.size() == 1) {
      std::fill_n(to, n, values_[0]);
      return;
    }
    // Runs of elements: of one place along the axis, or where that is the last one, of its neighbours.
    for (int64_t i = 0; i < n;) {
      const T* from = values_.data() + scales_.of(first + i);
      const int64_t place = (first + i) % scales_.axis_size, inner = (first + i) % scales_.inner_size;
      int64_t count = scales_.inner_size - inner;
      bool is_repeated = scales_.inner_stride == 0;
      if (scales_.inner_size == 1) {
        is_repeated = scales_.block_size > 1;
        count = scales_.axis_size - place;
        if (is_repeated) count = std::min(count, scales_.block_size - place % scales_.block_size);
      }
      count = std::min(count, n - i);
      is_repeated ? std::fill_n(to + i, count, *from) : std::copy_n(from, count, to + i);
      i += count;
    }
  }

 private:
  const Scales& scales_;
  std::vector<T> values_;
};

}  // namespace heed::cpu
