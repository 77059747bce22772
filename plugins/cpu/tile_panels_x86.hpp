// The code of tile_panels.cpp, by the instructions that stand before it.

constexpr int64_t tile_rows = 16, tile_row_bytes = 64;
constexpr int64_t tile_columns = 16;                  // of sums of 32 bits
constexpr int64_t most_rows = 2 * tile_rows;          // of a block: 2 x 2 tiles of sums
constexpr int64_t panel_width = 2 * tile_columns;
constexpr int64_t panel_row_bytes = 2 * tile_row_bytes;
constexpr int64_t few_rows = 8;  // that vector kernels multiply as fast, up to here

struct Bf16Pairs {
  using Sum = float;
  template <int sum, int a, int b>
  HWY_INLINE static void add() { tile_add_bf16_pairs<sum, a, b>(); }
};
struct ByteFours {
  using Sum = int32_t;
  template <int sum, int a, int b>
  HWY_INLINE static void add() { tile_add_byte_fours<sum, a, b>(); }
};

// Sums lie in tiles 0 to 3, two of a row of tiles side by side; rows of a in 4 and 5, a panel's halves in 6 and 7. Of a
// row of a one step along k takes `step_bytes`.
TileShapes shapes_of(int64_t rows, int64_t step_bytes) {
  const auto first = static_cast<uint8_t>(rows < tile_rows ? rows : tile_rows);
  const auto second = static_cast<uint8_t>(rows - first);
  const auto step_rows = static_cast<uint8_t>(step_bytes / 4);
  TileShapes shapes{};
  shapes.palette = 1;
  const uint8_t row_counts[] = {first, first, second, second, first, second, step_rows, step_rows};
  for (int tile = 0; tile < 8; ++tile) {
    shapes.rows[tile] = row_counts[tile];
    const int64_t row_bytes = tile == 4 || tile == 5 ? step_bytes : tile_row_bytes;
    shapes.row_bytes[tile] = static_cast<uint16_t>(row_counts[tile] == 0 ? 0 : row_bytes);
  }
  return shapes;
}

// sums [row, panel_width] (+)= rows of a by one panel; `steps` along k are 64 bytes of a row each.
template <class Numbers, int row_tiles>
void multiply_block(const uint8_t* a, int64_t a_stride, const uint8_t* panel, int64_t steps,
                    typename Numbers::Sum* sums, int64_t sums_stride, bool accumulate) {
  const int64_t sum_row_bytes = sums_stride * 4;
  auto* const lower_sums = sums + tile_rows * sums_stride;
  if (accumulate) {
    tile_load<0>(sums, sum_row_bytes);
    tile_load<1>(sums + tile_columns, sum_row_bytes);
    if constexpr (row_tiles == 2) {
      tile_load<2>(lower_sums, sum_row_bytes);
      tile_load<3>(lower_sums + tile_columns, sum_row_bytes);
    }
  } else {
    tile_zero<0>();
    tile_zero<1>();
    if constexpr (row_tiles == 2) {
      tile_zero<2>();
      tile_zero<3>();
    }
  }
  for (int64_t step = 0; step < steps; ++step) {
    tile_load<6>(panel, panel_row_bytes);
    tile_load<7>(panel + tile_row_bytes, panel_row_bytes);
    tile_load<4>(a, a_stride);
    Numbers::template add<0, 4, 6>();
    Numbers::template add<1, 4, 7>();
    if constexpr (row_tiles == 2) {
      tile_load<5>(a + tile_rows * a_stride, a_stride);
      Numbers::template add<2, 5, 6>();
      Numbers::template add<3, 5, 7>();
    }
    a += tile_row_bytes;
    panel += tile_rows * panel_row_bytes;
  }
  tile_store<0>(sums, sum_row_bytes);
  tile_store<1>(sums + tile_columns, sum_row_bytes);
  if constexpr (row_tiles == 2) {
    tile_store<2>(lower_sums, sum_row_bytes);
    tile_store<3>(lower_sums + tile_columns, sum_row_bytes);
  }
}

