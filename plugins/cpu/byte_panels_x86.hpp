// The code of byte_panels.cpp, once per instruction set: vectors of BYTES_WIDE bytes, and BYTES_VNNI, instructions that
// multiply four unsigned bytes, of b, by signed ones, of a, and add all to an i32. Without, _mm256_maddubs_epi16 adds
// products two by two as i16, and more of these are added as i16 before they widen: as many as what pack_row wrote behind
// each row says that they have room for. That is most where codes of a are small: those around 128 as signed numbers, those
// around 0 as unsigned ones, by signed b.
// clang-format off: it does not know HWY_UNROLL.

#if defined(BYTES_INSTRUCTIONS)
#include BYTES_INSTRUCTIONS  // emulated, by a test
#elif BYTES_WIDE == 64
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
// What gcc may not see into: it would put sums off until all products are made, more than there are registers.
HWY_INLINE Vector add_pairs(Vector a, Vector b) { Vector sum = _mm256_add_epi16(a, b); asm("" : "+x"(sum)); return sum; }
HWY_INLINE Vector fours_of(Vector pairs, int16_t times = 1) { return _mm256_madd_epi16(pairs, _mm256_set1_epi16(times)); }
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
constexpr int panel_width = 2 * lanes;
constexpr int most_rows = BYTES_WIDE == 64 ? 8 : 6;

// Rows of a, and a panel of b.
struct Sixteens {
  const uint8_t* b;
  const uint8_t* a;
  int64_t stride;
  uint32_t least;  // four times that of b: what its numbers are more than they are in the panel
};

#if !BYTES_VNNI
// Two vectors of a four of b, unsigned, or signed again where a is not.
template <bool a_is_signed>
HWY_INLINE void load_four(const uint8_t* b, Vector least, Vector (&to)[2]) {
  HWY_UNROLL(2) for (int v = 0; v < 2; ++v) {
    to[v] = load(b + v * BYTES_WIDE);
    if constexpr (!a_is_signed) to[v] = _mm256_add_epi8(to[v], least);
  }
}
template <bool a_is_signed>
HWY_INLINE Vector products(Vector a, Vector b) { return a_is_signed ? pairs_of(b, a) : pairs_of(a, b); }

// Adds products of `fours` fours, that i16 has room for.
template <int rows, int fours, bool a_is_signed>
HWY_INLINE void add_fours(const Sixteens& t, int64_t four, Vector (&sum)[rows][2]) {
  const Vector least = broadcast(&t.least);
  Vector pairs[rows][2];
  HWY_UNROLL(4) for (int i = 0; i < fours; ++i, ++four) {
    Vector b[2];
    load_four<a_is_signed>(t.b + 2 * BYTES_WIDE * four, least, b);
    HWY_UNROLL(8) for (int r = 0; r < rows; ++r) {
      const Vector left = broadcast(t.a + r * t.stride + 4 * four);
      HWY_UNROLL(2) for (int v = 0; v < 2; ++v) {
        const Vector now = products<a_is_signed>(left, b[v]);
        pairs[r][v] = i == 0 ? now : add_pairs(pairs[r][v], now);
      }
    }
  }
  HWY_UNROLL(8) for (int r = 0; r < rows; ++r)
    HWY_UNROLL(2) for (int v = 0; v < 2; ++v) sum[r][v] = add(sum[r][v], fours_of(pairs[r][v]));
}

// Adds products of a four of any a: of its half twice, and of what that leaves of it, 0 or 1.
template <int rows, bool a_is_signed>
HWY_INLINE void add_halves(const Sixteens& t, int64_t four, Vector (&sum)[rows][2]) {
  const Vector sign = _mm256_set1_epi8(a_is_signed ? 64 : 0);
  Vector b[2];
  load_four<a_is_signed>(t.b + 2 * BYTES_WIDE * four, broadcast(&t.least), b);
  HWY_UNROLL(8) for (int r = 0; r < rows; ++r) {
    const Vector left = broadcast(t.a + r * t.stride + 4 * four), odd = _mm256_and_si256(left, _mm256_set1_epi8(1));
    const Vector shifted = _mm256_and_si256(_mm256_srli_epi16(left, 1), _mm256_set1_epi8(127));
    const Vector half = _mm256_sub_epi8(_mm256_xor_si256(shifted, sign), sign);
    HWY_UNROLL(2) for (int v = 0; v < 2; ++v)
      sum[r][v] = add(sum[r][v], add(fours_of(products<a_is_signed>(half, b[v]), 2), fours_of(products<a_is_signed>(odd, b[v]))));
  }
}

// Adds products of 16 of k, of which i16 has room for `room` fours.
template <int rows, bool a_is_signed>
[[gnu::noinline]] void add_sixteen(const Sixteens& t, uint8_t room, Vector (&sum)[rows][2]) {
  if (room == 2) {
    add_fours<rows, 2, a_is_signed>(t, 0, sum);
    add_fours<rows, 2, a_is_signed>(t, 2, sum);
    return;
  }
  for (int64_t four = 0; four < 4; ++four) {
    if (room == 1)
      add_fours<rows, 1, a_is_signed>(t, four, sum);
    else
      add_halves<rows, a_is_signed>(t, four, sum);
  }
}
#endif

