// How several tensors are walked together.
#include "walk.hpp"

namespace heed::cpu {

Strides dense_strides(std::span<const int64_t> dims) {
  Strides strides(dims.size());
  int64_t stride = 1;
  for (size_t i = dims.size(); i-- > 0; stride *= dims[i]) strides[i] = stride;
  return strides;
}

bool is_dense(const TensorView& tensor) {
  const Strides dense = dense_strides(tensor.dims());
  for (int32_t axis = 0; axis < tensor.rank(); ++axis)
    if (tensor.dim(axis) != 1 && tensor.stride(axis) != dense[static_cast<size_t>(axis)]) return false;
  return true;
}

Result<TensorView> broadcast_output(const Running& run) {
  const auto known = run.output(0);
  if (known.c.rank >= 0) return known;
  std::vector<int64_t> dims;
  for (int32_t i = 0; i < run.input_count(); ++i) {
    const auto in = run.input(i);
    if (!in.present()) continue;
    if (in.dims().size() > dims.size()) dims.insert(dims.begin(), in.dims().size() - dims.size(), 1);
    for (size_t axis = 0; axis < in.dims().size(); ++axis) {
      auto& dim = dims[dims.size() - in.dims().size() + axis];
      const int64_t size = in.dims()[axis];
      if (dim != size && dim != 1 && size != 1)
        return Error{Code::shape_mismatch,
                     "sizes " + std::to_string(dim) + " and " + std::to_string(size) + " do not broadcast"};
      if (dim == 1) dim = size;
    }
  }
  return run.allocate(0, dims);
}

Result<TensorView> output_like(const Running& run, int32_t input, int32_t output) {
  const auto known = run.output(output);
  return known.c.rank >= 0 ? known : run.allocate(output, run.input(input).dims());
}

Result<void> check_broadcasts_to(const TensorView& tensor, std::span<const int64_t> dims) {
  bool fits = tensor.dims().size() <= dims.size();
  for (size_t axis = 0; fits && axis < tensor.dims().size(); ++axis) {
    const int64_t size = tensor.dims()[axis];
    fits = size == 1 || size == dims[dims.size() - tensor.dims().size() + axis];
  }
  if (fits) return {};
  return Error{Code::shape_mismatch,
               "a tensor of rank " + std::to_string(tensor.rank()) + " does not broadcast to its partner"};
}

Result<void> check_rank(const Running& run, int32_t input, int32_t rank) {
  if (run.input(input).rank() == rank) return {};
  return Error{Code::shape_mismatch, "input " + std::to_string(input) + " has rank " +
                                         std::to_string(run.input(input).rank()) + "; expected rank " +
                                         std::to_string(rank)};
}

Strides broadcast_strides(const TensorView& tensor, std::span<const int64_t> dims, int64_t trailing) {
  Strides strides(dims.size(), 0);
  const size_t lead = dims.size() - static_cast<size_t>(trailing) - static_cast<size_t>(tensor.rank());
  for (int32_t axis = 0; axis < tensor.rank(); ++axis)
    if (tensor.dim(axis) != 1) strides[lead + static_cast<size_t>(axis)] = tensor.stride(axis);
  return strides;
}

void walk(const Running& run, std::span<const int64_t> given, std::span<const Strides> inputs, const WalkBody& body) {
  // Axes that all tensors run through in one go are merged; the last one is the row.
  const size_t count = inputs.size();
  std::vector<int64_t> dims;
  std::vector<Strides> strides(count);
  int64_t total = 1;
  for (size_t axis = 0; axis < given.size(); ++axis) {
    const int64_t size = given[axis];
    total *= size;
    if (size == 1) continue;
    bool merges = !dims.empty();
    for (size_t k = 0; k < count && merges; ++k) merges = strides[k].back() == inputs[k][axis] * size;
    if (merges) {
      dims.back() *= size;
      for (size_t k = 0; k < count; ++k) strides[k].back() = inputs[k][axis];
    } else {
      dims.push_back(size);
      for (size_t k = 0; k < count; ++k) strides[k].push_back(inputs[k][axis]);
    }
  }
  if (total == 0) return;
  if (dims.empty()) {
    dims.push_back(1);
    for (auto& list : strides) list.push_back(0);
  }

  constexpr int64_t piece = 16384;  // elements that are worth a thread's while
  const int64_t row = dims.back(), pieces_per_row = (row + piece - 1) / piece;
  const size_t outer = dims.size() - 1;
  Strides steps(count);
  for (size_t k = 0; k < count; ++k) steps[k] = strides[k].back();
  const int64_t grain = std::max<int64_t>(1, piece / std::min(row, piece));
  run.parallel_for(total / row * pieces_per_row, grain, [&](int64_t begin, int64_t end) {
    std::vector<int64_t> index(outer), firsts(count), now(count);
    int64_t at_row = begin / pieces_per_row;
    for (size_t axis = outer, rest = static_cast<size_t>(at_row); axis-- > 0; rest /= static_cast<size_t>(dims[axis])) {
      index[axis] = static_cast<int64_t>(rest % static_cast<size_t>(dims[axis]));
      for (size_t k = 0; k < count; ++k) firsts[k] += index[axis] * strides[k][axis];
    }
    int64_t part = begin % pieces_per_row;
    for (int64_t item = begin; item < end; ++item) {
      const int64_t from = part * piece, n = std::min(piece, row - from);
      for (size_t k = 0; k < count; ++k) now[k] = firsts[k] + from * steps[k];
      body(at_row * row + from, now.data(), steps.data(), n);
      if (++part < pieces_per_row) continue;
      part = 0;
      ++at_row;
      for (size_t axis = outer; axis-- > 0;) {
        for (size_t k = 0; k < count; ++k) firsts[k] += strides[k][axis];
        if (++index[axis] < dims[axis]) break;
        for (size_t k = 0; k < count; ++k) firsts[k] -= strides[k][axis] * dims[axis];
        index[axis] = 0;
      }
    }
  });
}

Result<void> plan_elementwise(Planning& node) {
  const auto out = node.output(0);
  bool lies = false;
  for (int32_t i = 0; i < node.input_count(); ++i) {
    if (!node.has_input(i)) continue;
    node.take_strided(i);
    const auto in = node.input(i);
    if (lies || in.c.element != out.c.element || !in.has_rank() || !out.has_rank()) continue;
    if (!std::equal(in.dims().begin(), in.dims().end(), out.dims().begin(), out.dims().end())) continue;
    node.in_place(i, 0);
    lies = true;
  }
  return {};
}

}  // namespace heed::cpu