// What a row of a is multiplied by at a time: from byte `begin` on, in steps.
struct Stretch {
  int64_t begin, steps;
  bool accumulate;
};

// Calls multiply(row, rows, stretch, block) for up to most_rows rows at a time, tiles being set up for them: for whole
// steps, and for what these leave over.
template <class Numbers, class Multiply>
void in_blocks(int64_t row_count, int64_t k_bytes, bool accumulate, Multiply&& multiply) {
  const int64_t steps = k_bytes / tile_row_bytes, whole = steps * tile_row_bytes;
  for (int64_t row = 0; row < row_count; row += most_rows) {
    const int64_t rows = row_count - row < most_rows ? row_count - row : most_rows;
    const auto block = rows > tile_rows ? multiply_block<Numbers, 2> : multiply_block<Numbers, 1>;
    if (steps > 0) {
      tile_shape(shapes_of(rows, tile_row_bytes));
      multiply(row, rows, Stretch{0, steps, accumulate}, block);
    }
    if (k_bytes > whole) {
      tile_shape(shapes_of(rows, k_bytes - whole));
      multiply(row, rows, Stretch{whole, 1, accumulate || steps > 0}, block);
    }
  }
  tile_release();
}

void multiply_bf16(const Bf16Product& p) {
  if (p.row_count <= few_rows) return multiply_few_bf16(p);
  const auto* const a = reinterpret_cast<const uint8_t*>(p.a);
  const int64_t a_stride = p.a_row_stride * 2;
  in_blocks<Bf16Pairs>(p.row_count, p.k_count * 2, p.accumulate, [&](int64_t row, int64_t rows, Stretch k, auto block) {
    for (int64_t panel = p.panel_begin; panel < p.panel_end; ++panel) {
      const auto* const a_rows = a + row * a_stride + k.begin;
      const auto* const b = reinterpret_cast<const uint8_t*>(p.b + panel * p.panel_stride) + k.begin * panel_width;
      const int64_t column = panel * panel_width, columns = p.column_count - column;
      float* const y = p.y + row * p.y_row_stride + column * p.y_column_stride;
      if (columns >= panel_width && p.y_column_stride == 1) {
        block(a_rows, a_stride, b, k.steps, y, p.y_row_stride, k.accumulate);
        continue;
      }
      alignas(64) float sums[most_rows * panel_width];
      block(a_rows, a_stride, b, k.steps, sums, panel_width, false);
      for (int64_t r = 0; r < rows; ++r)
        for (int64_t c = 0; c < (columns < panel_width ? columns : panel_width); ++c) {
          float& at = y[r * p.y_row_stride + c * p.y_column_stride];
          at = k.accumulate ? at + sums[r * panel_width + c] : sums[r * panel_width + c];
        }
    }
  });
}

// Tiles are set up once for as many.
constexpr int32_t rows_at_once_of_bytes = 2 * most_rows;

void multiply_bytes(const ByteProduct& p, int32_t* sums) {
  if (p.row_count <= few_rows) return multiply_few_bytes(p, sums);
  in_blocks<ByteFours>(p.row_count, p.k_count, false, [&](int64_t row, int64_t, Stretch k, auto block) {
    block(p.a + row * p.a_stride + k.begin, p.a_stride, p.panel + k.begin * panel_width, k.steps,
          sums + row * panel_width, panel_width, k.accumulate);
  });
  for (int64_t row = 0; row < p.row_count; ++row, sums += panel_width)
    for (int64_t column = 0; column < panel_width; ++column) {
      const uint32_t raised = p.raised[row] * static_cast<uint32_t>(p.column_sums[column]);
      sums[column] = static_cast<int32_t>(static_cast<uint32_t>(sums[column]) + p.lacking[row] + raised);
    }
}
