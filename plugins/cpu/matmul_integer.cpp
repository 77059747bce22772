// Products of 8-bit integers: y = (a - a_zero_point)(b - b_zero_point), summed as i32, which wraps.
//   MatMulInteger          the sums
//   QLinearMatMul          saturate(round(sum * a_scale * b_scale / y_scale) + y_zero_point)
//   MatMulIntegerToFloat   sum * (a_scale * b_scale) + bias                              com.microsoft
//   DynamicQuantizeMatMul  the same, of an a that DynamicQuantizeLinear makes u8         com.microsoft
// and heed's FusedMatMulIntegerToFloat and FusedDynamicQuantizeMatMul, which do more with their sums.
// Zero points and scales of a are one, or one a row; those of b one, or one a column. Rows of a are laid out once, each with
// the sum of its numbers: sum(a (b - z)) = sum(a b) - z sum(a). Constants b of bytes are multiplied four at a time where the
// machine can, sum((a - z) b) = sum((a - s) (b - l)) + l sum(a - s) + (s - z) sum(b), l being the least of b, s near z, and
// else two at a time, as i16 less the zero points.
#include <cmath>
#include <cstring>

#include <hwy/cache_control.h>

#include "byte_panels.hpp"
#include "convert.hpp"
#include "epilogue.hpp"
#include "half.hpp"
#include "integer_panels.hpp"
#include "product.hpp"
#include "walk.hpp"

