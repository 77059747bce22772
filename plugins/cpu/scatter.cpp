// ScatterElements, Scatter, ScatterND, TensorScatter: a copy of the data, then the updates in order.
#include "indices.hpp"
#include "move.hpp"

namespace heed::cpu {
namespace {

// What an update does to an element.
struct Assign {
  template <class E>
  void operator()(E& y, const E& update) const {
    y = update;
  }
};
struct Bool {
  uint8_t value;  // not 0: true
};
template <class E>
struct Reduce {
  enum { add, multiply, least, greatest } kind;

  void operator()(E& y, const E& update) const {
    if constexpr (std::is_same_v<E, Bool>) {
      y.value = kind == add || kind == greatest ? y.value || update.value : y.value && update.value;
    } else {
      // Sums and products of integers wrap.
      using Sum = std::conditional_t<std::is_integral_v<E>, uint64_t, std::conditional_t<std::is_same_v<E, double>, double, float>>;
      using Wide = std::conditional_t<std::is_arithmetic_v<E>, E, float>;
      const auto a = static_cast<Wide>(y), b = static_cast<Wide>(update);
      switch (kind) {
        case add:
          y = static_cast<E>(static_cast<Sum>(a) + static_cast<Sum>(b));
          break;
        case multiply:
          y = static_cast<E>(static_cast<Sum>(a) * static_cast<Sum>(b));
          break;
        case least:  // a NaN wins
          if (b < a || b != b) y = update;
          break;
        case greatest:
          if (b > a || b != b) y = update;
          break;
      }
    }
  }
};

// Calls body with the C++ type of the elements and what an update does to one.
template <class Body>
Result<void> with_update(DataType type, std::string_view reduction, Body&& body) {
  if (reduction == "none") {
    if (!is_packed(type)) return dispatch_size(type, [&](auto element) { return body(element, Assign()); });
  } else {
    const auto reduce = [&]<class E>(E element) {
      using R = Reduce<E>;
      return body(element, R{reduction == "add"   ? R::add
                             : reduction == "mul" ? R::multiply
                             : reduction == "min" ? R::least
                                                  : R::greatest});
    };
    switch (type) {
      case DataType::f32:
        return reduce(float{});
      case DataType::f64:
        return reduce(double{});
      case DataType::f16:
        return reduce(Float16{});
      case DataType::bf16:
        return reduce(BFloat16{});
      case DataType::i8:
        return reduce(int8_t{});
      case DataType::i16:
        return reduce(int16_t{});
      case DataType::i32:
        return reduce(int32_t{});
      case DataType::i64:
        return reduce(int64_t{});
      case DataType::u8:
        return reduce(uint8_t{});
      case DataType::u16:
        return reduce(uint16_t{});
      case DataType::u32:
        return reduce(uint32_t{});
      case DataType::u64:
        return reduce(uint64_t{});
      case DataType::boolean:
        return reduce(Bool{});
      default:
        break;
    }
  }
  return Error{Code::unsupported,
               "there is no update (reduction '" + std::string(reduction) + "') of " + std::string(name_of(type))};
}

// The output as a copy of input 0, unless it lies there.
Result<TensorView> copied_data(const Running& run) {
  HEED_ASSIGN(const auto y, output_like(run));
  if (y.c.data != run.input(0).c.data) move_tensor(run, run.input(0), y);
  return y;
}

Result<void> run_elements(Running& run) {
  const auto indices = run.input(1), updates = run.input(2);
  HEED_ASSIGN(const auto y, copied_data(run));
  HEED_TRY(check_rank(run, 1, y.rank()));
  HEED_ASSIGN(const int32_t axis, run.axis("axis", y.rank()));
  for (int32_t k = 0; k < y.rank(); ++k)
    if (updates.rank() != y.rank() || updates.dim(k) != indices.dim(k) || (k != axis && updates.dim(k) > y.dim(k)))
      return Error{Code::shape_mismatch,
                   "the updates do not fit the indices and the data on axis " + std::to_string(k)};
  const int64_t size = y.dim(axis), length = updates.dim(axis);
  const int64_t y_step = y.stride(axis), step = updates.stride(axis);
  HEED_ASSIGN(const auto places, places_of(indices, {&size, 1}));
  // Updates of one line along the axis may meet; those of different lines do not.
  std::vector<int64_t> lines(updates.dims().begin(), updates.dims().end());
  lines[static_cast<size_t>(axis)] = std::min<int64_t>(length, 1);
  const std::array strides{Strides(updates.strides().begin(), updates.strides().end()),
                           Strides(y.strides().begin(), y.strides().end())};
  HEED_TRY(with_update(y.element(), run.text("reduction", "none"), [&]<class E>(E, auto update) -> Result<void> {
    walk(run, lines, strides, [&](int64_t, const int64_t* firsts, const int64_t* steps, int64_t n) {
      for (int64_t k = 0; k < length; ++k)
        for (int64_t i = 0; i < n; ++i) {
          const int64_t from = firsts[0] + i * steps[0] + k * step;
          update(y.data<E>()[firsts[1] + i * steps[1] + places[static_cast<size_t>(from)] * y_step],
                 updates.data<const E>()[from]);
        }
    });
    return {};
  }));
  own_texts(run, 0, y);
  return {};
}

Result<void> run_nd(Running& run) {
  const auto indices = run.input(1), updates = run.input(2);
  HEED_ASSIGN(const auto y, copied_data(run));
  const auto tuple = indices.rank() < 1 ? 0 : static_cast<int32_t>(std::min<int64_t>(indices.dim(-1), 64));
  if (tuple < 1 || tuple > y.rank())
    return Error{Code::shape_mismatch,
                 "tuples of " + std::to_string(tuple) + " indices choose from " + std::to_string(y.rank()) + " axes"};
  const int64_t slice = y.count(tuple, y.rank()), tuples = indices.count(0, indices.rank() - 1);
  if (updates.count() != tuples * slice)
    return Error{Code::shape_mismatch, "the updates have " + std::to_string(updates.count()) + " elements; expected " +
                                           std::to_string(tuples) + " times " + std::to_string(slice)};
  HEED_ASSIGN(const auto places, places_of(indices, y.dims().first(static_cast<size_t>(tuple))));
  std::vector<int64_t> firsts(static_cast<size_t>(tuples));
  for (int64_t at = 0; at < tuples; ++at)
    for (int32_t k = 0; k < tuple; ++k)
      firsts[static_cast<size_t>(at)] += places[static_cast<size_t>(at * tuple + k)] * y.stride(k);
  // Slices may meet: a thread has its part of each of them.
  HEED_TRY(with_update(y.element(), run.text("reduction", "none"), [&]<class E>(E, auto update) -> Result<void> {
    run.parallel_for(slice, std::max<int64_t>(1, 16384 / std::max<int64_t>(tuples, 1)),
                     [&](int64_t begin, int64_t end) {
                       for (int64_t at = 0; at < tuples; ++at) {
                         E* to = y.data<E>() + firsts[static_cast<size_t>(at)];
                         const E* from = updates.data<const E>() + at * slice;
                         for (int64_t i = begin; i < end; ++i) update(to[i], from[i]);
                       }
                     });
    return {};
  }));
  own_texts(run, 0, y);
  return {};
}

Result<void> run_cache(Running& run) {
  const auto update = run.input(1), indices = run.input(2);
  HEED_ASSIGN(const auto y, copied_data(run));
  HEED_TRY(check_rank(run, 1, y.rank()));
  HEED_ASSIGN(const int32_t axis, run.axis("axis", y.rank(), -2));
  const int64_t size = y.dim(axis), length = update.dim(axis);
  const int64_t inner = y.count(axis + 1, y.rank()), outer_per_batch = y.count(1, axis);
  for (int32_t k = 0; k < y.rank(); ++k)
    if (axis == 0 || (k == axis ? length > size : update.dim(k) != y.dim(k)))
      return Error{Code::shape_mismatch, "the update does not fit into axis " + std::to_string(k) + " of the cache"};
  if (is_packed(y.element())) return Error{Code::unsupported, "TensorScatter of " + std::string(name_of(y.element()))};
  if (indices.present() && indices.count() != y.dim(0))
    return Error{Code::shape_mismatch, "write_indices has " + std::to_string(indices.count()) +
                                           " elements, the batch " + std::to_string(y.dim(0))};
  const bool circular = run.text("mode", "linear") == "circular";
  const size_t row_bytes = bytes_of_elements(y.element(), inner);
  for (int64_t batch = 0; indices.present() && batch < y.dim(0); ++batch) {
    const int64_t first = indices.data<int64_t>()[batch];
    if (length > 0 && (first < 0 || first >= size || (!circular && first + length > size)))
      return Error{Code::invalid_argument, "write_indices has " + std::to_string(first) + " at position " +
                                               std::to_string(batch) + ", from where " + std::to_string(length) +
                                               " elements do not fit into the " + std::to_string(size) +
                                               " of the cache"};
  }
  run.parallel_for(update.count(0, axis), std::max<int64_t>(1, 65536 / (length * static_cast<int64_t>(row_bytes) + 1)),
                   [&](int64_t begin, int64_t end) {
                     for (int64_t outer = begin; outer < end; ++outer) {
                       const int64_t first = indices.present() ? indices.data<int64_t>()[outer / outer_per_batch] : 0;
                       for (int64_t k = 0; k < length; ++k)
                         std::memcpy(
                             y.data<std::byte>() + static_cast<size_t>(outer * size + (first + k) % size) * row_bytes,
                             update.data<const std::byte>() + static_cast<size_t>(outer * length + k) * row_bytes,
                             row_bytes);
                     }
                   });
  own_texts(run, 0, y);
  return {};
}

Result<void> plan(Planning& node) {
  if (node.input(0).element() != DataType::string) node.in_place(0, 0);
  return {};
}

}  // namespace

extern const CpuKernel scatter{.op_type = "Scatter", .plan = plan, .run = run_elements};
extern const CpuKernel scatter_elements{.op_type = "ScatterElements", .plan = plan, .run = run_elements};
extern const CpuKernel scatter_nd{.op_type = "ScatterND", .plan = plan, .run = run_nd};
extern const CpuKernel tensor_scatter{.op_type = "TensorScatter", .plan = plan, .run = run_cache};

}  // namespace heed::cpu
