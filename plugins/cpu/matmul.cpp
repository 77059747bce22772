// MatMul: y[..., i, j] = sum over k of a[..., i, k] * b[..., k, j], and heed.FusedMatMul: y = activation(scale * a b +
// bias) + residual. The scalar kernel serves every type; the vector kernels f32, f16 and bf16: they pack a constant b
// once into panels of its own type, which serve a decoded token and a prompt alike. Sums are f32 and rounded once. Where the
// machine multiplies bf16 in pairs, rows of bf16 are not widened.
#include <algorithm>
#include <cstring>

#include "convert.hpp"
#include "epilogue.hpp"
#include "gemm_panels.hpp"
#include "half.hpp"
#include "product.hpp"
#include "ranks.hpp"

namespace heed::cpu {
namespace {

// ---- scalar
// -----------------------------------------------------------------------------------------------------------

constexpr EpilogueInputs epilogue_inputs{.bias = 2, .residual = 3};

Result<void> run_scalar(Running& run) {
  const auto a = run.input(0), b = run.input(1);
  HEED_ASSIGN(const auto dims, product_dims(a.dims(), b.dims()));
  HEED_ASSIGN(const auto y, run.allocate(0, dims));
  Product p;
  HEED_TRY(describe(shape_of(a), shape_of(b), shape_of(y), p));
  if (p.batch_count * p.rows == 0 || p.columns == 0) return {};
  const Epilogue epilogue(run, epilogue_inputs);
  dispatch(y.element(), [&]<class T>(T) {
    // Integers wrap: their sums are taken unsigned.
    using Sum = std::conditional_t<std::is_same_v<T, int64_t>, uint64_t, T>;
    const int64_t cost = p.columns * std::max<int64_t>(p.k_count, 1);
    run.parallel_for(p.batch_count * p.rows, std::max<int64_t>(1, 65536 / cost), [&](int64_t begin, int64_t end) {
      std::vector<T> a_row(static_cast<size_t>(p.k_count)), b_row(static_cast<size_t>(p.columns));
      std::vector<Sum> sum(static_cast<size_t>(p.columns));
      for (int64_t row = begin; row < end; ++row) {
        const Offsets at = offsets_of(p, row / p.rows);
        const int64_t i = row % p.rows;
        read_elements(a.element(), a.c.data, at.a + i * p.a_row, p.a_k, p.k_count, a_row.data());
        std::fill(sum.begin(), sum.end(), Sum{0});
        for (int64_t k = 0; k < p.k_count; ++k) {
          read_elements(b.element(), b.c.data, at.b + k * p.b_k, p.b_column, p.columns, b_row.data());
          const auto left = static_cast<Sum>(a_row[static_cast<size_t>(k)]);
          for (size_t j = 0; j < sum.size(); ++j) sum[j] += left * static_cast<Sum>(b_row[j]);
        }
        for (size_t j = 0; j < sum.size(); ++j) b_row[j] = static_cast<T>(sum[j]);
        if constexpr (std::is_floating_point_v<T>) epilogue.finish(b_row.data(), 0, at.y + i * p.y_row, p.columns);
        write_elements(y.element(), b_row.data(), p.columns, y.c.data, at.y + i * p.y_row, p.y_column);
      }
    });
  });
  return {};
}

template <bool fused>
Result<void> plan_scalar(Planning& node) {
  if (fused) HEED_TRY(require_ranks(node));
  node.take_strided(0);
  node.take_strided(1);
  if (!fused) node.give_strided(0);
  return {};
}

// ---- vector
// -----------------------------------------------------------------------------------------------------------

// Rows up to which b is only read once: a decoded token, or a few of them.
constexpr int64_t few_row_count = 8;
// Below this a thread costs more than it brings: multiplications, tuned on two cores of a Zen 5 (a woken thread: 1 us).
constexpr int64_t serial_few = 24 * 1024, serial_tiles = 64 * 1024;
// Rows of pairs begin with a cache line, as tiles want, and do not fall into the same cache sets.
constexpr int64_t pairs_stride = tile_k + 32;
constexpr int64_t columns_at_once = 512, packed_here_columns = 256;  // b in panels already, and packed while running

struct Kept {
  const void* panels;  // of each of b's matrices, one after the other; null: b is no constant
  int32_t b_rank;
  int64_t b_dims[max_batch_rank + 2];
  int64_t b_strides[max_batch_rank + 2];  // along batch axes, in elements of `panels`
  const FusedProgram* epilogue;
};

// Element `index` of f32, f16 or bf16.
const void* element_at(DataType element, const void* data, int64_t index) {
  return static_cast<const std::byte*>(data) + index * (bits_of(element) / 8);
}

// Sums, which lie in y if that is f32, else by themselves, and what is left to do with them.
class Sums {
 public:
  // `p` tells how y lies, and `sums` where f32 sums lie as dense_sums() says if y is none.
  Sums(const Running& run, RunFused loops, const Product& p, float* sums)
      : epilogue_(run, epilogue_inputs, run.kept<Kept>()->epilogue, loops),
        element_(run.output(0).element()),
        p_(p),
        y_(run.output(0).data<void>()) {
    data = is_half(element_) ? sums : static_cast<float*>(y_);
    layout = is_half(element_) ? dense_sums(p) : p;
  }

