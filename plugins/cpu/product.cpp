// One product of stacks of matrices by numpy's rules, with its sizes as numbers.
#include "product.hpp"

namespace heed::cpu {

Result<std::vector<int64_t>> product_dims(std::span<const int64_t> a, std::span<const int64_t> b) {
  if (a.empty() || b.empty()) return Error{Code::shape_mismatch, "a factor has rank 0; expected at least one axis"};
  const size_t a_lead = std::max<size_t>(a.size(), 2) - 2, b_lead = std::max<size_t>(b.size(), 2) - 2;
  bool fits = a.back() == b[b.size() == 1 ? 0 : b.size() - 2];
  std::vector<int64_t> dims(std::max(a_lead, b_lead), 1);
  for (const auto& [given, lead] : {std::pair(a, a_lead), std::pair(b, b_lead)})
    for (size_t axis = 0; axis < lead; ++axis) {
      int64_t& dim = dims[dims.size() - lead + axis];
      fits = fits && (dim == given[axis] || dim == 1 || given[axis] == 1);
      if (dim == 1) dim = given[axis];
    }
  if (!fits)
    return Error{Code::shape_mismatch, "a product of " + std::to_string(a.size()) + " and " + std::to_string(b.size()) +
                                           " axes whose sizes do not fit"};
  if (a.size() > 1) dims.push_back(a[a.size() - 2]);
  if (b.size() > 1) dims.push_back(b.back());
  return dims;
}

Result<void> describe(Shape a, Shape b, Shape y, Product& p) {
  const size_t a_rank = a.dims.size(), b_rank = b.dims.size();
  p.k_count = a.dims.back();
  p.a_k = a.strides.back();
  p.b_k = b.strides[b_rank == 1 ? 0 : b_rank - 2];
  size_t y_axis = y.dims.size();
  if (b_rank > 1) {
    p.columns = b.dims.back();
    p.b_column = b.strides.back();
    p.y_column = y.strides[--y_axis];
  }
  if (a_rank > 1) {
    p.rows = a.dims[a_rank - 2];
    p.a_row = a.strides[a_rank - 2];
    p.y_row = y.strides[--y_axis];
  }
  // From the innermost axis outwards; y's batch axes are all there are. Axes of size 1 do not count.
  const size_t a_lead = std::max<size_t>(a_rank, 2) - 2, b_lead = std::max<size_t>(b_rank, 2) - 2;
  for (size_t back = 0; back < y_axis; ++back) {
    const int64_t size = y.dims[y_axis - 1 - back];
    const auto stride_of = [&](Shape shape, size_t lead) {
      return back < lead && shape.dims[lead - 1 - back] != 1 ? shape.strides[lead - 1 - back] : int64_t{0};
    };
    const int64_t a_stride = stride_of(a, a_lead), b_stride = stride_of(b, b_lead),
                  y_stride = y.strides[y_axis - 1 - back];
    p.batch_count *= size;
    if (size == 1) continue;
    if (p.batch_rank == max_batch_rank)
      return Error{Code::unsupported, "a product over more than " + std::to_string(max_batch_rank + 2) + " axes"};
    p.batch[p.batch_rank] = size;
    p.a_batch[p.batch_rank] = a_stride;
    p.b_batch[p.batch_rank] = b_stride;
    p.y_batch[p.batch_rank] = y_stride;
    ++p.batch_rank;
  }
  return {};
}

Offsets offsets_of(const Product& p, int64_t index) {
  Offsets at;
  for (int axis = 0; axis < p.batch_rank; ++axis) {
    const int64_t i = index % p.batch[axis];
    index /= p.batch[axis];
    at.a += i * p.a_batch[axis];
    at.b += i * p.b_batch[axis];
    at.y += i * p.y_batch[axis];
  }
  return at;
}

void fold_batch_into_rows(Product& p) {
  if (p.batch_count == 0) return;
  while (p.batch_rank > 0 && p.b_batch[0] == 0) {
    if (p.rows == 1) {
      p.a_row = p.a_batch[0];
      p.y_row = p.y_batch[0];
    } else if (p.a_batch[0] != p.a_row * p.rows || p.y_batch[0] != p.y_row * p.rows) {
      return;
    }
    p.rows *= p.batch[0];
    p.batch_count /= p.batch[0];
    --p.batch_rank;
    for (int64_t* list : {p.batch, p.a_batch, p.b_batch, p.y_batch}) std::copy(list + 1, list + 1 + p.batch_rank, list);
  }
}

}  // namespace heed::cpu
