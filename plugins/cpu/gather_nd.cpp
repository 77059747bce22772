// GatherND: the slices of the data that tuples of indices choose. GatherElements: an element for each index.
#include "indices.hpp"
#include "move.hpp"

namespace heed::cpu {
namespace {

template <class E>
void gather(const Running& run, const TensorView& data, const TensorView& y, const std::vector<int64_t>& places,
            std::span<const int64_t> indices_strides, int32_t axis) {
  std::array strides{Strides(data.strides().begin(), data.strides().end()),
                     Strides(indices_strides.begin(), indices_strides.end())};
  const int64_t axis_stride = std::exchange(strides[0][static_cast<size_t>(axis)], 0);
  walk(run, y.dims(), strides, [&](int64_t first, const int64_t* firsts, const int64_t* steps, int64_t n) {
    const E* from = data.data<const E>() + firsts[0];
    E* to = y.data<E>() + first;
    for (int64_t i = 0; i < n; ++i)
      to[i] = from[i * steps[0] + places[static_cast<size_t>(firsts[1] + i * steps[1])] * axis_stride];
  });
}

Result<void> run_elements(Running& run) {
  const auto data = run.input(0), indices = run.input(1);
  HEED_TRY(check_rank(run, 1, data.rank()));
  HEED_ASSIGN(const int32_t axis, run.axis("axis", data.rank()));
  for (int32_t k = 0; k < data.rank(); ++k)
    if (k != axis && indices.dim(k) > data.dim(k))
      return Error{Code::shape_mismatch, "axis " + std::to_string(k) + " of the indices has " +
                                             std::to_string(indices.dim(k)) + " elements, that of the data " +
                                             std::to_string(data.dim(k))};
  HEED_ASSIGN(const auto y, run.allocate(0, indices.dims()));
  const int64_t size = data.dim(axis);
  HEED_ASSIGN(const auto places, places_of(indices, {&size, 1}));
  if (is_packed(data.element()))
    return Error{Code::unsupported, "GatherElements of " + std::string(name_of(data.element()))};
  dispatch_size(data.element(), [&]<class E>(E) { gather<E>(run, data, y, places, indices.strides(), axis); });
  own_texts(run, 0, y);
  return {};
}

Result<void> run_nd(Running& run) {
  const auto data = run.input(0), indices = run.input(1);
  const auto batch = static_cast<int32_t>(run.integer("batch_dims"));
  if (indices.rank() < 1 || batch < 0 || batch >= std::min(data.rank(), indices.rank()) ||
      !std::equal(data.dims().begin(), data.dims().begin() + batch, indices.dims().begin()))
    return Error{Code::shape_mismatch, "indices of rank " + std::to_string(indices.rank()) + " into data of rank " +
                                           std::to_string(data.rank()) + ", with " + std::to_string(batch) +
                                           " batch axes"};
  const auto tuple = static_cast<int32_t>(indices.dim(-1));
  if (tuple < 1 || tuple > data.rank() - batch)
    return Error{Code::shape_mismatch, "tuples of " + std::to_string(tuple) + " indices choose from " +
                                           std::to_string(data.rank() - batch) + " axes"};
  std::vector<int64_t> dims(indices.dims().begin(), indices.dims().end() - 1);
  dims.insert(dims.end(), data.dims().begin() + batch + tuple, data.dims().end());
  HEED_ASSIGN(const auto y, run.allocate(0, dims));
  HEED_ASSIGN(const auto places,
              places_of(indices, data.dims().subspan(static_cast<size_t>(batch), static_cast<size_t>(tuple))));
  if (y.count() == 0) return {};
  const int64_t slice = data.count(batch + tuple, data.rank()), per_batch = data.count(batch, data.rank());
  const int64_t tuples = indices.count(0, indices.rank() - 1),
                tuples_per_batch = indices.count(batch, indices.rank() - 1);
  const auto first_of = [&](int64_t at) {
    int64_t first = at / tuples_per_batch * per_batch;
    for (int32_t k = 0; k < tuple; ++k) first += places[static_cast<size_t>(at * tuple + k)] * data.stride(batch + k);
    return first;
  };
  if (is_packed(data.element())) {
    const int64_t one = 1;
    for (int64_t at = 0; at < tuples; ++at)
      move_elements(run, data.element(), {&slice, 1}, {data.c.data, {&one, 1}, first_of(at)},
                    {y.c.data, {&one, 1}, at * slice});
    return {};
  }
  const size_t bytes = bytes_of_elements(data.element(), slice), element_bytes = bytes_of_elements(data.element(), 1);
  const auto* from = data.data<const std::byte>();
  auto* to = y.data<std::byte>();
  run.parallel_for(tuples, std::max<int64_t>(1, 65536 / static_cast<int64_t>(bytes)), [&](int64_t begin, int64_t end) {
    for (int64_t at = begin; at < end; ++at)
      std::memcpy(to + static_cast<size_t>(at) * bytes, from + static_cast<size_t>(first_of(at)) * element_bytes,
                  bytes);
  });
  own_texts(run, 0, y);
  return {};
}

}  // namespace

extern const CpuKernel gather_elements{.op_type = "GatherElements", .run = run_elements};
extern const CpuKernel gather_nd{.op_type = "GatherND", .run = run_nd};

}  // namespace heed::cpu
