#version 450
#extension GL_GOOGLE_include_directive : require
// reduce.comp: one number out of each row, by ONNX's Reduce operators: finish(combine over the row of take(x)). A row
// without elements gives what combine has no effect with.
#include "element.glsl"

const uint sum = 0;
const uint product = 1;
const uint sum_of_squares = 2;
const uint least = 3;
const uint greatest = 4;
const uint mean = 5;            // floats only
const uint root_of_squares = 6; // floats only
layout(constant_id = 2) const uint kind = sum;

layout(set = 0, binding = 0, std430) readonly buffer Input { STORED x[]; };
layout(set = 0, binding = 1, std430) writeonly buffer Output { STORED y[]; };

// The tensor walked: x. y is dense, an element a row.
#define PARAMETERS_BINDING 2
#define MORE_PARAMETERS int y_offset;
#include "rows.glsl"

ELEMENT neutral() {
  return kind == product ? ELEMENT(1) : kind == least ? greatest_element : kind == greatest ? least_element : ELEMENT(0);
}

ELEMENT take(ELEMENT value) { return kind == sum_of_squares || kind == root_of_squares ? value * value : value; }

// A NaN wins.
ELEMENT combine(ELEMENT a, ELEMENT b) {
  if (kind == product) return a * b;
  if (kind == least) return b < a || IS_NAN(b) ? b : a;
  if (kind == greatest) return b > a || IS_NAN(b) ? b : a;
  return a + b;
}

ELEMENT finish(ELEMENT value) {
#ifdef FLOATING
  if (kind == mean) return row_length == 0 ? ELEMENT(uintBitsToFloat(0x7FC00000u)) : value / ELEMENT(row_length);
  if (kind == root_of_squares) return sqrt(value);
#endif
  return value;
}

FOLD_ROW(ELEMENT, result_of_row, partial_results, combine)

void main() {
  for (uint first = gl_WorkGroupID.x * rows_per_workgroup; first < row_count;
       first += gl_NumWorkGroups.x * rows_per_workgroup) {
    uint row = first + gl_LocalInvocationIndex / threads_per_row;
    uint length = row < row_count ? row_length : 0;
    ivec4 begin = row_at(row);
    ELEMENT result = neutral();
    for (uint i = row_thread(); i < length; i += threads_per_row)
      result = combine(result, take(LOAD(x[element_at(begin, i).x])));
    result = result_of_row(result);
    if (row < row_count && row_thread() == 0) y[y_offset + int(row)] = STORE(finish(result));
  }
}