namespace heed::cpu {
namespace {

struct Kernels {
  const IntegerPanelKernels* pairs;
  const BytePanelKernels* fours;  // null: none here
  RunFused epilogue;              // likewise
};
Kernels kernels_of(Isa isa) {
  return {integer_panel_kernels(base_of(isa)), byte_panel_kernels(isa), fused_with(base_of(isa))};
}

constexpr EpilogueInputs none{-1, -1}, to_float_epilogue{.bias = 6, .residual = 7}, dynamic_epilogue{.bias = 4, .residual = 5};

// The panels of all matrices of b, u8 lowered by 128 so that all are signed.
struct Kept {
  const uint8_t* panels;       // of pairs; of fours, less the least; null: b is no constant
  const int32_t* column_sums;  // [panel][width] of panels of fours; null: they are of pairs
  int32_t least, greatest;     // of fours
  const FusedProgram* epilogue;
};

// How a panel holds numbers that follow each other along k: this many side by side, all filled up to `multiple` of k.
struct Layout {
  int64_t width, group, multiple;
  int64_t padded(int64_t k_count) const { return ceil_divide(k_count, multiple) * multiple; }
  int64_t panel_bytes(int64_t k_count) const { return width * padded(k_count); }
  int64_t matrix_bytes(int64_t k_count, int64_t columns) const {
    return ceil_divide(columns, width) * panel_bytes(k_count);
  }
};
Layout pairs_of(const Kernels& kernels) { return {kernels.pairs->panel_width, 2, 2}; }
Layout fours_of(const Kernels& kernels) { return {kernels.fours->panel_width, 4, padded_k(1)}; }

// A panel of one dense matrix, of numbers less `less`.
void pack(const Layout& layout, const uint8_t* b, bool is_unsigned, int32_t less, int64_t k_count, int64_t columns,
          int64_t panel, uint8_t* to) {
  const uint8_t flipped = is_unsigned ? 0x80 : 0;
  const int64_t first = panel * layout.width, count = std::min(layout.width, columns - first);
  std::fill_n(to, layout.panel_bytes(k_count), uint8_t{0});
  for (int64_t k = 0; k < k_count; ++k) {
    const uint8_t* from = b + k * columns + first;
    uint8_t* at = to + k / layout.group * layout.group * layout.width + k % layout.group;
    for (int64_t c = 0; c < count; ++c, at += layout.group) *at = static_cast<uint8_t>((from[c] ^ flipped) - less);
  }
}

struct Matrices {
  int64_t count, k_count, columns;
};
Matrices matrices_of(std::span<const int64_t> dims) {
  Matrices m{1, dims[dims.size() == 1 ? 0 : dims.size() - 2], dims.size() == 1 ? 1 : dims.back()};
  for (size_t axis = 0; axis + 2 < dims.size(); ++axis) m.count *= dims[axis];
  return m;
}

template <int32_t b_input, const EpilogueInputs& epilogue_inputs>
Result<void> prepare(Preparing& node, const Kernels& kernels) {
  auto* kept = node.keep<Kept>();
  if (kept == nullptr) return Error{Code::out_of_memory, "no memory for a packed matrix"};
  if constexpr (&epilogue_inputs != &none) {
    HEED_ASSIGN(kept->epilogue, prepare_epilogue(node, epilogue_inputs));
  }
  const auto b = node.constant(b_input);
  if (!b || b->count() == 0 || !is_dense(*b)) return {};
  const auto [count, k_count, columns] = matrices_of(b->dims());
  const bool by_fours = kernels.fours != nullptr, is_unsigned = b->element() == DataType::u8;
  const Layout layout = by_fours ? fours_of(kernels) : pairs_of(kernels);
  const int64_t bytes = count * layout.matrix_bytes(k_count, columns), panel_count = ceil_divide(columns, layout.width);
  auto* panels = static_cast<uint8_t*>(node.keep_bytes(static_cast<size_t>(bytes)));
  const int64_t padded_columns = panel_count * layout.width;
  auto* sums = by_fours ? static_cast<int32_t*>(
                              node.keep_bytes(static_cast<size_t>(count * padded_columns) * sizeof(int32_t)))
                        : nullptr;
  if (panels == nullptr || (by_fours && sums == nullptr))
    return Error{Code::out_of_memory, "no memory for a packed matrix of " + std::to_string(bytes) + " bytes"};
  const uint8_t flipped = is_unsigned ? 0x80 : 0;
  int32_t least = by_fours ? 127 : 0, greatest = -128;
  for (int64_t i = 0; by_fours && i < b->count(); ++i) {
    const int32_t number = static_cast<int8_t>(b->data<uint8_t>()[i] ^ flipped);
    least = std::min(least, number);
    greatest = std::max(greatest, number);
  }
  for (int64_t i = 0; i < count; ++i) {
    const auto* matrix = b->data<uint8_t>() + i * k_count * columns;
    for (int64_t panel = 0; panel < panel_count; ++panel)
      pack(layout, matrix, is_unsigned, least, k_count, columns, panel,
           panels + (i * panel_count + panel) * layout.panel_bytes(k_count));
    for (int64_t k = 0; by_fours && k < k_count; ++k)
      for (int64_t c = 0; c < columns; ++c)
        sums[i * padded_columns + c] += static_cast<int8_t>(matrix[k * columns + c] ^ flipped);
  }
  kept->panels = panels;
  kept->column_sums = sums;
  kept->least = least;
  kept->greatest = greatest;
  return {};
}

// One number for all, one for each place of an axis (the same for all matrices), or one for each place in each matrix.
template <class T>
class PerPlace {
 public:
  PerPlace(const TensorView& tensor, T otherwise) : values_(1, otherwise) {
    if (!tensor.present()) return;
    values_.resize(static_cast<size_t>(tensor.count()));
    read_elements(tensor.element(), tensor.c.data, 0, 1, tensor.count(), values_.data());
  }
  // `index` counts on over matrices.
  T operator[](int64_t index) const {
    return values_.size() == 1 ? values_[0] : values_[static_cast<size_t>(index) % values_.size()];
  }
  // Those of `n` places of one matrix, from `index` on; n is at most that of `room`.
  const T* from(int64_t index, int64_t n, T* room) const {
    if (values_.size() != 1) return values_.data() + static_cast<size_t>(index) % values_.size();
    std::fill_n(room, n, values_[0]);
    return room;
  }
  void lower_by(T less) {
    for (T& value : values_) value -= less;
  }
  bool all_are(T value) const {
    return std::all_of(values_.begin(), values_.end(), [&](T other) { return other == value; });
  }

