// Strides: how a view looks at memory, how far it reaches there, and whether a reshape of it needs no copy.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "graph/tensor.hpp"
#include "heed/dim.hpp"

namespace heed {

// Row-major, in elements.
std::vector<Dim> dense_strides(std::span<const Dim> dims);

// Whether strides are those of a dense tensor; an axis of size 1 may have any stride.
bool is_dense(std::span<const Dim> dims, std::span<const Dim> strides);

// The strides with which a tensor of `dims` and `strides` reads as one of `new_dims` in the same order of elements;
// nullopt where that is not proven possible.
std::optional<std::vector<Dim>> reshape_strides(std::span<const Dim> dims, std::span<const Dim> strides,
                                                std::span<const Dim> new_dims);

// Where the elements of a tensor that is not empty begin and end, of which `first` is the one at index zero; nullopt
// where 64 bits do not count so far.
struct Extent {
  int64_t low, high;
};
std::optional<Extent> extent_of(std::span<const int64_t> dims, std::span<const int64_t> strides, int64_t first = 0);

// A dense copy of a constant that is looked at with strides.
Result<Tensor> dense_copy(const Tensor& tensor);

}  // namespace heed
