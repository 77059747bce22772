// Convolutions of bytes: sums of (x - x_zero_point)(w - w_zero_point) over the windows of Conv, as i32, which wraps.
//   ConvInteger   the sums
//   QLinearConv   saturate(round((sum + B) * (x_scale * w_scale / y_scale)) + y_zero_point)
// Weights less their zero points are rows; pixels, the window of each spread out, are the columns of panels, in which x is
// lowered by `shift`: sum((x - z) w) = sum((x - shift) w) + (shift - z) sum(w). Rows of signed bytes are multiplied four at a
// time where the machine can, or bounded so that it can without an instruction for it, and else two at a time as i16. Where each channel has weights of its own, a window slides along
// a copy of its image, padded, as i16 less the zero point, in as many parts as it takes for strides to be 1.
#include <cmath>
#include <memory>

#include "bounded_panels.hpp"
#include "byte_lines.hpp"
#include "byte_panels.hpp"
#include "convert.hpp"
#include "integer_panels.hpp"
#include "move.hpp"
#include "sliding.hpp"

namespace heed::cpu {
namespace {

struct Kernels {
  const IntegerPanelKernels* pairs;
  const BytePanelKernels* fours;       // null: none here
  const BoundedPanelKernels* bounded;  // likewise; where fours are no single instruction
  const ByteLineKernels* lines;
};
Kernels kernels_of(Isa isa) {
  return {integer_panel_kernels(base_of(isa)), byte_panel_kernels(isa), bounded_panel_kernels(isa),
          byte_line_kernels(base_of(isa))};
}

// Which inputs of an operator are what.
constexpr int32_t none = -1;
struct Roles {
  int32_t x, w, x_zero, w_zero;
  int32_t bias = none, x_scale = none, w_scale = none, y_scale = none, y_zero = none;
};
constexpr Roles integer_roles{.x = 0, .w = 1, .x_zero = 2, .w_zero = 3};
constexpr Roles qlinear_roles{
    .x = 0, .w = 3, .x_zero = 2, .w_zero = 5, .bias = 8, .x_scale = 1, .w_scale = 4, .y_scale = 6, .y_zero = 7};

int64_t ceil_divide(int64_t count, int64_t size) { return (count + size - 1) / size; }

// One number for all, or one an output channel.
std::vector<int64_t> integers_of(const TensorView& list, int64_t count) {
  std::vector<int64_t> numbers(1, 0);
  if (list.present()) {
    numbers.resize(static_cast<size_t>(list.count()));
    read_elements(list.element(), list.c.data, 0, 1, list.count(), numbers.data());
  }
  if (numbers.size() == 1) numbers.resize(static_cast<size_t>(count), numbers[0]);
  return numbers;
}

// ---- weights as rows
// ----------------------------------------------------------------------------------------------------------------

enum class Way { pairs, fours, bounded, slide };

struct Layout {
  Way way;
  int64_t row_bytes;
};

struct Weights {
  Layout layout;
  const uint8_t* rows;  // [out], row_bytes apart
  const int32_t* sums;  // of each row
  const Excess* excesses;       // of bounded rows
  const int32_t* first_excess;  // [out + 1]
};

// Of dense weights [out, channel / group, kernel...].
Layout layout_of(const Kernels& kernels, const TensorView& w, const std::vector<int64_t>& zero_points) {
  const int64_t k_count = w.count(1, w.rank());
  const int64_t pair_bytes = 2 * ceil_divide(k_count, 2) * static_cast<int64_t>(sizeof(int16_t));
  if (w.dim(1) == 1) return {Way::slide, pair_bytes};
  bool fits = kernels.bounded != nullptr || kernels.fours != nullptr;
  for (int64_t i = 0; fits && i < w.count(); ++i) {
    const int64_t number = (w.element() == DataType::i8 ? w.data<int8_t>()[i] : w.data<uint8_t>()[i]) -
                           zero_points[static_cast<size_t>(i / k_count)];
    fits = number >= -128 && number <= 127;
  }
  if (!fits) return {Way::pairs, pair_bytes};
  return kernels.bounded ? Layout{Way::bounded, bounded_k(k_count)} : Layout{Way::fours, packed_row_bytes(k_count)};
}

// `rows` are zeros before. Of bounded rows: what they are cut by, and where that of each begins.
struct Cut {
  std::vector<Excess> excesses;
  std::vector<int32_t> first = {0};
};
Cut pack(const Kernels& kernels, const Layout& layout, const TensorView& w, const std::vector<int64_t>& zero_points,
         uint8_t* rows, int32_t* sums) {
  Cut cut;
  const int64_t k_count = w.count(1, w.rank());
  for (int64_t m = 0; m < w.dim(0); ++m) {
    uint8_t* row = rows + m * layout.row_bytes;
    sums[m] = 0;
    for (int64_t k = 0; k < k_count; ++k) {
      const int64_t i = m * k_count + k;
      const auto number = static_cast<int32_t>((w.element() == DataType::i8 ? w.data<int8_t>()[i] : w.data<uint8_t>()[i]) -
                                               zero_points[static_cast<size_t>(m)]);
      sums[m] += number;
      if (layout.way == Way::fours || layout.way == Way::bounded)
        row[k] = static_cast<uint8_t>(number + (layout.way == Way::fours ? 128 : 0));
      else
        reinterpret_cast<int16_t*>(row)[k] = static_cast<int16_t>(number);
    }
    if (layout.way == Way::fours) pack_row(*kernels.fours, true, 128, k_count, 255, row);
    if (layout.way == Way::bounded) {
      bound_row(k_count, reinterpret_cast<int8_t*>(row), cut.excesses);
      cut.first.push_back(static_cast<int32_t>(cut.excesses.size()));
    }
  }
  return cut;
}

Result<void> prepare(Preparing& node, const Kernels& kernels, const Roles& roles) {
  auto* kept = node.keep<Weights>();
  if (kept == nullptr) return Error{Code::out_of_memory, "no memory for packed weights"};
  const auto w = node.constant(roles.w);
  const bool has_zero_points = node.has_input(roles.w_zero);
  const auto zero_point = has_zero_points ? node.constant(roles.w_zero) : std::optional(TensorView{});
  if (!w || !zero_point || w->rank() < 3 || w->count() == 0 || !is_dense(*w)) return {};
  if (zero_point->present() && zero_point->count() != 1 && zero_point->count() != w->dim(0)) return {};
  const auto zero_points = integers_of(*zero_point, w->dim(0));
  const Layout layout = layout_of(kernels, *w, zero_points);
  auto* rows = static_cast<uint8_t*>(node.keep_bytes(static_cast<size_t>(w->dim(0) * layout.row_bytes)));
  auto* sums = static_cast<int32_t*>(node.keep_bytes(static_cast<size_t>(w->dim(0)) * sizeof(int32_t)));
  if (rows == nullptr || sums == nullptr) return Error{Code::out_of_memory, "no memory for packed weights"};
  const Cut cut = pack(kernels, layout, *w, zero_points, rows, sums);
  *kept = {layout, rows, sums, nullptr, nullptr};
  if (layout.way != Way::bounded) return {};
  auto* excesses = static_cast<Excess*>(node.keep_bytes((cut.excesses.size() + 1) * sizeof(Excess)));
  auto* first = static_cast<int32_t*>(node.keep_bytes(cut.first.size() * sizeof(int32_t)));
  if (excesses == nullptr || first == nullptr) return Error{Code::out_of_memory, "no memory for packed weights"};
  std::copy(cut.excesses.begin(), cut.excesses.end(), excesses);
  std::copy(cut.first.begin(), cut.first.end(), first);
  kept->excesses = excesses;
  kept->first_excess = first;
  return {};
}

// ---- what becomes of sums
// -----------------------------------------------------------------------------------------------------------

// Images that lie dense, each channel somewhere.
struct Planes {
  uint8_t* data;
  int64_t batch_stride, channel_stride;  // in elements
};

bool has_dense_images(const TensorView& tensor) {
  int64_t expected = 1;
  for (int32_t axis = tensor.rank() - 1; axis >= 2; expected *= tensor.dim(axis--))
    if (tensor.dim(axis) != 1 && tensor.stride(axis) != expected) return false;
  return true;
}

// Sums, or codes of them, on their way to y.
struct Finish {
  const Kernels& kernels;
  Planes y;
  bool makes_codes;
  std::vector<int32_t> added;  // one a row
  std::vector<float> scales;   // likewise, of codes
  Rounding rounding;