 private:
  std::vector<T> values_;
};
constexpr int64_t most_width = 64;  // of panels

// What inference checks too, where it knows all ranks: lists of scales and zero points have one for all, or whole lists of
// rows of a, or columns of b.
Result<void> check_lists(const Running& run, const TensorView& a, const TensorView& b, std::initializer_list<int32_t> of_rows,
                         std::initializer_list<int32_t> of_columns) {
  const auto check = [&](int32_t input, int64_t places) -> Result<void> {
    const auto list = run.input(input);
    if (!list.present() || list.count() == 1 || (places > 0 && list.count() > 0 && list.count() % places == 0)) return {};
    return Error{Code::shape_mismatch, "input " + std::to_string(input) + " has " + std::to_string(list.count()) +
                                           " numbers; expected one, or one for each of " + std::to_string(places)};
  };
  for (const int32_t input : of_rows) HEED_TRY(check(input, a.rank() < 2 ? 1 : a.dim(-2)));
  for (const int32_t input : of_columns) HEED_TRY(check(input, b.rank() < 2 ? 1 : b.dim(-1)));
  return {};
}

// Where a part of a row of sums stands: of which row of a and which column of b, counted on over matrices, of which column
// of its own matrix, and of which element of y.
struct Place {
  int64_t a_row, b_column, column, y;
};

// Rows of a as they are multiplied, in what was bound as scratch.
struct Left {
  uint8_t* rows;
  int64_t row_bytes;
  // Modulo 2^32, as all sums are:
  uint32_t* sums;  // of a row's numbers less its zero point
  uint32_t* raised;
  uint32_t* lacking;  // see ByteProduct
  bool* signs;        // whether a row is signed
};
// Codes are around their zero point, and are laid out so that these are small.
bool is_signed_by(const BytePanelKernels& kernels, int32_t zero_point) { return !kernels.adds_pairs || zero_point >= 64; }

// Room for rows of either layout.
int64_t row_bytes_of(int64_t k_count) { return std::max(packed_row_bytes(k_count), ceil_divide(2 * k_count, 64) * 64); }

template <int32_t a_input>
Result<void> bind(Binding& node) {
  const auto a = node.input(a_input);
  const int64_t k_count = a.dim(-1), rows = k_count == 0 ? 0 : a.count() / k_count;
  node.scratch(static_cast<size_t>(rows * (row_bytes_of(k_count) + 3 * static_cast<int64_t>(sizeof(uint32_t)) + 1)));
  return {};
}

// What a row's codes are: their zero point and their sum. Codes of i8 are raised by 128, and the zero point with them.
struct Written {
  int32_t zero_point;
  uint32_t sum;
};

// Calls write_codes(row of a, [k_count] to), which gives a Written; and finish(place, sums, n) for parts of rows of y, which
// covers y's elements once, then finish.complete(place, n), if it has that, for longer parts that are whole.
template <class WriteCodes, class Finish>
Result<void> multiply(const Running& run, const Kernels& kernels, const TensorView& a, const TensorView& b,
                      const TensorView& b_zero_point, WriteCodes&& write_codes, Finish&& finish) {
  const auto y = run.output(0);
  Product p;
  HEED_TRY(describe(shape_of(a), shape_of(b), shape_of(y), p));
  if (p.batch_count * p.rows * p.columns == 0) return {};
  fold_batch_into_rows(p);
  const auto& kept = *run.kept<Kept>();
  const bool by_fours = kept.column_sums != nullptr;
  const Layout layout = by_fours ? fours_of(kernels) : pairs_of(kernels);
  const int64_t width = layout.width, panel_count = ceil_divide(p.columns, width);
  const int64_t padded = layout.padded(p.k_count), panel_bytes = layout.panel_bytes(p.k_count);

  const uint8_t* panels = kept.panels;
  std::vector<uint8_t> packed_here;
  if (panels == nullptr) {
    const int64_t count = matrices_of(b.dims()).count * panel_count;
    packed_here.resize(static_cast<size_t>(count * panel_bytes));
    run.parallel_for(count, std::max<int64_t>(1, 65536 / (panel_bytes + 1)), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        pack(layout, b.data<uint8_t>() + i / panel_count * p.k_count * p.columns, b.element() == DataType::u8, 0, p.k_count,
             p.columns, i % panel_count, packed_here.data() + i * panel_bytes);
    });
    panels = packed_here.data();
  }

