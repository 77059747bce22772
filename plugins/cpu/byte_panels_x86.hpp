// The code of byte_panels.cpp, once per instruction set: vectors of BYTES_WIDE bytes, and BYTES_VNNI, instructions that
// multiply four unsigned bytes by signed ones and add all to an i32. Without, _mm256_maddubs_epi16 adds products two by two
// as i16, and these must not outgrow it: so each a is split into its size, of at most 128, and its sign, which turns b into
// -b - 1, b with its bits flipped. What that lacks does not depend on b: the sum of the negative a's sizes (pack_row).
// clang-format off: it does not know HWY_UNROLL.

#if BYTES_WIDE == 64
using Vector = __m512i;
using Floats = __m512;
HWY_INLINE Vector load(const void* from) { return _mm512_loadu_si512(from); }
HWY_INLINE Vector zero() { return _mm512_setzero_si512(); }
HWY_INLINE Vector broadcast(const void* four) { int bits; std::memcpy(&bits, four, 4); return _mm512_set1_epi32(bits); }
HWY_INLINE void store(int32_t* to, Vector v) { _mm512_storeu_si512(to, v); }
HWY_INLINE Vector low_codes(Vector v) { return _mm512_and_si512(v, _mm512_set1_epi8(15)); }
HWY_INLINE Vector high_codes(Vector v) { return low_codes(_mm512_srli_epi16(v, 4)); }
HWY_INLINE Vector add_four(Vector sum, Vector unsigned_bytes, Vector bytes) { return _mm512_dpbusd_epi32(sum, unsigned_bytes, bytes); }
HWY_INLINE Vector add(Vector a, Vector b) { return _mm512_add_epi32(a, b); }
HWY_INLINE Vector multiplied(Vector a, Vector b) { return _mm512_mullo_epi32(a, b); }
HWY_INLINE Floats load_floats(const float* from) { return _mm512_loadu_ps(from); }
HWY_INLINE Floats set(float x) { return _mm512_set1_ps(x); }
HWY_INLINE Floats to_floats(Vector v) { return _mm512_maskz_cvtepi32_ps(0xFFFF, v); }
HWY_INLINE Floats times(Floats a, Floats b) { return _mm512_mul_ps(a, b); }
HWY_INLINE Floats plus_product(Floats sum, Floats a, Floats b) { return _mm512_fmadd_ps(a, b, sum); }
HWY_INLINE Floats less_product(Floats sum, Floats a, Floats b) { return _mm512_fnmadd_ps(a, b, sum); }
HWY_INLINE void store_floats(float* to, Floats v) { _mm512_storeu_ps(to, v); }
#else
using Vector = __m256i;
using Floats = __m256;
HWY_INLINE Vector load(const void* from) { return _mm256_loadu_si256(static_cast<const __m256i*>(from)); }
HWY_INLINE Vector zero() { return _mm256_setzero_si256(); }
HWY_INLINE Vector broadcast(const void* four) { int bits; std::memcpy(&bits, four, 4); return _mm256_set1_epi32(bits); }
HWY_INLINE void store(int32_t* to, Vector v) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), v); }
HWY_INLINE Vector low_codes(Vector v) { return _mm256_and_si256(v, _mm256_set1_epi8(15)); }
HWY_INLINE Vector high_codes(Vector v) { return low_codes(_mm256_srli_epi16(v, 4)); }
#if BYTES_VNNI
HWY_INLINE Vector add_four(Vector sum, Vector unsigned_bytes, Vector bytes) { return _mm256_dpbusd_avx_epi32(sum, unsigned_bytes, bytes); }
#else
HWY_INLINE Vector pairs_of(Vector unsigned_bytes, Vector bytes) { return _mm256_maddubs_epi16(unsigned_bytes, bytes); }
HWY_INLINE Vector add_pairs(Vector a, Vector b) { return _mm256_add_epi16(a, b); }
HWY_INLINE Vector flipped(Vector b, Vector sign) { return _mm256_xor_si256(b, sign); }
HWY_INLINE Vector fours_of(Vector pairs) { return _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)); }
#endif
HWY_INLINE Vector add(Vector a, Vector b) { return _mm256_add_epi32(a, b); }
HWY_INLINE Vector multiplied(Vector a, Vector b) { return _mm256_mullo_epi32(a, b); }
HWY_INLINE Floats load_floats(const float* from) { return _mm256_loadu_ps(from); }
HWY_INLINE Floats set(float x) { return _mm256_set1_ps(x); }
HWY_INLINE Floats to_floats(Vector v) { return _mm256_cvtepi32_ps(v); }
HWY_INLINE Floats times(Floats a, Floats b) { return _mm256_mul_ps(a, b); }
HWY_INLINE Floats plus_product(Floats sum, Floats a, Floats b) { return _mm256_fmadd_ps(a, b, sum); }
HWY_INLINE Floats less_product(Floats sum, Floats a, Floats b) { return _mm256_fnmadd_ps(a, b, sum); }
HWY_INLINE void store_floats(float* to, Floats v) { _mm256_storeu_ps(to, v); }
#endif