  // n sums of each of row_count channels from `channel` on, of an image's pixels from `pixel` on.
  void operator()(const int32_t* sums, int64_t stride, int64_t batch, int64_t channel, int64_t row_count, int64_t pixel,
                  int64_t n, int64_t width) const {
    const int64_t first = batch * y.batch_stride + channel * y.channel_stride + pixel;
    if (!makes_codes) {
      auto* to = reinterpret_cast<int32_t*>(y.data) + first;
      for (int64_t row = 0; row < row_count; ++row, to += y.channel_stride)
        for (int64_t i = 0; i < n; ++i)
          to[i] = static_cast<int32_t>(static_cast<uint32_t>(sums[row * stride + i]) +
                                       static_cast<uint32_t>(added[static_cast<size_t>(channel + row)]));
      return;
    }
    const SumRows rows{sums, stride, row_count, added.data() + channel, scales.data() + channel};
    uint8_t* to = y.data + first;
    if (n == width) return kernels.lines->quantize(rows, n, rounding, to, y.channel_stride);
    uint8_t room[16 * 64];
    kernels.lines->quantize(rows, n, rounding, room, width);
    for (int64_t row = 0; row < row_count; ++row) std::copy_n(room + row * width, n, to + row * y.channel_stride);
  }
};

struct Convolution {
  const Sliding& s;
  const Weights& weights;
  Planes x;
  uint8_t padding, flipped;  // what stands for the zero point; what makes panels signed or unsigned
  bool x_is_signed;
  int32_t x_zero_point;
  int64_t batch_count, group_count, channel_count, output_count;  // of a group

