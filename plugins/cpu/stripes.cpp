// Windows over up to three spatial axes, and padded copies of pieces of images.
#include "stripes.hpp"

#include <algorithm>

#include "half.hpp"

namespace heed::cpu {
namespace {

Sizes sizes_of(std::span<const int64_t> numbers, int64_t otherwise) {
  Sizes sizes;
  sizes.fill(otherwise);
  std::copy(numbers.begin(), numbers.end(), sizes.end() - static_cast<std::ptrdiff_t>(numbers.size()));
  return sizes;
}

}  // namespace

WindowAttributes window_attributes_of(const NodeView& node, std::span<const int64_t> kernel) {
  const auto list = [&](std::string_view name, int64_t otherwise) {
    const auto given = node.integers(name);
    return sizes_of(given ? *given : std::span<const int64_t>(), otherwise);
  };
  using enum WindowAttributes::Padding;
  WindowAttributes w{sizes_of(kernel, 1), list("strides", 1), list("dilations", 1), {}, {}, given};
  const auto auto_pad = node.text("auto_pad", "NOTSET");
  if (auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER") {
    w.padding = auto_pad == "SAME_UPPER" ? same_upper : same_lower;
  } else if (const auto pads = node.integers("pads"); pads && auto_pad != "VALID") {
    w.pads = sizes_of(pads->first(pads->size() / 2), 0);
    w.pads_behind = sizes_of(pads->last(pads->size() / 2), 0);
  }
  return w;
}

Windows windows_of(const WindowAttributes& attributes, std::span<const int64_t> x, std::span<const int64_t> y) {
  Windows w;
  w.in = sizes_of(x.subspan(2), 1);
  w.out = sizes_of(y.subspan(2), 1);
  w.kernel = attributes.kernel;
  w.strides = attributes.strides;
  w.dilations = attributes.dilations;
  w.pads = attributes.pads;
  w.pads_behind = attributes.pads_behind;
  if (attributes.padding != WindowAttributes::Padding::given)
    for (size_t axis = 0; axis < most_window_axes; ++axis) {
      const int64_t reach = (w.out[axis] - 1) * w.strides[axis] + (w.kernel[axis] - 1) * w.dilations[axis] + 1;
      const int64_t total = std::max<int64_t>(0, reach - w.in[axis]);
      w.pads[axis] = attributes.padding == WindowAttributes::Padding::same_upper ? total / 2 : total - total / 2;
      w.pads_behind[axis] = total - w.pads[axis];
    }
  w.in_count = product_of(w.in);
  w.out_count = product_of(w.out);
  w.kernel_count = product_of(w.kernel);
  return w;
}

Result<void> check_stripes(const Planning& node, TypeView x, std::span<const int64_t> kernel) {
  constexpr int64_t most_kernel = 1 << 20, most_stride = 1024, farthest = 1 << 14;
  if (x.rank() > most_window_axes + 2)
    return decline("more than " + std::to_string(most_window_axes) + " spatial axes");
  const auto strides = node.integers("strides"), dilations = node.integers("dilations");
  int64_t kernel_count = 1;
  for (size_t axis = 0; axis < kernel.size(); ++axis) {
    if (kernel_count > most_kernel / kernel[axis]) return decline("a window of more than a million pixels");
    kernel_count *= kernel[axis];
    const int64_t reach = (kernel[axis] - 1) * (dilations ? (*dilations)[axis] : 1);
    if (strides && (*strides)[axis] > most_stride) return decline("a stride of " + std::to_string((*strides)[axis]));
    if (reach > farthest) return decline("a window that reaches over " + std::to_string(reach) + " pixels");
  }
  return {};
}

Block Blocks::at(int64_t index, int64_t row_count, int64_t column_count) const {
  const int64_t line = quotient(index, column_blocks), depth = quotient(line, row_blocks);
  const int64_t column = (index - line * column_blocks) * columns, row = (line - depth * row_blocks) * rows;
  return {depth, row, std::min(rows, row_count - row), column, std::min(columns, column_count - column)};
}

Blocks blocks_of(int64_t row_count, int64_t column_count, int64_t most_rows, int64_t most_columns, int64_t vector,
                 int64_t depth_count, int64_t wanted) {
  Blocks b;
  b.column_blocks = ceil_divide(column_count, most_columns);
  b.columns = ceil_divide(column_count, b.column_blocks);
  if (b.column_blocks > 1) b.columns = ceil_divide(b.columns, vector) * vector;
  b.column_blocks = ceil_divide(column_count, b.columns);
  most_rows = std::min(most_rows, ceil_divide(row_count * depth_count * b.column_blocks, wanted));
  b.row_blocks = ceil_divide(row_count, std::clamp<int64_t>(most_rows, 1, row_count));
  b.rows = ceil_divide(row_count, b.row_blocks);
  b.row_blocks = ceil_divide(row_count, b.rows);
  return b;
}

Stripe stripe_of(const Windows& w, int64_t rows, int64_t columns) {
  Stripe s;
  s.phases = w.kernel[width] == 1 ? 1 : w.strides[width];
  s.rows = (rows - 1) * w.strides[height] + (w.kernel[height] - 1) * w.dilations[height] + 1;
  s.phase_length = columns + (w.kernel[width] - 1) * w.dilations[width] / w.strides[width];
  s.row_length = s.phases * s.phase_length;
  return s;
}

int64_t Stripe::floats(const Windows& w, int64_t channels) const {
  return whole_lines(channels * w.kernel[depth] * rows * row_length + stripe_slack);
}

namespace {

// Pixels of a row that windows under a stripe meet, or some more.
int64_t reach_of(const Windows& w, const Stripe& stripe) {
  return std::min(w.in[width], stripe.phase_length * w.strides[width]);
}

}  // namespace

int64_t widened_floats(const Windows& w, const Stripe& stripe) { return stripe.rows * reach_of(w, stripe); }

void fill_stripe(const ConvKernels& kernels, const Windows& w, const Stripe& stripe, Elements x, int64_t channels,
                 const Block& block, float* room, float* to) {
  if (w.in_count == 0) {
    std::fill_n(to, channels * w.kernel[depth] * stripe.rows * stripe.row_length, 0.0f);
    return;
  }
  const int64_t first_row = block.row * w.strides[height] - w.pads[height];
  const int64_t first_column = block.column * w.strides[width] - w.pads[width];
  const int64_t reach = (block.rows - 1) * w.strides[height] + (w.kernel[height] - 1) * w.dilations[height] + 1;
  // Rows between are met by no window.
  const int64_t step = w.kernel[height] == 1 ? w.strides[height] : 1, rows = ceil_divide(reach, step);
  const int64_t begin = first_row >= 0 ? 0 : std::min(rows, ceil_divide(-first_row, step));
  const int64_t end = std::clamp(ceil_divide(w.in[height] - first_row, step), begin, rows);
  const int64_t plane_count = w.in[height] * w.in[width];
  PaddedRows padded{};
  padded.count = w.in[width];
  padded.first = first_column;
  padded.step = w.strides[width];
  padded.phase_count = stripe.phases;
  padded.column_count = stripe.phase_length;
  // Images of one row and one depth are rows of a larger one.
  if (x.type == DataType::f32 && w.in[depth] == 1 && w.kernel[depth] == 1 && w.pads[depth] == 0 && rows == 1 &&
      begin == 0 && end == 1) {
    padded.from = static_cast<const float*>(x.data) + first_row * w.in[width];
    padded.from_stride = plane_count;
    padded.row_count = channels;
    padded.to = to;
    padded.to_stride = stripe.rows * stripe.row_length;
    return kernels.pad(padded);
  }
  for (int64_t plane = 0; plane < channels * w.kernel[depth]; ++plane) {
    const int64_t channel = quotient(plane, w.kernel[depth]), k = plane - channel * w.kernel[depth];
    const int64_t z = block.depth * w.strides[depth] + k * w.dilations[depth] - w.pads[depth];
    const bool is_inside = z >= 0 && z < w.in[depth];
    float* const first = to + plane * stripe.rows * stripe.row_length;
    const auto fill = [&](int64_t first_row, int64_t last_row) {
      if (first_row == last_row) return;
      const int64_t row_end = (last_row - 1) * step + 1;  // a stripe ends with its last row, not a step behind it
      std::fill(first + first_row * step * stripe.row_length, first + row_end * stripe.row_length, 0.0f);
    };
    if (!is_inside) {
      fill(0, rows);
      continue;
    }
    fill(0, begin);
    const Elements from = x.from((channel * w.in[depth] + z) * plane_count + (first_row + begin * step) * w.in[width]);
    padded.row_count = end - begin;
    if (x.type == DataType::f32) {
      padded.from = static_cast<const float*>(from.data);
      padded.from_stride = step * w.in[width];
    } else {
      const int64_t length = reach_of(w, stripe), left = std::clamp<int64_t>(first_column, 0, w.in[width] - length);
      const bool are_joined = step == 1 && length == w.in[width];
      const int64_t at_once = are_joined ? padded.row_count : 1;
      for (int64_t r = 0; r < padded.row_count; r += at_once)
        widen(x.type, from.from(r * step * w.in[width] + left).data, at_once * length, room + r * length);
      padded.from = room;
      padded.from_stride = padded.count = length;
      padded.first = first_column - left;
    }
    padded.to = first + begin * step * stripe.row_length;
    padded.to_stride = step * stripe.row_length;
    kernels.pad(padded);
    fill(end, rows);
  }
}

void stripe_offsets(const Windows& w, const Stripe& stripe, int64_t channels, int32_t* to) {
  // Those of a row, and what is added to them for each other one: a division takes longer than the rest.
  const int64_t step = w.strides[width];
  int32_t* const first = to;
  for (int64_t k = 0; k < w.kernel[width]; ++k) {
    const int64_t column = k * w.dilations[width], before = quotient(column, step);
    *to++ = static_cast<int32_t>((column - before * step) * stripe.phase_length + before);
  }
  for (int64_t plane = 0; plane < channels * w.kernel[depth]; ++plane)
    for (int64_t row = plane == 0 ? 1 : 0; row < w.kernel[height]; ++row) {
      const auto at = static_cast<int32_t>((plane * stripe.rows + row * w.dilations[height]) * stripe.row_length);
      for (int64_t k = 0; k < w.kernel[width]; ++k) *to++ = first[k] + at;
    }
}

}  // namespace heed::cpu