constexpr int lanes = BYTES_WIDE / 4;
constexpr int bytes_of_four = BYTES_VNNI ? 4 : 8;
constexpr int panel_width = 2 * lanes;
constexpr int most_rows = BYTES_WIDE == 64 ? 8 : 4;

template <int rows>
void multiply_rows(const uint8_t* a, int64_t a_stride, int64_t four_count, const int8_t* panel, int32_t* sums) {
  constexpr int chains = rows == 1 ? 2 : 1;  // of additions, each waiting for the one before
  Vector sum[chains][rows][2];
  HWY_UNROLL(2) for (int c = 0; c < chains; ++c)
    HWY_UNROLL(8) for (int r = 0; r < rows; ++r) sum[c][r][0] = sum[c][r][1] = zero();
  for (int64_t four = 0; four < four_count; four += chains) {
    HWY_UNROLL(2) for (int c = 0; c < chains; ++c) {
      const Vector b0 = load(panel), b1 = load(panel + BYTES_WIDE);
      panel += 2 * BYTES_WIDE;
      HWY_UNROLL(8) for (int r = 0; r < rows; ++r) {
#if BYTES_VNNI
        const Vector left = broadcast(a + r * a_stride + 4 * (four + c));
        sum[c][r][0] = add_four(sum[c][r][0], left, b0);
        sum[c][r][1] = add_four(sum[c][r][1], left, b1);
#else
        const Vector size = broadcast(a + r * a_stride + 8 * (four + c));
        const Vector sign = broadcast(a + r * a_stride + 8 * (four + c) + 4);
        sum[c][r][0] = add(sum[c][r][0], fours_of(pairs_of(size, flipped(b0, sign))));
        sum[c][r][1] = add(sum[c][r][1], fours_of(pairs_of(size, flipped(b1, sign))));
#endif
      }
    }
  }
  HWY_UNROLL(8) for (int r = 0; r < rows; ++r)
    HWY_UNROLL(2) for (int v = 0; v < 2; ++v)
      store(sums + r * panel_width + v * lanes, chains == 1 ? sum[0][r][v] : add(sum[0][r][v], sum[chains - 1][r][v]));
}

// Sums of 8 of k, of codes of 4 bits. Without VNNI they are i16 for 32 of k: 8 sums of two products of at most 15 * 127.
template <int rows>
HWY_INLINE void add_eight(const uint8_t* codes, const uint8_t* a, int64_t stride, Vector (&sum)[rows][2]) {
  HWY_UNROLL(2) for (int v = 0; v < 2; ++v) {
    const Vector both = load(codes + v * BYTES_WIDE), low = low_codes(both), high = high_codes(both);
    HWY_UNROLL(8) for (int r = 0; r < rows; ++r) {
      const Vector a_low = broadcast(a + r * stride), a_high = broadcast(a + r * stride + 4);
#if BYTES_VNNI
      sum[r][v] = add_four(add_four(sum[r][v], low, a_low), high, a_high);
#else
      sum[r][v] = add_pairs(sum[r][v], add_pairs(pairs_of(low, a_low), pairs_of(high, a_high)));
#endif
    }
  }
}

// Of 4 of k, of codes of 8 bits.
template <int rows>
HWY_INLINE void add_four_of(const uint8_t* codes, const uint8_t* a, int64_t stride, Vector (&sum)[rows][2]) {
  const Vector b0 = load(codes), b1 = load(codes + BYTES_WIDE);
  HWY_UNROLL(8) for (int r = 0; r < rows; ++r) {
    const Vector left = broadcast(a + r * stride);
#if BYTES_VNNI
    sum[r][0] = add_four(sum[r][0], b0, left);
    sum[r][1] = add_four(sum[r][1], b1, left);
#else
    const Vector sign = broadcast(a + r * stride + 4);
    sum[r][0] = add(sum[r][0], fours_of(pairs_of(left, flipped(b0, sign))));
    sum[r][1] = add(sum[r][1], fours_of(pairs_of(left, flipped(b1, sign))));
#endif
  }
}