  const uint8_t* channel(int64_t batch, int64_t channel) const {
    return x.data + batch * x.batch_stride + channel * x.channel_stride;
  }
};

// ---- an image, padded, in as many parts as it takes for strides to be 1
// -------------------------------------------------------------

// Along an axis part r holds the places r, r + stride, ... counted from where the padding begins.
struct PartedAxis {
  std::vector<int64_t> parts;         // their r
  std::vector<int64_t> part, offset;  // of each place of the window: which part, and where in it
  int64_t size;                       // of a part
};

PartedAxis parted(const Sliding& s, size_t axis) {
  PartedAxis p{.parts = {}, .part = {}, .offset = {}, .size = s.out[axis]};
  for (int64_t k = 0; k < s.kernel[axis]; ++k) {
    const int64_t at = k * s.dilations[axis], r = at % s.strides[axis];
    const auto found = std::find(p.parts.begin(), p.parts.end(), r);
    p.part.push_back(found - p.parts.begin());
    if (found == p.parts.end()) p.parts.push_back(r);
    p.offset.push_back(at / s.strides[axis]);
    p.size = std::max(p.size, s.out[axis] + p.offset.back());
  }
  return p;
}

// The parts of an image one after the other. Outputs lie as the pixels of a part do, with gaps where their lines are
// shorter: output `at` of these is a sum over pixels `at` + an offset for each element of the window.
class Parts {
 public:
  explicit Parts(const Sliding& s) : step_(s.strides.back()), row_(s.out.back()) {
    const size_t last = s.in.size() - 1;
    std::vector<PartedAxis> axes;
    int64_t part_size = 1, part_count = 1;
    for (size_t axis = 0; axis <= last; ++axis) {
      axes.push_back(parted(s, axis));
      part_size *= axes.back().size;
      part_count *= static_cast<int64_t>(axes.back().parts.size());
    }
    size_ = part_size * part_count;
    std::vector<int64_t> at(last + 1), part(last + 1);
    for (int64_t k = 0; k < s.kernel_count; ++k) {
      s.window_at(k, at);
      int64_t of_part = 0, offset = 0;
      for (size_t axis = 0; axis <= last; ++axis) {
        const auto place = static_cast<size_t>(at[axis]);
        of_part = of_part * static_cast<int64_t>(axes[axis].parts.size()) + axes[axis].part[place];
        offset = offset * axes[axis].size + axes[axis].offset[place];
      }
      offsets_.push_back(static_cast<int32_t>(of_part * part_size + offset));
    }
    // Calls body for each line along the last axis; `at` tells which.
    const auto for_each_line = [&](auto size_of, auto body) {
      int64_t count = 1;
      for (size_t axis = 0; axis < last; ++axis) count *= size_of(axis);
      std::fill(at.begin(), at.end(), 0);
      for (int64_t line = 0; line < count; ++line) {
        body(line);
        for (size_t axis = last; axis-- > 0;) {
          if (++at[axis] < size_of(axis)) break;
          at[axis] = 0;
        }
      }
    };
    for (int64_t i = 0; i < part_count; ++i) {
      int64_t rest = i;
      for (size_t axis = last + 1; axis-- > 0; rest /= static_cast<int64_t>(axes[axis].parts.size()))
        part[axis] = axes[axis].parts[static_cast<size_t>(rest % static_cast<int64_t>(axes[axis].parts.size()))];
      // Places of the last axis that lie within the image.
      const int64_t shift = part[last] - s.pads[last], stride = s.strides[last];
      const int64_t begin = shift >= 0 ? 0 : ceil_divide(-shift, stride);
      const int64_t end = std::min(axes[last].size, s.in[last] > shift ? (s.in[last] - 1 - shift) / stride + 1 : 0);
      for_each_line([&](size_t axis) { return axes[axis].size; },
                    [&](int64_t line) {
                      int64_t offset = 0;
                      bool inside = begin < end;
                      for (size_t axis = 0; axis < last; ++axis) {
                        const int64_t there = at[axis] * s.strides[axis] + part[axis] - s.pads[axis];
                        inside = inside && there >= 0 && there < s.in[axis];
                        offset = offset * s.in[axis] + there;
                      }
                      if (inside)
                        lines_.push_back({static_cast<int32_t>(offset * s.in[last] + begin * stride + shift),
                                          static_cast<int32_t>(i * part_size + line * axes[last].size + begin),
                                          static_cast<int32_t>(end - begin)});
                    });
    }
    for_each_line([&](size_t axis) { return s.out[axis]; },
                  [&](int64_t) {
                    int64_t from = 0;
                    for (size_t axis = 0; axis < last; ++axis) from = (from + at[axis]) * axes[axis + 1].size;
                    outputs_.push_back(static_cast<int32_t>(from));
                  });
  }

