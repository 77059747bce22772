#version 450
#extension GL_GOOGLE_include_directive : require
// det.comp: Det-22, the product of the pivots of Gaussian elimination with partial pivoting, in f32; a matrix a workgroup.
#include "element.glsl"

layout(set = 0, binding = 0, std430) readonly buffer Input { STORED x[]; };
layout(set = 0, binding = 1, std430) writeonly buffer Output { STORED y[]; };
layout(set = 0, binding = 2, std430) coherent buffer Scratch { float a[]; };  // [matrix, row, column]

// The tensor walked: x, a matrix a row. y is dense.
#define PARAMETERS_BINDING 3
#define MORE_PARAMETERS \
  uint size;            \
  int y_offset;
#include "rows.glsl"

// A number of a column, and the row where it stands. Of equal ones the upper one.
vec2 larger_of(vec2 p, vec2 q) {
  if (abs(p.x) != abs(q.x)) return abs(q.x) > abs(p.x) ? q : p;
  return q.y < p.y ? q : p;
}
FOLD_ROW(vec2, pivot_of_row, partial_pivots, larger_of)

void wait_for_all() {
  memoryBarrierBuffer();
  barrier();
}

void main() {
  for (uint matrix = gl_WorkGroupID.x; matrix < row_count; matrix += gl_NumWorkGroups.x) {
    ivec4 begin = row_at(matrix);
    uint first = matrix * size * size;
    for (uint i = row_thread(); i < size * size; i += threads_per_row) a[first + i] = LOAD(x[element_at(begin, i).x]);
    wait_for_all();
    float product = 1.0;
    for (uint k = 0; k < size; ++k) {
      vec2 found = vec2(0.0, float(k));
      for (uint row = k + row_thread(); row < size; row += threads_per_row)
        found = larger_of(found, vec2(a[first + row * size + k], float(row)));
      found = pivot_of_row(found);
      uint pivot = uint(found.y);
      product *= pivot == k ? found.x : -found.x;
      if (found.x == 0.0) break; // all threads found the same
      // The rows below lose their k-th column; the pivot's row goes where row k is, which is needed no more.
      for (uint column = k + row_thread(); column < size; column += threads_per_row) {
        float upper = a[first + k * size + column];
        a[first + k * size + column] = a[first + pivot * size + column];
        a[first + pivot * size + column] = upper;
      }
      wait_for_all();
      uint width = size - k - 1;
      for (uint i = row_thread(); i < width * width; i += threads_per_row) {
        uint row = k + 1 + i / width, column = k + 1 + i % width;
        float factor = a[first + row * size + k] / found.x;
        a[first + row * size + column] -= factor * a[first + k * size + column];
      }
      wait_for_all();
    }
    if (row_thread() == 0) y[y_offset + int(matrix)] = STORE(product);
  }
}