  const int64_t all_rows = p.k_count == 0 ? 0 : a.count() / p.k_count;
  Left left{run.scratch<uint8_t>(), row_bytes_of(p.k_count), nullptr, nullptr, nullptr, nullptr};
  left.sums = reinterpret_cast<uint32_t*>(left.rows + all_rows * left.row_bytes);
  left.raised = left.sums + all_rows;
  left.lacking = left.raised + all_rows;
  left.signs = reinterpret_cast<bool*>(left.lacking + all_rows);
  run.parallel_for(all_rows, std::max<int64_t>(1, 16384 / (p.k_count + 1)), [&](int64_t begin, int64_t end) {
    std::vector<uint8_t> codes(static_cast<size_t>(by_fours ? 0 : p.k_count));
    const auto k_count = static_cast<uint32_t>(p.k_count);
    for (int64_t row = begin; row < end; ++row) {
      uint8_t* to = left.rows + row * left.row_bytes;
      const auto [zero_point, sum] = write_codes(row, by_fours ? to : codes.data());
      left.sums[row] = sum - static_cast<uint32_t>(zero_point) * k_count;
      if (by_fours) {
        const bool is_signed = is_signed_by(*kernels.fours, zero_point);
        const int32_t less = pack_row(*kernels.fours, is_signed, zero_point, p.k_count,
                                      is_signed ? kept.greatest - kept.least : std::max(-kept.least, kept.greatest), to);
        left.signs[row] = is_signed;
        left.raised[row] = static_cast<uint32_t>(less - zero_point);
        left.lacking[row] = is_signed ? static_cast<uint32_t>(kept.least) * (sum - static_cast<uint32_t>(less) * k_count) : 0;
        continue;
      }
      auto* pairs = reinterpret_cast<int16_t*>(to);
      for (int64_t k = 0; k < p.k_count; ++k) pairs[k] = static_cast<int16_t>(codes[static_cast<size_t>(k)] - zero_point);
      std::fill(pairs + p.k_count, pairs + padded, int16_t{0});
    }
  });

  // Zero points of b, less by what its numbers are.
  PerPlace<int64_t> b_zero_points(b_zero_point, 0);
  b_zero_points.lower_by(b.element() == DataType::u8 ? 128 : 0);
  const bool has_b_zero_points = !b_zero_points.all_are(0);
  const int64_t most_rows = by_fours ? kernels.fours->most_rows : kernels.pairs->most_rows;
  // Rows that meet panel after panel: half of a cache of 1 MB holds them.
  const int64_t row_block = std::max<int64_t>(1, (1 << 19) / left.row_bytes / most_rows) * most_rows;
  const int64_t panel_block = 1024 / width;  // whose sums are still near when they are finished
  const auto multiply_panel = [&](const Offsets& at, int64_t row_begin, int64_t row_end, int64_t panel, bool is_followed) {
    int32_t sums[32 * most_width];
    int64_t zero_room[most_width];
    const int64_t b_matrix = p.k_count == 0 ? 0 : at.b / (p.k_count * p.columns);
    const int64_t column = panel * width, n = std::min(width, p.columns - column);
    const int64_t b_column = b_matrix * p.columns + column;
    const uint8_t* b_panel = panels + (b_matrix * panel_count + panel) * panel_bytes;
    const int64_t* b_zeros = b_zero_points.from(b_column, n, zero_room);
    int64_t now = 0;
    for (int64_t row = row_begin; row < row_end; row += now) {
      const int64_t a_row = p.k_count == 0 ? 0 : (at.a + row * p.a_row) / p.k_count;
      now = std::min(most_rows, row_end - row);
      if (by_fours && all_rows != 0)
        now = std::find(left.signs + a_row, left.signs + a_row + now, !left.signs[a_row]) - (left.signs + a_row);
      // The next panel comes from memory while many rows are multiplied by this one.
      if (is_followed && row_end - row_begin > most_rows)
        for (int64_t i = panel_bytes * (row - row_begin) / (row_end - row_begin) / 64;
             i < panel_bytes * (row + now - row_begin) / (row_end - row_begin) / 64; ++i)
          hwy::Prefetch(b_panel + panel_bytes + i * 64);
      if (all_rows == 0) {
        std::fill_n(sums, now * width, 0);
      } else if (by_fours) {
        kernels.fours->multiply({left.rows + a_row * left.row_bytes, left.row_bytes, now, padded, left.signs[a_row], b_panel,
                                 static_cast<uint8_t>(kept.least),
                                 kept.column_sums + (b_matrix * panel_count + panel) * width, left.raised + a_row,
                                 left.lacking + a_row},
                                sums);
      } else {
        kernels.pairs->multiply(reinterpret_cast<const int16_t*>(left.rows + a_row * left.row_bytes), left.row_bytes / 2,
                                now, padded / 2, reinterpret_cast<const int8_t*>(b_panel), sums, width);
      }
      for (int64_t r = 0; r < now; ++r) {
        int32_t* of_row = sums + r * width;
        if (has_b_zero_points && all_rows != 0) {
          const uint32_t row_sum = left.sums[a_row + r];
          for (int64_t c = 0; c < n; ++c)
            of_row[c] = static_cast<int32_t>(static_cast<uint32_t>(of_row[c]) - static_cast<uint32_t>(b_zeros[c]) * row_sum);
        }
        finish(Place{a_row + r, b_column, column, at.y + (row + r) * p.y_row + column}, of_row, n);
      }
    }
  };
  const int64_t cost = std::max<int64_t>(1, p.rows * width * p.k_count);
  run.parallel_for(p.batch_count * panel_count, std::max<int64_t>(1, 65536 / cost), [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end;) {
      const int64_t batch = task / panel_count, panel_end = std::min(end - batch * panel_count, panel_count);
      const Offsets at = offsets_of(p, batch);
      for (int64_t row = 0; row < p.rows; row += row_block) {
        const int64_t row_end = std::min(p.rows, row + row_block);
        for (int64_t first = task % panel_count; first < panel_end; first += panel_block) {
          const int64_t last = std::min(panel_end, first + panel_block);
          for (int64_t panel = first; panel < last; ++panel) multiply_panel(at, row, row_end, panel, panel + 1 < panel_end);
          if constexpr (requires { finish.complete(Place{}, int64_t{}); }) {
            const int64_t column = first * width, n = std::min(last * width, p.columns) - column;
            for (int64_t r = row; r < row_end; ++r) finish.complete(Place{0, 0, column, at.y + r * p.y_row + column}, n);
          }
        }
      }
      task = batch * panel_count + panel_end;
    }
  });
  return {};
}