  static Product dense_sums(Product p) {
    p.y_column = 1;
    p.y_row = p.columns;
    int64_t stride = p.rows * p.columns;
    for (int axis = 0; axis < p.batch_rank; ++axis) p.y_batch[axis] = stride, stride *= p.batch[axis];
    return p;
  }

  void finish(int64_t item, int64_t row_begin, int64_t row_end, int64_t column_begin, int64_t column_end) const {
    if (epilogue_.does_nothing() && !is_half(element_)) return;
    const int64_t first = offsets_of(layout, item).y, y_first = offsets_of(p_, item).y, n = column_end - column_begin;
    for (int64_t row = row_begin; row < row_end; ++row) {
      const int64_t index = first + row * layout.y_row + column_begin;
      epilogue_.finish(data + index, column_begin, index, n);
      if (is_half(element_))
        write_elements(element_, data + index, n, y_, y_first + row * p_.y_row + column_begin * p_.y_column, p_.y_column);
    }
  }

  float* data;
  Product layout;  // of what is multiplied, with the sums' strides for y's

 private:
  Epilogue epilogue_;
  DataType element_;
  Product p_;
  void* y_;
};

// How the tiles of one product are shared out: task by task, each with scratch of its thread.
struct Split {
  int64_t row_block, column_block, row_ranges, column_ranges, tasks;
  // Scratch of one thread: rows of a, panels of b as f32 where they are not kept so, and as they are before.
  size_t a_floats, b_floats, b_half_floats;
  size_t floats() const { return a_floats + b_floats + b_half_floats; }
};

Split split_of(const PanelKernels& kernels, DataType element, const Product& p, bool packed, int64_t threads) {
  Split s{};
  const int64_t width = kernels.panel_width, rows = p.rows, columns = p.columns, batch_count = p.batch_count;
  s.row_block = std::min<int64_t>(rows, 192 / kernels.tile_rows * kernels.tile_rows);
  const int64_t panels = ceil_divide(columns, width);
  const bool widened = is_half(element) && !kernels.bf16_pairs, as_it_is = packed && !widened;
  int64_t column_panels = std::min(panels, (as_it_is ? columns_at_once : packed_here_columns) / width);
  const int64_t wanted = batch_count * rows * columns * p.k_count < serial_tiles ? 1 : 4 * threads;
  s.column_ranges = ceil_divide(panels, column_panels);
  s.row_ranges =
      std::clamp<int64_t>(ceil_divide(wanted, batch_count * s.column_ranges), 1, ceil_divide(rows, s.row_block));
  if (batch_count * s.row_ranges * s.column_ranges < wanted) {
    const int64_t more = ceil_divide(wanted, batch_count * s.row_ranges);
    column_panels = std::min(column_panels, std::max<int64_t>(1, panels / more));
    s.column_ranges = ceil_divide(panels, column_panels);
  }
  s.column_block = column_panels * width;
  s.tasks = batch_count * s.row_ranges * s.column_ranges;
  s.a_floats = static_cast<size_t>(s.row_block * tile_stride);
  const auto b_count = static_cast<size_t>(s.column_block * tile_k);
  s.b_floats = widened || (!packed && !is_half(element)) ? b_count : 0;
  s.b_half_floats = packed || !is_half(element) ? 0 : b_count / 2;
  return s;
}

// Whether b is read where it lies or in panels, but not packed for this run. Of 16 bits a and the sums lie dense.
bool is_direct(DataType element, const Product& p, bool packed) {
  if (is_half(element)) return p.rows <= few_row_count && packed;
  return p.rows <= few_row_count && (p.a_k == 1 || p.k_count == 1) && (p.y_column == 1 || p.columns == 1) &&
         (packed || p.b_column == 1 || p.columns == 1);
}

// In floats: first the sums of 16-bit products, then rows of a or the scratch of threads.
struct Scratch {
  size_t sums, count;
};
Scratch scratch_of(const PanelKernels& kernels, DataType element, const Product& p, bool packed, int64_t threads) {
  const auto aligned = [](int64_t count) { return static_cast<size_t>(ceil_divide(count, 16) * 16); };
  const size_t sums = is_half(element) ? aligned(p.batch_count * p.rows * p.columns) : 0;
  if (p.batch_count * p.rows * p.columns * p.k_count == 0) return {sums, sums};
  if (is_direct(element, p, packed))
    return {sums, sums + (is_half(element) ? aligned(p.batch_count * p.rows * padded_to_pairs(p.k_count)) : 0)};
  return {sums, sums + split_of(kernels, element, p, packed, threads).floats() * static_cast<size_t>(threads)};
}

// Elements of a panel.
int64_t panel_size(const PanelKernels& kernels, int64_t k_count) {
  return (kernels.bf16_pairs ? padded_to_pairs(k_count) : k_count) * kernels.panel_width;
}

Result<void> prepare_panels(Preparing& node, const PanelKernels& kernels) {
  auto* kept = node.keep<Kept>();
  if (kept == nullptr) return Error{Code::out_of_memory, "no memory for a packed matrix"};
  HEED_ASSIGN(kept->epilogue, prepare_epilogue(node, epilogue_inputs));
  const auto b = node.constant(1);
  if (!b || b->count() == 0 || b->rank() > max_batch_rank + 2) return {};
  kept->b_rank = b->rank();
  std::copy(b->dims().begin(), b->dims().end(), kept->b_dims);
  const int32_t batch_rank = std::max(b->rank() - 2, 0);
  const int64_t k_count = b->dim(b->rank() == 1 ? 0 : -2), columns = b->rank() == 1 ? 1 : b->dim(-1);
  const int64_t matrix = ceil_divide(columns, kernels.panel_width) * panel_size(kernels, k_count);
  int64_t count = 1;
  for (int32_t axis = batch_rank - 1; axis >= 0; --axis) {
    kept->b_strides[axis] = count * matrix;
    count *= b->dim(axis);
  }
  const auto element_bytes = static_cast<size_t>(bits_of(b->element()) / 8);
  void* panels = node.keep_bytes(static_cast<size_t>(count * matrix) * element_bytes);
  if (panels == nullptr)
    return Error{Code::out_of_memory,
                 "no memory for a packed matrix of " + std::to_string(count * matrix) + " numbers"};
  for (int64_t index = 0; index < count; ++index) {
    int64_t offset = 0, rest = index;
    for (int32_t axis = batch_rank - 1; axis >= 0; --axis) {
      offset += rest % b->dim(axis) * b->stride(axis);
      rest /= b->dim(axis);
    }
    const auto pack = [&]<class T>(auto pack_into, T* to) {
      pack_into(b->data<T>() + offset, b->stride(b->rank() == 1 ? 0 : -2), b->rank() == 1 ? 0 : b->stride(-1), k_count,
                columns, kernels.panel_width, to + index * matrix);
    };
    if (kernels.bf16_pairs)
      pack(pack_bf16_panels, static_cast<uint16_t*>(panels));
    else if (is_half(b->element()))
      pack(pack_panels<uint16_t>, static_cast<uint16_t*>(panels));
    else
      pack(pack_panels<float>, static_cast<float*>(panels));
  }
  kept->panels = panels;
  node.replaced(1);
  return {};
}

Result<void> bind_vector(Binding& node, const PanelKernels& kernels) {
  const auto a = node.input(0), y = node.output(0);
  // Of a constant only the type is left, once it is packed: its strides do not matter, but that they are not 0.
  const bool packed = node.constant(1).has_value();
  int64_t dims[max_batch_rank + 2], strides[max_batch_rank + 2];
  Shape b = shape_of(node.input(1));
  if (packed) {
    const auto type = NodeView(node.c()).input(1).dims();
    if (type.size() > max_batch_rank + 2) return {};
    for (size_t axis = 0; axis < type.size(); ++axis) dims[axis] = type[axis].number(), strides[axis] = 1;
    b = {{dims, type.size()}, {strides, type.size()}};
  }
  Product p;
  HEED_TRY(describe(shape_of(a), b, shape_of(y), p));
  fold_batch_into_rows(p);
  const int64_t threads = std::max(host->prepare_threads(node.c()), 1);
  node.scratch(scratch_of(kernels, node.output(0).element(), p, packed, threads).count * sizeof(float));
  return {};
}

// Of f32 rows of a, or of bf16 ones for the kernels of pairs.
void multiply_direct(const Running& run, const PanelKernels& kernels, DataType element, const void* a, const void* b,
                     bool packed, const Sums& sums) {
  const Product& p = sums.layout;
  const int64_t width = kernels.panel_width, panels = ceil_divide(p.columns, width);
  const auto few_rows = element == DataType::f16    ? kernels.few_rows_f16
                        : element == DataType::bf16 ? kernels.few_rows_bf16
                                                    : kernels.few_rows;
  const auto multiply = [&](int64_t item, int64_t panel_begin, int64_t panel_end) {
    const Offsets at = offsets_of(p, item);
    if (kernels.bf16_pairs)
      kernels.bf16_pairs->multiply({.a = static_cast<const uint16_t*>(a) + at.a,
                                    .a_row_stride = p.a_row,
                                    .row_count = p.rows,
                                    .k_count = padded_to_pairs(p.k_count),
                                    .b = static_cast<const uint16_t*>(b) + at.b,
                                    .panel_stride = panel_size(kernels, p.k_count),
                                    .panel_begin = panel_begin,
                                    .panel_end = panel_end,
                                    .column_count = p.columns,
                                    .y = sums.data + at.y,
                                    .y_row_stride = p.y_row,
                                    .y_column_stride = 1,
                                    .accumulate = false});
    else
      few_rows({.a = static_cast<const float*>(a) + at.a,
                .a_row_stride = p.a_row,
                .row_count = p.rows,
                .k_count = p.k_count,
                .b = element_at(element, b, at.b),
                .panel_stride = packed ? p.k_count * width : width,
                .k_stride = packed ? width : p.b_k,
                .padded = packed,
                .panel_begin = panel_begin,
                .panel_end = panel_end,
                .column_count = p.columns,
                .y = sums.data + at.y,
                .y_row_stride = p.y_row});
    sums.finish(item, 0, p.rows, panel_begin * width, std::min(panel_end * width, p.columns));
  };
  const int64_t cost = p.rows * p.columns * p.k_count, wanted = 2 * run.thread_count();
  if (p.batch_count * cost <= serial_few || wanted == 2) {
    for (int64_t item = 0; item < p.batch_count; ++item) multiply(item, 0, panels);
    return;
  }
  const int64_t parts = std::min(panels, ceil_divide(wanted, p.batch_count));
  run.parallel_for(p.batch_count * parts, std::max<int64_t>(1, serial_few * parts / 2 / cost),
                   [&](int64_t begin, int64_t end) {
                     for (int64_t task = begin; task < end; ++task) {
                       const int64_t part = task % parts;
                       multiply(task / parts, panels * part / parts, panels * (part + 1) / parts);
                     }
                   });
}

// k_count of a row of bf16 as pairs.
void copy_pairs(const void* a, int64_t first, int64_t k_stride, int64_t k_count, uint16_t* to) {
  const uint16_t* from = static_cast<const uint16_t*>(a) + first;
  if (k_stride == 1)
    std::memcpy(to, from, static_cast<size_t>(k_count) * sizeof(uint16_t));
  else
    for (int64_t k = 0; k < k_count; ++k) to[k] = from[k * k_stride];
  if (k_count % 2 != 0) to[k_count] = 0;
}

// The rows of all matrices of a one after the other, as f32 or as pairs; `p` tells where they are after that.
void lay_out_rows(DataType element, bool as_pairs, const void* a, float* to, Product& p) {
  const int64_t length = as_pairs ? padded_to_pairs(p.k_count) : p.k_count;
  for (int64_t item = 0; item < p.batch_count; ++item)
    for (int64_t row = 0; row < p.rows; ++row) {
      const int64_t first = offsets_of(p, item).a + row * p.a_row, at = (item * p.rows + row) * length;
      if (as_pairs)
        copy_pairs(a, first, p.a_k, p.k_count, reinterpret_cast<uint16_t*>(to) + at);
      else
        read_elements(element, a, first, p.a_k, p.k_count, to + at);
    }
  p.a_k = 1;
  p.a_row = length;
  int64_t stride = p.rows * length;
  for (int axis = 0; axis < p.batch_rank; ++axis) p.a_batch[axis] = stride, stride *= p.batch[axis];
}

// [rows, k_count] of a from element `first` on as f32, into rows that lie tile_stride apart.
void pack_rows(DataType element, const void* a, int64_t first, const Product& p, int64_t rows, int64_t k_count,
               float* to) {
  for (int64_t row = 0; row < rows; ++row, first += p.a_row, to += tile_stride) {
    if (element == DataType::f32 && p.a_k == 1)
      std::memcpy(to, static_cast<const float*>(a) + first, static_cast<size_t>(k_count) * sizeof(float));
    else
      read_elements(element, a, first, p.a_k, k_count, to);
  }
}

void multiply_tiles(const Running& run, const PanelKernels& kernels, DataType element, const void* a, const void* b,
                    bool packed, const Sums& sums, float* scratch_of_threads) {
  const Product& p = sums.layout;
  const int64_t width = kernels.panel_width, panels = ceil_divide(p.columns, width);
  const int64_t threads = std::max(host->prepare_threads(run.c()), 1);
  const Split s = split_of(kernels, element, p, packed, threads);
  const auto multiply = [&](int64_t task, float* scratch) {
    float* const a_block = scratch;
    float* const b_block = scratch + s.a_floats;
    auto* const b_half_block = reinterpret_cast<uint16_t*>(b_block + s.b_floats);
    const int64_t column_range = task % s.column_ranges, row_range = task / s.column_ranges % s.row_ranges;
    const int64_t item = task / (s.column_ranges * s.row_ranges);
    const Offsets at = offsets_of(p, item);
    const int64_t first_panel = column_range * s.column_block / width, column = first_panel * width;
    const int64_t panel_count = std::min(s.column_block / width, panels - first_panel);
    const int64_t columns = std::min(panel_count * width, p.columns - column);
    // Ranges of rows are whole blocks.
    const int64_t blocks = ceil_divide(p.rows, s.row_block);
    const int64_t row_begin = blocks * row_range / s.row_ranges * s.row_block;
    const int64_t row_end = std::min(p.rows, blocks * (row_range + 1) / s.row_ranges * s.row_block);
    const int64_t panel_stride = panel_size(kernels, p.k_count);
    for (int64_t k = 0; k < p.k_count; k += tile_k) {
      const int64_t k_count = std::min(tile_k, p.k_count - k);
      const int64_t in_b = at.b + k * p.b_k + column * p.b_column;               // where b is not packed
      const int64_t in_panels = at.b + first_panel * panel_stride + k * width;  // where it is
      if (kernels.bf16_pairs) {
        const auto* halves = static_cast<const uint16_t*>(b);
        if (!packed) pack_bf16_panels(halves + in_b, p.b_k, p.b_column, k_count, columns, kernels.panel_width, b_half_block);
        for (int64_t row = row_begin; row < row_end; row += s.row_block) {
          const int64_t rows = std::min(s.row_block, row_end - row);
          auto* const pairs = reinterpret_cast<uint16_t*>(a_block);
          for (int64_t r = 0; r < rows; ++r)
            copy_pairs(a, at.a + (row + r) * p.a_row + k * p.a_k, p.a_k, k_count, pairs + r * pairs_stride);
          kernels.bf16_pairs->multiply({.a = pairs,
                                        .a_row_stride = pairs_stride,
                                        .row_count = rows,
                                        .k_count = padded_to_pairs(k_count),
                                        .b = packed ? halves + in_panels : b_half_block,
                                        .panel_stride = packed ? panel_stride : panel_size(kernels, k_count),
                                        .panel_begin = 0,
                                        .panel_end = panel_count,
                                        .column_count = columns,
                                        .y = sums.data + at.y + row * p.y_row + column * p.y_column,
                                        .y_row_stride = p.y_row,
                                        .y_column_stride = p.y_column,
                                        .accumulate = k > 0});
        }
        continue;
      }
      const float* tile_b = b_block;
      if (is_half(element)) {
        const auto* halves = static_cast<const uint16_t*>(b);
        if (!packed) pack_panels(halves + in_b, p.b_k, p.b_column, k_count, columns, kernels.panel_width, b_half_block);
        for (int64_t panel = 0; panel < panel_count; ++panel)
          widen(element,
                packed ? halves + in_panels + panel * panel_stride : b_half_block + panel * k_count * width,
                k_count * width, b_block + panel * k_count * width);
      } else if (!packed) {
        pack_panels(static_cast<const float*>(b) + in_b, p.b_k, p.b_column, k_count, columns, kernels.panel_width,
                    b_block);
      } else {
        tile_b = static_cast<const float*>(b) + in_panels;
      }
      for (int64_t row = row_begin; row < row_end; row += s.row_block) {
        const int64_t rows = std::min(s.row_block, row_end - row);
        pack_rows(element, a, at.a + row * p.a_row + k * p.a_k, p, rows, k_count, a_block);
        kernels.tiles({.a = a_block,
                       .row_count = rows,
                       .k_count = k_count,
                       .b = tile_b,
                       .panel_stride = tile_b == b_block ? k_count * width : panel_stride,
                       .panel_begin = 0,
                       .panel_end = panel_count,
                       .column_count = columns,
                       .y = sums.data + at.y + row * p.y_row + column * p.y_column,
                       .y_row_stride = p.y_row,
                       .y_column_stride = p.y_column,
                       .accumulate = k > 0});
      }
    }
    sums.finish(item, row_begin, row_end, column, column + columns);
  };
  const int64_t cost = std::max<int64_t>(1, p.batch_count * p.rows * p.columns * p.k_count / s.tasks);
  if (run.thread_count() > threads) {  // scratch was bound for fewer
    for (int64_t task = 0; task < s.tasks; ++task) multiply(task, scratch_of_threads);
    return;
  }
  run.parallel_for(s.tasks, std::max<int64_t>(1, serial_tiles / cost), [&](int64_t begin, int64_t end, int32_t thread) {
    for (int64_t task = begin; task < end; ++task)
      multiply(task, scratch_of_threads + static_cast<size_t>(thread) * s.floats());
  });
}

void fill_zeros(const Sums& sums) {
  const Product& p = sums.layout;
  for (int64_t item = 0; item < p.batch_count; ++item) {
    float* at = sums.data + offsets_of(p, item).y;
    for (int64_t row = 0; row < p.rows; ++row)
      for (int64_t column = 0; column < p.columns; ++column) at[row * p.y_row + column * p.y_column] = 0;
    sums.finish(item, 0, p.rows, 0, p.columns);
  }
}

Result<void> run_vector(Running& run, const PanelKernels& kernels, RunFused loops) {
  const auto a = run.input(0), y = run.output(0);
  const auto* kept = run.kept<Kept>();
  const bool packed = kept->panels != nullptr;
  Shape b_shape{};
  if (packed) {
    const auto rank = static_cast<size_t>(kept->b_rank);
    b_shape = {{kept->b_dims, rank}, {kept->b_strides, rank}};
  } else {
    b_shape = shape_of(run.input(1));
  }
  Product p;
  HEED_TRY(describe(shape_of(a), b_shape, shape_of(y), p));
  if (p.batch_count * p.rows * p.columns == 0) return {};
  fold_batch_into_rows(p);
  const DataType element = y.element();
  const Scratch scratch = scratch_of(kernels, element, p, packed, std::max(host->prepare_threads(run.c()), 1));
  Sums sums(run, loops, p, run.scratch<float>());
  if (p.k_count == 0) return fill_zeros(sums), Result<void>{};
  const void* b = packed ? kept->panels : run.input(1).data<void>();
  float* const behind_sums = run.scratch<float>() + scratch.sums;
  if (!is_direct(element, p, packed)) {
    multiply_tiles(run, kernels, element, a.data<void>(), b, packed, sums, behind_sums);
  } else if (is_half(element)) {
    lay_out_rows(element, kernels.bf16_pairs != nullptr, a.data<void>(), behind_sums, sums.layout);
    multiply_direct(run, kernels, element, behind_sums, b, packed, sums);
  } else {
    multiply_direct(run, kernels, element, a.data<float>(), b, packed, sums);
  }
  return {};
}

template <Isa isa, bool fused>
Result<void> plan_vector(Planning& node) {
  HEED_TRY(require_isa(node, isa));
  const DataType element = node.input(0).element();
  if (element != DataType::f32 && !is_half(element))
    return decline("elements are " + std::string(name_of(element)) + ", not f32, f16 or bf16");
  if (panel_kernels(isa) == nullptr) return decline("it is not compiled for " + std::string(name_of(isa)));
  if (isa != base_of(isa) && element != DataType::bf16)
    return decline("elements are " + std::string(name_of(element)) + ", not bf16");
  HEED_TRY(require_ranks(node));
  return plan_scalar<fused>(node);
}

template <Isa isa, int32_t score, bool fused>
CpuKernel vector_kernel() {
  return {.domain = fused ? "heed" : "",
          .op_type = fused ? "FusedMatMul" : "MatMul",
          .name = name_of(isa),
          .score = score,
          .plan = plan_vector<isa, fused>,
          .prepare = [](Preparing& node) { return prepare_panels(node, *panel_kernels(isa)); },
          .bind = [](Binding& node) { return bind_vector(node, *panel_kernels(isa)); },
          .run = [](Running& run) { return run_vector(run, *panel_kernels(isa), fused_with(base_of(isa))); }};
}

}  // namespace

extern const CpuKernel matmul{.op_type = "MatMul", .plan = plan_scalar<false>, .run = run_scalar};
extern const CpuKernel matmul_neon = vector_kernel<Isa::neon, 5, false>();
extern const CpuKernel matmul_avx2 = vector_kernel<Isa::avx2, 10, false>();
extern const CpuKernel matmul_avx512 = vector_kernel<Isa::avx512, 20, false>();
extern const CpuKernel matmul_avx512_bf16 = vector_kernel<Isa::avx512_bf16, 30, false>();
extern const CpuKernel matmul_amx = vector_kernel<Isa::amx, 40, false>();
extern const CpuKernel fused_matmul{
    .domain = "heed", .op_type = "FusedMatMul", .plan = plan_scalar<true>, .run = run_scalar};
extern const CpuKernel fused_matmul_neon = vector_kernel<Isa::neon, 5, true>();
extern const CpuKernel fused_matmul_avx2 = vector_kernel<Isa::avx2, 10, true>();
extern const CpuKernel fused_matmul_avx512 = vector_kernel<Isa::avx512, 20, true>();
extern const CpuKernel fused_matmul_avx512_bf16 = vector_kernel<Isa::avx512_bf16, 30, true>();
extern const CpuKernel fused_matmul_amx = vector_kernel<Isa::amx, 40, true>();

}  // namespace heed::cpu
