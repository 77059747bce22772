// reduce.glsl: what the kernels of ONNX's Reduce operators share. One number out of each row: finish(combine over the row
// of take(x)). A row without elements gives what combine has no effect with.
#include "element.glsl"
#if defined(FLOATING) && !defined(F64)
#define LOGARITHMS
#include "math.glsl"
#endif

const uint sum = 0;
const uint product = 1;
const uint sum_of_squares = 2;
const uint least = 3;
const uint greatest = 4;
const uint mean = 5;            // floats only
const uint root_of_squares = 6; // floats only
const uint sum_of_sizes = 7;
const uint log_of_sum = 8;         // floats but f64 only
const uint log_of_sum_of_exps = 9; // likewise
layout(constant_id = 2) const uint kind = sum;

// The tensor walked: x. y is dense, an element a row. A long row is cut into parts of part_length.
#define PARAMETERS_BINDING 2
#define MORE_PARAMETERS \
  int y_offset;         \
  uint part_count, part_length;
#include "rows.glsl"

ELEMENT neutral() {
  return kind == product ? ELEMENT(1) : kind == least ? greatest_element : kind == greatest ? least_element : ELEMENT(0);
}

// `shift`: what exponents are taken less of; see shift_of_row.
ELEMENT take(ELEMENT value, ELEMENT shift) {
#ifdef LOGARITHMS
  if (kind == log_of_sum_of_exps) return heed_exp(value - shift);
#endif
  if (kind == sum_of_sizes) return value < ELEMENT(0) ? -value : value;
  return kind == sum_of_squares || kind == root_of_squares ? value * value : value;
}

// A NaN wins.
ELEMENT combine(ELEMENT a, ELEMENT b) {
  if (kind == product) return a * b;
  if (kind == least) return b < a || IS_NAN(b) ? b : a;
  if (kind == greatest) return b > a || IS_NAN(b) ? b : a;
  return a + b;
}

ELEMENT finish(ELEMENT value, ELEMENT shift) {
#ifdef LOGARITHMS
  if (kind == log_of_sum) return heed_log(value);
  if (kind == log_of_sum_of_exps) return shift + heed_log(value);
#endif
#ifdef FLOATING
  if (kind == mean) return row_length == 0 ? ELEMENT(uintBitsToFloat(0x7FC00000u)) : value / ELEMENT(row_length);
  if (kind == root_of_squares) return sqrt(value);
#endif
  return value;
}

FOLD_ROW(ELEMENT, result_of_row, partial_results, combine)

#ifdef LOGARITHMS
// A NaN is passed by here: the sum finds it.
ELEMENT greater_of(ELEMENT a, ELEMENT b) { return b > a ? b : a; }
FOLD_ROW(ELEMENT, greatest_of_row, partial_greatest, greater_of)

// The greatest of a row, of those that its threads met; 0 where it is infinite, which is told by its bits.
ELEMENT shift_of_row(ELEMENT greatest) {
  greatest = greatest_of_row(greatest);
  return (floatBitsToUint(greatest) & 0x7FFFFFFFu) == 0x7F800000u ? 0.0 : greatest;
}
#endif