// Codes of a as it is.
class Rows {
 public:
  Rows(const TensorView& a, const TensorView& zero_point)
      : a_(a), raised_(a.element() == DataType::i8 ? 128 : 0), zero_points_(zero_point, 0) {}
  Written operator()(int64_t row, uint8_t* to) const {
    const int64_t k_count = a_.dim(-1);
    const auto* from = a_.data<uint8_t>() + row * k_count;
    uint32_t sum = 0;
    for (int64_t k = 0; k < k_count; ++k) sum += to[k] = static_cast<uint8_t>(from[k] + raised_);
    return {static_cast<int32_t>(zero_points_[row]) + raised_, sum};
  }

 private:
  TensorView a_;
  int32_t raised_;
  PerPlace<int64_t> zero_points_;
};

// The nearest integer, ties to the even one, of what is less than 2^22: loops of it are vectors, unlike nearbyint's.
float nearest(float x) {
  constexpr float shift = 12582912;  // 1.5 * 2^23
  return x + shift - shift;
}

Result<void> run_integer(Running& run, const Kernels& kernels) {
  const auto a = run.input(0);
  HEED_TRY(check_lists(run, a, run.input(1), {2}, {3}));
  auto* y = run.output(0).data<int32_t>();
  return multiply(run, kernels, a, run.input(1), run.input(3), Rows(a, run.input(2)),
                  [&](const Place& at, const int32_t* sums, int64_t n) {
                    std::memcpy(y + at.y, sums, static_cast<size_t>(n) * sizeof(int32_t));
                  });
}

