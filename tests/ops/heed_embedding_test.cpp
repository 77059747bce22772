// heed.Embedding: rows of a table by ids.
#include <catch2/catch.hpp>

#include "cases.hpp"

namespace heed::test {
namespace {

Tensors rows_of(const Tensors& in) {
  const auto table = values_of(in[0]), ids = values_of(in[1]);
  const int64_t vocab = in[0].dims[0], width = in[0].dims[1];
  std::vector<double> y;
  for (const double id : ids)
    for (int64_t c = 0; c < width; ++c)
      y.push_back(table[static_cast<size_t>((static_cast<int64_t>(id) + (id < 0 ? vocab : 0)) * width + c)]);
  auto dims = in[1].dims;
  dims.push_back(width);
  return {numbers(in[0].type, dims, y)};
}

const std::vector<Case> cases = {
    {"one id", {f32({3, 2}, {1, 2, 3, 4, 5, 6}), i64({}, {1})}, {f32({2}, {3, 4})}},
    {"negative ids count from the end, as Gather's do",
     {f32({3, 2}, {1, 2, 3, 4, 5, 6}), i64({2}, {-1, -3})},
     {f32({2, 2}, {5, 6, 1, 2})}},
    {"no ids", {f32({3, 2}, {1, 2, 3, 4, 5, 6}), i64({2, 0}, {})}, {f32({2, 0, 2}, {})}},
    {"no width", {f32({3, 0}, {}), i64({2}, {0, 2})}, {f32({2, 0}, {})}},
    by(rows_of, "a batch", {random({101, 37}), i64({2, 3}, {0, 100, 7, 7, -101, 50})}),
    by(rows_of, "ids of i32", {random({11, 5}), i32({4}, {10, 0, -1, 3})}),
    by(rows_of, "a table of a width beyond a workgroup, prime", {random({13, 2053}), i64({3}, {12, 0, 5})}),
    by(rows_of, "more ids than a workgroup", {random({7, 3}), random({2053}, -7, 7, DataType::i64)}),
    by(rows_of, "f64", {random({11, 5}, -1, 1, DataType::f64), i64({2}, {10, 3})}),
    by(rows_of, "f16", {random({11, 5}, -1, 1, DataType::f16), i64({2}, {10, 3})}),
    by(rows_of, "i8", {random({11, 5}, -99, 99, DataType::i8), i64({2}, {10, 3})}),
};

}  // namespace

HEED_TEST_OPERATOR("heed.Embedding", cases)

}  // namespace heed::test