// Adds products of `count` of k, whole sixteens. `room` [k / 16] of each row, stride apart, is what pack_row wrote.
template <int rows, bool a_is_signed = true>
HWY_INLINE void add_sixteens(Sixteens t, [[maybe_unused]] const uint8_t* room, int64_t count, Vector (&sum)[rows][2]) {
#if BYTES_VNNI
  constexpr int chains = rows == 1 ? 2 : 1;  // of additions, each waiting for the one before
  Vector of_chain[chains][rows][2];
  HWY_UNROLL(2) for (int c = 0; c < chains; ++c)
    HWY_UNROLL(8) for (int r = 0; r < rows; ++r) of_chain[c][r][0] = of_chain[c][r][1] = zero();
  for (int64_t k = 0; k < count; k += 4 * chains) {
    HWY_UNROLL(2) for (int c = 0; c < chains; ++c, t.b += 2 * BYTES_WIDE, t.a += 4) {
      const Vector b0 = load(t.b), b1 = load(t.b + BYTES_WIDE);
      HWY_UNROLL(8) for (int r = 0; r < rows; ++r) {
        const Vector left = broadcast(t.a + r * t.stride);
        of_chain[c][r][0] = add_four(of_chain[c][r][0], b0, left);
        of_chain[c][r][1] = add_four(of_chain[c][r][1], b1, left);
      }
    }
  }
  HWY_UNROLL(2) for (int c = 0; c < chains; ++c)
    HWY_UNROLL(8) for (int r = 0; r < rows; ++r)
      HWY_UNROLL(2) for (int v = 0; v < 2; ++v) sum[r][v] = add(sum[r][v], of_chain[c][r][v]);
#else
  while (count > 0) {
    alignas(BYTES_WIDE) uint8_t least[BYTES_WIDE];
    Vector of_rows = load(room);
    HWY_UNROLL(8) for (int r = 1; r < rows; ++r) of_rows = _mm256_min_epu8(of_rows, load(room + r * t.stride));
    _mm256_store_si256(reinterpret_cast<__m256i*>(least), of_rows);
    for (int i = 0; i < BYTES_WIDE && count > 0; ++i, t.a += 16, t.b += 8 * BYTES_WIDE, count -= 16) {
      if (HWY_LIKELY(least[i] == 4)) {
        add_fours<rows, 4, a_is_signed>(t, 0, sum);
      } else if constexpr (rows > 2) {
        add_sixteen<rows, a_is_signed>(t, least[i], sum);
      } else {  // sums stay in registers
        Vector held[rows][2];
        HWY_UNROLL(2) for (int r = 0; r < rows; ++r) held[r][0] = sum[r][0], held[r][1] = sum[r][1];
        add_sixteen<rows, a_is_signed>(t, least[i], held);
        HWY_UNROLL(2) for (int r = 0; r < rows; ++r) sum[r][0] = held[r][0], sum[r][1] = held[r][1];
      }
    }
    room += BYTES_WIDE;
  }
#endif
}

template <int rows, bool a_is_signed>
void multiply_rows(const ByteProduct& p, int32_t* sums) {
  Vector sum[rows][2];
  HWY_UNROLL(8) for (int r = 0; r < rows; ++r) sum[r][0] = sum[r][1] = zero();
  add_sixteens<rows, a_is_signed>({p.panel, p.a, p.a_stride, p.least_b * 0x01010101u}, p.a + p.k_count, p.k_count, sum);
  HWY_UNROLL(2) for (int v = 0; v < 2; ++v) {
    const Vector column_sums = load(p.column_sums + v * lanes);
    HWY_UNROLL(8) for (int r = 0; r < rows; ++r) {
      const Vector raised = multiplied(broadcast(p.raised + r), column_sums);
      store(sums + r * panel_width + v * lanes, add(add(sum[r][v], broadcast(p.lacking + r)), raised));
    }
  }
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
      const int64_t k = block * p.block_size;
      const uint8_t* room = a + padded_k(p.block_count * p.block_size) + k / 16;
      add_sixteens<rows>({codes + k * panel_width, a + k, stride, 0}, room, p.block_size, sum);
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
        const Floats steps = less_product(to_floats(sum[r][v]), zero_point, set(left.sums[at]));
        total[r][v] = plus_product(total[r][v], times(scale, set(left.scales[at])), steps);
      }
    }
  }
  HWY_UNROLL(8) for (int r = 0; r < rows; ++r)
    HWY_UNROLL(2) for (int v = 0; v < 2; ++v) store_floats(sums + r * panel_width + v * lanes, total[r][v]);
}

template <int... row>
void multiply_any(const ByteProduct& p, int32_t* sums, std::integer_sequence<int, row...>) {
  using Kernel = void (*)(const ByteProduct&, int32_t*);
  static constexpr Kernel of_signed[] = {multiply_rows<row + 1, true>...};
#if !BYTES_VNNI
  static constexpr Kernel of_unsigned[] = {multiply_rows<row + 1, false>...};
  if (!p.a_is_signed) return of_unsigned[p.row_count - 1](p, sums);
#endif
  of_signed[p.row_count - 1](p, sums);
}
void multiply(const ByteProduct& p, int32_t* sums) { multiply_any(p, sums, std::make_integer_sequence<int, most_rows>{}); }

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

constexpr BytePanelKernels kernels{panel_width, most_rows, !BYTES_VNNI, multiply, multiply_codes};

#undef BYTES_WIDE
#undef BYTES_VNNI
