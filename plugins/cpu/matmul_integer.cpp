// Products of 8-bit integers: y = (a - a_zero_point)(b - b_zero_point), summed as i32, which wraps.
//   MatMulInteger          the sums
//   QLinearMatMul          saturate(round(sum * a_scale * b_scale / y_scale) + y_zero_point)
//   MatMulIntegerToFloat   sum * (a_scale * b_scale) + bias                              com.microsoft
//   DynamicQuantizeMatMul  the same, of an a that DynamicQuantizeLinear makes u8         com.microsoft
// Zero points and scales of a are one, or one a row; those of b one, or one a column. Zero points of a are subtracted
// from its rows, those of b from the sums: sum(a (b - z)) = sum(a b) - z sum(a).
#include <cmath>
#include <cstring>

#include "convert.hpp"
#include "half.hpp"
#include "integer_panels.hpp"
#include "product.hpp"

namespace heed::cpu {
namespace {

// The panels of all matrices of b, u8 lowered by 128 so that all are signed.
struct Kept {
  const int8_t* panels;  // null: b is no constant
};

int64_t matrix_bytes(const IntegerPanelKernels& kernels, int64_t k_count, int64_t columns) {
  return ceil_divide(columns, kernels.panel_width) * kernels.panel_width * ceil_divide(k_count, 2) * 2;
}

// Panels from `begin` to `end` of one dense matrix.
void pack(const IntegerPanelKernels& kernels, const uint8_t* b, bool is_unsigned, int64_t k_count, int64_t columns,
          int64_t begin, int64_t end, int8_t* panels) {
  const int64_t width = kernels.panel_width, pairs = ceil_divide(k_count, 2);
  const uint8_t flipped = is_unsigned ? 0x80 : 0;
  for (int64_t panel = begin; panel < end; ++panel) {
    int8_t* to = panels + panel * width * pairs * 2;
    const int64_t first = panel * width, count = std::min(width, columns - first);
    std::memset(to, 0, static_cast<size_t>(width * pairs * 2));
    for (int64_t k = 0; k < k_count; ++k)
      for (int64_t c = 0; c < count; ++c)
        to[(k / 2 * width + c) * 2 + k % 2] = static_cast<int8_t>(b[k * columns + first + c] ^ flipped);
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

template <int32_t b_input>
Result<void> prepare(Preparing& node, const IntegerPanelKernels& kernels) {
  auto* kept = node.keep<Kept>();
  if (kept == nullptr) return Error{Code::out_of_memory, "no memory for a packed matrix"};
  const auto b = node.constant(b_input);
  if (!b || b->count() == 0) return {};
  const auto [count, k_count, columns] = matrices_of(b->dims());
  const int64_t bytes = matrix_bytes(kernels, k_count, columns);
  auto* panels = static_cast<int8_t*>(node.keep_bytes(static_cast<size_t>(count * bytes)));
  if (panels == nullptr)
    return Error{Code::out_of_memory, "no memory for a packed matrix of " + std::to_string(count * bytes) + " bytes"};
  for (int64_t i = 0; i < count; ++i)
    pack(kernels, b->data<uint8_t>() + i * k_count * columns, b->element() == DataType::u8, k_count, columns, 0,
         ceil_divide(columns, kernels.panel_width), panels + i * bytes);
  kept->panels = panels;
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

 private:
  std::vector<T> values_;
};

// Where a part of a row of sums stands: of which row of a and which column of b, counted on over matrices, and of which
// element of y.
struct Place {
  int64_t a_row, b_column, y;
};

// Calls pack_row(row of a, [k_count] to), which gives the sum of the numbers it writes, and finish(place, sums, n) for
// parts of rows of y, which covers y's elements once.
template <class PackRow, class Finish>
Result<void> multiply(const Running& run, const IntegerPanelKernels& kernels, const TensorView& a, const TensorView& b,
                      const TensorView& b_zero_point, PackRow&& pack_row, Finish&& finish) {
  const auto y = run.output(0);
  Product p;
  HEED_TRY(describe(shape_of(a), shape_of(b), shape_of(y), p));
  if (p.batch_count * p.rows * p.columns == 0) return {};
  fold_batch_into_rows(p);
  const Matrices all = matrices_of(b.dims());
  const int64_t width = kernels.panel_width, panel_count = ceil_divide(p.columns, width);
  const int64_t pairs = ceil_divide(p.k_count, 2), bytes = matrix_bytes(kernels, p.k_count, p.columns);

  const int8_t* panels = run.kept<Kept>()->panels;
  std::vector<int8_t> packed_here;
  if (panels == nullptr) {
    packed_here.resize(static_cast<size_t>(all.count * bytes));
    run.parallel_for(all.count * panel_count, std::max<int64_t>(1, 65536 / (width * pairs * 2 + 1)),
                     [&](int64_t begin, int64_t end) {
                       for (int64_t i = begin; i < end; ++i)
                         pack(kernels, b.data<uint8_t>() + i / panel_count * p.k_count * p.columns,
                              b.element() == DataType::u8, p.k_count, p.columns, i % panel_count, i % panel_count + 1,
                              packed_here.data() + i / panel_count * bytes);
                     });
    panels = packed_here.data();
  }

  // Zero points of b, lowered as its numbers are.
  const PerPlace<int64_t> b_zero_points(b_zero_point, 0);
  const int64_t lowered = b.element() == DataType::u8 ? 128 : 0;
  // Blocks of rows that share what is packed of a; few rows share out the panels instead.
  const int64_t row_block = std::min<int64_t>(p.rows, 8 * kernels.most_rows);
  const int64_t row_blocks = ceil_divide(p.rows, row_block);
  const int64_t wanted = 4 * run.thread_count(), tasks_by_rows = p.batch_count * row_blocks;
  const int64_t column_ranges = std::clamp<int64_t>(ceil_divide(wanted, tasks_by_rows), 1, panel_count);
  const int64_t tasks = tasks_by_rows * column_ranges;
  const int64_t cost = std::max<int64_t>(1, p.batch_count * p.rows * p.columns * p.k_count / tasks);
  run.parallel_for(tasks, std::max<int64_t>(1, 65536 / cost), [&](int64_t begin, int64_t end) {
    std::vector<int16_t> rows(static_cast<size_t>(row_block * pairs * 2));
    std::vector<int64_t> row_sums(static_cast<size_t>(row_block));
    std::vector<int32_t> sums(static_cast<size_t>(kernels.most_rows * width));
    for (int64_t task = begin; task < end; ++task) {
      const int64_t range = task % column_ranges, row_begin = task / column_ranges % row_blocks * row_block;
      const int64_t row_count = std::min(row_block, p.rows - row_begin);
      const Offsets at = offsets_of(p, task / column_ranges / row_blocks);
      const int64_t b_matrix = p.k_count == 0 ? 0 : at.b / (p.k_count * p.columns);
      const auto a_row = [&](int64_t row) {
        return p.k_count == 0 ? 0 : (at.a + (row_begin + row) * p.a_row) / p.k_count;
      };
      for (int64_t row = 0; row < row_count; ++row) {
        int16_t* to = rows.data() + row * pairs * 2;
        row_sums[static_cast<size_t>(row)] = pack_row(a_row(row), to);
        if (p.k_count % 2 != 0) to[p.k_count] = 0;
      }
      for (int64_t panel = panel_count * range / column_ranges; panel < panel_count * (range + 1) / column_ranges;
           ++panel) {
        const int64_t column = panel * width, n = std::min(width, p.columns - column);
        for (int64_t row = 0; row < row_count; row += kernels.most_rows) {
          const int64_t now = std::min<int64_t>(kernels.most_rows, row_count - row);
          kernels.multiply(rows.data() + row * pairs * 2, pairs * 2, now, pairs,
                           panels + b_matrix * bytes + panel * width * pairs * 2, sums.data(), width);
          for (int64_t r = 0; r < now; ++r) {
            int32_t* of_row = sums.data() + r * width;
            const int64_t b_column = b_matrix * p.columns + column;
            for (int64_t c = 0; c < n; ++c)
              of_row[c] = static_cast<int32_t>(of_row[c] - (b_zero_points[b_column + c] - lowered) *
                                                               row_sums[static_cast<size_t>(row + r)]);
            finish(Place{a_row(row + r), b_column, at.y + (row_begin + row + r) * p.y_row + column}, of_row, n);
          }
        }
      }
    }
  });
  return {};
}

// Rows of a's bytes less its zero points.
class Rows {
 public:
  Rows(const TensorView& a, const TensorView& zero_point) : a_(a), k_count_(a.dim(-1)), zero_points_(zero_point, 0) {}
  int64_t operator()(int64_t row, int16_t* to) const {
    const auto zero = static_cast<int16_t>(zero_points_[row]);
    if (a_.element() == DataType::u8) return fill(a_.data<uint8_t>() + row * k_count_, zero, to);
    return fill(a_.data<int8_t>() + row * k_count_, zero, to);
  }

 private:
  template <class T>
  int64_t fill(const T* from, int16_t zero, int16_t* to) const {
    int64_t sum = 0;
    for (int64_t k = 0; k < k_count_; ++k) {
      to[k] = static_cast<int16_t>(from[k] - zero);
      sum += to[k];
    }
    return sum;
  }

  TensorView a_;
  int64_t k_count_;
  PerPlace<int64_t> zero_points_;
};

Result<void> run_integer(Running& run, const IntegerPanelKernels& kernels) {
  const auto a = run.input(0);
  auto* y = run.output(0).data<int32_t>();
  return multiply(run, kernels, a, run.input(1), run.input(3), Rows(a, run.input(2)),
                  [&](const Place& at, const int32_t* sums, int64_t n) {
                    std::memcpy(y + at.y, sums, static_cast<size_t>(n) * sizeof(int32_t));
                  });
}

Result<void> run_qlinear(Running& run, const IntegerPanelKernels& kernels) {
  const auto a = run.input(0), y = run.output(0);
  const PerPlace<float> a_scales(run.input(1), 1), b_scales(run.input(4), 1), y_scales(run.input(6), 1),
      y_zero_points(run.input(7), 0);
  const bool is_signed = y.element() == DataType::i8;
  const float least = is_signed ? -128 : 0, greatest = least + 255;
  return multiply(run, kernels, a, run.input(3), run.input(5), Rows(a, run.input(2)),
                  [&](const Place& at, const int32_t* sums, int64_t n) {
                    const float zero_point = y_zero_points[at.a_row], a_scale = a_scales[at.a_row];
                    for (int64_t c = 0; c < n; ++c) {
                      const float scale = a_scale * b_scales[at.b_column + c] / y_scales[at.a_row];
                      const float code = std::nearbyintf(static_cast<float>(sums[c]) * scale) + zero_point;
                      y.data<uint8_t>()[at.y + c] =
                          static_cast<uint8_t>(static_cast<int32_t>(std::clamp(code, least, greatest)));
                    }
                  });
}

// Sums as floats, by the scales of a and b and with the bias.
class Scaled {
 public:
  Scaled(const TensorView& y, const TensorView& a_scale, const TensorView& b_scale, const TensorView& bias)
      : y_(y), a_scales_(a_scale, 1), b_scales_(b_scale, 1), bias_(bias, 0) {}
  void scale_by(float a_scale) { a_scale_ = a_scale; }
  void operator()(const Place& at, const int32_t* sums, int64_t n) const {
    const float a_scale = a_scale_ * a_scales_[at.a_row];
    float values[64];
    for (int64_t first = 0; first < n; first += 64) {
      const int64_t now = std::min<int64_t>(64, n - first);
      for (int64_t c = 0; c < now; ++c)
        values[c] = static_cast<float>(sums[first + c]) * (a_scale * b_scales_[at.b_column + first + c]) +
                    bias_[at.b_column + first + c];
      write_elements(y_.element(), values, now, y_.c.data, at.y + first);
    }
  }

 private:
  TensorView y_;
  PerPlace<float> a_scales_, b_scales_, bias_;
  float a_scale_ = 1;
};

Result<void> run_to_float(Running& run, const IntegerPanelKernels& kernels) {
  const auto a = run.input(0);
  return multiply(run, kernels, a, run.input(1), run.input(5), Rows(a, run.input(4)),
                  Scaled(run.output(0), run.input(2), run.input(3), run.input(6)));
}

Result<void> run_dynamic(Running& run, const IntegerPanelKernels& kernels) {
  const auto a = run.input(0);
  const int64_t k_count = a.dim(-1);
  float least = 0, greatest = 0;
  for (const float x : a.as<const float>()) {
    least = std::min(least, x);
    greatest = std::max(greatest, x);
  }
  const float scale = least == greatest ? 1 : (greatest - least) / 255;
  const float zero_point = std::nearbyintf(std::clamp(-least / scale, 0.0f, 255.0f));
  Scaled scaled(run.output(0), {}, run.input(2), run.input(4));
  scaled.scale_by(scale);
  const auto pack_row = [&](int64_t row, int16_t* to) {
    const float* from = a.data<float>() + row * k_count;
    int64_t sum = 0;
    for (int64_t k = 0; k < k_count; ++k) {
      const float code = std::clamp(std::nearbyintf(from[k] / scale) + zero_point, 0.0f, 255.0f);
      to[k] = static_cast<int16_t>(code - zero_point);
      sum += to[k];
    }
    return sum;
  };
  return multiply(run, kernels, a, run.input(1), run.input(3), pack_row, scaled);
}

using Run = Result<void> (*)(Running&, const IntegerPanelKernels&);

template <Isa isa, Run run, int32_t b_input>
CpuKernel kernel(std::string_view domain, std::string_view op_type) {
  static constexpr int32_t scores[] = {0, 5, 10, 20};
  return {.domain = domain,
          .op_type = op_type,
          .name = name_of(isa),
          .score = scores[static_cast<int>(isa)],
          .plan = [](Planning& node) -> Result<void> {
            HEED_TRY(require_isa(node, isa));
            if (integer_panel_kernels(isa) == nullptr)
              return decline("it is not compiled for " + std::string(name_of(isa)));
            return {};
          },
          .prepare = [](Preparing& node) { return prepare<b_input>(node, *integer_panel_kernels(isa)); },
          .run = [](Running& running) { return run(running, *integer_panel_kernels(isa)); }};
}

}  // namespace

#define HEED_INTEGER_KERNELS(name, domain, op_type, run, b_input)                        \
  extern const CpuKernel name = kernel<Isa::scalar, run, b_input>(domain, op_type);      \
  extern const CpuKernel name##_neon = kernel<Isa::neon, run, b_input>(domain, op_type); \
  extern const CpuKernel name##_avx2 = kernel<Isa::avx2, run, b_input>(domain, op_type); \
  extern const CpuKernel name##_avx512 = kernel<Isa::avx512, run, b_input>(domain, op_type)
HEED_INTEGER_KERNELS(matmul_integer, "", "MatMulInteger", run_integer, 1);
HEED_INTEGER_KERNELS(qlinear_matmul, "", "QLinearMatMul", run_qlinear, 3);
HEED_INTEGER_KERNELS(matmul_integer_to_float, "com.microsoft", "MatMulIntegerToFloat", run_to_float, 1);
HEED_INTEGER_KERNELS(dynamic_quantize_matmul, "com.microsoft", "DynamicQuantizeMatMul", run_dynamic, 1);
#undef HEED_INTEGER_KERNELS

}  // namespace heed::cpu