  int64_t size() const { return size_; }  // of all parts, in elements
  int64_t run() const { return outputs_.back() + row_; }  // of outputs, from the first to the last
  const std::vector<int32_t>& offsets() const { return offsets_; }  // of elements of the window
  const std::vector<int32_t>& outputs() const { return outputs_; }  // where their lines begin
  int64_t output_row() const { return row_; }

  // Calls body(from, step, n, to) for pieces of lines of an image, in the order in which they go to the parts.
  template <class Body>
  void for_each_piece(Body&& body) const {
    for (const Piece& piece : lines_) body(piece.from, step_, piece.count, piece.to);
  }

 private:
  struct Piece {
    int32_t from, to, count;
  };
  int64_t step_, row_, size_ = 0;
  std::vector<int32_t> offsets_, outputs_;
  std::vector<Piece> lines_;
};

// ---- products of rows and panels of pixels
// ------------------------------------------------------------------------------------------

constexpr int64_t most_width = 64;  // of panels

// Panels of the windows of pixels, filled one by one: of lines that lie as they are wanted, in the image or in its parts, or
// of several lines of these one after the other.
class Panels {
 public:
  struct Shape {
    int64_t width, most_rows, group_size, padded;  // padded: of k
  };
  // What a panel holds: n pixels of an image, and where they lie where they are of one line.
  struct Place {
    int64_t pixel, n, at;
  };

  Panels(const Running& run, const Convolution& conv, const Kernels& kernels, const Shape& shape)
      : conv_(conv), lines_(*kernels.lines), shape_(shape), data_(conv.x) {
    const Sliding& s = conv.s;
    if (s.kernel_count == 1 && s.out == s.in &&
        std::all_of(s.strides.begin(), s.strides.end(), [](int64_t stride) { return stride == 1; })) {
      offsets_ = {0};
      outputs_ = {0};
      line_ = row_ = s.out_count;
    } else {
      const Parts parts(s);
      const int64_t channels = conv.group_count * conv.channel_count;
      slack_ = std::max(shape.width, copied_at_once);
      memory_.reset(new uint8_t[static_cast<size_t>(conv.batch_count * channels * parts.size() + slack_)]);
      data_ = {memory_.get(), channels * parts.size(), parts.size()};
      run.parallel_for(conv.batch_count * channels, std::max<int64_t>(1, 65536 / parts.size()), [&](int64_t begin, int64_t end) {
        for (int64_t image = begin; image < end; ++image) {
          const uint8_t* x = conv.channel(image / channels, image % channels);
          uint8_t* to = memory_.get() + image * parts.size();
          std::fill_n(to, parts.size(), conv.padding);
          parts.for_each_piece([&](int64_t from, int64_t step, int64_t n, int64_t at) {
            if (step == 1) std::copy_n(x + from, n, to + at);
            for (int64_t i = 0; step != 1 && i < n; ++i) to[at + i] = x[from + i * step];
          });
        }
      });
      offsets_ = parts.offsets();
      outputs_ = parts.outputs();
      line_ = parts.output_row();
      const bool fill_panels = ceil_divide(line_, shape.width) * shape.width * 7 <= line_ * 8;
      row_ = fill_panels ? line_ : s.out_count;
    }
    per_row_ = ceil_divide(row_, shape.width);
  }

  int64_t count() const { return per_row_ * (conv_.s.out_count / row_); }
  Place place(int64_t panel) const {
    const int64_t row = panel / per_row_, column = panel % per_row_ * shape_.width;
    return {row * row_ + column, std::min(shape_.width, row_ - column), outputs_[static_cast<size_t>(row)] + column};
  }

  // Pixels of one line, and where they lie.
  struct Piece {
    int64_t at, n;
  };
  // Room for what fill() needs beside.
  struct Room {
    std::vector<const uint8_t*> lines;
    std::vector<uint8_t> copies;  // of several lines, or where there is too little to read
    std::vector<Piece> pieces;
  };

