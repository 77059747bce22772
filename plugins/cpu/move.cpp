// Moving elements without computing: by element size, not by type.
#include "move.hpp"

#include <algorithm>
#include <numeric>

namespace heed::cpu {
namespace {

template <class E>
void move_row(const E* from, int64_t from_step, E* to, int64_t to_step, int64_t n) {
  if (from_step == 1 && to_step == 1) {
    std::memcpy(to, from, static_cast<size_t>(n) * sizeof(E));
  } else if (from_step == 0 && to_step == 1) {
    std::fill_n(to, n, *from);
  } else {
    for (int64_t i = 0; i < n; ++i) to[i * to_step] = from[i * from_step];
  }
}

template <class E>
void move_sized(const Running& run, std::span<const int64_t> dims, const Side& from, const Side& to) {
  const E* source = static_cast<const E*>(from.data) + from.first;
  E* target = static_cast<E*>(to.data) + to.first;
  const auto move = [&](int64_t, const int64_t* firsts, const int64_t* steps, int64_t n) {
    move_row(source + firsts[0], steps[0], target + firsts[1], steps[1], n);
  };
  std::array strides{Strides(from.strides.begin(), from.strides.end()), Strides(to.strides.begin(), to.strides.end())};
  if (std::is_sorted(to.strides.rbegin(), to.strides.rend())) return walk(run, dims, strides, move);
  // In the order of memory that is written.
  std::vector<size_t> axes(dims.size());
  std::iota(axes.begin(), axes.end(), size_t{0});
  std::stable_sort(axes.begin(), axes.end(), [&](size_t a, size_t b) { return to.strides[a] > to.strides[b]; });
  std::vector<int64_t> sizes(dims.size());
  for (size_t i = 0; i < axes.size(); ++i) {
    sizes[i] = dims[axes[i]];
    strides[0][i] = from.strides[axes[i]];
    strides[1][i] = to.strides[axes[i]];
  }
  walk(run, sizes, strides, move);
}

// Elements of 2 or 4 bits, low ones first: neighbours share a byte, so one thread moves them all.
void move_packed(int32_t bits, std::span<const int64_t> dims, const Side& from, const Side& to) {
  const int64_t per_byte = 8 / bits;
  const auto mask = static_cast<uint8_t>((1 << bits) - 1);
  std::vector<int64_t> index(dims.size());
  int64_t count = 1, source = from.first, target = to.first;
  for (const auto dim : dims) count *= dim;
  for (int64_t i = 0; i < count; ++i) {
    const auto from_shift = (source % per_byte) * bits, to_shift = (target % per_byte) * bits;
    const auto value =
        static_cast<uint8_t>(static_cast<const uint8_t*>(from.data)[source / per_byte] >> from_shift & mask);
    auto& byte = static_cast<uint8_t*>(to.data)[target / per_byte];
    byte = static_cast<uint8_t>((byte & ~(mask << to_shift)) | value << to_shift);
    for (size_t axis = dims.size(); axis-- > 0;) {
      source += from.strides[axis];
      target += to.strides[axis];
      if (++index[axis] < dims[axis]) break;
      source -= from.strides[axis] * dims[axis];
      target -= to.strides[axis] * dims[axis];
      index[axis] = 0;
    }
  }
}

}  // namespace

size_t bytes_of_elements(DataType element, int64_t n) {
  return element == DataType::string ? static_cast<size_t>(n) * sizeof(heed_text)
                                     : static_cast<size_t>(n) * static_cast<size_t>(bits_of(element) / 8);
}

void move_elements(const Running& run, DataType element, std::span<const int64_t> dims, const Side& from,
                   const Side& to) {
  if (is_packed(element)) return move_packed(bits_of(element), dims, from, to);
  dispatch_size(element, [&]<class E>(E) { move_sized<E>(run, dims, from, to); });
}

void move_tensor(const Running& run, const TensorView& from, const TensorView& to) {
  move_elements(run, from.element(), from.dims(), {from.c.data, from.strides()}, {to.c.data, to.strides()});
}

void own_texts(const Running& run, int32_t output, const TensorView& to) {
  if (to.element() != DataType::string) return;
  for (auto& text : to.as<heed_text>()) text = run.store_text(output, from_c(text));
}

Result<void> copy_as(const Running& run, std::span<const int64_t> dims) {
  HEED_ASSIGN(const auto out, run.allocate(0, dims));
  const auto in = run.input(0);
  int64_t count = 1;
  for (const auto dim : dims) count *= dim;
  if (count != in.count())
    return Error{Code::shape_mismatch, "the input has " + std::to_string(in.count()) +
                                           " elements, the output's shape " + std::to_string(count)};
  const int64_t bytes = is_packed(in.element()) ? (count * bits_of(in.element()) + 7) / 8
                                                : static_cast<int64_t>(bytes_of_elements(in.element(), count));
  constexpr int64_t piece_bytes = 64 * 1024;
  const auto copy = [&](int64_t begin, int64_t end) {
    std::memcpy(static_cast<char*>(out.c.data) + begin, static_cast<const char*>(in.c.data) + begin,
                static_cast<size_t>(end - begin));
  };
  if (bytes > piece_bytes)
    run.parallel_for(bytes, piece_bytes, copy);
  else if (bytes > 0)
    copy(0, bytes);
  own_texts(run, 0, out);
  return {};
}

}  // namespace heed::cpu
