// One product of stacks of matrices by numpy's rules, with its sizes as numbers.
#pragma once

#include "heed/plugin.hpp"

namespace heed::cpu {

constexpr int max_batch_rank = 14;

// One product with its sizes as numbers and its strides in elements; axes that numpy's rules add have stride 0. `batch`
// axes are those before the last two, b's strides along them in elements of whatever b lies in.
struct Product {
  int64_t rows = 1, columns = 1, k_count = 1;
  int64_t a_row = 0, a_k = 0, b_k = 0, b_column = 0, y_row = 0, y_column = 0;
  int64_t batch_count = 1;
  int batch_rank = 0;
  int64_t batch[max_batch_rank], a_batch[max_batch_rank], b_batch[max_batch_rank], y_batch[max_batch_rank];
};

struct Shape {
  std::span<const int64_t> dims, strides;
};
inline Shape shape_of(const TensorView& tensor) { return {tensor.dims(), tensor.strides()}; }

// The dims of the product, by numpy's rules. Fails where a's and b's do not fit.
Result<std::vector<int64_t>> product_dims(std::span<const int64_t> a, std::span<const int64_t> b);

// Of a, b and the product y, by their dims and strides.
Result<void> describe(Shape a, Shape b, Shape y, Product& p);

struct Offsets {
  int64_t a = 0, b = 0, y = 0;
};
// Where the matrices of a batch begin.
Offsets offsets_of(const Product& p, int64_t index);

// The batch axes over which b is one and the same, and a and y go on regularly, are rows.
void fold_batch_into_rows(Product& p);

constexpr int64_t ceil_divide(int64_t a, int64_t b) { return (a + b - 1) / b; }

}  // namespace heed::cpu
