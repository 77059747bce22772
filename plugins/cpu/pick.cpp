// Elements chosen along each axis by itself.
#include "pick.hpp"

#include <numeric>

#include "move.hpp"

namespace heed::cpu {
namespace {

// Neighbours in the output that are neighbours in the input, or all fill.
struct Piece {
  int64_t to, from, count;
};

std::vector<Piece> pieces_of(const std::vector<int64_t>& places) {
  std::vector<Piece> pieces;
  for (auto at = places.begin(), end = at; at != places.end(); at = end) {
    const int64_t step = *at == nothing ? 0 : 1;
    for (int64_t next = *at; end != places.end() && *end == next; ++end) next += step;
    pieces.push_back({at - places.begin(), *at, end - at});
  }
  return pieces;
}

bool is_whole(const std::vector<int64_t>& places, int64_t size) {
  if (static_cast<int64_t>(places.size()) != size) return false;
  for (int64_t i = 0; i < size; ++i)
    if (places[static_cast<size_t>(i)] != i) return false;
  return true;
}

// Elements that share bytes, on one thread.
void pick_packed(const TensorView& x, const TensorView& y, const Places& places, const TensorView& fill) {
  const int32_t bits = bits_of(x.element());
  const auto* from = x.data<const uint8_t>();
  for (int64_t to = 0; to < y.count(); ++to) {
    int64_t rest = to, at = 0, stride = 1;
    bool inside = true;
    for (auto axis = x.rank(); axis-- > 0; rest /= y.dim(axis)) {
      const int64_t place = places[static_cast<size_t>(axis)][static_cast<size_t>(rest % y.dim(axis))];
      inside = inside && place != nothing;
      at += place * stride;
      stride *= x.dim(axis);
    }
    const auto otherwise = fill.present() ? packed_element(fill.data<const uint8_t>(), 0, bits) : uint8_t{0};
    set_packed_element(y.data<uint8_t>(), to, bits, inside ? packed_element(from, at, bits) : otherwise);
  }
}

}  // namespace

Result<void> pick_elements(const Running& run, const TensorView& x, const Places& places, const TensorView& fill) {
  std::vector<int64_t> dims;
  for (const auto& along : places) dims.push_back(static_cast<int64_t>(along.size()));
  HEED_ASSIGN(const auto y, run.allocate(0, dims));
  if (y.count() == 0) return {};
  if (is_packed(x.element())) return pick_packed(x, y, places, fill), Result<void>();

  // Axes behind the last of which not all is kept move as one: `chunk` bytes.
  int32_t last = x.rank();
  size_t chunk = bytes_of_elements(x.element(), 1);
  const size_t element_bytes = chunk;
  while (last > 0 && is_whole(places[static_cast<size_t>(last - 1)], x.dim(last - 1)))
    chunk *= static_cast<size_t>(x.dim(--last));
  const auto* from = x.data<const std::byte>();
  auto* to = y.data<std::byte>();
  if (last == 0) {
    std::memcpy(to, from, chunk);
    own_texts(run, 0, y);
    return {};
  }
  const int32_t axis = last - 1;
  const auto pieces = pieces_of(places[static_cast<size_t>(axis)]);
  const size_t row_bytes = static_cast<size_t>(y.dim(axis)) * chunk;

  std::vector<std::byte> filled;
  bool needs_fill = false;
  for (int32_t k = 0; k <= axis; ++k)
    for (const auto place : places[static_cast<size_t>(k)]) needs_fill = needs_fill || place == nothing;
  if (needs_fill) {
    filled.resize(row_bytes);
    if (fill.present())
      for (size_t at = 0; at < row_bytes; at += element_bytes) std::memcpy(&filled[at], fill.c.data, element_bytes);
  }

  const int64_t grain = std::max<int64_t>(1, 65536 / static_cast<int64_t>(row_bytes));
  run.parallel_for(y.count(0, axis), grain, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      auto* row_to = to + static_cast<size_t>(row) * row_bytes;
      int64_t rest = row, first = 0, stride = 1;
      bool inside = true;
      for (int32_t k = axis; k-- > 0; rest /= y.dim(k)) {
        const int64_t place = places[static_cast<size_t>(k)][static_cast<size_t>(rest % y.dim(k))];
        inside = inside && place != nothing;
        first += place * stride;
        stride *= x.dim(k);
      }
      if (!inside) {
        std::memcpy(row_to, filled.data(), row_bytes);
        continue;
      }
      const auto* row_from = from + static_cast<size_t>(first * x.dim(axis)) * chunk;
      for (const auto& piece : pieces)
        std::memcpy(row_to + static_cast<size_t>(piece.to) * chunk,
                    piece.from == nothing ? filled.data() : row_from + static_cast<size_t>(piece.from) * chunk,
                    static_cast<size_t>(piece.count) * chunk);
    }
  });
  own_texts(run, 0, y);
  return {};
}

Result<void> pick_along(const Running& run, const TensorView& x, int32_t axis, std::vector<int64_t> places) {
  std::vector<int64_t> dims(x.dims().begin(), x.dims().end());
  dims[static_cast<size_t>(axis)] = static_cast<int64_t>(places.size());
  HEED_ASSIGN(const auto y, run.allocate(0, dims));
  if (y.count() == 0) return {};  // other axes may be longer than there is memory for their places
  Places all;
  for (const int64_t size : dims) {
    all.emplace_back(static_cast<size_t>(size));
    std::iota(all.back().begin(), all.back().end(), 0);
  }
  all[static_cast<size_t>(axis)] = std::move(places);
  return pick_elements(run, x, all);
}

}  // namespace heed::cpu
