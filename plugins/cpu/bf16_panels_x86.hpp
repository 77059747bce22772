// The code of bf16_panels.cpp, by the instructions that stand before it: a Vector of 16 sums, one of 16 Pairs, and what is
// done with them.
// clang-format off: it does not know HWY_UNROLL.

constexpr int lanes = 16, panel_vectors = 2;
constexpr int panel_width = panel_vectors * lanes;
constexpr int most_rows = 12;  // 24 registers of sums of one panel

// Few rows meet several panels at once: one alone would wait for each of its additions, and for memory, of which eight
// streams read more than one.
constexpr int panels_at_once(int64_t rows) { return rows == 1 ? 8 : rows <= 3 ? 4 : rows <= 6 ? 2 : 1; }

// Sums of rows by panels, as far as y has columns. One function for all blocks: inlined it would be most of their code.
[[gnu::noinline]] void put(const Bf16Product& p, int64_t row, int64_t rows, int64_t panel, int64_t panels,
                           const float* sums) {
  for (const int64_t end = panel + panels; panel < end; ++panel) {
    const int64_t column = panel * panel_width, columns = p.column_count - column;
    for (int64_t r = row; r < row + rows; ++r, sums += panel_width) {
      float* y = p.y + r * p.y_row_stride + column * p.y_column_stride;
      if (HWY_LIKELY(columns >= panel_width && p.y_column_stride == 1)) {
        for (int v = 0; v < panel_width; v += lanes)
          store(y + v, p.accumulate ? add(load_sums(y + v), load_sums(sums + v)) : load_sums(sums + v));
        continue;
      }
      for (int64_t c = 0; c < (columns < panel_width ? columns : panel_width); ++c) {
        float& at = y[c * p.y_column_stride];
        at = p.accumulate ? at + sums[c] : sums[c];
      }
    }
  }
}

template <int rows, int panels>
void multiply_block(const Bf16Product& p, int64_t row, int64_t panel) {
  const int64_t a_stride = p.a_row_stride, panel_stride = p.panel_stride;
  const uint16_t* a = p.a + row * a_stride;
  const uint16_t* b = p.b + panel * panel_stride;
  Vector sum[panels][rows][panel_vectors];
  HWY_UNROLL(8) for (int q = 0; q < panels; ++q)
    HWY_UNROLL(12) for (int r = 0; r < rows; ++r) sum[q][r][0] = sum[q][r][1] = zero();
  for (int64_t k = 0; k < p.k_count; k += 2, a += 2, b += 2 * panel_width) {
    // What there is less of stays in registers.
    if constexpr (rows > panels) {
      Pairs right[panels][panel_vectors];
      HWY_UNROLL(8) for (int q = 0; q < panels; ++q)
        HWY_UNROLL(2) for (int v = 0; v < panel_vectors; ++v) right[q][v] = load(b + q * panel_stride + v * 2 * lanes);
      HWY_UNROLL(12) for (int r = 0; r < rows; ++r) {
        const Pairs left = broadcast(a + r * a_stride);
        HWY_UNROLL(8) for (int q = 0; q < panels; ++q)
          HWY_UNROLL(2) for (int v = 0; v < panel_vectors; ++v) sum[q][r][v] = add_pairs(sum[q][r][v], left, right[q][v]);
      }
    } else {
      Pairs left[rows];
      HWY_UNROLL(12) for (int r = 0; r < rows; ++r) left[r] = broadcast(a + r * a_stride);
      HWY_UNROLL(8) for (int q = 0; q < panels; ++q)
        HWY_UNROLL(2) for (int v = 0; v < panel_vectors; ++v) {
          const Pairs right = load(b + q * panel_stride + v * 2 * lanes);
          HWY_UNROLL(12) for (int r = 0; r < rows; ++r) sum[q][r][v] = add_pairs(sum[q][r][v], left[r], right);
        }
    }
  }
  alignas(64) float sums[panels][rows][panel_width];
  HWY_UNROLL(8) for (int q = 0; q < panels; ++q)
    HWY_UNROLL(12) for (int r = 0; r < rows; ++r)
      HWY_UNROLL(2) for (int v = 0; v < panel_vectors; ++v) store(sums[q][r] + v * lanes, sum[q][r][v]);
  put(p, row, rows, panel, panels, sums[0][0]);
}

using Block = void (*)(const Bf16Product&, int64_t row, int64_t panel);

template <int rows>
Block block_of(int64_t panels) {
  if constexpr (panels_at_once(rows) >= 8)
    if (panels >= 8) return multiply_block<rows, 8>;
  if constexpr (panels_at_once(rows) >= 4)
    if (panels >= 4) return multiply_block<rows, 4>;
  if constexpr (panels_at_once(rows) >= 2)
    if (panels >= 2) return multiply_block<rows, 2>;
  return multiply_block<rows, 1>;
}

template <int... row>
Block block_of(int64_t rows, int64_t panels, std::integer_sequence<int, row...>) {
  static constexpr Block (*of_rows[])(int64_t) = {block_of<row + 1>...};
  return of_rows[rows - 1](panels);
}

void multiply(const Bf16Product& p) {
  const int64_t chunks = (p.row_count + most_rows - 1) / most_rows;
  const int64_t at_once = chunks == 1 ? panels_at_once(p.row_count) : 1;
  for (int64_t panel = p.panel_begin; panel < p.panel_end;) {
    int64_t panels = at_once;
    while (panels > p.panel_end - panel) panels /= 2;
    for (int64_t chunk = 0, row = 0; chunk < chunks; ++chunk) {
      const int64_t end = p.row_count * (chunk + 1) / chunks;
      block_of(end - row, panels, std::make_integer_sequence<int, most_rows>{})(p, row, panel);
      row = end;
    }
    panel += panels;
  }
}

constexpr Bf16PanelKernels kernels{panel_width, most_rows, multiply};