Result<void> run_qlinear(Running& run, const Kernels& kernels) {
  const auto a = run.input(0), y = run.output(0);
  HEED_TRY(check_lists(run, a, run.input(3), {1, 2, 6, 7}, {4, 5}));
  const PerPlace<float> a_scales(run.input(1), 1), b_scales(run.input(4), 1), y_scales(run.input(6), 1),
      y_zero_points(run.input(7), 0);
  const bool is_signed = y.element() == DataType::i8;
  const float least = is_signed ? -128 : 0, greatest = least + 255;
  return multiply(run, kernels, a, run.input(3), run.input(5), Rows(a, run.input(2)),
                  [&](const Place& at, const int32_t* sums, int64_t n) {
                    const float zero_point = y_zero_points[at.a_row], a_scale = a_scales[at.a_row];
                    const float y_scale = y_scales[at.a_row];
                    float room[most_width];
                    const float* b_scale = b_scales.from(at.b_column, n, room);
                    for (int64_t c = 0; c < n; ++c) {
                      const float scale = a_scale * b_scale[c] / y_scale;
                      const float code = nearest(static_cast<float>(sums[c]) * scale) + zero_point;
                      y.data<uint8_t>()[at.y + c] =
                          static_cast<uint8_t>(static_cast<int32_t>(std::clamp(code, least, greatest)));
                    }
                  });
}

// Sums as floats, by the scales of a and b, and finished: those of f32 where they lie, a long part at a time; narrower ones
// before they are rounded.
class Scaled {
 public:
  Scaled(const Running& run, const Kernels& kernels, const TensorView& a_scale, const TensorView& b_scale,
         EpilogueInputs epilogue_inputs)
      : y_(run.output(0)),
        a_scales_(a_scale, 1),
        b_scales_(b_scale, 1),
        epilogue_(run, epilogue_inputs, run.kept<Kept>()->epilogue, kernels.epilogue) {}
  void scale_by(float a_scale) { a_scale_ = a_scale; }
  void operator()(const Place& at, const int32_t* sums, int64_t n) const {
    const float a_scale = a_scale_ * a_scales_[at.a_row];
    float room[most_width], scale_room[most_width];
    const float* b_scale = b_scales_.from(at.b_column, n, scale_room);
    float* values = is_half(y_.element()) ? room : y_.data<float>() + at.y;
    for (int64_t c = 0; c < n; ++c) values[c] = static_cast<float>(sums[c]) * (a_scale * b_scale[c]);
    if (values != room) return;
    epilogue_.finish(values, at.column, at.y, n);
    write_elements(y_.element(), values, n, y_.c.data, at.y);
  }
  void complete(const Place& at, int64_t n) const {
    if (!is_half(y_.element())) epilogue_.finish(y_.data<float>() + at.y, at.column, at.y, n);
  }

 private:
  TensorView y_;
  PerPlace<float> a_scales_, b_scales_;
  Epilogue epilogue_;
  float a_scale_ = 1;
};

Result<void> run_to_float(Running& run, const Kernels& kernels) {
  const auto a = run.input(0);
  HEED_TRY(check_lists(run, a, run.input(1), {2, 4}, {3, 5}));
  return multiply(run, kernels, a, run.input(1), run.input(5), Rows(a, run.input(4)),
                  Scaled(run, kernels, run.input(2), run.input(3), to_float_epilogue));
}

// The least and the greatest of numbers and 0; NaN is passed over.
struct Range {
  float least = 0, greatest = 0;
};
Range range_of(const Running& run, std::span<const float> numbers) {
  constexpr int64_t lanes = 16, piece = 16384;
  const auto count = static_cast<int64_t>(numbers.size());
  std::vector<Range> parts(static_cast<size_t>(ceil_divide(count, piece)));
  run.parallel_for(ceil_divide(count, piece), 1, [&](int64_t begin, int64_t end) {
    for (int64_t part = begin; part < end; ++part) {
      float least[lanes] = {}, greatest[lanes] = {};
      const int64_t first = part * piece, last = std::min(count, first + piece);
      const auto take = [&](int64_t lane, float x) {
        least[lane] = x < least[lane] ? x : least[lane];
        greatest[lane] = x > greatest[lane] ? x : greatest[lane];
      };
      int64_t i = first;
      for (; i + lanes <= last; i += lanes)
        for (int64_t lane = 0; lane < lanes; ++lane) take(lane, numbers[static_cast<size_t>(i + lane)]);
      for (; i < last; ++i) take(0, numbers[static_cast<size_t>(i)]);
      parts[static_cast<size_t>(part)] = {*std::min_element(least, least + lanes),
                                          *std::max_element(greatest, greatest + lanes)};
    }
  });
  Range range;
  for (const Range& part : parts)
    range = {std::min(range.least, part.least), std::max(range.greatest, part.greatest)};
  return range;
}

