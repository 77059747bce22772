// Pieces of a walk whose windows fit a binding.
#include "pieces.hpp"

#include <cstdlib>

#include "shapes.hpp"

namespace heed::ops {
namespace {

constexpr int64_t window_alignment_bytes = 256;  // heed_window.offset_bytes

// Bytes from the first element that a piece of these sizes touches to behind its last.
int64_t span_bytes(const Box::Tensor& tensor, const Box& box, const std::array<int64_t, most_box_axes>& dims) {
  int64_t last = 0;
  for (size_t axis = 0; axis < box.rank; ++axis) last += (dims[axis] - 1) * std::abs(tensor.strides[axis]);
  return (last + 1) * tensor.element_bytes;
}

// How long an axis may be for the tensor's span to have so many bytes: in grains, and no less than one.
int64_t length_within(const Box::Tensor& tensor, const Box& box, std::array<int64_t, most_box_axes> dims, size_t axis,
                      int64_t most_bytes) {
  constexpr int64_t fine_grains = 16;  // longer pieces are multiples of more
  dims[axis] = 1;
  const int64_t stride_bytes = std::abs(tensor.strides[axis]) * tensor.element_bytes;
  const int64_t room = std::max<int64_t>(most_bytes - span_bytes(tensor, box, dims), 0) / stride_bytes + 1;
  const int64_t grain = box.grains[axis] * (room >= fine_grains * box.grains[axis] ? fine_grains : 1);
  return std::max(room / grain * grain, grain);
}

// The sizes of all pieces but the last of each axis.
Result<std::array<int64_t, most_box_axes>> piece_dims(const Box& box, int64_t most_bytes) {
  const int64_t most_span = most_bytes - window_alignment_bytes;  // a window begins up to so much early
  auto dims = box.dims;
  for (size_t t = 0; t < box.tensor_count; ++t) {
    const auto& tensor = box.tensors[t];
    while (span_bytes(tensor, box, dims) > most_span) {
      size_t longest = box.rank;
      int64_t most_reach = 0;
      for (size_t axis = 0; axis < box.rank; ++axis) {
        const int64_t reach = (dims[axis] - 1) * std::abs(tensor.strides[axis]);
        if (dims[axis] > box.grains[axis] && reach > most_reach) longest = axis, most_reach = reach;
      }
      if (longest == box.rank)
        return Error{Code::unsupported, "the least piece of the work reaches over " +
                                            std::to_string(span_bytes(tensor, box, dims)) +
                                            " bytes of a tensor; a window of it has at most " +
                                            std::to_string(most_span)};
      dims[longest] = length_within(tensor, box, dims, longest, most_span);
    }
  }
  return dims;
}

// The piece's window of a tensor; `offset`, that of the tensor's first element in its binding, then counts from it.
heed_window window_of(const Box::Tensor& tensor, const Box& box, const Piece& piece, int64_t& offset) {
  int64_t first = offset, last = offset;
  for (size_t axis = 0; axis < box.rank; ++axis) {
    const int64_t reach = (piece.dims[axis] - 1) * tensor.strides[axis];
    (reach < 0 ? first : last) += reach;
  }
  const int64_t begin_bytes = first * tensor.element_bytes / window_alignment_bytes * window_alignment_bytes;
  offset -= begin_bytes / tensor.element_bytes;
  return {tensor.binding, static_cast<uint64_t>(begin_bytes),
          static_cast<uint64_t>((last + 1) * tensor.element_bytes - begin_bytes)};
}

}  // namespace

int64_t most_binding_bytes(const Binding& node) {
  const auto most = node.capability("max_binding_bytes");
  return most ? static_cast<int64_t>(std::min<uint64_t>(most, INT64_MAX)) : INT64_MAX;
}

bool is_known_longer(const Planning& node, TypeView tensor) {
  const auto most = node.capability("max_binding_bytes");
  if (!most || !tensor.has_rank() || !tensor.has_element()) return false;
  const Dim count = count_of(tensor.dims());
  return count.is_number() && static_cast<__int128>(count.number()) * bits_of(tensor.element()) / 8 > most;
}

bool fits_binding(const TensorView& tensor, int64_t most_bytes) {
  if (!tensor.present()) return true;
  int64_t last = tensor.c.offset;
  for (int32_t axis = 0; axis < tensor.rank(); ++axis) {
    if (tensor.dim(axis) == 0) return true;
    last += (tensor.dim(axis) - 1) * std::max<int64_t>(tensor.stride(axis), 0);
  }
  return last < most_bytes / ((bits_of(tensor.element()) + 7) / 8);
}

Result<std::vector<Piece>> pieces_of(const Box& box, int64_t most_bytes) {
  HEED_ASSIGN(const auto dims, piece_dims(box, most_bytes));
  int64_t count = 1;
  for (size_t axis = 0; axis < box.rank; ++axis) count *= (box.dims[axis] + dims[axis] - 1) / dims[axis];
  std::vector<Piece> pieces(static_cast<size_t>(count));
  for (int64_t index = 0; index < count; ++index) {
    Piece& piece = pieces[static_cast<size_t>(index)];
    int64_t rest = index;
    for (size_t axis = box.rank; axis-- > 0;) {
      const int64_t along_axis = (box.dims[axis] + dims[axis] - 1) / dims[axis];
      piece.begin[axis] = rest % along_axis * dims[axis];
      piece.dims[axis] = std::min(dims[axis], box.dims[axis] - piece.begin[axis]);
      rest /= along_axis;
    }
    for (size_t t = 0; t < box.tensor_count; ++t) {
      piece.offsets[t] = box.tensors[t].offset;
      for (size_t axis = 0; axis < box.rank; ++axis)
        piece.offsets[t] += piece.begin[axis] * box.tensors[t].strides[axis];
      piece.windows.push_back(window_of(box.tensors[t], box, piece, piece.offsets[t]));
    }
  }
  return pieces;
}

}  // namespace heed::ops
