// What LayerNormalization and RMSNormalization share: sums over rows, and parameters that broadcast beside them.
#pragma once

#include "walk.hpp"

namespace heed::cpu {

// Eight running sums, so that the additions form no chain.
template <class T, class Term>
T sum(int64_t n, Term term) {
  constexpr int64_t lanes = 8;
  T partial[lanes] = {};
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes)
    for (int64_t k = 0; k < lanes; ++k) partial[k] += term(i + k);
  for (; i < n; ++i) partial[i % lanes] += term(i);
  return ((partial[0] + partial[4]) + (partial[1] + partial[5])) +
         ((partial[2] + partial[6]) + (partial[3] + partial[7]));
}

// Scale and bias, as they stand beside rows: their elements for the row that begins at `row * length`.
template <class T>
class Parameter {
 public:
  Parameter(const TensorView& tensor, const TensorView& x, int32_t axis)
      : reader_(tensor), dims_(x.dims().begin(), x.dims().end()) {
    if (!tensor.present()) return;
    strides_ = broadcast_strides(tensor, dims_);
    axis_ = static_cast<size_t>(axis);
    const auto dense = dense_strides(std::span(dims_).subspan(axis_));
    for (size_t i = 0; i < dense.size(); ++i)
      is_dense_ = is_dense_ && (strides_[axis_ + i] == dense[i] || dims_[axis_ + i] == 1);
  }

  // n numbers for row number `row`.
  const T* row(int64_t row, int64_t n) {
    int64_t first = 0;
    for (size_t i = axis_; i-- > 0; row /= dims_[i]) first += row % dims_[i] * strides_[i];
    if (is_dense_) return reader_.row(first, n);
    // Broadcast within the row: gathered element by element.
    gathered_.resize(static_cast<size_t>(n));
    for (int64_t at = 0; at < n; ++at) {
      int64_t rest = at, offset = first;
      for (size_t i = dims_.size(); i-- > axis_; rest /= dims_[i]) offset += rest % dims_[i] * strides_[i];
      gathered_[static_cast<size_t>(at)] = *reader_.row(offset, 1);
    }
    return gathered_.data();
  }

 private:
  RowReader<T> reader_;
  std::vector<int64_t> dims_;
  Strides strides_;
  size_t axis_ = 0;
  bool is_dense_ = true;
  std::vector<T> gathered_;
};

}  // namespace heed::cpu