Result<void> run_dynamic(Running& run, const Kernels& kernels) {
  const auto a = run.input(0);
  HEED_TRY(check_lists(run, a, run.input(1), {}, {2, 3}));
  const int64_t k_count = a.dim(-1);
  const auto [least, greatest] = range_of(run, a.as<const float>());
  const float scale = least == greatest ? 1 : (greatest - least) / 255;
  const float zero_point = nearest(std::clamp(-least / scale, 0.0f, 255.0f));
  Scaled scaled(run, kernels, {}, run.input(2), dynamic_epilogue);
  scaled.scale_by(scale);
  const auto write_codes = [&](int64_t row, uint8_t* to) {
    const uint32_t sum = quantize_row(a.data<float>() + row * k_count, k_count, scale, zero_point, to);
    return Written{static_cast<int32_t>(zero_point), sum};
  };
  return multiply(run, kernels, a, run.input(1), run.input(3), write_codes, scaled);
}

using Run = Result<void> (*)(Running&, const Kernels&);

template <Isa isa, Run run, int32_t a_input, int32_t b_input, const EpilogueInputs& epilogue_inputs>
CpuKernel kernel(std::string_view domain, std::string_view op_type) {
  static constexpr int32_t scores[] = {0, 5, 10, 15, 20, 30, 30, 40};
  return {.domain = domain,
          .op_type = op_type,
          .name = name_of(isa),
          .score = scores[static_cast<int>(isa)],
          .plan = [](Planning& node) -> Result<void> {
            HEED_TRY(require_isa(node, isa));
            if (kernels_of(isa).pairs == nullptr)
              return decline("it is not compiled for " + std::string(name_of(isa)));
            for (const int32_t input : {a_input, b_input, epilogue_inputs.bias, epilogue_inputs.residual})
              if (input >= 0 && node.has_input(input) && !node.input(input).has_rank())
                return decline("the rank of input " + std::to_string(input) + " is known to the run alone");
            return {};
          },
          .prepare = [](Preparing& node) { return prepare<b_input, epilogue_inputs>(node, kernels_of(isa)); },
          .bind = bind<a_input>,
          .run = [](Running& running) { return run(running, kernels_of(isa)); }};
}

}  // namespace

#define HEED_INTEGER_KERNEL(name, isa, ...) extern const CpuKernel name = kernel<Isa::isa, __VA_ARGS__>
#define HEED_INTEGER_KERNELS(name, domain, op_type, ...)                                       \
  HEED_INTEGER_KERNEL(name, scalar, __VA_ARGS__)(domain, op_type);                             \
  HEED_INTEGER_KERNEL(name##_neon, neon, __VA_ARGS__)(domain, op_type);                        \
  HEED_INTEGER_KERNEL(name##_avx2, avx2, __VA_ARGS__)(domain, op_type);                        \
  HEED_INTEGER_KERNEL(name##_avx_vnni, avx_vnni, __VA_ARGS__)(domain, op_type);                \
  HEED_INTEGER_KERNEL(name##_avx512, avx512, __VA_ARGS__)(domain, op_type);                    \
  HEED_INTEGER_KERNEL(name##_avx512_vnni, avx512_vnni, __VA_ARGS__)(domain, op_type);          \
  HEED_INTEGER_KERNEL(name##_amx, amx, __VA_ARGS__)(domain, op_type)
HEED_INTEGER_KERNELS(matmul_integer, "", "MatMulInteger", run_integer, 0, 1, none);
HEED_INTEGER_KERNELS(qlinear_matmul, "", "QLinearMatMul", run_qlinear, 0, 3, none);
#define HEED_MICROSOFT_KERNELS(name, op_type, ...)                                       \
  HEED_INTEGER_KERNELS(name, "com.microsoft", op_type, __VA_ARGS__);                     \
  HEED_INTEGER_KERNELS(fused_##name, "heed", "Fused" op_type, __VA_ARGS__)
HEED_MICROSOFT_KERNELS(matmul_integer_to_float, "MatMulIntegerToFloat", run_to_float, 0, 1, to_float_epilogue);
HEED_MICROSOFT_KERNELS(dynamic_quantize_matmul, "DynamicQuantizeMatMul", run_dynamic, 0, 1, dynamic_epilogue);

}  // namespace heed::cpu
