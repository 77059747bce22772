// MaxUnpool: zeros, and each element where its index says, counted through the inferred shape: the low corner of the
// output. Moves by element size; of elements that meet, the last one stays.
#include "indices.hpp"
#include "move.hpp"

namespace heed::cpu {
namespace {

Result<void> run(Running& run) {
  const auto x = run.input(0), indices = run.input(1);
  const size_t rank = x.dims().size();
  const auto kernel = *run.integers("kernel_shape");
  const auto strides = run.integers("strides"), pads = run.integers("pads");
  const size_t spatial = kernel.size();
  if (rank != spatial + 2 || (strides && strides->size() != spatial) || (pads && pads->size() != 2 * spatial) ||
      !std::equal(x.dims().begin(), x.dims().end(), indices.dims().begin(), indices.dims().end()))
    return Error{Code::shape_mismatch, "the data, of rank " + std::to_string(rank) +
                                           ", does not fit the indices, kernel_shape, strides or pads"};
  std::vector<int64_t> sizes(x.dims().begin(), x.dims().end());
  for (size_t k = 0; k < spatial; ++k) {
    const int64_t padding = pads ? (*pads)[k] + (*pads)[spatial + k] : 0;
    sizes[k + 2] = (sizes[k + 2] - 1) * (strides ? (*strides)[k] : 1) + kernel[k] - padding;
  }
  const auto dims = run.input(2).present() ? run.input(2).integers() : sizes;
  bool fits = dims.size() == rank;
  for (size_t k = 0; fits && k < rank; ++k) fits = sizes[k] >= 0 && sizes[k] <= dims[k];
  if (!fits) return Error{Code::shape_mismatch, "output_shape is smaller than the shape that the data is unpooled to"};
  HEED_ASSIGN(const auto y, run.allocate(0, dims));
  if (y.count() == 0) return {};
  const size_t size = bytes_of_elements(y.element(), 1);
  std::memset(y.data<std::byte>(), 0, static_cast<size_t>(y.count()) * size);
  int64_t count = 1;
  for (const int64_t length : sizes) count *= length;
  HEED_ASSIGN(const auto places, places_of(indices, std::array{count}));
  const auto steps = dense_strides(dims);
  dispatch_size(y.element(), [&]<class E>(E) {
    const auto elements = x.as<const E>();
    for (size_t i = 0; i < elements.size(); ++i) {
      int64_t rest = places[i], to = 0;
      for (size_t axis = rank; axis-- > 0; rest /= sizes[axis]) to += rest % sizes[axis] * steps[axis];
      y.data<E>()[to] = elements[i];
    }
  });
  return {};
}

}  // namespace

extern const CpuKernel max_unpool{.op_type = "MaxUnpool", .run = run};

}  // namespace heed::cpu