  // Of an image's group of channels.
  void fill(int64_t batch, int64_t group, const Place& place, Room& room, uint8_t* to) const {
    const int64_t kernel_count = conv_.s.kernel_count, width = shape_.width;
    const uint8_t* image = data_.data + batch * data_.batch_stride + group * conv_.channel_count * data_.channel_stride;
    const uint8_t* end = image + (conv_.channel_count - 1) * data_.channel_stride +
                         (memory_ ? data_.channel_stride + slack_ : conv_.s.in_count);
    room.lines.resize(static_cast<size_t>(shape_.padded));
    room.copies.resize(static_cast<size_t>((shape_.padded + 1) * width + copied_at_once));
    const bool joins = row_ != line_;
    if (joins) find_pieces(place, room.pieces);
    const uint8_t** line = room.lines.data();
    uint8_t* copy = room.copies.data();
    for (int64_t channel = 0; channel < conv_.channel_count; ++channel, image += data_.channel_stride) {
      for (int64_t window = 0; window < kernel_count; ++window, ++line, copy += width) {
        *line = copy;
        // What is read behind the last pixel is not used.
        const uint8_t* from = image + offsets_[static_cast<size_t>(window)];
        if (joins) {
          uint8_t* next = copy;
          for (const Piece& piece : room.pieces) {
            for (int64_t i = 0; i < piece.n; i += copied_at_once) std::memcpy(next + i, from + piece.at + i, copied_at_once);
            next += piece.n;
          }
          continue;
        }
        from += place.at;
        if (from + width <= end)
          *line = from;
        else
          std::copy_n(from, place.n, copy);
      }
    }
    std::fill_n(copy, width, uint8_t{0});
    std::fill(line, room.lines.data() + shape_.padded, copy);
    lines_.interleave(room.lines.data(), shape_.padded, static_cast<int32_t>(shape_.group_size), conv_.flipped, width, to);
  }

 private:
  void find_pieces(const Place& place, std::vector<Piece>& pieces) const {
    pieces.clear();
    for (int64_t pixel = place.pixel, left = place.n; left > 0;) {
      const int64_t line = pixel / line_, column = pixel % line_, n = std::min(left, line_ - column);
      pieces.push_back({outputs_[static_cast<size_t>(line)] + column, n});
      pixel += n;
      left -= n;
    }
  }

