// Rules of shape inference that several contracts share.
#pragma once

#include <functional>
#include <string>

#include "heed/plugin.hpp"

namespace heed::ops {

using Elements = std::optional<std::span<const Dim>>;

// "[batch, 12, 768]"
std::string text_of(std::span<const Dim> dims);

Dim product(std::span<const Dim> dims);

// The shape on which two shapes meet. Sizes that cannot meet fail; sizes that may are checked when they are known.
Result<Dims> checked_broadcast(Inference& node, std::span<const Dim> a, std::span<const Dim> b);

// Output 0 has the type and shape of input 0, or the element type `element` and its shape.
Result<void> like_input(Inference& node);
Result<void> like_input(Inference& node, DataType element);

// Tells output 0 the elements of input 0, where they are known.
void pass_elements(Inference& node);

// The axes in [0, rank), each once, of a list that may count from the end.
Result<std::vector<int32_t>> checked_axes(std::span<const int64_t> axes, int32_t rank, std::string_view what);

// Before opset 7: b's sizes are those of a from the attribute `axis` on (its last ones without it), or 1, where `broadcast`
// is not 0; else they are the same.
Result<void> check_one_sided(Inference& node, std::span<const Dim> a, std::span<const Dim> b);

// A list that an input holds, as numbers: nullopt where some are not known.
std::optional<std::vector<int64_t>> numbers_of(const Elements& elements);

// How many sizes or axes a list names that an input holds and that is not known itself; nullopt where not even that is.
// Fails on more than a tensor has axes.
Result<std::optional<int64_t>> told_length(Inference& node, int32_t input);

// Dims that nobody knows: one fresh symbol per axis.
Dims fresh_dims(Inference& node, int64_t rank, std::string_view hint);

// Row-major strides of dims.
Dims dense_strides(std::span<const Dim> dims);

}  // namespace heed::ops
