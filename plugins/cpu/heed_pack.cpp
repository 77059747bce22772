// heed.Pack: the last two axes swapped, signed codes lifted to unsigned ones, codes side by side in bytes, row by row.
#include "move.hpp"
#include "ranks.hpp"

namespace heed::cpu {
namespace {

// Of matrices [rows, columns] of y; all codes have so many bits.
struct Codes {
  int64_t rows, columns;
  bool is_transposed;  // x is [columns, rows]
  uint32_t bits, flipped;
  int64_t row_bytes() const { return (columns * bits + 7) / 8; }
};

// A row of bytes is zero before. Rows that lie side by side in x are packed together.
void pack_rows(const Codes& c, const uint8_t* x, uint8_t* y, int64_t begin, int64_t end) {
  const uint32_t mask = (1u << c.bits) - 1;
  const auto put = [&](int64_t row, int64_t column) {
    const int64_t index = c.is_transposed ? column * c.rows + row : row * c.columns + column;
    const int64_t from = index * c.bits, to = column * c.bits;
    const uint32_t code = (x[from / 8] >> (from % 8) & mask) ^ c.flipped;
    y[row * c.row_bytes() + to / 8] |= static_cast<uint8_t>(code << (to % 8));
  };
  if (c.is_transposed) {
    for (int64_t column = 0; column < c.columns; ++column)
      for (int64_t row = begin; row < end; ++row) put(row, column);
  } else {
    for (int64_t row = begin; row < end; ++row)
      for (int64_t column = 0; column < c.columns; ++column) put(row, column);
  }
}

Result<void> run(Running& run) {
  const auto x = run.input(0), y = run.output(0);
  const bool is_transposed = run.integer("transposed") != 0;
  if (y.count() == 0) return {};
  if (is_float(x.element())) {
    std::vector<int64_t> strides(x.strides().begin(), x.strides().end());
    if (is_transposed) std::swap(strides[strides.size() - 1], strides[strides.size() - 2]);
    move_elements(run, x.element(), y.dims(), {x.c.data, strides}, {y.c.data, y.strides()});
    return {};
  }
  const auto bits = static_cast<uint32_t>(bits_of(x.element()));
  const int32_t rank = x.rank();
  Codes c{.rows = rank < 2 ? 1 : x.dim(is_transposed ? -1 : -2),
          .columns = rank == 0 ? 1 : x.dim(is_transposed ? -2 : -1),
          .is_transposed = is_transposed,
          .bits = bits,
          .flipped = is_signed_integer(x.element()) ? 1u << (bits - 1) : 0};
  if (!is_transposed) c.rows = y.count() / c.row_bytes();  // of all matrices: a row of y may begin amid a byte of x
  const int64_t matrix_bytes = c.rows * c.row_bytes(), matrices = y.count() / matrix_bytes;
  std::memset(y.c.data, 0, static_cast<size_t>(y.count()));
  for (int64_t matrix = 0; matrix < matrices; ++matrix) {
    const auto* from = x.data<uint8_t>() + matrix * c.rows * c.columns * bits / 8;
    run.parallel_for((c.rows + 63) / 64, 1, [&](int64_t begin, int64_t end) {
      for (int64_t block = begin; block < end; ++block)
        pack_rows(c, from, y.data<uint8_t>() + matrix * matrix_bytes, block * 64, std::min(c.rows, block * 64 + 64));
    });
  }
  return {};
}

Result<void> plan(Planning& node) { return require_ranks(node); }

}  // namespace

extern const CpuKernel heed_pack{.domain = "heed", .op_type = "Pack", .plan = plan, .run = run};

}  // namespace heed::cpu
