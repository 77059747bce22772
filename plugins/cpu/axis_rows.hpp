// Rows along an axis, one after the other: what the Softmax family and LpNormalization share.
#pragma once

#include "walk.hpp"

namespace heed::cpu {

// Calls row(from, to, length) for all rows of x and y, `length` elements that lie `inner` apart, in parallel, `grain`
// elements at a time. x is not empty; y may lie where x lies.
template <class T, class Row>
void for_each_row(const Running& run, const TensorView& x, const TensorView& y, int64_t length, int64_t inner,
                  int64_t grain, const Row& row) {
  run.parallel_for(x.count() / length, std::max<int64_t>(1, grain / length), [&](int64_t begin, int64_t end) {
    RowReader<T> reader(x);
    RowWriter<T> writer(y);
    for (int64_t index = begin; index < end; ++index) {
      const int64_t first = index / inner * length * inner + index % inner;
      const T* from = reader.row(first, length, inner);
      row(from, writer.row(first, length, inner), length);
      writer.finish();
    }
  });
}

}  // namespace heed::cpu