  static constexpr int64_t copied_at_once = 16;  // bytes: of lines that are shorter more is copied than they have
  const Convolution& conv_;
  const ByteLineKernels& lines_;
  Shape shape_;
  Planes data_;
  std::unique_ptr<uint8_t[]> memory_;       // of parts of all images
  std::vector<int32_t> offsets_, outputs_;  // as Parts has them
  int64_t line_, row_;                      // pixels that follow each other, and those of which panels are made
  int64_t per_row_, slack_ = 0;
};

void multiply(const Running& run, const Kernels& kernels, const Convolution& conv, const Finish& finish) {
  constexpr int64_t most_rows = 16, cache_bytes = 1 << 14, second_cache_bytes = 1 << 17;
  const Way way = conv.weights.layout.way;
  const int64_t k_count = conv.channel_count * conv.s.kernel_count;
  const auto shape_of = [&](const auto& panel_kernels, int64_t group_size, int64_t padded) {
    return Panels::Shape{panel_kernels.panel_width, panel_kernels.most_rows, group_size, padded};
  };
  const Panels::Shape shape = way == Way::fours     ? shape_of(*kernels.fours, 4, padded_k(k_count))
                              : way == Way::bounded ? shape_of(*kernels.bounded, 4, bounded_k(k_count))
                                                    : shape_of(*kernels.pairs, 2, 2 * ceil_divide(k_count, 2));
  const int64_t width = shape.width, rows_at_once = shape.most_rows, padded = shape.padded, panel_bytes = padded * width;
  const Panels panels(run, conv, kernels, shape);
  const int64_t panel_count = panels.count(), image_count = conv.batch_count * conv.group_count;
  // Few panels that threads cannot share out evenly are filled once for all of them, who share rows out.
  constexpr int64_t least_range_work = 1 << 20, tasks_of_thread = 4;  // multiplications
  const int64_t threads = run.thread_count(), row_blocks = ceil_divide(conv.output_count, rows_at_once);
  const int64_t work = image_count * panel_count * width * k_count * conv.output_count;
  const int64_t wanted = threads == 1 ? 1 : std::min(tasks_of_thread * threads, work / least_range_work);
  const bool are_few = image_count * panel_count < wanted && image_count * panel_count % threads != 0;
  // Panels that rows meet one after the other, while both are near.
  const int64_t for_all_threads = std::max<int64_t>(1, image_count * panel_count / threads);
  const int64_t near = std::max<int64_t>(1, (are_few ? second_cache_bytes : cache_bytes) / panel_bytes);
  const int64_t block = std::min({near, are_few ? panel_count : for_all_threads, panel_count});
  const int64_t block_count = ceil_divide(panel_count, block), block_tasks = image_count * block_count;
  const int64_t ranges = are_few ? std::min(ceil_divide(wanted, block_tasks), row_blocks) : 1;
  std::unique_ptr<uint8_t[]> shared;
  if (are_few) {
    shared.reset(new uint8_t[static_cast<size_t>(image_count * panel_count * panel_bytes)]);
    run.parallel_for(image_count * panel_count, 1, [&](int64_t begin, int64_t end) {
      Panels::Room room;
      for (int64_t i = begin; i < end; ++i) {
        const int64_t image = i / panel_count;
        panels.fill(image / conv.group_count, image % conv.group_count, panels.place(i % panel_count), room,
                    shared.get() + i * panel_bytes);
      }
    });
  }
  const int64_t cost = std::max<int64_t>(1, block * width * k_count * conv.output_count / ranges);
  run.parallel_for(block_tasks * ranges, std::max<int64_t>(1, 65536 / cost), [&](int64_t begin, int64_t end) {
    const std::unique_ptr<uint8_t[]> memory(shared ? nullptr : new uint8_t[static_cast<size_t>(block * panel_bytes)]);
    Panels::Room room;
    const int32_t zeros[most_width] = {};
    const uint32_t no_rows[most_rows] = {};
    for (int64_t task = begin; task < end; ++task) {
      const int64_t range = task % ranges, block_task = task / ranges;
      const int64_t image = block_task / block_count, batch = image / conv.group_count, group = image % conv.group_count;
      const int64_t first = block_task % block_count * block, last = std::min(panel_count, first + block);
      const uint8_t* const filled = shared ? shared.get() + (image * panel_count + first) * panel_bytes : memory.get();
      for (int64_t panel = first; !shared && panel < last; ++panel)
        panels.fill(batch, group, panels.place(panel), room, memory.get() + (panel - first) * panel_bytes);
      const int64_t row_end = std::min(conv.output_count, row_blocks * (range + 1) / ranges * rows_at_once);
      for (int64_t row = row_blocks * range / ranges * rows_at_once; row < row_end; row += rows_at_once) {
        const int64_t now = std::min(rows_at_once, conv.output_count - row), channel = group * conv.output_count + row;
        const uint8_t* rows = conv.weights.rows + channel * conv.weights.layout.row_bytes;
        for (int64_t panel = first; panel < last; ++panel) {
          const uint8_t* pixels = filled + (panel - first) * panel_bytes;
          const auto place = panels.place(panel);
          alignas(64) int32_t sums[most_rows * most_width];
          if (way == Way::bounded)
            kernels.bounded->multiply({reinterpret_cast<const int8_t*>(rows), conv.weights.layout.row_bytes,
                                       conv.weights.excesses, conv.weights.first_excess + channel},
                                      now, padded, pixels, place.n, sums);
          else if (way == Way::fours)
            kernels.fours->multiply({rows, conv.weights.layout.row_bytes, now, padded, true, pixels, 0, zeros, no_rows, no_rows},
                                    sums);
          else
            kernels.pairs->multiply(reinterpret_cast<const int16_t*>(rows), conv.weights.layout.row_bytes / 2, now, padded / 2,
                                    reinterpret_cast<const int8_t*>(pixels), sums, width);
          finish(sums, width, batch, channel, now, place.pixel, place.n, width);
        }
      }
    }
  });
}

// ---- each channel by itself
// --------------------------------------------------------------------------------------------------------

void slide(const Running& run, const Kernels& kernels, const Convolution& conv, const Finish& finish) {
  const Parts parts(conv.s);
  std::vector<int32_t> offsets = parts.offsets();
  if (offsets.size() % 2 != 0) offsets.push_back(offsets.back());
  const auto pair_count = static_cast<int64_t>(offsets.size() / 2);
  const int64_t excess = kernels.lines->most_excess, run_size = parts.run();
  const int64_t cost = std::max<int64_t>(1, conv.s.out_count * conv.s.kernel_count * conv.output_count);
  run.parallel_for(conv.batch_count * conv.group_count, std::max<int64_t>(1, 32768 / cost), [&](int64_t begin, int64_t end) {
    std::vector<int16_t> image(static_cast<size_t>(parts.size() + excess));
    std::vector<int32_t> sums(static_cast<size_t>(run_size + excess));
    std::vector<uint8_t> codes(finish.makes_codes ? sums.size() : 0);
    for (int64_t task = begin; task < end; ++task) {
      const int64_t batch = task / conv.group_count, group = task % conv.group_count;
      const uint8_t* x = conv.channel(batch, group);
      parts.for_each_piece([&](int64_t from, int64_t step, int64_t n, int64_t to) {
        kernels.lines->widen(x + from, step, n, conv.s.in_count - from, conv.x_is_signed, conv.x_zero_point, image.data() + to);
      });
      for (int64_t channel = group * conv.output_count; channel < (group + 1) * conv.output_count; ++channel) {
        const auto* weights =
            reinterpret_cast<const int16_t*>(conv.weights.rows + channel * conv.weights.layout.row_bytes);
        kernels.lines->slide(image.data(), {offsets.data(), weights, pair_count}, run_size, sums.data());
        int64_t pixel = 0;
        const int64_t n = parts.output_row();
        if (!finish.makes_codes) {
          for (const int32_t from : parts.outputs())
            finish(sums.data() + from, 0, batch, channel, 1, std::exchange(pixel, pixel + n), n, n);
          continue;
        }
        kernels.lines->quantize({sums.data(), 0, 1, finish.added.data() + channel, finish.scales.data() + channel}, run_size,
                                finish.rounding, codes.data(), 0);
        uint8_t* to = finish.y.data + batch * finish.y.batch_stride + channel * finish.y.channel_stride;
        for (const int32_t from : parts.outputs()) std::copy_n(codes.data() + from, n, to + std::exchange(pixel, pixel + n));
      }
    }
  });
}

// ---- a run
// ----------------------------------------------------------------------------------------------------------------

Result<void> run(Running& run, const Kernels& kernels, const Roles& roles) {
  auto x = run.input(roles.x);
  const auto w = run.input(roles.w);
  const auto at = [&](int32_t input) { return input == none ? TensorView{} : run.input(input); };
  if (x.rank() < 3) return check_rank(run, roles.x, 4);
  HEED_TRY(check_rank(run, roles.w, x.rank()));
  const int64_t groups = run.integer("group", 1), outputs = w.dim(0), channels = w.dim(1);
  const auto bias = at(roles.bias);
  if (x.dim(1) != channels * groups || outputs % groups != 0 || (bias.present() && bias.count() != outputs))
    return Error{Code::shape_mismatch, std::to_string(x.dim(1)) + " channels of data meet weights for " +
                                           std::to_string(channels) + " in each of " + std::to_string(groups) +
                                           " groups, with " + std::to_string(outputs) + " outputs"};
  for (const auto& [input, is_of_channels] : {std::pair{roles.x_zero, false}, {roles.x_scale, false}, {roles.y_scale, false},
                                              {roles.y_zero, false}, {roles.w_zero, true}, {roles.w_scale, true}}) {
    const auto list = at(input);
    if (list.present() && list.count() != 1 && !(is_of_channels && list.count() == outputs))
      return Error{Code::shape_mismatch, "input " + std::to_string(input) + " has " + std::to_string(list.count()) +
                                             " elements; expected 1" +
                                             (is_of_channels ? ", or one for each of " + std::to_string(outputs) + " outputs"
                                                             : std::string())};
  }
  HEED_ASSIGN(const auto s, sliding_of(run, x, {w.dims().begin() + 2, w.dims().end()}));
  std::vector<int64_t> dims{x.dim(0), outputs};
  dims.insert(dims.end(), s.out.begin(), s.out.end());
  HEED_ASSIGN(const auto y, run.allocate(0, dims));
  if (y.count() == 0) return {};
  int64_t padded_count = 1;
  bool is_too_large = s.in_count > INT32_MAX;
  for (size_t axis = 0; axis < s.in.size(); ++axis) {
    const int64_t reach = (s.kernel[axis] - 1) * s.dilations[axis] + 1;
    is_too_large = is_too_large || __builtin_mul_overflow(padded_count, s.out[axis] * s.strides[axis] + reach, &padded_count);
  }
  if (is_too_large || padded_count > INT32_MAX)
    return Error{Code::unsupported, "an image has more than 2^31 pixels, its padding included"};

  // Images that do not lie dense are, for the time of a run.
  std::vector<uint8_t> x_memory, y_memory;
  const auto dense = [&](TensorView view, std::vector<uint8_t>& memory, Strides& strides) {
    if (has_dense_images(view)) return view;
    memory.resize(static_cast<size_t>(view.count()) * bits_of(view.element()) / 8);
    strides = dense_strides(view.dims());
    view.c.data = memory.data();
    view.c.strides = strides.data();
    return view;
  };
  Strides x_strides, y_strides;
  const auto from = dense(x, x_memory, x_strides), to = dense(y, y_memory, y_strides);
  if (!x_memory.empty()) move_tensor(run, x, from);

  Weights weights = *run.kept<Weights>();
  std::vector<uint8_t> rows;
  std::vector<int32_t> row_sums;
  Cut cut;
  if (weights.rows == nullptr) {
    const auto zero_points = integers_of(at(roles.w_zero), outputs);
    weights.layout = layout_of(kernels, w, zero_points);
    rows.resize(static_cast<size_t>(outputs * weights.layout.row_bytes));
    row_sums.resize(static_cast<size_t>(outputs));
    cut = pack(kernels, weights.layout, w, zero_points, rows.data(), row_sums.data());
    weights.excesses = cut.excesses.data();
    weights.first_excess = cut.first.data();
    weights.rows = rows.data();
    weights.sums = row_sums.data();
  }

  const bool x_is_signed = x.element() == DataType::i8;
  const auto x_zero_point = static_cast<int32_t>(integers_of(at(roles.x_zero), 1)[0]);
  // Panels of pairs are signed, those of fours unsigned.
  const Way way = weights.layout.way;
  const bool flips = way == Way::fours || way == Way::bounded ? x_is_signed : way == Way::pairs && !x_is_signed;
  const int32_t shift = !flips ? 0 : x_is_signed ? -128 : 128;
  const Convolution conv{.s = s,
                         .weights = weights,
                         .x = {from.data<uint8_t>(), from.stride(0), from.stride(1)},
                         .padding = static_cast<uint8_t>(x_zero_point),
                         .flipped = static_cast<uint8_t>(flips ? 0x80 : 0),
                         .x_is_signed = x_is_signed,
                         .x_zero_point = x_zero_point,
                         .batch_count = x.dim(0),
                         .group_count = groups,
                         .channel_count = channels,
                         .output_count = outputs / groups};
  Finish finish{.kernels = kernels,
                .y = {to.data<uint8_t>(), to.stride(0), to.stride(1)},
                .makes_codes = roles.y_scale != none,
                .added = {},
                .scales = {},
                .rounding = {}};
  finish.added.reserve(static_cast<size_t>(outputs));
  finish.scales.reserve(static_cast<size_t>(outputs));
  for (int64_t m = 0; m < outputs; ++m) {
    const uint32_t lacking = way == Way::slide
                                 ? 0
                                 : static_cast<uint32_t>(shift - x_zero_point) * static_cast<uint32_t>(weights.sums[m]);
    const uint32_t added = bias.present() ? static_cast<uint32_t>(bias.data<int32_t>()[m]) : 0;
    finish.added.push_back(static_cast<int32_t>(added + lacking));
  }
  if (finish.makes_codes) {
    const float x_scale = *at(roles.x_scale).data<float>(), y_scale = *at(roles.y_scale).data<float>();
    const auto w_scales = at(roles.w_scale).as<const float>();
    double most_steps = 0;
    const double most_summed = 255.0 * 255 * static_cast<double>(w.count(1, w.rank()));
    for (int64_t m = 0; m < outputs; ++m) {
      finish.scales.push_back(x_scale * w_scales[w_scales.size() == 1 ? 0 : static_cast<size_t>(m)] / y_scale);
      const double most = most_summed + std::abs(static_cast<double>(finish.added[static_cast<size_t>(m)]));
      most_steps = std::max(most_steps, most * std::abs(static_cast<double>(finish.scales.back())));
    }
    finish.rounding = rounding_of(y.element(), static_cast<int32_t>(integers_of(at(roles.y_zero), 1)[0]), most_steps);
  }
  if (way == Way::slide)
    slide(run, kernels, conv, finish);
  else
    multiply(run, kernels, conv, finish);
  if (!y_memory.empty()) move_tensor(run, to, y);
  return {};
}

template <Isa isa, const Roles& roles>
CpuKernel kernel(std::string_view op_type) {
  return {.op_type = op_type,
          .name = name_of(isa),
          .score = 5 * static_cast<int32_t>(isa),
          .plan = [](Planning& node) -> Result<void> {
            HEED_TRY(require_isa(node, isa));
            if (kernels_of(isa).pairs == nullptr || kernels_of(isa).lines == nullptr)
              return decline("it is not compiled for " + std::string(name_of(isa)));
            node.take_strided(roles.x);
            node.give_strided(0);
            return {};
          },
          .prepare = [](Preparing& node) { return prepare(node, kernels_of(isa), roles); },
          .run = [](Running& running) { return run(running, kernels_of(isa), roles); }};
}

}  // namespace

#define HEED_CONV_KERNELS(name, op_type, roles)                                       \
  extern const CpuKernel name = kernel<Isa::scalar, roles>(op_type);                  \
  extern const CpuKernel name##_neon = kernel<Isa::neon, roles>(op_type);             \
  extern const CpuKernel name##_avx2 = kernel<Isa::avx2, roles>(op_type);             \
  extern const CpuKernel name##_avx_vnni = kernel<Isa::avx_vnni, roles>(op_type);     \
  extern const CpuKernel name##_avx512 = kernel<Isa::avx512, roles>(op_type);         \
  extern const CpuKernel name##_avx512_vnni = kernel<Isa::avx512_vnni, roles>(op_type)
HEED_CONV_KERNELS(conv_integer, "ConvInteger", integer_roles);
HEED_CONV_KERNELS(qlinear_conv, "QLinearConv", qlinear_roles);

}  // namespace heed::cpu