template <int bits, int rows>
void multiply_codes_of(const ByteCodePanel& p, const QuantizedRows& left, float* sums) {
  Floats total[rows][2];
  HWY_UNROLL(8) for (int r = 0; r < rows; ++r) total[r][0] = total[r][1] = set(0);
  const uint8_t* codes = p.codes;
  const uint8_t* a = left.codes;
  const int64_t stride = left.stride;
  for (int64_t block = 0; block < p.block_count; ++block) {
    Vector sum[rows][2];
    HWY_UNROLL(8) for (int r = 0; r < rows; ++r) sum[r][0] = sum[r][1] = zero();
    if constexpr (bits == 8) {
      for (int64_t k = 0; k < p.block_size; k += 4, codes += 2 * BYTES_WIDE, a += bytes_of_four) add_four_of<rows>(codes, a, stride, sum);
    } else {
#if BYTES_VNNI
      for (int64_t k = 0; k < p.block_size; k += 8, codes += 2 * BYTES_WIDE, a += 8) add_eight<rows>(codes, a, stride, sum);
#else
      for (int64_t first = 0; first < p.block_size; first += 32) {
        Vector pairs[rows][2];
        HWY_UNROLL(8) for (int r = 0; r < rows; ++r) pairs[r][0] = pairs[r][1] = zero();
        const int64_t count = p.block_size < 32 ? p.block_size : 32;
        for (int64_t k = 0; k < count; k += 8, codes += 2 * BYTES_WIDE, a += 8) add_eight<rows>(codes, a, stride, pairs);
        HWY_UNROLL(8) for (int r = 0; r < rows; ++r)
          HWY_UNROLL(2) for (int v = 0; v < 2; ++v) sum[r][v] = add(sum[r][v], fours_of(pairs[r][v]));
      }
#endif
    }
    HWY_UNROLL(2) for (int v = 0; v < 2; ++v) {
      const Floats scale = load_floats(p.scales + block * panel_width + v * lanes);
      const Floats zero_point = load_floats(p.zero_points + block * panel_width + v * lanes);
      HWY_UNROLL(8) for (int r = 0; r < rows; ++r) {
        const int64_t at = r * left.block_stride + block;
        Vector whole = sum[r][v];
        if constexpr (bits == 8 && bytes_of_four == 8) whole = add(whole, broadcast(left.lacking + at));
        const Floats steps = less_product(to_floats(whole), zero_point, set(left.sums[at]));
        total[r][v] = plus_product(total[r][v], times(scale, set(left.scales[at])), steps);
      }
    }
  }
  HWY_UNROLL(8) for (int r = 0; r < rows; ++r)
    HWY_UNROLL(2) for (int v = 0; v < 2; ++v) store_floats(sums + r * panel_width + v * lanes, total[r][v]);
}

template <int... row>
void multiply_any(const ByteProduct& p, int32_t* sums, std::integer_sequence<int, row...>) {
  static constexpr void (*kernels[])(const uint8_t*, int64_t, int64_t, const int8_t*, int32_t*) = {multiply_rows<row + 1>...};
  kernels[p.row_count - 1](p.a, p.a_stride, p.four_count, p.panel, sums);
}
void multiply(const ByteProduct& p, int32_t* sums) {
  multiply_any(p, sums, std::make_integer_sequence<int, most_rows>{});
  for (int64_t r = 0; r < p.row_count; ++r)
    for (int v = 0; v < 2; ++v, sums += lanes) {
      const Vector raised = multiplied(broadcast(p.raised + r), load(p.column_sums + v * lanes));
      store(sums, add(add(load(sums), broadcast(p.lacking + r)), raised));
    }
}

template <int... row>
void multiply_codes_any(const ByteCodePanel& panel, int32_t bits, const QuantizedRows& rows, int64_t row_count,
                        float* sums, std::integer_sequence<int, row...>) {
  using Kernel = void (*)(const ByteCodePanel&, const QuantizedRows&, float*);
  static constexpr Kernel four_bits[] = {multiply_codes_of<4, row + 1>...};
  static constexpr Kernel eight_bits[] = {multiply_codes_of<8, row + 1>...};
  (bits == 4 ? four_bits : eight_bits)[row_count - 1](panel, rows, sums);
}
void multiply_codes(const ByteCodePanel& panel, int32_t bits, const QuantizedRows& rows, int64_t row_count, float* sums) {
  multiply_codes_any(panel, bits, rows, row_count, sums, std::make_integer_sequence<int, most_rows>{});
}

constexpr BytePanelKernels kernels{panel_width, most_rows, bytes_of_four, BYTES_VNNI ? 0 : 128, BYTES_VNNI ? 0 : 128,
                                   multiply, multiply_codes};

#undef BYTES_WIDE
#undef BYTES_VNNI
